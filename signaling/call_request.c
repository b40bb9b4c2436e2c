/* Requests inside a dialog: RFC 3261 sections 12.2.2, 13.3, 14.2, 15.1.2; RFC 3311. */
#include "signaling/call.h"
#include "signaling/headers.h"
#include "signaling/media_offer.h"
#include "signaling/peer.h"
#include "signaling/session.h"
#include "signaling/session_timer.h"
#include "signaling/refer.h"
#include "signaling/reliable.h"
#include "signaling/transport.h"
#include <errno.h>

#define TOKEN_CALLEE 0x80u /* in a tag's spare byte: our From tag towards the callee */

/* an answer that ends the request at once, remembered for its repetitions: a part of the event */
static void reply(struct work *w, const struct event *ev, uint16_t code, struct span extra)
{
	struct out o = compose_begin(w->g);
	struct addr to;
	compose_reply(w->g, &o, ev, code, (struct span){ 0 }, extra);
	reply_address(ev, &to);
	if (o.full)
		return;
	done_add_in(w, DONE_RESPONSE, key_server(w->g, ev->m, ev->m->method), out_done(&o), ev->listen, &to);
	work_send(w, out_done(&o), ev->listen, &to);
}

/* the same where nothing is committed any more */
static void reply_alone(struct sig *g, const struct event *ev, uint16_t code, struct span extra)
{
	struct out o = compose_begin(g);
	struct addr to;
	compose_reply(g, &o, ev, code, (struct span){ 0 }, extra);
	reply_address(ev, &to);
	if (o.full)
		return;
	const char *kept = done_add(g, DONE_RESPONSE, key_server(g, ev->m, ev->m->method), out_done(&o), ev->listen, &to, ev->now);
	if (kept)
		transport_queue(g, kept, o.n, ev->listen, &to);
	else
		transport_queue_copy(g, o.p, o.n, ev->listen, &to);
}

/* the ids must be this dialog's, not only made by us */
static bool in_this_dialog(const struct work *w, enum call_leg_side leg, const struct event *ev)
{
	const struct msg *m = ev->m;
	if (leg == LEG_CALLER)
		return span_eq(m->call_id, work_text(w, TEXT_IN_CALL_ID)) && span_eq(msg_tag(work_text(w, TEXT_IN_FROM)), m->from.tag);
	char call_id[CALL_ID_TEXT];
	struct span own = { call_id, compose_call_id(w, call_id, sizeof call_id) };
	return span_eq(m->call_id, own) && (!w->s.leg[leg].remote_tag_n || span_eq(msg_tag(work_text(w, TEXT_OUT_TO)), m->from.tag));
}

/* --- ACK --- */

static void ack_other_side(struct work *w, struct call_txn *client, enum call_leg_side from, const struct event *ev)
{
	struct body body = { 0 };
	struct span sdp = headers_sdp(ev->m);
	if (sdp.n && media_carry(w, from, sdp, &body) < 0)
		body = (struct body){ 0 };
	client->flags &= (uint8_t)~TXN_ACK_WAITS;
	struct call_txn ack = *client;
	struct out o = compose_begin(w->g);
	ack.method = METHOD_ACK;
	ack.key = ++w->s.next_branch;
	ack.to = w->s.leg[client->leg].target;
	compose_in_dialog(w, &o, &ack, (struct span){ 0 }, &body);
	client->to = ack.to;
	txn_message(w, client, &o);
}

/* the call has ended while its answer was still repeated */
static void answer_is_over(struct work *w, struct call_txn *t)
{
	struct span last = { block_at(w->g->blocks.plan, t->message), t->message_n };
	done_add_in(w, DONE_RESPONSE, t->key, t->message ? last : (struct span){ 0 }, t->listen, &t->to);
	txn_free(w, t);
	call_release_bye(w);
}

static void ack(struct work *w, enum call_leg_side leg, const struct event *ev)
{
	for (uint32_t i = 0; i < CALL_TXNS; i++) {
		struct call_txn *t = &w->s.txn[i];
		if (!t->server || t->method != METHOD_INVITE || t->leg != leg || t->state != TXN_ACCEPTED || t->cseq != ev->m->cseq)
			continue;
		if (w->s.phase == CALL_ENDING) {
			answer_is_over(w, t);
			return;
		}
		t->state = TXN_CONFIRMED; /* absorbs a repeated INVITE for the rest of its time */
		t->resend_ms = 0;
		t->end_ms = w->now + TXN_LIFE_MS;
		if (t->message)
			w->retire[w->n_retire++] = t->message;
		if (t->request)
			w->retire[w->n_retire++] = t->request;
		t->message = t->request = BLOCK_NONE;
		if (w->s.phase == CALL_ANSWERED && leg == LEG_CALLER) {
			w->s.phase = CALL_UP;
			work_compact(w);
		}
		for (uint32_t k = 0; k < CALL_TXNS; k++) {
			struct call_txn *client = &w->s.txn[k];
			if (client->state == TXN_ACCEPTED && !client->server && client->leg != leg && client->flags & TXN_ACK_WAITS)
				ack_other_side(w, client, leg, ev);
		}
		return;
	}
}

