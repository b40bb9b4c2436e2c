/* What happens when time passes: resends, transactions that give up, stages, limits, silent media. */
#include "signaling/call.h"
#include "signaling/fork.h"
#include "signaling/media_offer.h"
#include "signaling/media_pool.h"
#include "signaling/session.h"
#include "signaling/stage.h"
#include "signaling/trace.h"

static void resend(struct work *w, struct call_txn *t)
{
	const struct cfg_resend *r = txn_resend_list(w, t);
	w->send |= 1u << txn_number(w, t);
	count_one(w->g->head, COUNT_RESENT);
	if (t->resends < UINT8_MAX)
		t->resends++;
	if (t->server) /* kept up to its end, whatever the list's length */
		t->resend_ms = w->now + r->interval[t->resends < r->n ? t->resends : r->n - 1];
	else
		t->resend_ms = t->resends < r->limit ? w->now + r->interval[t->resends] : 0;
}

/* the request that this one passed on is answered for the side that does not */
static void answer_pair(struct work *w, struct call_txn *t, uint16_t code)
{
	struct call_txn *server = txn_paired(w, t);
	if (!server || server->state != TXN_PROCEEDING)
		return;
	struct out o = compose_begin(w->g);
	compose_response(w, &o, server, code, (struct span){ 0 }, NULL);
	if (o.full) {
		w->full = true;
		return;
	}
	server->code = code;
	if (server->method == METHOD_INVITE) {
		server->state = TXN_COMPLETED;
		txn_message(w, server, &o);
		txn_start_server_final(w, server);
	} else {
		done_add_in(w, DONE_RESPONSE, server->key, out_done(&o), server->listen, &server->to);
		work_send(w, out_done(&o), server->listen, &server->to);
		txn_free(w, server);
	}
}

void call_unanswered(struct work *w, struct call_txn *t, uint16_t code)
{
	if (t->flags & TXN_OFFER)
		media_refuse(w, t->leg);
	answer_pair(w, t, code);
	txn_free(w, t);
}

static void client_over(struct work *w, struct call_txn *t)
{
	if (t->flags & TXN_INITIAL && t->state == TXN_CALLING && w->s.phase == CALL_SETUP && !(t->flags & TXN_ABANDONED)) {
		call_abandon_to_done(w, t);
		fork_failed(w, END_INVITE_TIMEOUT, 0);
		return;
	}
	if (t->state == TXN_CALLING || t->state == TXN_PROCEEDING)
		call_unanswered(w, t, 408); /* a refresh of ours counts as unanswered, no more */
	else
		txn_free(w, t);
}

static void txn_over(struct work *w, struct call_txn *t)
{
	if (!t->server) {
		client_over(w, t);
	} else if (t->state == TXN_ACCEPTED) { /* the answer was never acknowledged (RFC 3261 section 13.3.1.4) */
		txn_free(w, t);
		if (w->s.phase == CALL_ENDING)
			call_release_bye(w);
		else if (w->s.phase == CALL_ANSWERED || w->s.phase == CALL_UP)
			call_hang_up(w, END_NO_ACK, ENDED_BY_SYSTEM);
	} else if (t->state == TXN_PROCEEDING && t->method == METHOD_INVITE && t->leg == LEG_CALLER && w->s.phase == CALL_ANSWERED) {
		call_hang_up(w, END_NO_ACK, ENDED_BY_SYSTEM); /* the same, with the callee's 2xx waiting for it */
	} else if (t->state == TXN_PROCEEDING && t->method == METHOD_INVITE && w->s.phase == CALL_SETUP) {
		attempt_drop(w); /* no PRACK for a reliable response: RFC 3262 section 3 */
		call_fail(w, END_NO_ACK, ENDED_BY_SYSTEM, 504, end_reason_info(END_NO_ACK)->cause);
	} else {
		txn_free(w, t);
	}
}

static void stage_over(struct work *w)
{
	enum end_reason why = stage_expired(w->s.stage);
	w->s.stage_at = 0;
	if (w->s.phase != CALL_SETUP)
		return;
	if (w->g->tracing)
		trace_note(w->g, "stage %s: its time is over", stage_text(w->s.stage));
	attempt_drop(w);
	attempt_failed(w, why, 0);
}

/* --- media --- */

static uint64_t last_heard(const struct work *w, enum call_leg_side leg)
{
	struct media_flow f;
	uint64_t last = w->s.media_from;
	for (uint32_t i = 0; i < CALL_STREAMS; i++)
		if (media_seen(w, leg, i, &f) == 0 && f.last_ms > last)
			last = f.last_ms;
	return last;
}

/* When both directions (or the ones the gateway names) have been silent for media.timeout the call is over. */
static void check_media(struct work *w)
{
	const struct config *c = w->g->c;
	uint32_t check = w->s.gateway < c->routing_gateways.n ? cfg_routing(c, w->s.gateway)->media_check : c->media.check;
	uint64_t from_caller = last_heard(w, LEG_CALLER), from_callee = last_heard(w, LEG_CALLEE), last;
	if (check == CHECK_TO_PEER) /* towards the gateway: what the caller sends */
		last = from_caller;
	else if (check == CHECK_FROM_PEER)
		last = from_callee;
	else
		last = from_caller > from_callee ? from_caller : from_callee;
	if (check == CHECK_NONE || !c->media.timeout) {
		w->s.media_at = 0;
	} else if (w->s.leg[LEG_CALLER].on_hold || w->s.leg[LEG_CALLEE].on_hold) {
		w->s.media_at = w->now + c->media.timeout;
	} else if (last + c->media.timeout <= w->now) {
		w->s.media_at = 0;
		call_hang_up(w, END_MEDIA_TIMEOUT, ENDED_BY_SYSTEM);
	} else {
		w->s.media_at = last + c->media.timeout;
	}
}

void call_timer_expired(struct sig *g, uint32_t slot, uint64_t now)
{
	struct work w;
	work_open(&w, g, slot, now);
	CRASHMARK("timer", block_at(g->blocks.plan, w.s.text), w.s.text_used);
	for (uint32_t i = 0; i < CALL_TXNS; i++) {
		struct call_txn *t = &w.s.txn[i];
		if (t->state != TXN_FREE && t->end_ms && t->end_ms <= now)
			txn_over(&w, t);
		else if (t->state != TXN_FREE && t->resend_ms && t->resend_ms <= now)
			resend(&w, t);
	}
	if (w.s.stage_at && w.s.stage_at <= now)
		stage_over(&w);
	if (w.s.end_at && w.s.end_at <= now)
		call_terminate(&w, w.s.limit_reason);
	session_due(&w);
	if (w.s.media_at && w.s.media_at <= now)
		check_media(&w);
	work_commit(&w);
}

void call_hangup_order(struct sig *g, uint32_t slot, uint32_t generation, enum end_reason reason)
{
	struct work w;
	if (slot >= g->n_calls || g->calls[slot].slot.generation != generation || g->calls[slot].slot.state < SLOT_LIVE)
		return;
	work_open(&w, g, slot, clock_ms());
	call_terminate(&w, reason);
	work_commit(&w);
}
