#include "media-proxy/player.h"
#include "media-proxy/flow.h"
#include <stdlib.h>

#define CATCH_UP 5u /* frames sent at once after a delay; what is older is left out */

int player_init(struct player *p, struct pair_table *t, const struct config *c)
{
	uint32_t n = t->pairs / t->workers + 1;
	*p = (struct player){ .table = t, .list = calloc(n, sizeof(*p->list)), .listed = calloc(n, sizeof(*p->listed)) };
	if (p->list && p->listed && tone_make(c, &p->tone) == 0)
		return 0;
	player_done(p);
	return -ENOMEM;
}

void player_done(struct player *p)
{
	free(p->list);
	free(p->listed);
	tone_done(&p->tone);
	*p = (struct player){ 0 };
}

void player_configure(struct player *p, const struct config *c)
{
	struct tone tone;
	if (tone_make(c, &tone) < 0)
		return;
	tone_done(&p->tone);
	p->tone = tone;
}

static uint64_t frames_due(const struct playing *l, uint64_t now_ms)
{
	return now_ms < l->since ? 0 : (now_ms - l->since) / PLAYER_MS + 1;
}

void player_look(struct player *p, uint32_t number)
{
	const struct pair *pair = pair_get(p->table, number);
	uint32_t own = number / p->table->workers;
	if (!pair || !pair->want.tone || p->listed[own])
		return;
	p->listed[own] = true;
	p->list[p->n++] = (struct playing){ .pair = number };
}

void player_look_all(struct player *p)
{
	const struct pair_table *t = p->table;
	for (uint32_t number = t->index; number < t->pairs; number += t->workers) {
		const struct media_leg *leg = t->pair[number / t->workers].leg;
		if (leg && CMM_LOAD_SHARED(leg->slot.state) >= SLOT_LIVE)
			player_look(p, number);
	}
}

static void put16(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void put32(uint8_t *at, uint32_t v)
{
	put16(at, v >> 16);
	put16(at + 2, v);
}

/* the same for every incarnation, another for every life of a pair and every start of a tone in it */
static uint32_t ssrc_of(const struct playing *l, const struct pair *pair)
{
	uint64_t x = (l->since << 20 ^ (uint64_t)pair->seen.generation << 40) + l->pair;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u; /* the finalizer of splitmix64 */
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return (uint32_t)(x ^ x >> 31);
}

static void write_packet(const struct player *p, const struct playing *l, const struct pair *pair, uint8_t *at)
{
	const uint8_t *law = pair->want.tone == MEDIA_TONE_ULAW ? p->tone.ulaw : p->tone.alaw;
	uint32_t ssrc = ssrc_of(l, pair);
	at[0] = 0x80;
	at[1] = (uint8_t)((pair->want.tone_payload & 0x7f) | (l->next ? 0 : 0x80)); /* the marker begins it, RFC 3551 section 4.1 */
	put16(at + 2, (uint32_t)(ssrc + l->next));
	put32(at + 4, (uint32_t)(ssrc + l->next * TONE_FRAME));
	put32(at + 8, ssrc);
	tone_frame(&p->tone, law, l->next, at + 12);
}

static void forget(struct player *p, uint32_t i)
{
	p->listed[p->list[i].pair / p->table->workers] = false;
	p->list[i] = p->list[--p->n];
}

int player_next(struct player *p, uint32_t i, uint64_t now_ms, uint8_t *ret_packet, struct departure *ret_departure, bool *ret_gone)
{
	struct playing *l = &p->list[i];
	struct pair *pair = pair_get(p->table, l->pair);
	*ret_gone = !pair || !pair->want.tone;
	if (*ret_gone) {
		forget(p, i);
		return 0;
	}
	if (l->since != pair->want.tone_ms)
		*l = (struct playing){ .pair = l->pair, .since = pair->want.tone_ms };
	uint64_t due = frames_due(l, now_ms);
	if (due > l->next + CATCH_UP)
		l->next = due - 1;
	if (l->next >= due)
		return 0;
	if (!pair->want.send || !packet_depart(p->table, l->pair, pair, false, ret_departure)) {
		l->next++;
		return -EAGAIN;
	}
	write_packet(p, l, pair, ret_packet);
	l->next++;
	flow_begin(pair->flow);
	stat_add(&pair->flow->sent, 1);
	flow_end(pair->flow);
	return (int)PLAYER_PACKET;
}
