/* Headers and bodies that belong to the ends of a call: they cross from one leg to the other, with nothing of the side
 * they come from (behaviour: call, leg, attempt). Which pass: a fixed list (RFC 3326 Reason, RFC 5806 Diversion, RFC 7044
 * History-Info, RFC 7433 User-to-User, RFC 3261 Call-Info, Alert-Info, Subject, RFC 3892 Referred-By, and what describes a
 * body), and what the routing gateway's headers.pass names; nothing that its headers.remove names. Where a header names a
 * host, that host becomes ours; a value that cannot be read does not pass. Borrowed spans lie in static memory until the
 * next call of the same function. */
#ifndef TANDEM_SIGNALING_HEADERS_H
#define TANDEM_SIGNALING_HEADERS_H
#include "signaling/compose.h"

/* keeps the INVITE's headers (TEXT_HEADERS) and the parts of its body that are no SDP (TEXT_PARTS) for every attempt; the
 * candidates are known */
void headers_keep(struct work *w, const struct msg *m);
/* lines of the attempt's INVITE: what was kept, Allow, and the gateway's headers.add */
void headers_invite(const struct work *w, struct out *o);
/* the gateway's headers.add: in its INVITEs, also those inside the dialog, and in the BYE */
void headers_added(const struct work *w, struct out *o);
/* lines of a message that came from the other leg, for leg `to`; n 0: none */
struct span headers_pass(const struct work *w, enum call_leg_side to, const struct msg *m);
/* Allow: our methods without those that the other side is known not to take */
void headers_allow(const struct work *w, enum call_leg_side to, struct out *o);
void headers_learn_allow(struct work *w, enum call_leg_side from, const struct msg *m);
/* the Reason header's first value that speaks of Q.850; 0: there is none */
uint16_t headers_cause(const struct msg *m);
/* a URI of the other side as leg `to` may see it: its host ours, of its parameters user and cause; false: unreadable, nothing
 * is written */
bool headers_uri(const struct work *w, enum call_leg_side to, const struct msg_uri *u, struct out *o);

/* the SDP of a body, alone or as a part of multipart/mixed; n 0: none */
struct span headers_sdp(const struct msg *m);
/* `b` (the SDP rewritten, or nothing) with the other parts that came with it: the body for the other side */
void headers_body(const struct msg *m, struct body *b);
void headers_kept_body(const struct work *w, struct body *b); /* the same with what headers_keep() kept */
#endif
