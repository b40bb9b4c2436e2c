/* Responses to our requests: RFC 3261 sections 12.1.2, 13.2.2, 17.1. */
#include "signaling/call.h"
#include "signaling/capacity.h"
#include "signaling/credentials.h"
#include "signaling/fork.h"
#include "signaling/headers.h"
#include "signaling/media_offer.h"
#include "signaling/peer.h"
#include "signaling/redirect.h"
#include "signaling/reliable.h"
#include "signaling/ringback.h"
#include "signaling/session.h"
#include "signaling/stage.h"
#include "signaling/trace.h"
#include "signaling/transport.h"

/* --- what a message teaches about its sender --- */

void learn_target(struct work *w, enum call_leg_side leg, const struct event *ev)
{
	struct call_leg *l = &w->s.leg[leg];
	struct span routes = work_text(w, leg == LEG_CALLER ? TEXT_IN_ROUTES : TEXT_OUT_ROUTES), first;
	struct msg_address hop;
	struct addr to;
	l->source = ev->source;
	headers_learn_allow(w, leg, ev->m);
	if (ev->m->n_contacts && !ev->m->contacts[0].star)
		work_put(w, leg == LEG_CALLER ? TEXT_IN_TARGET : TEXT_OUT_TARGET, uri_without_headers(&ev->m->contacts[0].u));
	/* where requests go: the first route, else the Contact; where the packets come from when that is behind NAT or a name */
	if (routes.n && msg_next_value(&routes, &first) && address_parse(first, &hop) == 0 && uri_addr(&hop.u, &to) == 0) {
		l->target = to;
	} else if (!routes.n && ev->m->n_contacts && uri_addr(&ev->m->contacts[0].u, &to) == 0) {
		l->behind_nat = !addr_same_ip(&to, &ev->source);
		l->target = l->behind_nat ? ev->source : to;
	} else if (ev->m->n_contacts || routes.n) {
		l->target = ev->source;
	}
	l->target.bits = 0;
	peer_aim(w, leg, ev);
}

void learn_dialog(struct work *w, enum call_leg_side leg, const struct event *ev)
{
	const struct msg *m = ev->m;
	struct out routes = compose_begin(w->g);
	for (uint32_t i = m->n_record_routes; i-- > 0;) { /* a client's route set is the reverse (section 12.1.2) */
		out_span(&routes, m->record_routes[i]);
		out_bytes(&routes, ", ", i ? 2 : 0);
	}
	work_put(w, TEXT_OUT_ROUTES, out_done(&routes));
	work_put(w, TEXT_OUT_TO, m->to.value);
	w->s.leg[leg].remote_tag_n = (uint32_t)m->to.tag.n;
	learn_target(w, leg, ev);
}

/* --- answering for the callee --- */

static bool has_sdp(const struct msg *m)
{
	return headers_sdp(m).n > 0;
}

/* A second, different answer inside one early dialog would break RFC 3264: it gets a To tag of its own. */
static void own_dialog_for_answer(struct work *w, bool had_answer, uint32_t version_before)
{
	if (had_answer && w->s.leg[LEG_CALLER].sdp_version != version_before)
		w->s.early++;
}

static int carry_answer(struct work *w, const struct event *ev, struct body *ret_body)
{
	bool had = work_text(w, TEXT_SDP_TO_CALLER).n > 0;
	uint32_t version = w->s.leg[LEG_CALLER].sdp_version;
	w->s.leg[LEG_CALLEE].source = ev->source;
	ringback_stop(w);
	int r = media_carry(w, LEG_CALLEE, headers_sdp(ev->m), ret_body);
	if (r == 0 && !w->s.offer_pending)
		own_dialog_for_answer(w, had, version);
	return r;
}

static void enter_stage(struct work *w, uint16_t code, bool sdp)
{
	struct call_state *s = &w->s;
	enum call_stage next = stage_next(s->stage, code, sdp);
	if (next == s->stage)
		return;
	s->stage = (uint8_t)next;
	const struct cfg_routing_gateway *gw = fork_settings(w);
	uint32_t limit = gw ? stage_limit(next, &gw->timeouts) : 60000;
	s->stage_at = w->now + limit;
	if (w->g->tracing)
		trace_note(w->g, "stage %s: at most %u ms", stage_text(next), limit);
}

