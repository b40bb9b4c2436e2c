/* One candidate after the other: starting an attempt, dropping it, and what follows when it fails. */
#include "shm/names.h"
#include "signaling/call.h"
#include "signaling/capacity.h"
#include "signaling/candidates.h"
#include "signaling/credentials.h"
#include "signaling/fork.h"
#include "signaling/forward.h"
#include "signaling/headers.h"
#include "signaling/identity.h"
#include "signaling/media_offer.h"
#include "signaling/media_pool.h"
#include "signaling/redirect.h"
#include "signaling/reliable.h"
#include "signaling/session.h"
#include "signaling/ringback.h"
#include "signaling/stage.h"
#include "signaling/trace.h"
#include "signaling/transport.h"
#include "signaling/upstream.h"
#include <errno.h>

/* false: it has none at present */
static bool gateway_address(const struct sig *g, const struct cfg_routing_gateway *gw, struct addr *ret_addr)
{
	if (upstream_of(g->c, gw))
		return upstream_address(g, gw, ret_addr);
	return names_gateway(g->env, g->c, gw, ret_addr, 1) == 1;
}

/* for a repeated INVITE: of a name that stands for several, the one that has answered */
static bool gateway_address_again(const struct sig *g, const struct cfg_routing_gateway *gw, const struct addr *heard, struct addr *ret_addr)
{
	struct addr at[NAMES_OF_GATEWAY];
	uint32_t n = gw->hosts.n && !upstream_of(g->c, gw) ? names_gateway(g->env, g->c, gw, at, NAMES_OF_GATEWAY) : 0;
	for (uint32_t i = 0; i < n; i++) {
		if (!addr_eq(&at[i], heard))
			continue;
		*ret_addr = at[i];
		return true;
	}
	return gateway_address(g, gw, ret_addr);
}

static uint32_t group_limit(const struct config *c, uint32_t group)
{
	return group < c->groups.n ? CFG_LIST(c, &c->groups, struct cfg_group)[group].line_limit : CONFIG_NONE;
}

static bool take_gateway(struct sig *g, uint32_t i, uint64_t now)
{
	const struct cfg_routing_gateway *gw = cfg_routing(g->c, i);
	struct addr address;
	if (!gw->enabled || upstream_down(g, gw) || !gateway_address(g, gw, &address) || !capacity_take_line(g, cell_routing(g->c, i), gw->line_limit))
		return false;
	if (gw->group >= g->c->groups.n || capacity_take_line(g, cell_group(g->c, gw->group), group_limit(g->c, gw->group))) {
		if (capacity_take_rate(g, cell_routing(g->c, i), gw->rate_limit, now))
			return true;
		if (gw->group < g->c->groups.n)
			capacity_give_line(g, cell_group(g->c, gw->group));
	}
	capacity_give_line(g, cell_routing(g->c, i));
	return false;
}

void attempt_give(struct work *w)
{
	struct sig *g = w->g;
	if (w->s.to_account && !w->s.account_waits)
		capacity_give_account(g, w->s.to_account - 1);
	if (!w->s.attempt || w->s.gateway >= g->c->routing_gateways.n)
		return;
	capacity_give_line(g, cell_routing(g->c, w->s.gateway));
	uint32_t group = cfg_routing(g->c, w->s.gateway)->group;
	if (group < g->c->groups.n)
		capacity_give_line(g, cell_group(g->c, group));
}

static bool take_account(struct work *w)
{
	const struct config *c = w->g->c;
	uint32_t account = w->s.to_account - 1;
	w->s.account_waits = 0;
	w->s.gateway = UINT16_MAX;
	if (account < c->accounts.n && capacity_take_account(w->g, account, cfg_account(c, account)->line_limit))
		return true;
	w->s.to_account = 0;
	return false;
}

