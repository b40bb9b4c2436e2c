/* Numbers and identity (behaviour section 4): what an INVITE says about who calls whom, and what a gateway is shown of it.
 * RFC 3261 section 8.1.1, RFC 3323 (Privacy), RFC 3325 (P-Asserted-Identity), RFC 8224 (Identity). Whatever passes has our host
 * in place of the sender's. */
#ifndef TANDEM_SIGNALING_IDENTITY_H
#define TANDEM_SIGNALING_IDENTITY_H
#include "signaling/work.h"

/* --- arrival --- */

/* callee_from, caller_from of the ingress: the number as it came, the callee without the tech prefix. What a caller that is not
 * `trusted` asserts of itself is not believed: its From counts. */
struct span identity_callee(const struct config *c, const struct cfg_mapping_gateway *mg, const struct msg *m);
struct span identity_caller(const struct cfg_mapping_gateway *mg, const struct msg *m);

enum identity_asked { ASKED_NOTHING, ASKED_NONE, ASKED_ID }; /* call_state.privacy: by the caller's Privacy header */
enum identity_asked identity_asked(struct span privacy);
/* keeps what gateways may be shown later: TEXT_ASSERTED, TEXT_PREFERRED, TEXT_PARTY, TEXT_SIGNED, privacy */
void identity_keep(struct work *w, const struct cfg_mapping_gateway *mg, const struct msg *m);

/* --- departure: towards s.gateway --- */

/* TEXT_CALLER and TEXT_CALLEE through the gateway's dial plans into TEXT_CALLER_OUT and TEXT_CALLEE_OUT */
void identity_numbers(struct work *w, const struct cfg_routing_gateway *gw);
/* TEXT_OUT_URI, TEXT_OUT_TO, TEXT_OUT_FROM: from the numbers, leg[LEG_CALLEE] and the attempt */
void identity_put(struct work *w, const struct cfg_routing_gateway *gw);
/* the INVITE's lines Privacy, P-Asserted-Identity, P-Preferred-Identity, Remote-Party-ID, Identity, Date */
void identity_lines(const struct work *w, struct out *o);

/* --- pieces --- */
void out_user(struct out *o, struct span user); /* user part of a URI, escaped (RFC 3261 section 25.1) */
void out_display(struct out *o,
	struct span display); /* quoted, with a blank behind; `display` as it stood between quotes, or bare */
/* SS_SIP_E164_DISPLAY_FROM; `display` as received. Spans point into the arguments or `buffer`. */
#define DISPLAY_BYTES 258u
struct span identity_display(
	enum cfg_display mode, struct span display, struct span number, char buffer[DISPLAY_BYTES]);
#endif
