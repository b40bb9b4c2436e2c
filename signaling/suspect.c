#include "signaling/suspect.h"
#include "base/log.h"
#include "signaling/call.h"
#include "signaling/stage.h"

/* --- damaged records --- */

static bool text_intact(const struct sig *g, const struct call_state *s)
{
	uint32_t room = s->text && block_at(g->blocks.plan, s->text) ? block_capacity(s->text) : 0;
	if ((s->text && !room) || s->text_used > room)
		return false;
	for (uint32_t i = 0; i < TEXT_COUNT; i++)
		if (s->t[i].n && (s->t[i].at > s->text_used || s->t[i].n > s->text_used - s->t[i].at))
			return false;
	return true;
}

static bool block_holds(const struct sig *g, uint32_t handle, uint32_t n)
{
	return handle ? block_at(g->blocks.plan, handle) && n <= block_capacity(handle) : true;
}

static bool address_intact(const struct addr *a)
{
	return a->family == 0 || a->family == 4 || a->family == 6;
}

static bool txn_intact(const struct sig *g, const struct call_txn *t)
{
	return t->state == TXN_FREE || (t->state <= TXN_CONFIRMED && t->method <= METHOD_OTHER && t->server <= 1 && t->leg <= LEG_CALLEE &&
					       t->pair <= CALL_TXNS && t->listen < LISTEN_MAX && address_intact(&t->to) &&
					       block_holds(g, t->message, t->message_n) && block_holds(g, t->request, t->request_n));
}

bool call_intact(const struct sig *g, const struct call *call)
{
	const struct call_state *s = slot_now(&call->slot, call->copies, sizeof *s);
	bool good = call->slot.state <= SLOT_CLOSING && call->slot.generation && s->phase <= CALL_ENDING && s->ended_by <= ENDED_BY_SYSTEM &&
		    s->reason < END_REASON_COUNT && s->limit_reason < END_REASON_COUNT && s->stage < STAGE_COUNT &&
		    s->n_candidates <= CALL_CANDIDATES && s->next_candidate <= CALL_CANDIDATES && s->ringback <= CALL_STREAMS &&
		    s->journal <= g->journal->tail + JOURNAL_AHEAD && text_intact(g, s);
	for (uint32_t i = 0; i < 2; i++)
		good = good && s->leg[i].listen < LISTEN_MAX && address_intact(&s->leg[i].target) && address_intact(&s->leg[i].source);
	for (uint32_t i = 0; i < CALL_TXNS; i++)
		good = good && txn_intact(g, &s->txn[i]);
	return good;
}

void suspect_bury(struct sig *g, uint32_t slot)
{
	static struct work w; /* large */
	const struct call *call = &g->calls[slot];
	struct call_state over = { .phase = CALL_ENDING, .gateway = UINT16_MAX, .pdd_ms = UINT64_MAX, .recovered = 1 };
	work_open(&w, g, slot, clock_ms());
	if (!text_intact(g, &w.s)) {
		memset(w.s.t, 0, sizeof w.s.t);
		w.s.text = BLOCK_NONE;
	}
	if (w.s.journal > g->journal->tail + JOURNAL_AHEAD)
		w.s.journal = 0;
	if (w.s.phase != CALL_ENDING) {
		const struct end_reason_info *why = end_reason_info(END_INTERNAL);
		w.s.reason = END_INTERNAL;
		w.s.ended_by = ENDED_BY_SYSTEM;
		w.s.code = w.s.answer_ms ? 200 : why->code;
		w.s.cause = why->cause;
		w.s.recovered = 1;
		w.s.relayed = 0;
		record_attempt(&w, true);
	}
	over.journal = w.s.journal;
	over.ended_by = w.s.ended_by;
	over.reason = w.s.reason;
	slot_commit(&call->slot, call->copies, sizeof over, &over);
	slot_closing(&call->slot);
	call_journal_publish(&w);
	working_call_done(g->head);
}

/* --- what killed --- */

