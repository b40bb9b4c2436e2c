#include "media-proxy/pair.h"
#include "media-proxy/flow.h"
#include <stdlib.h>

int pair_table_init(struct pair_table *t, const struct config *c, uint32_t index, const struct media_leg *const *legs,
	const struct media_flow *flows)
{
	*t = (struct pair_table){
		.low = c->media.port_low,
		.high = c->media.port_low + 2 * media_pairs(c) - 1,
		.pairs = media_pairs(c),
		.workers = c->system.media,
		.index = index,
		.n_addresses = c->media.addresses.n,
	};
	t->address = calloc(t->n_addresses + 1u, sizeof(*t->address));
	t->pair = calloc(t->pairs / t->workers + 1, sizeof(*t->pair));
	if (!t->address || !t->pair) {
		pair_table_done(t);
		return -ENOMEM;
	}
	memcpy(t->address, CFG_LIST(c, &c->media.addresses, struct addr), t->n_addresses * sizeof(*t->address));
	for (uint32_t n = index; n < t->pairs; n += t->workers) {
		const struct media_leg *area = legs[pair_owner(c, n)];
		struct pair *p = &t->pair[n / t->workers];
		p->leg = area ? area + pair_slot(c, n) : NULL;
		p->flow = flows + n;
		p->bad_seq = RTP_CYCLE + 1;
		flow_repair(p->flow);
	}
	return 0;
}

void pair_table_done(struct pair_table *t)
{
	free(t->address);
	free(t->pair);
	t->address = NULL;
	t->pair = NULL;
}

static bool refresh(const struct pair_table *t, struct pair *p)
{
	struct slot seen = { 0 };
	struct media_want want;
	int r = slot_read_seen(&p->leg->slot, p->leg->want, sizeof(want), &seen, &want);
	if (r == -EBUSY) /* its owner is at it; what was copied before still stands, if it is of the same life */
		return p->live && p->seen.generation == CMM_LOAD_SHARED(p->leg->slot.generation);
	p->live = r == 0 && want.local < t->n_addresses;
	if (!p->live)
		return false;
	if (p->seen.generation != seen.generation)
		p->rtcp_latched_ms = 0;
	p->seen = seen;
	p->want = want;
	if (p->flow->generation != seen.generation)
		flow_start(p->flow, seen.generation, want.epoch);
	else if (p->flow->epoch != want.epoch)
		flow_open(p->flow, want.epoch);
	return true;
}

void pair_shun(struct pair_table *t, uint32_t number, uint32_t generation)
{
	if (t->n_shun == PAIR_SHUN) /* the oldest gives way */
		memmove(&t->shun[0], &t->shun[1], --t->n_shun * sizeof(t->shun[0]));
	t->shun[t->n_shun].number = number;
	t->shun[t->n_shun++].generation = generation;
}

static bool is_shunned(const struct pair_table *t, uint32_t number, uint32_t generation)
{
	for (uint32_t i = 0; i < t->n_shun; i++)
		if (t->shun[i].number == number && t->shun[i].generation == generation)
			return true;
	return false;
}

struct pair *pair_get(struct pair_table *t, uint32_t number)
{
	if (number >= t->pairs || number % t->workers != t->index)
		return NULL;
	struct pair *p = &t->pair[number / t->workers];
	if (!p->leg)
		return NULL;
	if (!(p->live && slot_unchanged(&p->leg->slot, &p->seen)) && !refresh(t, p))
		return NULL;
	return t->n_shun && is_shunned(t, number, p->seen.generation) ? NULL : p;
}