/* --- BYE --- */

/* answered by call_request() when it is committed: an answer remembered before would keep a successor from doing it */
static void bye(struct work *w, enum call_leg_side leg, const struct msg *m)
{
	if (w->s.phase == CALL_ENDING) {
		if (leg == LEG_CALLER)
			call_drop_bye(w);
		return;
	}
	w->reason = m->reason;
	w->lines = headers_pass(w, leg == LEG_CALLER ? LEG_CALLEE : LEG_CALLER, m);
	if (w->s.phase != CALL_SETUP) {
		call_hang_up(w, END_NORMAL, leg == LEG_CALLER ? ENDED_BY_CALLER : ENDED_BY_CALLEE);
	} else if (leg == LEG_CALLER) { /* in the early dialog: as CANCEL */
		attempt_drop(w);
		call_fail(w, END_CANCELLED, ENDED_BY_CALLER, 487, 16);
	} else { /* against the rules, but its meaning is clear */
		attempt_drop(w);
		attempt_failed(w, END_REJECTED, 480);
	}
}

/* --- requests that are passed on --- */

static bool invite_open(const struct work *w, enum call_leg_side leg, bool any_leg)
{
	for (uint32_t i = 0; i < CALL_TXNS; i++) {
		const struct call_txn *t = &w->s.txn[i];
		if (t->method == METHOD_INVITE && (any_leg || t->leg == leg) && !(t->flags & TXN_ABANDONED) &&
		    (t->state == TXN_CALLING || t->state == TXN_PROCEEDING || (t->server && t->state == TXN_ACCEPTED)))
			return true;
	}
	return false;
}

static struct call_txn *keep_server(struct work *w, enum call_leg_side leg, const struct event *ev)
{
	struct call_txn *t = txn_new(w, true, ev->m->method, leg);
	if (!t)
		return NULL;
	t->key = key_server(w->g, ev->m, ev->m->method);
	t->cseq = ev->m->cseq;
	bool full = w->full;
	if (compose_keep_request(w, t, ev) < 0) {
		w->full = full; /* the request is refused, no more */
		txn_free(w, t);
		return NULL;
	}
	index_add(&w->g->txns, w->slot * CALL_TXNS + txn_number(w, t), t->key);
	return t;
}

static void answer(struct work *w, struct call_txn *t, uint16_t code, const struct body *body)
{
	struct out o = compose_begin(w->g);
	compose_response(w, &o, t, code, (struct span){ 0 }, body);
	if (o.full) {
		w->full = true;
		return;
	}
	t->code = code;
	if (code >= 200 && t->method != METHOD_INVITE) {
		done_add_in(w, DONE_RESPONSE, t->key, out_done(&o), t->listen, &t->to);
		work_send(w, out_done(&o), t->listen, &t->to);
		txn_free(w, t);
		return;
	}
	if (code >= 200) {
		t->state = code < 300 ? TXN_ACCEPTED : TXN_COMPLETED;
		txn_start_server_final(w, t);
	}
	txn_message(w, t, &o);
}

/* `lines`: for the other side; n 0: what passes of any request */
static void pass_on(struct work *w, enum call_leg_side leg, const struct event *ev, struct span lines)
{
	const struct msg *m = ev->m;
	enum call_leg_side other = leg == LEG_CALLER ? LEG_CALLEE : LEG_CALLER;
	struct body body = { 0 };
	struct call_txn *server = keep_server(w, leg, ev);
	if (!server) {
		reply(w, ev, 500, SPAN("Retry-After: 5\r\n"));
		return;
	}
	struct span sdp = headers_sdp(m);
	bool answers = m->method == METHOD_PRACK && w->s.offer_pending, offer = sdp.n > 0 && !answers;
	if (sdp.n) {
		int r = answers ? media_carry(w, leg, sdp, &body) : media_carry_offer(w, leg, sdp, &body);
		if (r < 0) {
			if (offer)
				media_refuse(w, other);
			answer(w, server, r == -EAGAIN ? 503 : 488, NULL);
			return;
		}
		w->s.offer_pending = w->s.offer_pending && !answers;
	}
	headers_body(m, &body);
	if (m->method == METHOD_INVITE || m->method == METHOD_UPDATE) {
		learn_target(w, leg, ev);
		if (w->s.phase != CALL_SETUP)
			session_learn(w, leg, m);
	}
	if (m->method == METHOD_INVITE)
		answer(w, server, 100, NULL);
	struct call_txn *client = call_send(w, other, m->method, lines.n ? lines : headers_pass(w, other, m), &body);
	if (client && !client->message) { /* it does not fit, or there is no room: the call goes on without it */
		txn_free(w, client);
		client = NULL;
		w->full = false;
	}
	if (!client) {
		if (offer)
			media_refuse(w, other);
		answer(w, server, 500, NULL);
		return;
	}
	client->flags |= offer ? TXN_OFFER : 0;
	client->pair = (uint8_t)(txn_number(w, server) + 1);
	server->pair = (uint8_t)(txn_number(w, client) + 1);
}

