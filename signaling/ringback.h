/* Ring-back modes of routing gateways (behaviour: time limits in call set-up): what the caller gets for a gateway's 180 and 183,
 * and the tone that the relay plays meanwhile.
 *
 * `183-sdp` and `180-sdp` send the one named, with SDP: the gateway's, the last one the caller got, or one of our own. That is an
 * early answer made by us: the relay's address and the first common law of G.711. It belongs to the caller's leg alone, is no
 * SDP of the gateway, and ends with the first answer the gateway gives, with the attempt, or with the call. */
#ifndef TANDEM_SIGNALING_RINGBACK_H
#define TANDEM_SIGNALING_RINGBACK_H
#include "signaling/compose.h"

/* The provisional response to the caller: *code and *body in and out, `body` as carried from the gateway's response (n 0: it had
 * no SDP). Starts the tone where it must; call_state.early counts a new answer. True: *body is not from this response. */
bool ringback_provisional(struct work *w, uint16_t *code, struct body *body);
/* the caller hears the callee, another attempt, or nobody from now on */
void ringback_stop(struct work *w);
#endif
