/* How calls end: the answer or the BYEs, the record, the capacity and the ports given back. */
#include "signaling/call.h"
#include "signaling/capacity.h"
#include "signaling/credentials.h"
#include "signaling/ingress.h"
#include "signaling/media_pool.h"
#include "signaling/session.h"
#include "signaling/stage.h"
#include "signaling/transport.h"

struct call_txn *call_send(struct work *w, enum call_leg_side leg, enum txn_method method, struct span extra, const struct body *b)
{
	struct call_txn *t = txn_new(w, false, method, leg);
	if (!t)
		return NULL;
	struct call_leg *l = &w->s.leg[leg];
	struct out o = compose_begin(w->g);
	if (leg == LEG_CALLEE)
		credentials_count(w);
	t->attempt = w->s.attempt;
	t->cseq = ++l->cseq_local;
	t->listen = l->listen;
	t->to = l->target;
	compose_in_dialog(w, &o, t, extra, b);
	txn_message(w, t, &o);
	txn_start_client(w, t);
	return t;
}

/* Subscribers of the status socket; nobody waits for this, so no doorbell is rung: the control process looks by itself. */
void call_event(struct work *w, uint32_t type)
{
	struct message_event e = { .type = type, .slot = w->slot, .generation = w->call->slot.generation, .code = w->s.code, .reason = w->s.reason };
	memcpy(e.call_id, w->call->id.b, sizeof e.call_id);
	ring_push(&w->g->env->out[seat_of(ROLE_CONTROL, 0)], MESSAGE_EVENT, &e, sizeof e, NULL, 0);
}

static void finish(struct work *w, enum end_reason reason, enum journal_ended_by by, uint16_t code, uint16_t cause)
{
	struct sig *g = w->g;
	const struct config *c = g->c;
	if (w->s.phase == CALL_ENDING)
		return;
	w->s.reason = (uint8_t)reason;
	w->s.ended_by = (uint8_t)by;
	w->s.code = code;
	w->s.cause = cause;
	record_attempt(w, true);
	if (w->s.attempt && w->s.gateway < c->routing_gateways.n) {
		const struct capacity_cell *cell = &g->cells[cell_routing(c, w->s.gateway)];
		if (w->s.answer_ms) {
			stat_add(&cell->duration_ms, w->now - w->s.answer_ms);
			stat_add(&cell->ended, 1);
		}
	}
	attempt_give(w);
	ingress_give(g, w->call->ingress, w->call->account);
	capacity_give_line(g, cell_system());
	media_give(w);
	index_del(&g->merges, w->slot);
	w->s.phase = CALL_ENDING;
	w->s.stage = STAGE_NONE;
	w->s.stage_at = w->s.end_at = w->s.media_at = 0;
	session_stop(&w->s);
	g->reserved--;
	call_event(w, EVENT_CALL_END);
}

static void refuse_caller(struct work *w, struct call_txn *t, enum end_reason reason, uint16_t code, uint16_t cause)
{
	char lines[96];
	struct out extra = out_init(lines, sizeof lines), o = compose_begin(w->g);
	out_reason(&extra, cause);
	if (code == 503 && (reason == END_OVERLOAD || reason == END_DRAINING || reason == END_SHUTDOWN))
		out_lit(&extra, "Retry-After: 10\r\n");
	if (code == 422) /* mandatory in one (RFC 4028 section 6), whoever refused */
		out_span(&extra, session_min_se_line);
	compose_response(w, &o, t, code, out_done(&extra), NULL);
	t->state = TXN_COMPLETED;
	t->code = code;
	txn_message(w, t, &o);
	txn_start_server_final(w, t);
}

void call_fail(struct work *w, enum end_reason reason, enum journal_ended_by by, uint16_t code, uint16_t cause)
{
	struct call_txn *t = txn_find(w, true, METHOD_INVITE, LEG_CALLER);
	if (t && t->state == TXN_PROCEEDING)
		refuse_caller(w, t, reason, code, cause);
	finish(w, reason, by, code, cause);
}

static void send_bare_ack(struct work *w, const struct call_txn *t)
{
	struct call_txn ack = *t;
	struct out o = compose_begin(w->g);
	ack.method = METHOD_ACK;
	ack.key = ++w->s.next_branch;
	ack.to = w->s.leg[t->leg].target;
	compose_in_dialog(w, &o, &ack, (struct span){ 0 }, NULL);
	if (!o.full)
		work_send(w, out_done(&o), ack.listen, &ack.to);
}