/* A request that only says "I am still there": the very body that was sent last (so the same version, RFC 3264 section 8),
 * or an UPDATE without any. It is answered here, with the body sent last, and not passed on: each leg has a session timer of
 * its own, and the other side has no part in this one. A changed body is passed on, whatever its version says. */
static bool is_refresh(const struct work *w, enum call_leg_side leg, const struct msg *m)
{
	if (w->s.phase != CALL_UP)
		return false;
	if (!m->body.n)
		return m->method == METHOD_UPDATE && (m->session_expires >= 0 || w->s.leg[leg].session.role != SESSION_OFF);
	return msg_type_is(m, SPAN("application/sdp")) && media_unchanged(w, leg, m->body);
}

static void answer_refresh(struct work *w, enum call_leg_side leg, const struct event *ev)
{
	struct body body = { SPAN("application/sdp"), { 0 } };
	struct call_txn *t = keep_server(w, leg, ev);
	if (!t) {
		reply(w, ev, 500, SPAN("Retry-After: 5\r\n"));
		return;
	}
	learn_target(w, leg, ev);
	session_learn(w, leg, ev->m);
	if (ev->m->body.n)
		body.text = work_text(w, leg == LEG_CALLER ? TEXT_SDP_TO_CALLER : TEXT_SDP_TO_CALLEE);
	answer(w, t, 200, &body);
	session_answered(w, leg);
}

/* what session timers ask of a request before anything else is done: RFC 4028 section 9 */
static bool interval_too_small(const struct msg *m)
{
	struct session_asked a = session_timer_asked(m);
	return (m->method == METHOD_INVITE || m->method == METHOD_UPDATE) && session_timer_too_small(&a);
}

static void re_invite(struct work *w, enum call_leg_side leg, const struct event *ev)
{
	if (w->s.phase == CALL_ENDING)
		reply(w, ev, 481, (struct span){ 0 });
	else if (w->s.phase == CALL_SETUP && leg == LEG_CALLER) /* a second one before the first is answered: section 14.2 */
		reply(w, ev, 500, SPAN("Retry-After: 3\r\n"));
	else if (is_refresh(w, leg, ev->m) && !invite_open(w, leg, false) && !work_text(w, TEXT_REOFFER).n)
		answer_refresh(w, leg, ev);
	else if (w->s.phase == CALL_SETUP || invite_open(w, leg, true) || work_text(w, TEXT_REOFFER).n)
		reply(w, ev, 491, (struct span){ 0 });
	else
		pass_on(w, leg, ev, (struct span){ 0 });
}

static void update(struct work *w, enum call_leg_side leg, const struct event *ev)
{
	bool offer = headers_sdp(ev->m).n > 0;
	if (w->s.phase == CALL_ENDING)
		reply(w, ev, 481, (struct span){ 0 });
	else if (offer && (work_text(w, TEXT_REOFFER).n || (w->s.phase == CALL_SETUP ? !w->s.reliable.answered : invite_open(w, leg, true))))
		reply(w, ev, 491, (struct span){ 0 }); /* RFC 3311 section 5.2 */
	else if (w->s.phase == CALL_SETUP && !w->s.leg[leg == LEG_CALLER ? LEG_CALLEE : LEG_CALLER].remote_tag_n && leg == LEG_CALLER)
		reply(w, ev, 500, SPAN("Retry-After: 2\r\n")); /* the callee has no dialog yet */
	else if (is_refresh(w, leg, ev->m))
		answer_refresh(w, leg, ev);
	else
		pass_on(w, leg, ev, (struct span){ 0 });
}