static void provisional(struct work *w, struct call_txn *t, const struct event *ev)
{
	const struct msg *m = ev->m;
	const struct config *c = w->g->c;
	struct call_state *s = &w->s;
	bool sdp = has_sdp(m);
	t->state = TXN_PROCEEDING;
	t->resend_ms = t->end_ms = 0; /* from now on the stage's time counts */
	t->code = m->status;
	enter_stage(w, 100, false); /* at least that, whatever becomes of it */
	if (m->status == 100)
		return;
	if (s->pdd_ms == UINT64_MAX) {
		s->pdd_ms = w->now - s->attempt_ms;
		s->progress_wall_ms = clock_wall_ms();
		if (s->gateway < c->routing_gateways.n) { /* a reload may have taken it away */
			const struct capacity_cell *cell = &w->g->cells[cell_routing(c, s->gateway)];
			stat_add(&cell->pdd_ms, s->pdd_ms);
			stat_add(&cell->progressed, 1);
		}
	}
	if (m->status == 180) {
		s->rang = 1;
		if (!s->alert_wall_ms)
			s->alert_wall_ms = clock_wall_ms();
	}
	if (!reliable_in_order(w, m))
		return;
	if (m->to.tag.n)
		learn_dialog(w, LEG_CALLEE, ev);
	fork_heard(w, t);
	session_learn_allow(w, LEG_CALLEE, m);
	struct call_txn *caller = txn_find(w, true, METHOD_INVITE, LEG_CALLER);
	struct body body = { 0 };
	if (sdp) {
		s->sdp_seen = 1;
		if (carry_answer(w, ev, &body) < 0)
			body = (struct body){ 0 };
	}
	uint16_t code = m->status;
	bool own = ringback_provisional(w, &code, &body);
	enter_stage(w, code, sdp || body.text.n); /* the time that counts is that of what the caller gets */
	if (!caller || caller->state != TXN_PROCEEDING)
		return;
	if (!own)
		headers_body(m, &body);
	reliable_pass(w, caller, m, code, headers_pass(w, LEG_CALLER, m), &body);
}

/* --- a 2xx --- */

static void send_ack(struct work *w, struct call_txn *t, const struct body *b)
{
	struct call_txn ack = *t; /* same CSeq number, same target; a branch of its own (section 13.2.2.4) */
	struct out o = compose_begin(w->g);
	ack.method = METHOD_ACK;
	ack.key = ++w->s.next_branch;
	ack.to = w->s.leg[t->leg].target;
	compose_in_dialog(w, &o, &ack, (struct span){ 0 }, b);
	t->to = ack.to;
	t->state = TXN_ACCEPTED;
	t->resend_ms = 0;
	t->end_ms = w->now + TXN_LIFE_MS;
	txn_message(w, t, &o);
}

/* the caller's ACK brought the answer to the offer of the 2xx: now the callee gets its ACK */
static void wait_for_ack(struct work *w, struct call_txn *t)
{
	t->state = TXN_ACCEPTED;
	t->flags |= TXN_ACK_WAITS;
	t->resend_ms = 0;
	t->end_ms = w->now + TXN_LIFE_MS;
}

static void start_limits(struct work *w)
{
	const struct config *c = w->g->c;
	session_start_limit(w);
	w->s.media_from = w->now;
	const struct cfg_routing_gateway *gw = fork_settings(w);
	bool check = gw && gw->media_check != CHECK_NONE;
	if (w->s.relayed && c->media.timeout && check)
		w->s.media_at = w->now + c->media.timeout;
}

void call_answer(struct work *w, struct call_txn *caller, uint16_t code, struct span lines, const struct body *body)
{
	struct call_state *s = &w->s;
	struct out o = compose_begin(w->g);
	compose_response(w, &o, caller, code, lines, body);
	txn_message(w, caller, &o);
	if (w->full) /* it is refused instead, by what ends the call */
		return;
	session_answered(w, LEG_CALLER);
	caller->state = TXN_ACCEPTED;
	caller->code = code;
	txn_start_server_final(w, caller);
	s->answer_ms = w->now;
	s->answer_wall_ms = clock_wall_ms();
	if (s->gateway < w->g->c->routing_gateways.n)
		stat_add(&w->g->cells[cell_routing(w->g->c, s->gateway)].answers, 1);
	start_limits(w);
	count_one(w->g->head, COUNT_ANSWERED);
	call_event(w, EVENT_CALL_ANSWER);
}

