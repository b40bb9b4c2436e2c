#include "signaling/work.h"
#include "signaling/call.h"
#include "signaling/media_pool.h"
#include "signaling/trace.h"
#include "signaling/session.h"
#include "signaling/transport.h"
#include "signaling/twice.h"
#include <assert.h>
#include <errno.h>

/* --- opening and committing --- */

static void timer_expired(struct wheel_timer *t, uint64_t now)
{
	struct call_timer *ct = (struct call_timer *)t;
	call_timer_expired(ct->g, (uint32_t)(ct - ct->g->timer), now);
}

int work_new(struct work *w, struct sig *g, uint64_t now)
{
	if (!g->n_free_call)
		return -ENFILE;
	*w = (struct work){ .g = g, .now = now };
	w->slot = g->free_call[--g->n_free_call];
	w->call = &g->calls[w->slot];
	slot_claim(&w->call->slot);
	if (g->tracing)
		trace_call(g, w->slot);
	commit_zero(w->call->copies, sizeof w->call->copies);
	g->live++;
	g->reserved++;
	return 0;
}

void work_open(struct work *w, struct sig *g, uint32_t slot, uint64_t now)
{
	w->g = g;
	w->slot = slot;
	w->call = &g->calls[slot];
	w->now = now;
	w->text_fresh = BLOCK_NONE;
	w->n_retire = w->send = w->n_loose = w->n_media_given = 0;
	w->full = w->no_codec = false;
	w->reason = w->lines = w->route = (struct span){ 0 };
	w->cause_heard = 0;
	memcpy(&w->s, slot_now(&w->call->slot, w->call->copies, sizeof w->s), sizeof w->s);
	twice_open(g, slot);
	working_call(g->head, slot);
	if (g->tracing)
		trace_call(g, slot);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return !a ? b : !b ? a : a < b ? a : b;
}

static uint64_t next_deadline(const struct call_state *s)
{
	uint64_t at = earlier(earlier(earlier(s->end_at, s->stage_at), s->media_at), session_deadline(s));
	for (uint32_t i = 0; i < CALL_TXNS; i++)
		if (s->txn[i].state != TXN_FREE)
			at = earlier(at, earlier(s->txn[i].resend_ms, s->txn[i].end_ms));
	return at;
}

#define TIMER_GRAIN_MS 8u

static void set_timer(struct work *w)
{
	struct call_timer *t = &w->g->timer[w->slot];
	uint64_t at = next_deadline(&w->s);
	/* onto a coarse grid, so that the deadlines of many calls share a wake-up: it costs more than what it is for */
	at = (at + TIMER_GRAIN_MS - 1) / TIMER_GRAIN_MS * TIMER_GRAIN_MS;
	t->g = w->g;
	if (!at)
		wheel_del(&w->g->env->loop.wheel, &t->t);
	else if (!t->t.next || t->t.deadline != at)
		wheel_add(&w->g->env->loop.wheel, &t->t, at, timer_expired);
}

static bool is_over(const struct call_state *s)
{
	if (s->phase != CALL_ENDING)
		return false;
	for (uint32_t i = 0; i < CALL_TXNS; i++)
		if (s->txn[i].state != TXN_FREE)
			return false;
	return true;
}

static void release(struct work *w)
{
	struct sig *g = w->g;
	wheel_del(&g->env->loop.wheel, &g->timer[w->slot].t);
	for (uint32_t i = 0; i < CALL_TXNS; i++) {
		index_del(&g->txns, w->slot * CALL_TXNS + i);
		block_retire(&g->blocks, w->s.txn[i].message);
		block_retire(&g->blocks, w->s.txn[i].request);
	}
	index_del(&g->merges, w->slot);
	block_retire(&g->blocks, w->s.text);
	slot_free(&w->call->slot);
	g->free_call[g->n_free_call++] = w->slot;
	g->live--;
}