bool attempt_reserve(struct work *w)
{
	if (w->s.account_waits)
		return take_account(w);
	/* after a reload the numbers of the gateways may mean others: the call keeps the attempt it has and gets no further */
	if (w->s.config_generation != w->g->c->generation)
		w->s.next_candidate = w->s.n_candidates;
	while (w->s.next_candidate < w->s.n_candidates) {
		uint16_t gw = w->s.candidates[w->s.next_candidate++];
		if (gw < w->g->c->routing_gateways.n && !media_has_codec(w, cfg_routing(w->g->c, gw))) {
			w->no_codec = true;
			continue;
		}
		if (gw < w->g->c->routing_gateways.n && take_gateway(w->g, gw, w->now)) {
			w->s.gateway = gw;
			return true;
		}
	}
	return false;
}

/* --- the INVITE --- */

/* whose call it is for the record: whoever forwarded it calls on at his own account; else the account that calls, else the one that
 * is called */
static void put_charged(struct work *w)
{
	struct span by = forward_by(w), from = work_text(w, TEXT_ACCOUNT);
	work_put(w, TEXT_CHARGED, by.n ? by : from.n ? from : work_text(w, TEXT_EGRESS));
}

/* What the caller has asked inside an early dialog of the callee goes no further when that is no more: a late answer would be taken
 * for one of the next dialog's. */
static void close_requests(struct work *w)
{
	for (uint32_t i = 0; i < CALL_TXNS; i++) {
		struct call_txn *t = &w->s.txn[i];
		bool open = t->state == TXN_CALLING || t->state == TXN_PROCEEDING;
		bool ending = t->method == METHOD_INVITE || t->method == METHOD_CANCEL || t->method == METHOD_BYE;
		if (open && !t->server && t->leg == LEG_CALLEE && !ending)
			call_unanswered(w, t, t->method == METHOD_PRACK && !(t->flags & TXN_OFFER) ? 200 : 481);
	}
}

static void open_attempt(struct work *w, const struct cfg_routing_gateway *gw)
{
	struct call_state *s = &w->s;
	struct call_leg *leg = &s->leg[LEG_CALLEE];
	close_requests(w);
	s->attempt++;
	s->stage = STAGE_INVITE;
	s->stage_at = w->now + stage_limit(STAGE_INVITE, &gw->timeouts);
	s->sdp_seen = s->rang = 0;
	s->attempt_ms = w->now;
	s->attempt_wall_ms = clock_wall_ms();
	s->progress_wall_ms = s->alert_wall_ms = 0;
	s->pdd_ms = UINT64_MAX;
	if (!s->to_account) {
		gateway_address(w->g, gw, &leg->target);
		leg->source = leg->target;
		leg->listen = transport_listen_for(w->g, &leg->target, s->leg[LEG_CALLER].listen);
		leg->behind_nat = 0;
	}
	leg->cseq_local = 1;
	leg->cseq_remote = leg->remote_tag_n = 0;
	leg->on_hold = 0;
	leg->sdp_hash = 0;
	session_next_attempt(w);
	reliable_next_attempt(w);
	credentials_next_attempt(w);
	redirect_next_attempt(w);
	work_put(w, TEXT_EGRESS, cfg_span(w->g->c, gw->id));
	if (s->to_account || s->forwards || work_text(w, TEXT_ACCOUNT).n)
		put_charged(w);
	identity_numbers(w, gw);
	work_put(w, TEXT_OUT_TARGET, (struct span){ 0 });
	work_put(w, TEXT_OUT_ROUTES, (struct span){ 0 });
	work_put(w, TEXT_SDP_TO_CALLEE, (struct span){ 0 });
}

static int send_invite(struct work *w, struct body *body)
{
	struct call_leg *leg = &w->s.leg[LEG_CALLEE];
	struct call_txn *t = txn_new(w, false, METHOD_INVITE, LEG_CALLEE);
	if (!t)
		return -ENOMEM;
	struct out o = compose_begin(w->g);
	t->attempt = w->s.attempt;
	t->flags = TXN_INITIAL;
	t->cseq = leg->cseq_local;
	t->listen = leg->listen;
	t->to = leg->target;
	headers_kept_body(w, body);
	credentials_count(w);
	compose_invite(w, &o, t, body);
	txn_message(w, t, &o);
	txn_start_client(w, t);
	return 0;
}

