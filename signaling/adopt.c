/* A worker's start: everything private is derived from what lies in its region, whether that is empty or full of a dead
 * predecessor's calls. Idempotent: dying here and starting again gives the same. */
#include "signaling/call.h"
#include "signaling/capacity.h"
#include "signaling/ingress.h"
#include "signaling/media_pool.h"
#include "signaling/suspect.h"
#include "signaling/transport.h"
#include "base/log.h"
#include <errno.h>
#include <stdlib.h>

static int make_private(struct sig *g)
{
	g->free_call = calloc(g->n_calls, sizeof *g->free_call);
	g->timer = calloc(g->n_calls, sizeof *g->timer);
	if (!g->free_call || !g->timer || index_init(&g->txns, g->n_calls * CALL_TXNS) < 0 || index_init(&g->merges, g->n_calls) < 0 ||
	    index_init(&g->dones, g->n_done) < 0 || media_pool_init(g) < 0)
		return -ENOMEM;
	return blocks_begin(&g->blocks, &g->env->region[g->env->seat]);
}

/* false: some are not its own; then none is marked */
static bool mark_blocks(struct sig *g, const struct call_state *s)
{
	uint32_t handle[1 + 2 * CALL_TXNS], n = 0;
	if (s->text)
		handle[n++] = s->text;
	for (uint32_t i = 0; i < CALL_TXNS; i++) {
		if (s->txn[i].state == TXN_FREE)
			continue;
		if (s->txn[i].message)
			handle[n++] = s->txn[i].message;
		if (s->txn[i].request)
			handle[n++] = s->txn[i].request;
	}
	for (uint32_t i = 0; i < n; i++)
		if (blocks_mark(&g->blocks, handle[i]) < 0) {
			while (i-- > 0)
				blocks_unmark(&g->blocks, handle[i]);
			return false;
		}
	return true;
}

static void mark_media(struct sig *g, const struct call_state *s, uint8_t *used)
{
	for (int leg = 0; leg < 2; leg++)
		for (uint32_t i = 0; i < CALL_STREAMS; i++) {
			uint32_t slot = s->leg[leg].media[i] ? pair_slot(g->c, s->leg[leg].media[i] - 1) : UINT32_MAX;
			if (slot < g->n_legs)
				used[slot] = 1;
		}
}

static void count_capacity(struct sig *g, const struct call *call, const struct call_state *s)
{
	const struct config *c = g->c;
	capacity_take_line(g, cell_system(), CONFIG_NONE);
	ingress_count(g, call->ingress, call->account);
	if (s->to_account && s->to_account <= c->accounts.n)
		capacity_take_account(g, s->to_account - 1, CONFIG_NONE);
	if (!s->attempt || s->gateway >= c->routing_gateways.n)
		return;
	capacity_take_line(g, cell_routing(c, s->gateway), CONFIG_NONE);
	uint32_t group = cfg_routing(c, s->gateway)->group;
	if (group < c->groups.n)
		capacity_take_line(g, cell_group(c, group), CONFIG_NONE);
}

static uint32_t find_routing(const struct config *c, struct span id)
{
	for (uint32_t i = 0; i < c->routing_gateways.n; i++)
		if (span_eq(cfg_span(c, cfg_routing(c, i)->id), id))
			return i;
	return UINT16_MAX;
}

/* finds the ingress and the account of a call by their names */
static void renumber_ingress(struct sig *g, const struct call *call, struct span ingress, struct span account)
{
	uint32_t is = ingress_kind(call->ingress) == INGRESS_NOBODY && !ingress.n ? CONFIG_NONE :
		ingress_find(g->c, ingress_kind(call->ingress), ingress);
	uint32_t by = account.n ? config_account(g->c, account) : CONFIG_NONE;
	if (call->ingress != is)
		commit_u32(&call->ingress, is);
	if (call->account != by)
		commit_u32(&call->account, by);
}

/* of an attempt that calls an account; UINT32_MAX: it is no more, its contacts still are */
static uint32_t find_account(const struct config *c, struct span id)
{
	uint32_t account = config_account(c, id);
	return account == CONFIG_NONE ? UINT32_MAX : account + 1;
}

static bool is_routing(const struct config *c, uint32_t i, struct span id)
{
	return i < c->routing_gateways.n ? span_eq(cfg_span(c, cfg_routing(c, i)->id), id) : i == UINT16_MAX;
}

/* The predecessor may have died before a reload reached all its calls: numbers that do not fit their names are of the
 * configuration before. */
static void renumber(struct sig *g, const struct call *call)
{
	static struct call_state fresh; /* large */
	const struct call_state *s = slot_now(&call->slot, call->copies, sizeof *s);
	const void *text = block_at(g->blocks.plan, s->text);
	struct span ingress = call_text_span(s, text, TEXT_INGRESS), egress = call_text_span(s, text, TEXT_EGRESS);
	renumber_ingress(g, call, ingress, call_text_span(s, text, TEXT_ACCOUNT));
	if (!s->attempt || (s->to_account ? s->to_account == find_account(g->c, egress) : is_routing(g->c, s->gateway, egress)))
		return;
	memcpy(&fresh, s, sizeof fresh);
	if (s->to_account)
		fresh.to_account = find_account(g->c, egress);
	else
		fresh.gateway = (uint16_t)find_routing(g->c, egress);
	slot_commit(&call->slot, call->copies, sizeof fresh, &fresh);
}