static void answered(struct work *w, struct call_txn *t, const struct event *ev)
{
	struct call_state *s = &w->s;
	struct call_txn *caller = txn_find(w, true, METHOD_INVITE, LEG_CALLER);
	struct body body = { 0 };
	ringback_stop(w);
	learn_dialog(w, LEG_CALLEE, ev);
	fork_heard(w, t);
	if (has_sdp(ev->m) && carry_answer(w, ev, &body) < 0) {
		/* an answer that cannot be used: the callee is let go, and the next gateway may do better */
		txn_free(w, t);
		end_unwanted(w->g, w, ev);
		fork_failed(w, END_REJECTED, 488);
		return;
	}
	bool holds = reliable_holds_answer(w);
	if (!has_sdp(ev->m) && s->sdp_seen && !s->offer_pending && !s->reliable.answered && !holds) /* the caller does not have it for sure */
		body = (struct body){ SPAN("application/sdp"), work_text(w, TEXT_SDP_TO_CALLER) };
	if (s->to_account)
		attempt_drop_others(w, t);
	s->phase = CALL_ANSWERED;
	s->stage = STAGE_NONE;
	s->stage_at = 0;
	s->code = ev->m->status;
	s->cause = 16;
	index_del(&w->g->merges, w->slot);
	work_put(w, TEXT_OFFER, (struct span){ 0 });
	session_agreed(w, LEG_CALLEE, ev->m);
	if (s->pdd_ms == UINT64_MAX)
		s->pdd_ms = w->now - s->attempt_ms;
	if (s->offer_pending && body.text.n)
		wait_for_ack(w, t);
	else
		send_ack(w, t, NULL);
	headers_body(ev->m, &body);
	struct span lines = headers_pass(w, LEG_CALLER, ev->m);
	if (caller && holds)
		reliable_hold_answer(w, ev->m->status, lines, &body);
	else if (caller)
		call_answer(w, caller, ev->m->status, lines, &body);
}

/* --- failures --- */

/* ACK for a failure: part of the INVITE's transaction (section 17.1.1.3), which is over then */
static void acknowledge_failure(struct work *w, struct call_txn *t, const struct event *ev)
{
	struct out o = compose_begin(w->g);
	struct span invite = { block_at(w->g->blocks.plan, t->message), t->message_n };
	if (compose_from_invite(&o, invite, SPAN("ACK"), ev->m->to.value, (struct span){ 0 }) == 0 && !o.full) {
		done_add_in(w, DONE_ACK, key_branch(w->g, ev->m->via.branch), out_done(&o), t->listen, &t->to);
		work_send(w, out_done(&o), t->listen, &t->to);
	}
}

static void initial_invite(struct work *w, struct call_txn *t, const struct event *ev)
{
	const struct msg *m = ev->m;
	bool abandoned = t->flags & TXN_ABANDONED;
	if (m->status < 200) {
		if (!abandoned && t->state != TXN_ACCEPTED)
			provisional(w, t, ev);
	} else if (m->status >= 300) {
		if (t->state == TXN_ACCEPTED)
			return;
		bool open = !abandoned && w->s.phase == CALL_SETUP, challenged = open && credentials_challenged(w, t, ev);
		uint8_t times = t->challenged;
		acknowledge_failure(w, t, ev);
		fork_leave(w, t);
		txn_free(w, t);
		if (challenged && attempt_repeat(w)) {
			txn_find(w, false, METHOD_INVITE, LEG_CALLEE)->challenged = times;
			return;
		}
		if (open && m->status == 422 && session_raise(w, LEG_CALLEE, m) && attempt_repeat(w))
			return; /* no failure: the gateway wants a longer session interval */
		if (open && reliable_insisted(w, m) && attempt_repeat(w))
			return;
		w->cause_heard = headers_cause(m);
		if (open && m->status < 400)
			redirect_learn(w, m);
		if (open)
			fork_failed(w, END_REJECTED, m->status);
	} else if (abandoned) {
		txn_free(w, t); /* first: its place may be the one that the BYE gets */
		end_unwanted(w->g, w, ev);
	} else if (t->state == TXN_ACCEPTED) {
		if (!span_eq(msg_tag(work_text(w, TEXT_OUT_TO)), m->to.tag))
			end_unwanted(w->g, w, ev);
		else if (!(t->flags & TXN_ACK_WAITS))
			w->send |= 1u << txn_number(w, t);
	} else if (w->s.phase == CALL_SETUP) {
		answered(w, t, ev);
	}
}