/* What the gateway said of the first INVITE is no part of the attempt any more: a dialog that had begun is none. */
static bool repeat(struct work *w, struct span uri, const struct addr *to)
{
	struct call_leg *leg = &w->s.leg[LEG_CALLEE];
	const struct config *c = w->g->c;
	struct body body = { SPAN("application/sdp"), { 0 } };
	if (w->s.to_account) { /* the other branches and the time that runs are not touched */
		leg->cseq_local++;
		body.text = work_text(w, TEXT_SDP_TO_CALLEE);
		return fork_again(w, &body) == 0;
	}
	if (w->s.config_generation != c->generation || w->s.gateway >= c->routing_gateways.n)
		return false;
	const struct cfg_routing_gateway *gw = cfg_routing(c, w->s.gateway);
	close_requests(w);
	w->s.stage = STAGE_INVITE;
	w->s.stage_at = w->now + stage_limit(STAGE_INVITE, &gw->timeouts);
	leg->cseq_local++;
	leg->remote_tag_n = 0;
	gateway_address_again(w->g, gw, &leg->source, &leg->target);
	identity_put(w, gw);
	if (to) {
		work_put(w, TEXT_OUT_URI, uri);
		leg->target = *to;
		leg->listen = transport_listen_for(w->g, to, leg->listen);
	}
	body.text = work_text(w, TEXT_SDP_TO_CALLEE);
	return send_invite(w, &body) == 0;
}

bool attempt_repeat(struct work *w)
{
	return repeat(w, (struct span){ 0 }, NULL);
}

bool attempt_elsewhere(struct work *w, struct span uri, const struct addr *to)
{
	return repeat(w, uri, to);
}

int attempt_start(struct work *w)
{
	struct sig *g = w->g;
	const struct cfg_routing_gateway *gw = fork_settings(w);
	struct body body = { 0 };
	if (w->s.to_account && !fork_begin(w))
		return -ENOENT;
	ringback_stop(w);
	open_attempt(w, gw);
	if (g->tracing)
		trace_note(g, "attempt %u: %s %s, callee %.*s", w->s.attempt, w->s.to_account ? "account" : "gateway", cfg_str(g->c, gw->id), TRACE_SPAN(work_text(w, TEXT_CALLEE_OUT)));
	bool relayed = media_relayed(w, gw);
	if (!relayed)
		media_give(w);
	w->s.relayed = relayed;
	if (w->s.attempt > 1)
		media_next_attempt(w);
	identity_put(w, gw);
	struct span offer = work_text(w, TEXT_OFFER);
	if (offer.n) {
		int r = media_carry(w, LEG_CALLER, offer, &body);
		if (r < 0)
			return r;
	}
	int sent = w->s.to_account ? fork_invite(w, &body) : send_invite(w, &body);
	if (sent < 0)
		return sent;
	count_one(g->head, COUNT_ATTEMPTS);
	if (w->s.to_account)
		return w->full ? -ENOMEM : 0;
	capacity_routed(g, cell_routing(g->c, w->s.gateway));
	const struct capacity_cell *cell = &g->cells[cell_routing(g->c, w->s.gateway)];
	stat_add(&cell->attempts, 1);
	return w->full ? -ENOMEM : 0;
}

int attempt_start_any(struct work *w)
{
	int r = attempt_start(w);
	while (r < 0 && !w->full && w->s.next_candidate < w->s.n_candidates) {
		uint16_t failed = w->s.gateway;
		if (!attempt_reserve(w))
			return r;
		uint16_t next = w->s.gateway;
		w->s.gateway = failed;
		attempt_give(w);
		w->s.gateway = next;
		w->s.attempt--; /* nothing of it has been sent: there was none */
		r = attempt_start(w);
	}
	return r;
}

/* --- dropping an attempt --- */

static struct span txn_bytes(const struct work *w, const struct call_txn *t)
{
	return (struct span){ block_at(w->g->blocks.plan, t->message), t->message_n };
}

static struct span own_to(struct span invite)
{
	const char *p = memmem(invite.p, invite.n, "\r\nTo: ", 6);
	const char *end = p ? memmem(p + 6, invite.n - (size_t)(p + 6 - invite.p), "\r\n", 2) : NULL;
	return end ? (struct span){ p + 6, (size_t)(end - p - 6) } : (struct span){ 0 };
}

