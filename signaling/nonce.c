#include "signaling/nonce.h"
#include "base/uuid.h"
#include <errno.h>

void nonce_make(const struct sig *g, uint64_t now, char ret_text[TOKEN_TEXT])
{
	static uint32_t serial; /* tells those of one moment apart; not known beforehand, so that a successor's are others */
	if (!serial)
		serial = (uint32_t)uuid_random();
	serial++;
	const struct token t = { (uint8_t)g->env->index, (uint8_t)(serial >> 24), serial & TOKEN_SLOT_MAX, (uint32_t)(now / 100) };
	token_make(&g->env->roster->token_key, TOKEN_NONCE, &t, ret_text);
}

int nonce_read(const struct sig *g, struct span text, uint64_t now, struct nonce *ret_nonce)
{
	struct token t;
	if (token_read(&g->env->roster->token_key, TOKEN_NONCE, text, &t) < 0 || t.worker != g->env->index)
		return -ESTALE;
	uint32_t age = (uint32_t)(now / 100) - t.generation; /* made in the future: old */
	uint64_t serial = (uint64_t)t.aux << 24 | t.slot, id = serial << 32 | t.generation;
	if (age > NONCE_LIFE_MS / 100 || t.generation <= nonce_floor(&g->env->region[g->env->seat], &g->private_key, id))
		return -ESTALE;
	*ret_nonce = (struct nonce){ id, (uint64_t)age * 100 };
	return 0;
}
