/* The nonces of our challenges: 24 characters that name the worker that made them and when, with a keyed hash (sip/token.h). Bound
 * to nothing of the client: a NAT may give it another address for the answer. Only the worker that made a nonce knows which of its
 * counts were used (shm/auth.h): to others it is stale. */
#ifndef TANDEM_SIGNALING_NONCE_H
#define TANDEM_SIGNALING_NONCE_H
#include "signaling/core.h"
#include "shm/auth.h"

#define NONCE_LIFE_MS 300000u /* afterwards: stale */

void nonce_make(const struct sig *g, uint64_t now, char ret_text[TOKEN_TEXT]);
struct nonce {
	uint64_t id, age_ms;
};
/* 0; -ESTALE: not one of this worker's, too old, or from before the floor */
int nonce_read(const struct sig *g, struct span text, uint64_t now, struct nonce *ret_nonce);
#endif