static bool compose_cancel(struct work *w, const struct call_txn *t, struct out *o)
{
	struct span invite = txn_bytes(w, t);
	char lines[512];
	struct out reason = out_init(lines, sizeof lines); /* why the caller gave up (RFC 3326) */
	if (w->reason.n) {
		out_lit(&reason, "Reason: ");
		out_span(&reason, w->reason);
		out_lit(&reason, "\r\n");
	}
	*o = compose_begin(w->g);
	return compose_from_invite(o, invite, SPAN("CANCEL"), own_to(invite), reason.full ? (struct span){ 0 } : out_done(&reason)) == 0 && !o->full;
}

/* Nothing came back: no CANCEL may be sent yet (RFC 3261 section 9.1). What remains is to know what to do if it does. */
void call_abandon_to_done(struct work *w, struct call_txn *t)
{
	struct out o;
	char branch[BRANCH_TEXT];
	struct out b = out_init(branch, sizeof branch);
	if (compose_cancel(w, t, &o)) {
		out_branch(w, &b, (uint32_t)t->key);
		done_add_in(w, DONE_ABANDONED, key_branch(w->g, out_done(&b)), out_done(&o), t->listen, &t->to);
	}
	txn_free(w, t);
}

static void cancel(struct work *w, struct call_txn *t)
{
	struct out o;
	struct call_txn *c = txn_new(w, false, METHOD_CANCEL, LEG_CALLEE); /* first: it may compose, and must not take `t` */
	t->flags |= TXN_ABANDONED | TXN_CANCELLED;
	t->resend_ms = 0;
	t->end_ms = w->now + TXN_LIFE_MS; /* for its 487 */
	if (!c) { /* no place: said once, which is better than not at all */
		if (compose_cancel(w, t, &o))
			work_send(w, out_done(&o), t->listen, &t->to);
		return;
	}
	w->s.next_branch--; /* a CANCEL carries its INVITE's branch */
	if (!compose_cancel(w, t, &o)) {
		txn_free(w, c);
		return;
	}
	c->key = t->key;
	c->cseq = t->cseq;
	c->to = t->to;
	c->listen = t->listen;
	c->attempt = t->attempt;
	txn_message(w, c, &o);
	txn_start_client(w, c);
}

void attempt_drop_others(struct work *w, const struct call_txn *but)
{
	for (uint32_t i = 0; i < CALL_TXNS; i++) {
		struct call_txn *t = &w->s.txn[i];
		if (t == but || t->server || t->method != METHOD_INVITE || t->leg != LEG_CALLEE || t->flags & TXN_ABANDONED)
			continue;
		if (t->state == TXN_CALLING)
			call_abandon_to_done(w, t);
		else if (t->state == TXN_PROCEEDING)
			cancel(w, t);
	}
}

void attempt_drop(struct work *w)
{
	attempt_drop_others(w, NULL);
}

/* --- after a failure --- */

static struct switch_policy policy_of(const struct work *w, const struct cfg_routing_gateway *gw)
{
	const struct config *c = w->g->c;
	const struct cfg_switch *s = &gw->switching;
	return (struct switch_policy){ .after_sdp = s->after_sdp, .after_rtp_start = s->after_rtp_start, .after_user_busy = s->after_user_busy,
		.after_invite_timeout = s->after_invite_timeout, .until_connect = s->until_connect,
		.response_codes = CFG_LIST(c, &s->response_codes, uint16_t), .n_response_codes = s->response_codes.n,
		.limit = c->param[P_SS_GATEWAY_SWITCH_LIMIT] >= (int64_t)CONFIG_NONE ? UINT32_MAX : (uint32_t)c->param[P_SS_GATEWAY_SWITCH_LIMIT] };
}

static uint16_t mapped(const struct config *c, const struct cfg_routing_gateway *gw, uint16_t code)
{
	const struct cfg_response_map *m = CFG_LIST(c, &gw->response_map, struct cfg_response_map);
	for (uint32_t i = 0; i < gw->response_map.n; i++)
		if (m[i].from == code)
			return m[i].to;
	return code;
}

