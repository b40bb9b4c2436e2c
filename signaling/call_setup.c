/* A new INVITE: who calls whom, may they, and where it goes (behaviour: numbers and identity; routing: who is calling). */
#include "signaling/call.h"
#include "signaling/candidates.h"
#include "signaling/capacity.h"
#include "signaling/headers.h"
#include "signaling/identity.h"
#include "signaling/ingress.h"
#include "signaling/media_pool.h"
#include "signaling/numbers.h"
#include "signaling/peer.h"
#include "signaling/protect.h"
#include "signaling/reliable.h"
#include "signaling/session.h"
#include "signaling/session_timer.h"
#include "signaling/trace.h"
#include "signaling/transport.h"
#include "signaling/upstream.h"
#include <errno.h>

static struct span overload_lines = SPAN("Retry-After: 10\r\n");

void call_refuse(struct sig *g, const struct event *ev, uint32_t ingress, uint32_t account, enum end_reason reason, struct span extra)
{
	const struct end_reason_info *info = end_reason_info(reason);
	struct out lines = out_init((char[1024]){ 0 }, 1024), o = compose_begin(g);
	struct addr to;
	out_reason(&lines, info->cause);
	out_span(&lines, extra);
	compose_reply(g, &o, ev, info->code, (struct span){ 0 }, out_done(&lines));
	reply_address(ev, &to);
	if (o.full)
		return;
	uint64_t key = key_server(g, ev->m, METHOD_INVITE);
	bool recorded = done_find(g, key, ev->now) != NULL; /* DONE_RECORDED: repeated() has answered all others */
	g->unnamed = ingress != CONFIG_NONE && !recorded ? record_refused(g, ev, ingress, account, reason) : 0;
	/* strangers must not push out what is remembered of calls; they get the same answer each time all the same */
	const char *kept = reason != END_NOT_AUTHORISED ? done_add(g, DONE_RESPONSE, key, out_done(&o), ev->listen, &to, ev->now) : NULL;
	if (!kept && g->unnamed)
		done_add(g, DONE_RECORDED, key, (struct span){ 0 }, ev->listen, &to, ev->now);
	if (g->unnamed)
		commit_release_u64(&g->journal->tail, g->unnamed);
	g->unnamed = 0;
	if (kept)
		transport_queue(g, kept, o.n, ev->listen, &to);
	else
		transport_queue_copy(g, o.p, o.n, ev->listen, &to);
	count_one(g->head, COUNT_REFUSED);
}

/* --- who calls whom --- */

struct asked { /* what the INVITE asks for */
	uint32_t ingress, account;        /* signaling/ingress.h */
	const struct cfg_mapping_gateway *mg;
	struct cfg_mapping_gateway own;   /* what `mg` points to when the ingress is no mapping gateway */
	struct span callee_in, caller_in; /* as they came */
	struct span callee, caller;       /* behind the dial plans of the ingress */
	char callee_text[DIALPLAN_BYTES], caller_text[DIALPLAN_BYTES];
};

static enum ingress_verdict identify(struct sig *g, const struct event *ev, struct asked *a)
{
	enum ingress_verdict v = ingress_identify(g, ev, &a->ingress, &a->account);
	if (v != INGRESS_KNOWN)
		return v;
	a->mg = ingress_settings(g->c, a->ingress, &a->own);
	a->callee_in = identity_callee(g->c, a->mg, ev->m);
	a->caller_in = identity_caller(a->mg, ev->m);
	return v;
}

static bool locked_out(const struct sig *g, const struct asked *a)
{
	uint32_t account = a->account < g->c->accounts.n ? cfg_account(g->c, a->account)->lock : LOCK_NONE;
	return a->mg->lock == LOCK_OUT || a->mg->lock == LOCK_ALL || account == LOCK_OUT || account == LOCK_ALL;
}

static enum end_reason admissible(struct sig *g, const struct event *ev, struct asked *a)
{
	/* the roster says it first: who has read "draining" there sees no new call accepted after it */
	if (g->draining || CMM_LOAD_SHARED(g->env->roster->state) == SYSTEM_DRAINING)
		return END_DRAINING;
	if (!g->n_free_call || transport_overloaded(g) || !journal_has_room(g, 2) || blocks_scarce(&g->blocks))
		return END_OVERLOAD;
	if (ev->m->ruri.scheme == MSG_SCHEME_OTHER)
		return END_URI_SCHEME;
	if (ev->m->max_forwards == 0)
		return END_TOO_MANY_HOPS;
	struct session_asked asked = session_timer_asked(ev->m);
	struct out unknown = out_init((char[768]){ 0 }, 768);
	if (out_unsupported(&unknown, ev->m))
		return END_EXTENSION;
	if (session_timer_too_small(&asked))
		return END_SESSION_INTERVAL;
	if (locked_out(g, a))
		return END_LOCKED;
	/* a caller that is too short for a rule stays as it is: only the callee can be dialled on */
	numbers_apply(g, a->mg->caller_dial_plan, a->caller_in, a->caller_text, &a->caller);
	if (numbers_apply(g, a->mg->callee_dial_plan, a->callee_in, a->callee_text, &a->callee) == DIALPLAN_INCOMPLETE || !a->callee.n)
		return END_INCOMPLETE;
	if (!prefix_allowed(g->c, &a->mg->callee_prefixes, a->callee) || !prefix_allowed(g->c, &a->mg->caller_prefixes, a->caller))
		return END_FILTERED;
	return END_NONE;
}

