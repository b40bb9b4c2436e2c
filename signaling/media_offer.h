/* Session descriptions across the call: a body that came on one leg is read, the relay is told where that leg's media is,
 * and the body is written anew for the other leg with our addresses. Nothing of one side's addresses reaches the other when
 * media is relayed; when it is not, only o= is ours. */
#ifndef TANDEM_SIGNALING_MEDIA_OFFER_H
#define TANDEM_SIGNALING_MEDIA_OFFER_H
#include "signaling/compose.h"
#include "signaling/sdp.h"

/* is the call relayed with this gateway? The strongest of both legs' modes: must > off > on > auto */
bool media_relayed(const struct work *w, const struct cfg_routing_gateway *gw);
/* Carries an SDP body from leg `from` to the other. *ret_body lies in the worker's body buffer until the next call.
 * 0; -EBADMSG, -E2BIG: cannot be read (488); -EAGAIN: no port pair free (503); -EMSGSIZE; -ENOTSUP: no codec
 * that the gateway's list allows (488) */
int media_carry(struct work *w, enum call_leg_side from, struct span sdp, struct body *ret_body);
/* The same for an offer inside the dialog, which may yet be refused: the relay hears of it by media_accept() when the
 * other side has accepted it. The offer is kept in TEXT_REOFFER meanwhile. */
int media_carry_offer(struct work *w, enum call_leg_side from, struct span sdp, struct body *ret_body);
void media_accept(struct work *w, enum call_leg_side offerer);
/* it was refused by leg `to`, or never got there: what was agreed before holds */
void media_refuse(struct work *w, enum call_leg_side to);
/* leg `from` answered a refresh of ours: new addresses count for the relay, the other leg hears nothing of it */
void media_refreshed(struct work *w, enum call_leg_side from, struct span sdp);
/* is it the very body that leg `from` sent last? */
bool media_unchanged(const struct work *w, enum call_leg_side from, struct span sdp);
/* An answer of our own to the caller's offer: `lines` are those behind t=, for ports of ours on the caller's leg; `stream` is one
 * with a port. TEXT_SDP_TO_CALLER and the version change as with media_carry(). 0 or -EMSGSIZE */
int media_own_answer(struct work *w, uint32_t stream, struct span lines, struct body *ret_body);
/* has the offer of the call a codec that the gateway's list allows? */
bool media_has_codec(const struct work *w, const struct cfg_routing_gateway *gw);
/* the call's offer, as the gateway's list of codecs leaves it; n 0: there is none, or nothing of it is left */
struct span media_offer_left(const struct work *w);
/* forgets what the last gateway said, for the next attempt: the callee leg's streams are open again */
void media_next_attempt(struct work *w);
/* has RTP come from that leg's side? */
bool media_heard(const struct work *w, enum call_leg_side leg);
#endif