static void send_all(struct work *w, uint32_t commit)
{
	struct sig *g = w->g;
	/* what answers or acknowledges first: what follows from it must not overtake it */
	for (uint32_t i = 0; i < w->n_loose; i++)
		transport_queue(g, w->loose[i].p, w->loose[i].n, w->loose[i].listen, &w->loose[i].to);
	for (uint32_t i = 0; i < CALL_TXNS; i++) {
		const struct call_txn *t = &w->s.txn[i];
		if (w->send & (1u << i) && t->message)
			transport_queue(g, block_at(g->blocks.plan, t->message), t->message_n, t->listen, &t->to);
	}
	transport_touched(g, w->slot, commit);
}

void work_commit(struct work *w)
{
	struct sig *g = w->g;
	if (w->full && w->call->slot.state != SLOT_FILLING) { /* something of the event is missing: the call cannot be what its sides think */
		w->full = false;
		call_terminate(w, END_INTERNAL);
	}
	const struct slot *slot = &w->call->slot;
	uint32_t commit = slot->commit + 1;
	for (uint32_t i = 0; i < CALL_TXNS; i++)
		if (w->send & (1u << i))
			w->s.txn[i].message_commit = commit;
	twice_commit(g, w->slot, &w->s);
	slot_commit(slot, w->call->copies, sizeof w->s, &w->s);
	if (slot->state == SLOT_FILLING)
		slot_live(slot);
	else if (w->s.phase == CALL_ENDING && slot->state == SLOT_LIVE)
		slot_closing(slot);
	call_journal_publish(w);
	send_all(w, commit);
	g->arena_held = false;
	media_free_given(w);
	for (uint32_t i = 0; i < w->n_retire; i++)
		block_retire(&g->blocks, w->retire[i]);
	working_call_done(g->head);
	if (is_over(&w->s))
		release(w);
	else
		set_timer(w);
	w->n_retire = w->send = w->n_loose = 0;
	w->text_fresh = BLOCK_NONE;
	sig_maybe_stop(g);
}

void work_abandon(struct work *w)
{
	struct sig *g = w->g;
	assert(w->call->slot.state == SLOT_FILLING);
	g->arena_held = false;
	media_free_given(w);
	for (uint32_t i = 0; i < CALL_TXNS; i++) {
		index_del(&g->txns, w->slot * CALL_TXNS + i);
		if (w->s.txn[i].message)
			block_drop(&g->blocks, w->s.txn[i].message);
		if (w->s.txn[i].request)
			block_drop(&g->blocks, w->s.txn[i].request);
	}
	for (uint32_t i = 0; i < w->n_retire; i++)
		block_drop(&g->blocks, w->retire[i]);
	if (w->s.text)
		block_drop(&g->blocks, w->s.text);
	index_del(&g->merges, w->slot);
	slot_free(&w->call->slot);
	g->free_call[g->n_free_call++] = w->slot;
	g->live--;
	g->reserved--;
}

static void retire(struct work *w, uint32_t block)
{
	if (!block)
		return;
	assert(w->n_retire < WORK_RETIRE);
	w->retire[w->n_retire++] = block;
}

/* --- texts --- */

struct span work_text(const struct work *w, enum call_text_id id)
{
	return call_text_span(&w->s, block_at(w->g->blocks.plan, w->s.text), id);
}

#define TEXT_SPARE 64u

/* the live texts move to a block with room for `more` */
static bool text_move(struct work *w, size_t more)
{
	size_t size = more;
	uint32_t handle, used = 0;
	for (uint32_t i = 0; i < TEXT_COUNT; i++)
		size += w->s.t[i].n;
	char *to = block_alloc(&w->g->blocks, size, &handle);
	if (!to) {
		w->full = true;
		return false;
	}
	for (uint32_t i = 0; i < TEXT_COUNT; i++) {
		struct span old = work_text(w, i);
		if (old.n)
			memcpy(to + used, old.p, old.n);
		w->s.t[i].at = used;
		used += (uint32_t)old.n;
	}
	retire(w, w->s.text);
	w->s.text = handle;
	w->s.text_used = used;
	w->text_fresh = handle;
	return true;
}