/* The called account forwards in this case: its attempt is over, and the call goes on as one to another number. Where that leads
 * nowhere the call ends as if there were no forwarding. */
static bool forwarded(struct work *w, enum end_reason failure, uint16_t code)
{
	const struct config *c = w->g->c;
	uint32_t account = w->s.to_account;
	enum forward_case why = forward_by_failure(failure, code, w->s.rang);
	if (why == FORWARD_NONE || account > c->accounts.n || (c->param[P_SS_CDR_RECORD_NONCONNECT] && !journal_has_room(w->g, 1)) ||
	    !forward_follow(w, cfg_account(c, account - 1), why))
		return false;
	bool found = candidates_find(w) == END_NONE && attempt_reserve(w);
	uint32_t next = w->s.to_account;
	uint16_t gateway = w->s.gateway;
	w->s.to_account = account;
	w->s.gateway = UINT16_MAX;
	w->s.account_waits = 0;
	if (!found) {
		w->s.next_candidate = w->s.n_candidates = 0;
		return false;
	}
	record_attempt(w, false);
	attempt_give(w);
	w->s.to_account = next;
	w->s.gateway = gateway;
	w->s.forwarded_at = w->s.attempt;
	if (attempt_start_any(w) < 0)
		call_fail(w, END_OVERLOAD, ENDED_BY_SYSTEM, 503, 42);
	return true;
}

void attempt_failed(struct work *w, enum end_reason failure, uint16_t code)
{
	if (redirect_follow(w, code))
		return;
	const struct config *c = w->g->c;
	bool same_config = w->s.config_generation == c->generation && w->s.gateway < c->routing_gateways.n;
	const struct cfg_routing_gateway *gw = same_config ? cfg_routing(c, w->s.gateway) : w->s.to_account ? fork_settings(w) : NULL;
	struct switch_policy policy = gw ? policy_of(w, gw) : (struct switch_policy){ .limit = 0 };
	struct switch_seen seen = { .rtp = media_heard(w, LEG_CALLEE), .sdp = w->s.sdp_seen, .rang = w->s.rang, .attempts = (uint8_t)(w->s.attempt - w->s.forwarded_at),
		.more = w->s.next_candidate < w->s.n_candidates };
	struct switch_event event = { failure, code };
	uint16_t failed = w->s.gateway;
	struct switch_result r = switch_decide(&policy, &seen, &event);

	w->s.code = code ? code : end_reason_info(failure)->code;
	w->s.cause = w->cause_heard ? w->cause_heard : code ? cause_of(code) : end_reason_info(failure)->cause;
	w->s.reason = (uint8_t)failure;
	if (w->s.to_account && forwarded(w, failure, code))
		return;
	bool recorded = c->param[P_SS_CDR_RECORD_NONCONNECT], room = !recorded || journal_has_room(w->g, 1);
	/* no attempt without its record: without a place for one more this one's is the call's last */
	if (r.rule == SWITCH_NEXT && (!room || !attempt_reserve(w))) {
		seen.more = false;
		r = switch_decide(&policy, &seen, &event);
	}
	if (w->g->tracing)
		trace_note(w->g, "attempt %u failed (%s, %u): %s: %s", w->s.attempt, end_reason_info(failure)->text, w->s.code,
			r.rule == SWITCH_NEXT ? "goes on" : "stops", switch_rule_text(r.rule));
	if (r.rule == SWITCH_NEXT) {
		uint16_t next = w->s.gateway;
		record_attempt(w, false);
		w->s.gateway = failed;
		attempt_give(w);
		w->s.gateway = next;
		if (attempt_start_any(w) < 0)
			call_fail(w, END_OVERLOAD, ENDED_BY_SYSTEM, 503, 42);
		return;
	}
	uint16_t told = gw ? mapped(c, gw, r.code) : r.code;
	call_fail(w, r.reason, code ? ENDED_BY_CALLEE : ENDED_BY_SYSTEM, told, w->s.cause);
}
