/* 3xx of a gateway with `follow_redirect: on` (RFC 3261 section 8.1.3.4): the attempt goes on at its Contacts, in the order of their q,
 * five at most. One that names a host by name, wants another transport than UDP or is ourselves is passed over. Credentials do not
 * go there (credentials.h). */
#ifndef TANDEM_SIGNALING_REDIRECT_H
#define TANDEM_SIGNALING_REDIRECT_H
#include "signaling/compose.h"

#define REDIRECTS_MAX 5u

void redirect_next_attempt(struct work *w);
void redirect_learn(struct work *w, const struct msg *m); /* a 3xx: what it names comes before what is left of an earlier one */
/* the INVITE under way failed with `code` (0: time-out): true when it has been sent to the next Contact. Not after a 6xx, nor when the
 * callee has rung or been heard. */
bool redirect_follow(struct work *w, uint16_t code);
#endif