void work_compact(struct work *w)
{
	size_t live = 0;
	for (uint32_t i = 0; i < TEXT_COUNT; i++)
		live += w->s.t[i].n;
	/* room for what a re-INVITE changes; a smaller class must come of it */
	uint32_t class = w->s.text ? block_class(w->s.text) : 0;
	bool full = w->full;
	if (class && live + TEXT_SPARE <= block_size[class - 1])
		text_move(w, TEXT_SPARE);
	w->full = full; /* without a block it stays as it is */
}

void work_put(struct work *w, enum call_text_id id, struct span text)
{
	if (!text.n) {
		w->s.t[id].n = 0;
		return;
	}
	if (span_eq(work_text(w, id), text))
		return;
	struct call_text before = w->s.t[id];
	w->s.t[id].n = 0; /* need not move */
	if ((!w->s.text || w->s.text_used + text.n > block_capacity(w->s.text)) && !text_move(w, text.n)) {
		w->s.t[id] = before; /* an old target or route is better than none */
		return;
	}
	const char *base = block_at(w->g->blocks.plan, w->s.text);
	commit_bytes(base + w->s.text_used, text.p, text.n);
	w->s.t[id] = (struct call_text){ w->s.text_used, (uint32_t)text.n };
	w->s.text_used += (uint32_t)text.n;
}

/* --- transactions --- */

struct call_txn *txn_new(struct work *w, bool server, enum txn_method method, enum call_leg_side leg)
{
	struct call_txn *t = NULL;
	for (uint32_t i = 0; i < CALL_TXNS && !t; i++)
		if (w->s.txn[i].state == TXN_FREE)
			t = &w->s.txn[i];
	for (uint32_t i = 0; i < CALL_TXNS && !t; i++)
		if (w->s.txn[i].flags & TXN_ABANDONED) {
			call_abandon_to_done(w, &w->s.txn[i]);
			t = &w->s.txn[i];
		}
	for (uint32_t i = 0; i < CALL_TXNS && !t; i++)
		if (!w->s.txn[i].server && w->s.txn[i].method == METHOD_CANCEL) {
			t = &w->s.txn[i]; /* its resends are given up */
			if (w->send & 1u << i && t->message) /* but not itself: it is of this event */
				work_send(w, (struct span){ block_at(w->g->blocks.plan, t->message), t->message_n }, t->listen, &t->to);
			txn_free(w, t);
		}
	for (uint32_t i = 0; i < CALL_TXNS && !t; i++)
		if (w->s.txn[i].server && w->s.txn[i].state == TXN_CONFIRMED) { /* of a re-INVITE: repetitions are absorbed all the same */
			t = &w->s.txn[i];
			done_add_in(w, DONE_RESPONSE, t->key, (struct span){ 0 }, t->listen, &t->to);
			txn_free(w, t);
		}
	for (uint32_t i = 0; i < CALL_TXNS && !t && method == METHOD_BYE && !server; i++)
		if (w->s.txn[i].server && w->s.txn[i].state == TXN_COMPLETED) { /* a call always ends: a failure may stay unacknowledged */
			t = &w->s.txn[i];
			done_add_in(w, DONE_RESPONSE, t->key, (struct span){ t->message ? block_at(w->g->blocks.plan, t->message) : NULL, t->message_n },
				t->listen, &t->to);
			txn_free(w, t);
		}
	if (!t)
		return NULL;
	*t = (struct call_txn){ .state = server ? TXN_PROCEEDING : TXN_CALLING, .method = (uint8_t)method, .server = server, .leg = (uint8_t)leg };
	if (!server)
		t->key = ++w->s.next_branch;
	return t;
}

