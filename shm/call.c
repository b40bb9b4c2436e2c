#include "shm/call.h"
#include "shm/block.h"
#include "shm/copy.h"

static const struct end_reason_info infos[END_REASON_COUNT] = {
#define X(id, text, code, cause) [id] = { text, code, cause },
	END_REASONS(X)
#undef X
};

const struct end_reason_info *end_reason_info(enum end_reason r)
{
	return &infos[r < END_REASON_COUNT ? r : END_INTERNAL];
}

/* texts that point outside of what was copied are dropped: their owner is another process and may be damaged */
static void bound_texts(struct call_state *s, size_t n)
{
	for (int i = 0; i < TEXT_COUNT; i++)
		if (s->t[i].at > n || s->t[i].n > n - s->t[i].at)
			s->t[i] = (struct call_text){ 0 };
}

int call_read(const struct call *c, const struct block_plan *plan, uint32_t *generation, struct call_state *ret_state,
	void *ret_text)
{
	for (int i = 0; i < SLOT_TRIES; i++) {
		struct slot seen = { .generation = *generation };
		int r = slot_read_seen(&c->slot, c->copies, sizeof c->copies[0], &seen, ret_state);
		if (r)
			return r;
		const void *block = block_at(plan, ret_state->text);
		size_t n = block ? ret_state->text_used : 0;
		if (n > CALL_TEXT_MAX || (block && n > block_capacity(ret_state->text)))
			n = 0;
		if (n)
			copy_racing(ret_text, block, n);
		bound_texts(ret_state, n);
		if (slot_unchanged(&c->slot, &seen)) {
			*generation = seen.generation;
			return 0;
		}
	}
	return -EBUSY;
}