/* --- responses to requests that we passed on inside the dialog --- */

static void pass_back(struct work *w, struct call_txn *server, const struct event *ev, const struct body *body)
{
	const struct msg *m = ev->m;
	struct out o = compose_begin(w->g);
	compose_response(w, &o, server, m->status, headers_pass(w, server->leg, m), body);
	if (o.full) { /* what the one side has said cannot be told the other */
		w->full = true;
		return;
	}
	server->code = m->status;
	if (m->status < 300 && w->s.phase != CALL_SETUP && (server->method == METHOD_INVITE || server->method == METHOD_UPDATE))
		session_answered(w, server->leg);
	if (server->method == METHOD_INVITE) {
		server->state = m->status < 300 ? TXN_ACCEPTED : TXN_COMPLETED;
		txn_message(w, server, &o);
		txn_start_server_final(w, server);
		return;
	}
	done_add_in(w, DONE_RESPONSE, server->key, out_done(&o), server->listen, &server->to);
	work_send(w, out_done(&o), server->listen, &server->to);
	txn_free(w, server);
}

static bool dialog_is_gone(uint16_t code)
{
	return code == 408 || code == 481; /* section 12.2.1.2 */
}

static void end_if_gone(struct work *w, enum call_leg_side leg, uint16_t code)
{
	if (dialog_is_gone(code) && (w->s.phase == CALL_UP || w->s.phase == CALL_ANSWERED))
		call_hang_up(w, END_DIALOG_GONE, leg == LEG_CALLER ? ENDED_BY_CALLER : ENDED_BY_CALLEE);
}

static void close_failed(struct work *w, struct call_txn *t, const struct event *ev)
{
	if (t->method == METHOD_INVITE)
		acknowledge_failure(w, t, ev);
	txn_free(w, t);
}

/* a refresh of our own: its answer is nothing to the other leg */
static void refresh_answered(struct work *w, struct call_txn *t, const struct event *ev)
{
	enum call_leg_side leg = t->leg;
	enum txn_method method = t->method;
	if (ev->m->status >= 300) {
		close_failed(w, t, ev);
	} else {
		learn_target(w, leg, ev);
		if (method == METHOD_INVITE)
			send_ack(w, t, NULL);
		else
			txn_free(w, t);
	}
	session_refreshed(w, leg, method, ev->m);
	end_if_gone(w, leg, ev->m->status);
}

/* The peer wants a longer session interval: the request that was passed on goes again, and its sender hears nothing of it. */
static bool repeated_longer(struct work *w, struct call_txn *t, const struct event *ev)
{
	struct call_txn *server = txn_paired(w, t);
	enum call_leg_side leg = t->leg;
	enum txn_method method = t->method;
	uint8_t offer = t->flags & TXN_OFFER;
	struct body body = { SPAN("application/sdp"), { 0 } };
	if (!server || !session_raise(w, leg, ev->m))
		return false;
	close_failed(w, t, ev);
	if (offer)
		body.text = work_text(w, leg == LEG_CALLER ? TEXT_SDP_TO_CALLER : TEXT_SDP_TO_CALLEE);
	t = call_send(w, leg, method, (struct span){ 0 }, &body);
	if (!t) { /* there was one a moment ago */
		w->full = true;
		return true;
	}
	t->flags |= offer;
	t->pair = (uint8_t)(txn_number(w, server) + 1);
	server->pair = (uint8_t)(txn_number(w, t) + 1);
	return true;
}