static void adopt_call(struct sig *g, uint32_t slot, uint8_t *used)
{
	const struct call *call = &g->calls[slot];
	const struct call_state *s = slot_now(&call->slot, call->copies, sizeof *s);
	enum suspect_level level = suspect_level(g, slot);
	working_call(g->head, slot);
	if (level == CALL_FORGET) {
		slot_free(&call->slot);
		return;
	}
	bool intact = call_intact(g, call) && mark_blocks(g, s);
	if (level == CALL_BURY || !intact) {
		if (!intact) {
			count_one(g->head, COUNT_DAMAGED);
			log_error("adoption: the record of the call in slot %u is damaged: it is ended", slot);
		}
		suspect_bury(g, slot);
	} else {
		CRASHMARK("adopt", block_at(g->blocks.plan, s->text), s->text_used);
		renumber(g, call);
	}
	s = slot_now(&call->slot, call->copies, sizeof *s);
	for (uint32_t i = 0; i < CALL_TXNS; i++)
		if (s->txn[i].state != TXN_FREE && s->txn[i].server)
			index_add(&g->txns, slot * CALL_TXNS + i, s->txn[i].key);
		else if (s->txn[i].state != TXN_FREE && s->txn[i].key >> 32)
			index_add(&g->txns, slot * CALL_TXNS + i, stray_key((uint32_t)(s->txn[i].key >> 32)));
	if (s->journal > g->journal->tail) /* written and named, not published */
		commit_release_u64(&g->journal->tail, s->journal);
	g->live++;
	if (s->phase == CALL_ENDING)
		return;
	mark_media(g, s, used);
	count_capacity(g, call, s);
	g->reserved++;
}

static void adopt_dones(struct sig *g, uint64_t now)
{
	uint64_t newest = 0;
	for (uint32_t i = 0; i < g->n_done; i++) {
		const struct done *d = &g->done[i];
		if (!d->key)
			continue;
		if (d->n > DONE_BYTES || d->journal > g->journal->tail + JOURNAL_AHEAD) { /* damaged */
			commit_u64(&d->key, 0);
			continue;
		}
		if (d->journal > g->journal->tail) /* written and named, not published */
			commit_release_u64(&g->journal->tail, d->journal);
		if (d->end_ms <= now)
			continue;
		index_add(&g->dones, i, d->key);
		if (d->end_ms >= newest) { /* the circle goes on behind the newest */
			newest = d->end_ms;
			g->next_done = i + 1 == g->n_done ? 0 : i + 1;
		}
	}
}

int adopt(struct sig *g)
{
	uint64_t now = clock_ms();
	uint8_t *used = calloc(g->n_legs + 1, 1);
	int r = used ? make_private(g) : -ENOMEM;
	if (r < 0) {
		free(used);
		return r;
	}
	done_forget_uncommitted(g); /* before anything is committed */
	suspect_begin(g);
	capacity_clear(g);
	for (uint32_t i = 0; i < g->n_calls; i++) {
		const struct slot *s = &g->calls[i].slot;
		if (s->state == SLOT_FILLING)
			slot_free(s);
		else if (s->state != SLOT_FREE)
			adopt_call(g, i, used);
	}
	working_done(g->head);
	for (uint32_t i = g->n_calls; i-- > 0;)
		if (g->calls[i].slot.state == SLOT_FREE)
			g->free_call[g->n_free_call++] = i;
	blocks_open(&g->blocks);
	r = media_pool_adopt(g, used);
	free(used);
	adopt_dones(g, now);
	return r;
}

/* texts of the INVITE's dialog in progress; repeated ones are merged requests (call_setup.c) */
static void add_merge(struct sig *g, const struct work *w)
{
	struct span from = work_text(w, TEXT_IN_FROM);
	struct msg_address a;
	if (w->s.phase == CALL_SETUP && address_parse(from, &a) == 0)
		index_add(&g->merges, w->slot, key_merge(g, work_text(w, TEXT_IN_CALL_ID), a.tag, w->s.leg[LEG_CALLER].cseq_remote));
}

void adopt_resend(struct sig *g)
{
	uint64_t now = clock_ms();
	uint32_t n = 0;
	for (uint32_t i = 0; i < g->n_calls; i++) {
		const struct slot *s = &g->calls[i].slot;
		struct work w;
		if (s->state < SLOT_LIVE)
			continue;
		work_open(&w, g, i, now);
		for (uint32_t t = 0; t < CALL_TXNS; t++)
			if (w.s.txn[t].state != TXN_FREE && w.s.txn[t].message && (int32_t)(w.s.txn[t].message_commit - s->sent) > 0)
				w.send |= 1u << t;
		w.s.recovered = 1;
		add_merge(g, &w);
		if (suspect_level(g, i) == CALL_TERMINATE)
			call_terminate(&w, END_INTERNAL);
		work_commit(&w); /* also arms its timer, and frees a call that was over */
		n++;
	}
	if (!n)
		return;
	count_add(g->head, COUNT_ADOPTED, n);
	log_warning("adopted %u calls", n);
}

/* After a reload the numbers of gateways mean others: running calls find theirs by name, capacity is counted anew. */
void adopt_renumber(struct sig *g)
{
	capacity_clear(g);
	for (uint32_t i = 0; i < g->n_calls; i++) {
		struct work w;
		if (g->calls[i].slot.state < SLOT_LIVE)
			continue;
		work_open(&w, g, i, clock_ms());
		if (w.s.phase == CALL_ENDING) {
			working_call_done(g->head);
			continue;
		}
		renumber_ingress(g, w.call, work_text(&w, TEXT_INGRESS), work_text(&w, TEXT_ACCOUNT));
		if (w.s.to_account)
			w.s.to_account = find_account(g->c, work_text(&w, TEXT_EGRESS));
		else if (w.s.attempt)
			w.s.gateway = (uint16_t)find_routing(g->c, work_text(&w, TEXT_EGRESS));
		count_capacity(g, w.call, &w.s);
		work_commit(&w);
	}
}