/* the sides have nothing more to say to each other: what is still open on either leg is answered or forgotten */
static void close_open_transactions(struct work *w, const struct call_txn *but)
{
	for (uint32_t i = 0; i < CALL_TXNS; i++) {
		struct call_txn *t = &w->s.txn[i];
		if (t->state == TXN_FREE || t == but)
			continue;
		if (t->server && t->state == TXN_PROCEEDING) { /* a re-INVITE, UPDATE, INFO under way */
			struct out o = compose_begin(w->g);
			compose_response(w, &o, t, 487, (struct span){ 0 }, NULL);
			t->code = 487;
			if (t->method == METHOD_INVITE) {
				t->state = TXN_COMPLETED;
				txn_message(w, t, &o);
				txn_start_server_final(w, t);
			} else {
				if (!o.full) {
					done_add_in(w, DONE_RESPONSE, t->key, out_done(&o), t->listen, &t->to);
					work_send(w, out_done(&o), t->listen, &t->to);
				}
				txn_free(w, t);
			}
		} else if (t->server && (t->state == TXN_CONFIRMED || t->state == TXN_ACCEPTED)) { /* a late repetition must not become a new call */
			struct span last = { block_at(w->g->blocks.plan, t->message), t->message_n };
			done_add_in(w, DONE_RESPONSE, t->key, t->message ? last : (struct span){ 0 }, t->listen, &t->to);
			txn_free(w, t);
		} else if (!t->server && t->flags & TXN_ACK_WAITS) { /* the answer to its offer will not come, but a 2xx is always acknowledged */
			send_bare_ack(w, t);
			txn_free(w, t);
		} else if (!t->server && (t->method == METHOD_CANCEL || t->method == METHOD_BYE)) {
			continue; /* of an attempt that was given up: repeated until it is answered */
		} else if (t->server ? t->state != TXN_COMPLETED : t->method != METHOD_INVITE || t->state == TXN_ACCEPTED) {
			txn_free(w, t); /* requests of ours whose answer no longer matters */
		}
	}
}

/* The caller's INVITE whose 2xx is not acknowledged yet. It may not have come through, so it is repeated on, and a BYE waits
 * for the ACK or for its time (RFC 3261 sections 13.3.1.4 and 15); without, the caller would be left with an INVITE that
 * nobody answers. */
static struct call_txn *unacknowledged(struct work *w)
{
	struct call_txn *t = w->s.phase == CALL_ANSWERED ? txn_find(w, true, METHOD_INVITE, LEG_CALLER) : NULL;
	return t && t->state == TXN_ACCEPTED ? t : NULL;
}

static void hold(struct work *w, struct call_txn *t)
{
	t->flags |= TXN_HELD;
	t->resend_ms = 0;
	t->end_ms = w->now + 2 * TXN_LIFE_MS; /* never reached: the answer's time is over before */
	w->send &= ~(1u << txn_number(w, t));
}

static struct call_txn *held(struct work *w)
{
	for (uint32_t i = 0; i < CALL_TXNS; i++) {
		struct call_txn *t = &w->s.txn[i];
		if (t->state != TXN_FREE && t->method == METHOD_BYE && t->flags & TXN_HELD)
			return t;
	}
	return NULL;
}

void call_release_bye(struct work *w)
{
	struct call_txn *t = held(w);
	if (!t)
		return;
	t->flags &= (uint8_t)~TXN_HELD;
	w->send |= 1u << txn_number(w, t);
	txn_start_client(w, t);
}

void call_drop_bye(struct work *w)
{
	struct call_txn *t = held(w);
	if (t)
		txn_free(w, t);
}

void call_hang_up(struct work *w, enum end_reason reason, enum journal_ended_by by)
{
	static char lines[20000];
	struct out extra = out_init(lines, sizeof lines);
	uint16_t cause = end_reason_info(reason)->cause;
	/* answered by the callee, but its 2xx still waits for the caller's PRACK: the caller has no dialog that a BYE could end */
	struct call_txn *early = w->s.phase == CALL_ANSWERED ? txn_find(w, true, METHOD_INVITE, LEG_CALLER) : NULL;
	early = early && early->state == TXN_PROCEEDING ? early : NULL;
	if (early)
		refuse_caller(w, early, reason, reason == END_NO_ACK ? 504 : reason == END_INTERNAL ? 500 : by == ENDED_BY_CALLER ? 487 : 480, cause);
	/* who stops for good has no time to wait */
	struct call_txn *answer = reason != END_SHUTDOWN ? unacknowledged(w) : NULL;
	close_open_transactions(w, answer);
	out_span(&extra, w->lines);
	if (!w->reason.n)
		out_reason(&extra, cause);
	struct call_txn *t = by != ENDED_BY_CALLER && !early ? call_send(w, LEG_CALLER, METHOD_BYE, out_done(&extra), NULL) : NULL;
	if (t && answer)
		hold(w, t);
	if (by != ENDED_BY_CALLEE)
		call_send(w, LEG_CALLEE, METHOD_BYE, out_done(&extra), NULL);
	finish(w, reason, by, early ? early->code : 200, cause);
}

void call_terminate(struct work *w, enum end_reason reason)
{
	const struct end_reason_info *info = end_reason_info(reason);
	CRASHMARK("end", block_at(w->g->blocks.plan, w->s.text), w->s.text_used);
	if (w->s.phase == CALL_SETUP) {
		attempt_drop(w);
		call_fail(w, reason, ENDED_BY_SYSTEM, info->code ? info->code : 503, info->cause);
	} else if (w->s.phase != CALL_ENDING) {
		call_hang_up(w, reason, ENDED_BY_SYSTEM);
	}
}