/* RFC 3262 section 3; only callers get reliable responses of ours */
static void prack(struct work *w, enum call_leg_side leg, const struct event *ev)
{
	static char lines[20000];
	struct out o = out_init(lines, sizeof lines);
	enum reliable_ack a = leg == LEG_CALLER && w->s.phase != CALL_ENDING ? reliable_acknowledged(w, ev->m, &o) : RELIABLE_UNKNOWN;
	if (a == RELIABLE_UNKNOWN) {
		reply(w, ev, 481, (struct span){ 0 });
		return;
	}
	out_span(&o, headers_pass(w, LEG_CALLEE, ev->m));
	if (a == RELIABLE_PASSES)
		pass_on(w, leg, ev, out_done(&o));
	else /* an offer in it has nobody who could answer it */
		reply(w, ev, headers_sdp(ev->m).n && !w->s.offer_pending ? 488 : 200, (struct span){ 0 });
	reliable_next(w);
}

static void refer(struct work *w, enum call_leg_side leg, const struct event *ev)
{
	static char lines[20000];
	struct out o = out_init(lines, sizeof lines);
	int r = 0;
	if (w->s.phase != CALL_UP && w->s.phase != CALL_ANSWERED)
		reply(w, ev, 481, (struct span){ 0 });
	else if (!refer_passes(w) || (r = refer_lines(w, leg == LEG_CALLER ? LEG_CALLEE : LEG_CALLER, ev->m, &o)) == -ENOENT || o.full)
		reply(w, ev, 603, (struct span){ 0 });
	else if (r < 0)
		reply(w, ev, 400, (struct span){ 0 });
	else
		pass_on(w, leg, ev, out_done(&o));
}

static void dispatch(struct work *w, enum call_leg_side leg, const struct event *ev)
{
	switch (ev->m->method) {
	case METHOD_BYE:
		bye(w, leg, ev->m);
		break;
	case METHOD_INVITE:
		re_invite(w, leg, ev);
		break;
	case METHOD_UPDATE:
		update(w, leg, ev);
		break;
	case METHOD_PRACK:
		prack(w, leg, ev);
		break;
	case METHOD_INFO:
	case METHOD_MESSAGE:
	case METHOD_NOTIFY: /* of a REFER that passed */
		if (w->s.phase == CALL_ENDING)
			reply(w, ev, 481, (struct span){ 0 });
		else
			pass_on(w, leg, ev, (struct span){ 0 });
		break;
	case METHOD_OPTIONS:
		reply(w, ev, 200, allow_line);
		break;
	case METHOD_REFER:
		refer(w, leg, ev);
		break;
	default:
		reply(w, ev, ev->m->method == METHOD_OTHER ? 501 : 405, allow_line);
		break;
	}
}

void call_request(struct sig *g, uint32_t slot, const struct token *token, const struct event *came)
{
	struct work w;
	struct event at = *came, *ev = &at;
	enum call_leg_side leg = token->aux & TOKEN_CALLEE ? LEG_CALLEE : LEG_CALLER;
	const struct msg *m = ev->m;
	work_open(&w, g, slot, ev->now);
	struct call_leg *l = &w.s.leg[leg];
	at.reply = peer_reply_mode(&w, leg);
	bool other_attempt = leg == LEG_CALLEE && (token->aux & 0x7f) != w.s.attempt;
	if (other_attempt || !in_this_dialog(&w, leg, ev)) {
		working_call_done(g->head);
		if (m->method != METHOD_ACK) /* a callee of an attempt switched away may say BYE: it is right to */
			reply_alone(g, ev, other_attempt && m->method == METHOD_BYE ? 200 : 481, (struct span){ 0 });
		return;
	}
	peer_heard(&w, leg, ev);
	if (m->method == METHOD_ACK) {
		ack(&w, leg, ev);
		work_commit(&w);
		return;
	}
	struct out lines = out_init((char[256]){ 0 }, 256);
	if (out_unsupported(&lines, m)) {
		working_call_done(g->head);
		reply_alone(g, ev, 420, lines.full ? (struct span){ 0 } : out_done(&lines));
		return;
	}
	if (interval_too_small(m) && w.s.phase != CALL_ENDING) {
		working_call_done(g->head);
		reply_alone(g, ev, 422, session_min_se_line);
		return;
	}
	if (l->cseq_remote && m->cseq < l->cseq_remote) { /* out of order: section 12.2.2 */
		working_call_done(g->head);
		reply_alone(g, ev, 500, (struct span){ 0 });
		return;
	}
	l->cseq_remote = m->cseq;
	CRASHMARK("request", block_at(g->blocks.plan, w.s.text), w.s.text_used);
	dispatch(&w, leg, ev);
	work_commit(&w);
	if (m->method == METHOD_BYE)
		reply_alone(g, ev, 200, (struct span){ 0 });
}