void txn_free(struct work *w, struct call_txn *t)
{
	uint8_t number = txn_number(w, t);
	index_del(&w->g->txns, w->slot * CALL_TXNS + number);
	retire(w, t->message);
	retire(w, t->request);
	for (uint32_t i = 0; i < CALL_TXNS; i++)
		if (w->s.txn[i].pair == number + 1)
			w->s.txn[i].pair = 0;
	*t = (struct call_txn){ 0 };
	w->send &= ~(1u << number);
}

struct call_txn *txn_find(struct work *w, bool server, enum txn_method method, enum call_leg_side leg)
{
	for (uint32_t i = 0; i < CALL_TXNS; i++) {
		struct call_txn *t = &w->s.txn[i];
		if (t->state != TXN_FREE && t->server == server && t->method == method && t->leg == leg && !(t->flags & TXN_ABANDONED))
			return t;
	}
	return NULL;
}

struct call_txn *txn_by_number(struct work *w, uint32_t number, enum txn_method method)
{
	for (uint32_t i = 0; i < CALL_TXNS; i++)
		if (w->s.txn[i].state != TXN_FREE && !w->s.txn[i].server && (uint32_t)w->s.txn[i].key == number && w->s.txn[i].method == method)
			return &w->s.txn[i];
	return NULL;
}

struct call_txn *txn_by_key(struct work *w, uint64_t key)
{
	for (uint32_t i = 0; i < CALL_TXNS; i++)
		if (w->s.txn[i].state != TXN_FREE && w->s.txn[i].server && w->s.txn[i].key == key)
			return &w->s.txn[i];
	return NULL;
}

static bool ends_something(const struct call_txn *t)
{
	return t->server ? t->code >= 300 : t->method == METHOD_BYE || t->method == METHOD_CANCEL;
}

void txn_message(struct work *w, struct call_txn *t, const struct out *composed)
{
	uint32_t handle;
	void *p = composed->full ? NULL : block_alloc(&w->g->blocks, composed->n, &handle);
	if (!p && ends_something(t)) {
		retire(w, t->message);
		t->message = BLOCK_NONE;
		t->message_n = 0;
		w->send &= ~(1u << txn_number(w, t));
		if (!composed->full)
			work_send(w, out_done(composed), t->listen, &t->to);
		return;
	}
	if (!p) {
		w->full = true;
		return;
	}
	memcpy(p, composed->p, composed->n);
	retire(w, t->message);
	t->message = handle;
	t->message_n = (uint32_t)composed->n;
	w->send |= 1u << txn_number(w, t);
}

const struct cfg_resend *txn_resend_list(const struct work *w, const struct call_txn *t)
{
	const struct config *c = w->g->c;
	if (t->leg == LEG_CALLEE && w->s.gateway < c->routing_gateways.n)
		return &cfg_routing(c, w->s.gateway)->resend;
	return &c->resend;
}

void txn_start_client(struct work *w, struct call_txn *t)
{
	const struct cfg_resend *r = txn_resend_list(w, t);
	uint64_t at = w->now;
	for (uint32_t i = 0; i < r->limit; i++)
		at += r->interval[i];
	t->resends = 0;
	t->resend_ms = r->limit ? w->now + r->interval[0] : 0;
	t->end_ms = at + r->interval[0]; /* failed when one more first interval has passed after the last resend */
}

void txn_start_server_final(struct work *w, struct call_txn *t)
{
	t->resends = 0;
	t->resend_ms = w->now + txn_resend_list(w, t)->interval[0];
	t->end_ms = w->now + TXN_LIFE_MS;
}

/* --- transactions that are over --- */