/* --- the call's record --- */

static void learn_caller(struct work *w, const struct event *ev)
{
	const struct msg *m = ev->m;
	struct call_leg *leg = &w->s.leg[LEG_CALLER];
	struct addr contact;
	struct out routes = compose_begin(w->g);
	leg->cseq_remote = m->cseq;
	leg->cseq_local = 0;
	leg->source = leg->target = ev->source;
	leg->listen = ev->listen;
	leg->sdp_version = 1;
	w->s.leg[LEG_CALLEE].sdp_version = 1;
	for (uint32_t i = 0; i < m->n_record_routes; i++) {
		out_bytes(&routes, ", ", i ? 2 : 0);
		out_span(&routes, m->record_routes[i]);
	}
	work_put(w, TEXT_IN_ROUTES, out_done(&routes));
	work_put(w, TEXT_IN_CALL_ID, m->call_id);
	work_put(w, TEXT_IN_FROM, m->from.value);
	work_put(w, TEXT_IN_TO, m->to.value);
	work_put(w, TEXT_IN_TARGET, uri_without_headers(m->n_contacts && !m->contacts[0].star ? &m->contacts[0].u : &m->from.u));
	leg->behind_nat = m->n_contacts && uri_addr(&m->contacts[0].u, &contact) == 0 && !addr_same_ip(&contact, &ev->source);
	learn_target(w, LEG_CALLER, ev);
}

static void fill_call(struct work *w, const struct event *ev, const struct asked *a)
{
	struct call *call = commit_fill(w->call); /* FILLING: nobody reads it */
	call->start_ms = ev->now;
	call->start_wall_ms = clock_wall_ms();
	uuid_make(call->start_wall_ms, &call->id);
	call->ingress = a->ingress;
	call->account = a->account;
	call->max_forwards = (uint32_t)(ev->m->max_forwards < 0 ? 70 : ev->m->max_forwards - 1);
	call->config_generation = w->g->c->generation;
	w->s.pdd_ms = UINT64_MAX;
	work_put(w, TEXT_INGRESS, cfg_span(w->g->c, a->mg->id));
	if (a->account < w->g->c->accounts.n)
		work_put(w, TEXT_ACCOUNT, cfg_span(w->g->c, cfg_account(w->g->c, a->account)->id));
	work_put(w, TEXT_CALLEE_IN, a->callee_in);
	work_put(w, TEXT_CALLER_IN, a->caller_in);
	work_put(w, TEXT_CALLEE, a->callee);
	work_put(w, TEXT_CALLER, a->caller);
	work_put(w, TEXT_DISPLAY, ev->m->from.display);
	identity_keep(w, a->mg, ev->m);
	learn_caller(w, ev);
	session_begin(w, ev->m);
	reliable_begin(w, ev->m);
	struct span sdp = headers_sdp(ev->m);
	work_put(w, TEXT_OFFER, sdp);
	w->s.offer_pending = !sdp.n;
}

static enum end_reason take_ingress(struct sig *g, const struct asked *a, uint64_t now)
{
	if (!capacity_take_line(g, cell_system(), g->c->system.calls))
		return END_OVERLOAD;
	if (ingress_take(g, a->ingress, a->account, now))
		return END_NONE;
	capacity_give_line(g, cell_system());
	return END_INGRESS_LIMIT;
}

static void give_ingress(struct sig *g, const struct asked *a)
{
	ingress_give(g, a->ingress, a->account);
	capacity_give_line(g, cell_system());
}

static void answer_100(struct work *w, struct call_txn *t)
{
	struct out o = compose_begin(w->g);
	compose_response(w, &o, t, 100, (struct span){ 0 }, NULL);
	t->code = 100;
	txn_message(w, t, &o);
}

/* the slot is claimed; END_NONE when the first INVITE is ready to be committed */
static enum end_reason set_up(struct work *w, const struct event *ev, const struct asked *a)
{
	struct sig *g = w->g;
	fill_call(w, ev, a);
	struct call_txn *t = txn_new(w, true, METHOD_INVITE, LEG_CALLER);
	t->key = key_server(g, ev->m, METHOD_INVITE);
	t->cseq = ev->m->cseq;
	if (compose_keep_request(w, t, ev) < 0 || w->full)
		return END_OVERLOAD;
	enum end_reason r = candidates_find(w);
	if (r != END_NONE)
		return r;
	headers_keep(w, ev->m);
	answer_100(w, t);
	if (!attempt_reserve(w))
		return w->no_codec ? END_NO_CODEC : END_NO_GATEWAY;
	int e = attempt_start_any(w);
	if (e == 0 && !w->full)
		return END_NONE;
	attempt_give(w);
	media_give(w);
	return e == -EBADMSG || e == -E2BIG ? END_NO_CODEC : e == -ENOENT ? END_NOT_REGISTERED : END_OVERLOAD;
}

