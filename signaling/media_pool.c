#include "signaling/media_pool.h"
#include <errno.h>
#include <stdlib.h>

int media_pool_init(struct sig *g)
{
	uint32_t per_pool = g->n_legs / g->c->system.media + 1;
	for (uint32_t m = 0; m < g->c->system.media; m++) {
		g->pool[m].slot = calloc(per_pool, sizeof(uint32_t));
		if (!g->pool[m].slot)
			return -ENOMEM;
		g->pool[m].cap = per_pool;
		g->pool[m].head = g->pool[m].n = 0;
	}
	return 0;
}

static uint32_t slot_media(const struct sig *g, uint32_t slot)
{
	return pair_media(g->c, slot_pair(g->c, g->env->index, slot));
}

static void put(struct sig *g, uint32_t slot)
{
	struct media_pool *p = &g->pool[slot_media(g, slot)];
	if (p->n < p->cap)
		p->slot[(p->head + p->n++) % p->cap] = slot;
}

static int by_time_of_freeing(const void *a, const void *b, void *worker)
{
	const struct media_leg *legs = ((const struct sig *)worker)->legs;
	uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
	uint64_t x = legs[i].freed_ms, y = legs[k].freed_ms;
	return x < y ? -1 : x > y ? 1 : i < k ? -1 : i > k;
}

int media_pool_adopt(struct sig *g, const uint8_t *used)
{
	uint32_t pairs = media_pairs(g->c), n = 0;
	uint32_t *slot = calloc(g->n_legs + 1, sizeof *slot);
	if (!slot)
		return -ENOMEM;
	for (uint32_t i = 0; i < g->n_legs; i++) {
		const struct media_leg *l = &g->legs[i];
		if (slot_pair(g->c, g->env->index, i) >= pairs || used[i])
			continue;
		if (l->slot.state != SLOT_FREE) {
			commit_u64(&l->freed_ms, clock_ms());
			slot_free(&l->slot);
		}
		slot[n++] = i;
	}
	/* oldest first, as the pool wants it: one that must rest at the head would keep back all behind it */
	qsort_r(slot, n, sizeof *slot, by_time_of_freeing, g);
	for (uint32_t i = 0; i < n; i++)
		put(g, slot[i]);
	free(slot);
	return 0;
}

static bool ready(const struct sig *g, const struct media_pool *p, uint32_t nth, uint64_t now)
{
	if (p->n <= nth)
		return false;
	uint64_t freed = g->legs[p->slot[(p->head + nth) % p->cap]].freed_ms;
	return !freed || freed + MEDIA_REUSE_MS <= now;
}

static uint32_t claim(struct work *w, struct media_pool *p)
{
	uint32_t slot = p->slot[p->head];
	const struct media_leg *l = &w->g->legs[slot];
	p->head = (p->head + 1) % p->cap;
	p->n--;
	slot_claim(&l->slot);
	commit_u32(&l->call_slot, w->slot);
	commit_u32(&l->call_generation, w->call->slot.generation);
	return slot;
}

int media_take(struct work *w, uint32_t stream)
{
	struct sig *g = w->g;
	for (uint32_t i = 0; i < g->c->system.media; i++) {
		uint32_t m = (g->next_pool + i) % g->c->system.media;
		struct media_pool *p = &g->pool[m];
		/* oldest first: when the second is ready the first is */
		if (!ready(g, p, 1, w->now))
			continue;
		g->next_pool = m + 1;
		uint32_t slot[2] = { claim(w, p), 0 };
		slot[1] = claim(w, p);
		for (int leg = 0; leg < 2; leg++) {
			const struct media_leg *l = &g->legs[slot[leg]];
			struct media_want want = { .peer = slot_pair(g->c, g->env->index, slot[!leg]), .latch = LATCH_OFF, .clock_rate = 8000 };
			slot_commit(&l->slot, l->want, sizeof want, &want);
			slot_live(&l->slot);
			w->s.leg[leg].media[stream] = slot_pair(g->c, g->env->index, slot[leg]) + 1;
			w->s.leg[leg].media_generation[stream] = l->slot.generation;
		}
		return 0;
	}
	return -EAGAIN;
}

const struct media_leg *media_leg_of(const struct work *w, enum call_leg_side leg, uint32_t stream)
{
	uint32_t pair = stream < CALL_STREAMS ? w->s.leg[leg].media[stream] : 0;
	if (!pair)
		return NULL;
	uint32_t slot = pair_slot(w->g->c, pair - 1);
	return slot < w->g->n_legs ? &w->g->legs[slot] : NULL;
}

uint16_t media_port(const struct work *w, enum call_leg_side leg, uint32_t stream)
{
	uint32_t pair = stream < CALL_STREAMS ? w->s.leg[leg].media[stream] : 0;
	return pair ? pair_port(w->g->c, pair - 1) : 0;
}

const struct media_want *media_wanted(const struct work *w, enum call_leg_side leg, uint32_t stream)
{
	const struct media_leg *l = media_leg_of(w, leg, stream);
	return l ? slot_now(&l->slot, l->want, sizeof l->want[0]) : NULL;
}

void media_want(const struct work *w, enum call_leg_side leg, uint32_t stream, const struct media_want *want)
{
	const struct media_leg *l = media_leg_of(w, leg, stream);
	if (l && memcmp(media_wanted(w, leg, stream), want, sizeof *want) != 0)
		slot_commit(&l->slot, l->want, sizeof *want, want);
}

void media_give(struct work *w)
{
	for (int leg = 0; leg < 2; leg++)
		for (uint32_t i = 0; i < CALL_STREAMS; i++) {
			if (media_leg_of(w, (enum call_leg_side)leg, i) && w->n_media_given < 4 * CALL_STREAMS)
				w->media_given[w->n_media_given++] = pair_slot(w->g->c, w->s.leg[leg].media[i] - 1);
			w->s.leg[leg].media[i] = 0;
		}
	w->s.leg[0].streams = w->s.leg[1].streams = 0;
}

void media_free_given(struct work *w)
{
	for (uint32_t i = 0; i < w->n_media_given; i++) {
		const struct media_leg *l = &w->g->legs[w->media_given[i]];
		commit_u64(&l->freed_ms, w->now);
		slot_free(&l->slot);
		put(w->g, w->media_given[i]);
	}
	w->n_media_given = 0;
}

int media_seen(const struct work *w, enum call_leg_side leg, uint32_t stream, struct media_flow *ret_flow)
{
	uint32_t pair = stream < CALL_STREAMS ? w->s.leg[leg].media[stream] : 0;
	if (!pair)
		return -ENOENT;
	const struct region *r = &w->g->env->region[seat_of(ROLE_MEDIA, pair_media(w->g->c, pair - 1))];
	const struct media_flow *flows = region_area(r, AREA_FLOWS);
	if (!flows || pair - 1 >= region_count(r, AREA_FLOWS))
		return -ENOENT;
	return media_flow_read(&flows[pair - 1], w->s.leg[leg].media_generation[stream], ret_flow);
}

uint32_t media_pool_free(const struct sig *g)
{
	uint32_t n = 0;
	for (uint32_t m = 0; m < g->c->system.media; m++)
		n += g->pool[m].n;
	return n;
}