static const char *add_done(struct sig *g, const struct work *w, enum done_kind kind, uint64_t key, struct span message, uint16_t listen,
	const struct addr *to, uint64_t now)
{
	if (message.n > DONE_BYTES)
		return NULL;
	uint32_t entry = g->next_done;
	const struct done *d = &g->done[entry];
	g->next_done = entry + 1 == g->n_done ? 0 : entry + 1;
	index_del(&g->dones, entry);
	commit_u64(&d->key, 0);
	struct done *fill = commit_fill(d);
	fill->end_ms = now + TXN_LIFE_MS;
	fill->journal = g->unnamed;
	fill->to = *to;
	fill->listen = listen;
	fill->n = (uint16_t)message.n;
	fill->kind = kind;
	fill->slot = w ? w->slot + 1 : 0;
	fill->generation = w ? w->call->slot.generation : 0;
	fill->commit = w ? w->call->slot.commit + 1 : 0;
	if (message.n)
		memcpy(fill->message, message.p, message.n);
	commit_release_u64(&d->key, key ? key : 1);
	index_add(&g->dones, entry, d->key);
	return d->message;
}

const char *done_add(struct sig *g, enum done_kind kind, uint64_t key, struct span message, uint16_t listen, const struct addr *to, uint64_t now)
{
	return add_done(g, NULL, kind, key, message, listen, to, now);
}

const char *done_add_in(struct work *w, enum done_kind kind, uint64_t key, struct span message, uint16_t listen, const struct addr *to)
{
	return add_done(w->g, w, kind, key, message, listen, to, w->now);
}

void done_forget_uncommitted(struct sig *g)
{
	for (uint32_t i = 0; i < g->n_done; i++) {
		const struct done *d = &g->done[i];
		if (!d->key || !d->slot || d->slot > g->n_calls)
			continue;
		const struct slot *s = &g->calls[d->slot - 1].slot;
		if (s->generation == d->generation && (int32_t)(d->commit - s->commit) > 0)
			commit_u64(&d->key, 0);
	}
}

const struct done *done_find(struct sig *g, uint64_t key, uint64_t now)
{
	for (uint32_t e = index_first(&g->dones, key ? key : 1); e != INDEX_NONE; e = index_next(&g->dones, e))
		if (g->done[e].end_ms > now)
			return &g->done[e];
	return NULL;
}

void work_send(struct work *w, struct span message, uint16_t listen, const struct addr *to)
{
	struct sig *g = w->g;
	if (w->n_loose == WORK_LOOSE || message.n > ARENA_BYTES)
		return;
	if (message.n > ARENA_BYTES - g->arena_used)
		transport_flush(g);
	if (message.n > ARENA_BYTES - g->arena_used)
		return; /* held: as lost on the way */
	char *copy = g->arena + g->arena_used;
	g->arena_held = true;
	memcpy(copy, message.p, message.n);
	g->arena_used += (uint32_t)message.n;
	w->loose[w->n_loose++] = (struct datagram_out){ copy, (uint32_t)message.n, listen, *to };
}

/* --- keys --- */

static uint64_t mix(uint64_t a, uint64_t b)
{
	a ^= b + 0x9e3779b97f4a7c15ull + (a << 6) + (a >> 2);
	return a * 0xff51afd7ed558ccdull;
}

uint64_t key_server(const struct sig *g, const struct msg *m, enum txn_method method)
{
	uint64_t k = hash_sip(&g->private_key, m->via.branch.p, m->via.branch.n);
	k = mix(k, hash_sip(&g->private_key, m->via.host.p, m->via.host.n));
	k = mix(k, hash_sip(&g->private_key, m->call_id.p, m->call_id.n)); /* branches of RFC 2543 are not unique */
	k = mix(k, (uint64_t)m->via.port << 32 | m->cseq);
	k = mix(k, method == METHOD_OTHER ? hash_sip(&g->private_key, m->method_text.p, m->method_text.n) : method);
	return k ? k : 1;
}

uint64_t key_branch(const struct sig *g, struct span branch)
{
	return hash_sip(&g->private_key, branch.p, branch.n);
}

uint64_t key_merge(const struct sig *g, struct span call_id, struct span from_tag, uint32_t cseq)
{
	uint64_t k = hash_sip(&g->private_key, call_id.p, call_id.n);
	return mix(mix(k, hash_sip(&g->private_key, from_tag.p, from_tag.n)), cseq);
}
