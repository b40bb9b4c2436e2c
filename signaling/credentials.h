/* Digest authentication towards routing gateways, with their username and password or those of the registration they are reached
 * by (sip/digest.h). A challenge is answered when it came from one of the gateway's own addresses and the request goes there again;
 * its first realm holds for the attempt. Each request answers one challenge, and one more if that says stale. The last challenge
 * lies in TEXT_CHALLENGE: later requests of the dialog carry credentials from the start. */
#ifndef TANDEM_SIGNALING_CREDENTIALS_H
#define TANDEM_SIGNALING_CREDENTIALS_H
#include "signaling/compose.h"

void credentials_next_attempt(struct work *w);
/* a 401 or 407 to `t`: true when it can be answered; the challenge is kept and `t` marked */
bool credentials_challenged(struct work *w, struct call_txn *t, const struct event *ev);
/* sends the request of `t` again, in the same transaction slot: next CSeq, new branch, credentials */
void credentials_repeat(struct work *w, struct call_txn *t);
/* the next request to the gateway that is composed counts one use of the nonce more */
void credentials_count(struct work *w);
/* line for a request being composed in `o`, whose request line stands there already; nothing without a challenge. An ACK gets that of
 * its INVITE */
void credentials_out(const struct work *w, struct out *o, const struct call_txn *t);
#endif