/* the messages that the call keeps: what its peers said last and what they were told */
static void tell_call(struct sig *g, uint32_t slot, uint32_t deaths)
{
	const struct call *call = &g->calls[slot];
	const struct call_state *s = slot_now(&call->slot, call->copies, sizeof *s);
	struct poison_capture c;
	char what[160], id[UUID_TEXT + 1];
	poison_begin(&c);
	for (uint32_t i = 0; i < CALL_TXNS; i++) {
		const struct call_txn *t = &s->txn[i];
		if (!txn_intact(g, t) || t->state == TXN_FREE)
			continue;
		const struct addr *own = t->listen < g->n_listen ? &g->listen[t->listen].addr : &t->to;
		if (t->request)
			poison_add(&c, &t->to, own, block_at(g->blocks.plan, t->request), t->request_n);
		if (t->message)
			poison_add(&c, own, &t->to, block_at(g->blocks.plan, t->message), t->message_n);
	}
	uuid_format(&call->id, id);
	id[UUID_TEXT] = 0;
	snprintf(what, sizeof what, "call %s, slot %u, %s, %u deaths", id, slot, s->phase == CALL_SETUP ? "in set-up" : "answered", deaths);
	poison_tell(g->env, &c, what);
}

static void tell_datagram(struct sig *g, const struct receive_batch *r, uint32_t i, const struct addr *source)
{
	char what[160], from[ADDR_TEXT_MAX + 1];
	struct poison_capture c;
	poison_begin(&c);
	poison_add(&c, source, &g->listen[r->listen].addr, r->data[i], r->header[i].msg_len);
	from[addr_format(source, false, from, ADDR_TEXT_MAX)] = 0;
	snprintf(what, sizeof what, "datagram of %u bytes from %s", r->header[i].msg_len, from);
	poison_tell(g->env, &c, what);
}

static void blame_call(struct sig *g, uint32_t slot)
{
	if (slot >= g->n_calls || g->calls[slot].slot.state < SLOT_LIVE)
		return;
	uint32_t deaths = poison_blame(g->env, SUSPECT_CALL, suspect_call(slot, g->calls[slot].slot.generation));
	log_warning("the worker before this one died at work on the call in slot %u, which has killed %u", slot, deaths);
	if (deaths == POISON_DEATHS)
		tell_call(g, slot, deaths);
}

static void blame_datagram(struct sig *g)
{
	const struct receive_batch *r = g->receive;
	uint32_t i = r->done;
	if (i >= RECEIVE_BATCH || !r->header[i].msg_len || r->header[i].msg_len > RECEIVE_SIZE || r->listen >= g->n_listen)
		return;
	struct addr source;
	addr_from_sockaddr((const struct sockaddr *)&r->source[i], &source);
	uint32_t deaths = poison_blame(g->env, SUSPECT_BYTES, poison_hash(g->env, r->data[i], r->header[i].msg_len));
	log_warning("the worker before this one died at work on a datagram of %u bytes, which has killed %u", r->header[i].msg_len, deaths);
	if (deaths < POISON_DEATHS)
		return;
	if (deaths == POISON_DEATHS)
		tell_datagram(g, r, i, &source);
	commit_u32(&r->done, i + 1);
}

void suspect_begin(struct sig *g)
{
	uint64_t at = g->env->died_at;
	if (!at)
		return;
	blame_call(g, working_slot(at));
	if (working_what(at) == WORKING_DATAGRAM)
		blame_datagram(g);
}

enum suspect_level suspect_level(const struct sig *g, uint32_t slot)
{
	uint32_t deaths = poison_deaths(g->env, SUSPECT_CALL, suspect_call(slot, g->calls[slot].slot.generation));
	if (deaths < POISON_DEATHS)
		return CALL_KEEP;
	return deaths == POISON_DEATHS ? CALL_TERMINATE : deaths == POISON_DEATHS + 1 ? CALL_BURY : CALL_FORGET;
}