void call_invite(struct sig *g, const struct event *came)
{
	struct event at = *came, *ev = &at;
	const struct msg *m = ev->m;
	struct asked a;
	uint64_t merge = key_merge(g, m->call_id, m->from.tag, m->cseq);

	enum ingress_verdict who = g->routes ? identify(g, ev, &a) : INGRESS_STRANGER;
	if (who == INGRESS_ANSWERED)
		return;
	if (who == INGRESS_STRANGER) {
		count_one(g->head, COUNT_UNAUTHORISED);
		if (g->routes)
			protect_count(g, &ev->source, BAN_UNAUTHORISED);
		if (!g->routes)
			call_refuse(g, ev, CONFIG_NONE, CONFIG_NONE, END_OVERLOAD, overload_lines);
		else if (g->c->param[P_SS_REPLY_UNAUTHORIZED])
			call_refuse(g, ev, CONFIG_NONE, CONFIG_NONE, END_NOT_AUTHORISED, (struct span){ 0 });
		return;
	}
	at.reply = a.mg->reply_address;
	for (uint32_t e = index_first(&g->merges, merge); e != INDEX_NONE; e = index_next(&g->merges, e)) {
		call_refuse(g, ev, CONFIG_NONE, CONFIG_NONE, END_LOOP, (struct span){ 0 });
		return;
	}
	enum end_reason r = admissible(g, ev, &a);
	bool asked = r == END_NONE;
	if (asked)
		r = take_ingress(g, &a, ev->now);
	if (asked && r == END_NONE) {
		struct work w;
		if (work_new(&w, g, ev->now) < 0) {
			r = END_OVERLOAD;
		} else if ((r = set_up(&w, ev, &a)) == END_NONE) {
			index_add(&g->txns, w.slot * CALL_TXNS, w.s.txn[0].key);
			index_add(&g->merges, w.slot, merge);
			count_one(g->head, COUNT_CALLS);
			call_event(&w, EVENT_CALL_START);
			work_commit(&w);
		} else {
			work_abandon(&w);
		}
		if (r != END_NONE)
			give_ingress(g, &a);
	}
	if (r == END_NONE)
		return;
	struct out lines = out_init((char[768]){ 0 }, 768);
	if (r == END_OVERLOAD || r == END_DRAINING) {
		count_one(g->head, COUNT_OVERLOADED);
		out_span(&lines, overload_lines);
	} else if (r == END_EXTENSION) {
		out_unsupported(&lines, m);
	} else if (r == END_SESSION_INTERVAL) {
		out_span(&lines, session_min_se_line);
	}
	call_refuse(g, ev, a.ingress, a.account, r, lines.full ? (struct span){ 0 } : out_done(&lines));
}

/* --- CANCEL --- */

static void reply_now(struct sig *g, const struct event *ev, uint16_t code)
{
	struct out o = compose_begin(g);
	struct event of_peer = *ev;
	struct addr to;
	compose_reply(g, &o, ev, code, (struct span){ 0 }, (struct span){ 0 });
	of_peer.reply = peer_reply_mode_of(g, ev);
	reply_address(&of_peer, &to);
	if (!o.full)
		transport_queue_copy(g, o.p, o.n, ev->listen, &to);
}

void call_cancel(struct sig *g, const struct event *ev)
{
	uint32_t e = index_first(&g->txns, key_server(g, ev->m, METHOD_INVITE));
	if (e == INDEX_NONE) {
		bool over = done_find(g, key_server(g, ev->m, METHOD_INVITE), ev->now) != NULL;
		if (over || g->c->param[P_SS_REPLY_UNAUTHORIZED] || (g->routes && routes_known_source(g->routes, g->c, &ev->source)))
			reply_now(g, ev, over ? 200 : 481);
		return;
	}
	reply_now(g, ev, 200);
	struct work w;
	work_open(&w, g, e / CALL_TXNS, ev->now);
	w.reason = ev->m->reason;
	bool open = w.s.txn[e % CALL_TXNS].leg == LEG_CALLER && w.s.txn[e % CALL_TXNS].state == TXN_PROCEEDING;
	if (open && w.s.phase == CALL_SETUP) {
		attempt_drop(&w);
		call_fail(&w, END_CANCELLED, ENDED_BY_CALLER, 487, 16);
		work_commit(&w);
	} else if (open && w.s.phase == CALL_ANSWERED) { /* the 2xx waits for the caller's PRACK */
		w.reason = (struct span){ 0 };
		call_hang_up(&w, END_CANCELLED, ENDED_BY_CALLER);
		work_commit(&w);
	}
}