static void in_dialog(struct work *w, struct call_txn *t, const struct event *ev)
{
	const struct msg *m = ev->m;
	struct call_txn *server = txn_paired(w, t);
	enum call_leg_side leg = t->leg, other = leg == LEG_CALLER ? LEG_CALLEE : LEG_CALLER;
	bool invite = t->method == METHOD_INVITE;
	if (m->status < 200) {
		t->state = TXN_PROCEEDING;
		if (invite) { /* others are sent again until the final response: section 17.1.2.2 */
			t->resend_ms = 0;
			t->end_ms = w->now + 180000u;
		}
		return;
	}
	if (invite && t->state == TXN_ACCEPTED) { /* the 2xx again: its ACK was lost */
		if (m->status < 300 && !(t->flags & TXN_ACK_WAITS))
			w->send |= 1u << txn_number(w, t);
		return;
	}
	if (credentials_challenged(w, t, ev)) {
		if (invite)
			acknowledge_failure(w, t, ev);
		credentials_repeat(w, t);
		return;
	}
	if (t->flags & TXN_REFRESH) {
		refresh_answered(w, t, ev);
		return;
	}
	struct body body = { 0 };
	bool had_offer = t->flags & TXN_OFFER;
	if (m->status < 300) {
		if (invite || t->method == METHOD_UPDATE)
			learn_target(w, leg, ev);
		if ((invite || t->method == METHOD_UPDATE) && w->s.phase != CALL_SETUP)
			session_agreed(w, leg, m);
		if (had_offer)
			media_accept(w, other);
		bool sdp = has_sdp(m);
		if (sdp && media_carry(w, leg, headers_sdp(m), &body) < 0)
			sdp = false;
		headers_body(m, &body);
		if (server)
			pass_back(w, server, ev, &body);
		if (invite && sdp && !had_offer)
			wait_for_ack(w, t);
		else if (invite)
			send_ack(w, t, NULL);
		else
			txn_free(w, t);
		return;
	}
	if (m->status == 422 && w->s.phase != CALL_SETUP && repeated_longer(w, t, ev))
		return;
	if (had_offer)
		media_refuse(w, leg);
	if (server)
		pass_back(w, server, ev, &body);
	bool prack = t->method == METHOD_PRACK; /* its response of the INVITE is over: that ends no dialog */
	close_failed(w, t, ev);
	if (!prack)
		end_if_gone(w, leg, m->status);
}

/* --- dispatch --- */

static bool of_running_dialog(const struct work *w, const struct event *ev)
{
	char call_id[CALL_ID_TEXT];
	struct span own = { call_id, compose_call_id(w, call_id, sizeof call_id) }, tag = ev->m->to.tag;
	return (w->s.phase == CALL_ANSWERED || w->s.phase == CALL_UP) && ev->m->method == METHOD_INVITE && tag.n &&
	       (span_eq(ev->m->call_id, work_text(w, TEXT_IN_CALL_ID)) || (span_eq(ev->m->call_id, own) && span_eq(msg_tag(work_text(w, TEXT_OUT_TO)), tag)));
}

void call_response(struct sig *g, uint32_t slot, uint32_t number, const struct event *ev)
{
	struct work w;
	work_open(&w, g, slot, ev->now);
	struct call_txn *t = txn_by_number(&w, number, ev->m->method);
	if (!t) {
		working_call_done(g->head);
		if (of_running_dialog(&w, ev)) /* a 2xx repeated after its transaction's time must not end the call */
			count_one(g->head, COUNT_REPEATED);
		else
			stray_response(g, ev);
		return;
	}
	if (t->method == METHOD_BYE || t->method == METHOD_CANCEL) {
		if (t->method == METHOD_BYE && credentials_challenged(&w, t, ev)) {
			credentials_repeat(&w, t);
		} else if (ev->m->status >= 200) {
			txn_free(&w, t);
		} else {
			t->state = TXN_PROCEEDING;
		}
	} else if (t->flags & TXN_INITIAL) {
		initial_invite(&w, t, ev);
	} else {
		in_dialog(&w, t, ev);
	}
	work_commit(&w);
}
