/* The signalling process: whose message is it, and what kind. */
#include "signaling/worker.h"
#include "signaling/auth.h"
#include "signaling/bindings.h"
#include "signaling/call.h"
#include "signaling/capacity.h"
#include "signaling/media_pool.h"
#include "signaling/trace.h"
#include "signaling/peer.h"
#include "signaling/register.h"
#include "signaling/protect.h"
#include "signaling/transport.h"
#include <errno.h>
#include <stdlib.h>

#define HOPS_MAX     2u     /* hand-overs of one datagram; more would be a circle */
#define MINUTE_MS    60000u
#define END_GRACE_MS 4000u  /* for the BYEs of a stop that may not wait */

/* --- whose message is it --- */

static void hand_over(struct sig *g, uint32_t worker, const char *data, size_t n, const struct event *ev)
{
	struct message_datagram h = { ev->source, ev->listen, ev->hops + 1u };
	if (g->tracing)
		trace_forget(g);
	if (ev->hops >= HOPS_MAX || worker >= g->c->system.signaling ||
	    env_push(g->env, seat_of(ROLE_SIGNALING, worker), MESSAGE_DATAGRAM, &h, sizeof h, data, n) < 0)
		count_one(g->head, COUNT_HANDED_LOST);
	else
		count_one(g->head, COUNT_HANDED_OVER);
}

static void to_registrar(struct sig *g, const char *data, size_t n, const struct event *ev)
{
	struct message_datagram h = { ev->source, ev->listen, ev->hops };
	if (env_push(g->env, seat_of(ROLE_REGISTRAR, 0), MESSAGE_DATAGRAM, &h, sizeof h, data, n) < 0)
		count_one(g->head, COUNT_HANDED_LOST);
	else
		count_one(g->head, COUNT_HANDED_OVER);
}

static uint32_t partition_owner(const struct sig *g, const struct msg *m)
{
	uint32_t worker = call_id_worker(m->call_id, g->env->roster->instance);
	if (worker < g->c->system.signaling)
		return worker;
	return CMM_LOAD_SHARED(g->env->roster->partition[steer_hash(m->call_id.p, m->call_id.n)]);
}

static bool live(const struct sig *g, const struct token *t)
{
	return t->slot < g->n_calls && g->calls[t->slot].slot.generation == t->generation && g->calls[t->slot].slot.state >= SLOT_LIVE;
}

/* --- answers that need no call --- */

static void reply_stateless(struct sig *g, const struct event *ev, uint16_t code, const char *phrase, struct span extra)
{
	struct out o = compose_begin(g);
	struct event of_peer = *ev;
	struct addr to;
	compose_reply(g, &o, ev, code, span_of(phrase), extra);
	of_peer.reply = peer_reply_mode_of(g, ev);
	reply_address(&of_peer, &to);
	if (!o.full)
		transport_queue_copy(g, o.p, o.n, ev->listen, &to);
}

static void malformed(struct sig *g, const struct event *ev, int error, const char *why)
{
	const struct msg *m = ev->m;
	count_one(g->head, COUNT_MALFORMED);
	protect_count(g, &ev->source, BAN_GARBAGE);
	if (!m->request || !m->answerable || m->method == METHOD_ACK)
		return;
	if (!g->c->param[P_SS_REPLY_UNAUTHORIZED] && !(g->routes && routes_known_source(g->routes, g->c, &ev->source)))
		return;
	char phrase[128];
	struct out o = out_init(phrase, sizeof phrase - 1);
	if (error == -EMSGSIZE) {
		reply_stateless(g, ev, m->uri.n > g->c->sip.max_uri ? 414 : 513, NULL, (struct span){ 0 });
		return;
	}
	if (error == -EPROTONOSUPPORT) {
		reply_stateless(g, ev, 505, NULL, (struct span){ 0 });
		return;
	}
	out_lit(&o, "Bad Request");
	if (why && strlen(why) < 100) {
		out_lit(&o, " - ");
		out_span(&o, span_of(why));
	}
	phrase[o.n] = 0;
	reply_stateless(g, ev, 400, phrase, (struct span){ 0 });
}

static void out_of_dialog(struct sig *g, const struct event *ev)
{
	bool known = g->routes && routes_known_source(g->routes, g->c, &ev->source);
	if (!known && auth_stranger(g, ev) != AUTH_OK)
		return;
	if (!known)
		protect_count(g, &ev->source, BAN_UNAUTHORISED);
	if (ev->m->method == METHOD_OPTIONS)
		reply_stateless(g, ev, ev->m->max_forwards == 0 ? 483 : 200, NULL, allow_line);
	else if (ev->m->method == METHOD_OTHER)
		reply_stateless(g, ev, 501, NULL, allow_line);
	else if (ev->m->method == METHOD_UPDATE || ev->m->method == METHOD_PRACK || ev->m->method == METHOD_INFO || ev->m->method == METHOD_BYE)
		reply_stateless(g, ev, 481, NULL, (struct span){ 0 });
	else
		reply_stateless(g, ev, 405, NULL, allow_line);
}

/* --- requests --- */

/* ACK for a failure that we sent: the server transaction is over (RFC 3261 section 17.2.1) */
static void ack_of_failure(struct sig *g, const struct event *ev)
{
	uint32_t e = index_first(&g->txns, key_server(g, ev->m, METHOD_INVITE));
	if (e == INDEX_NONE)
		return;
	struct work w;
	work_open(&w, g, e / CALL_TXNS, ev->now);
	struct call_txn *t = &w.s.txn[e % CALL_TXNS];
	if (t->state == TXN_COMPLETED) {
		struct span last = { block_at(g->blocks.plan, t->message), t->message_n };
		done_add_in(&w, DONE_RESPONSE, t->key, last, t->listen, &t->to);
		txn_free(&w, t);
	}
	work_commit(&w);
}

/* The ACK for a 2xx is a transaction of its own, but some peers give it the INVITE's branch. */
static bool acknowledges_answer(const struct sig *g, const struct event *ev)
{
	uint32_t e = index_first(&g->txns, key_server(g, ev->m, METHOD_INVITE));
	if (e == INDEX_NONE)
		return true;
	const struct call *call = &g->calls[e / CALL_TXNS];
	const struct call_state *s = slot_now(&call->slot, call->copies, sizeof *s);
	return s->txn[e % CALL_TXNS].state == TXN_ACCEPTED;
}

/* a repeated request gets the last response again */
static bool repeated(struct sig *g, const struct event *ev)
{
	uint64_t key = key_server(g, ev->m, ev->m->method);
	const struct done *d = done_find(g, key, ev->now);
	if (d && d->kind == DONE_RESPONSE) {
		count_one(g->head, COUNT_REPEATED);
		if (d->n)
			transport_queue(g, d->message, d->n, d->listen, &d->to);
		return true;
	}
	uint32_t e = index_first(&g->txns, key);
	if (e == INDEX_NONE)
		return false;
	const struct call *call = &g->calls[e / CALL_TXNS];
	const struct call_state *s = slot_now(&call->slot, call->copies, sizeof *s);
	const struct call_txn *t = &s->txn[e % CALL_TXNS];
	count_one(g->head, COUNT_REPEATED);
	if (g->tracing)
		trace_call(g, e / CALL_TXNS);
	if (t->message)
		transport_queue(g, block_at(g->blocks.plan, t->message), t->message_n, t->listen, &t->to);
	return true;
}

static void request(struct sig *g, const struct event *ev, bool has_token, const struct token *t)
{
	const struct msg *m = ev->m;
	CRASHMARK("owned", ev->data, ev->n);
	if (m->method == METHOD_ACK) {
		if (has_token && live(g, t) && acknowledges_answer(g, ev))
			call_request(g, t->slot, t, ev);
		else
			ack_of_failure(g, ev);
	} else if (repeated(g, ev)) {
		return;
	} else if (m->method == METHOD_REGISTER) {
		register_request(g, ev);
	} else if (m->method == METHOD_CANCEL) {
		call_cancel(g, ev);
	} else if (has_token && live(g, t)) {
		call_request(g, t->slot, t, ev);
	} else if (m->to.tag.n) {
		count_one(g->head, COUNT_STRAY);
		protect_count(g, &ev->source, BAN_UNAUTHORISED);
		if (auth_answers(g, ev))
			reply_stateless(g, ev, 481, NULL, (struct span){ 0 });
	} else if (m->method == METHOD_INVITE) {
		call_invite(g, ev);
	} else {
		out_of_dialog(g, ev);
	}
}

void sig_datagram(struct sig *g, const char *data, size_t n, const struct addr *source, uint16_t listen, uint32_t hops)
{
	static struct msg m; /* large, and one is worked on at a time */
	const char *why = NULL;
	struct token t;
	uint32_t number;
	struct event ev = { data, n, *source, listen, (uint8_t)hops, clock_ms(), &m, REPLY_STRANGER };
	if (poison_known(g->env, data, n)) {
		count_one(g->head, COUNT_POISONED);
		return;
	}
	CRASHMARK("datagram", data, n);
	int r = msg_parse(g->parser, data, n, &m, &why);
	if (r == -ENODATA)
		return;
	if (r < 0) {
		malformed(g, &ev, r, why);
		return;
	}
	if (!m.request) {
		if (branch_read(&g->env->roster->token_key, m.via.branch, &t, &number) < 0) {
			count_one(g->head, COUNT_STRAY);
			protect_count(g, &ev.source, BAN_UNAUTHORISED);
		} else if (t.aux == TOKEN_REGISTRAR) {
			to_registrar(g, data, n, &ev);
		} else if (t.worker != g->env->index) {
			hand_over(g, t.worker, data, n, &ev);
		} else if (live(g, &t)) {
			call_response(g, t.slot, number, &ev);
		} else {
			stray_response(g, &ev);
		}
		return;
	}
	bool has_token = m.to.tag.n && tag_read(&g->env->roster->token_key, m.to.tag, &t) == 0;
	uint32_t owner = m.method == METHOD_REGISTER ? register_owner(g, &m) : has_token ? t.worker : partition_owner(g, &m);
	if (owner != g->env->index)
		hand_over(g, owner, data, n, &ev);
	else
		request(g, &ev, has_token, &t);
}

/* --- the process --- */

static void on_ring(struct env *e, uint32_t from, const struct ring_message *m)
{
	struct sig *g = e->context;
	const char *body = (const char *)(m + 1);
	(void)from;
	if (m->type == MESSAGE_DATAGRAM && m->size > sizeof(struct message_datagram)) {
		const struct message_datagram *d = (const struct message_datagram *)body;
		if (d->listen >= g->n_listen)
			return;
		if (g->tracing)
			trace_in(g, body + sizeof *d, m->size - sizeof *d, &d->source, (uint16_t)d->listen);
		sig_datagram(g, body + sizeof *d, m->size - sizeof *d, &d->source, (uint16_t)d->listen, d->hops);
		if (g->tracing)
			trace_end(g);
	} else if (m->type == MESSAGE_TRACE_ON && m->size >= sizeof(struct message_trace_filter)) {
		trace_subscribe(g, (const struct message_trace_filter *)body);
	} else if (m->type == MESSAGE_TRACE_OFF && m->size >= sizeof(struct message_trace_filter)) {
		trace_unsubscribe(g, ((const struct message_trace_filter *)body)->number);
	} else if (m->type == MESSAGE_HANGUP && m->size >= sizeof(struct message_call)) {
		const struct message_call *c = (const struct message_call *)body;
		call_hangup_order(g, c->slot, c->generation, END_OPERATOR);
	} else if (m->type == MESSAGE_BINDING) {
		bindings_take(g, body, m->size);
	} else if (m->type == MESSAGE_UNBAN && m->size >= sizeof(struct message_unban)) {
		protect_lift(g, &((const struct message_unban *)body)->source);
	} else if (m->type == MESSAGE_AUTH && m->size >= sizeof(struct message_auth)) {
		auth_message(g, (const struct message_auth *)body);
	} else if (m->type == MESSAGE_UNSUSPEND && m->size >= sizeof(struct message_unsuspend)) {
		auth_unsuspend(g, (const struct message_unsuspend *)body);
	}
}

static void on_turn(struct env *e)
{
	struct sig *g = e->context;
	static uint64_t minute;
	if (g->tracing)
		trace_end(g);
	transport_flush(g);
	transport_pace(g);
	protect_turn(g);
	if (e->loop.now / MINUTE_MS != minute) {
		minute = e->loop.now / MINUTE_MS;
		capacity_decay(g);
	}
}

/* Routes speak of gateways by their number in the configuration they were built from: the two change together, when both
 * are there. What is in use until then stays mapped (env.h keeps the last images). */
static void take_images(struct env *e)
{
	struct sig *g = e->context;
	const struct config *c = e->config.p;
	if (!e->routes.p || routes_verify(e->routes.p, e->routes.size) < 0 || routes_config_generation(e->routes.p) != c->generation)
		return;
	g->routes = e->routes.p;
	protect_configure(g);
	if (g->c == c)
		return;
	g->c = c;
	transport_configure(g);
	adopt_renumber(g);
	bindings_configure(g);
}

void sig_maybe_stop(struct sig *g)
{
	if (g->stopping && !g->live)
		loop_stop(&g->env->loop, 0);
}

static void on_drain(struct env *e)
{
	((struct sig *)e->context)->draining = true;
}

static void stop_for_good(struct wheel_timer *t, uint64_t now)
{
	struct call_timer *ct = (struct call_timer *)t;
	(void)now;
	loop_stop(&ct->g->env->loop, 0);
}

static void on_stop(struct env *e, bool now)
{
	struct sig *g = e->context;
	static struct call_timer grace;
	g->draining = g->stopping = true;
	if (now) {
		for (uint32_t i = 0; i < g->n_calls; i++)
			if (g->calls[i].slot.state == SLOT_LIVE)
				call_hangup_order(g, i, g->calls[i].slot.generation, END_SHUTDOWN);
		grace.g = g;
		wheel_add(&e->loop.wheel, &grace.t, e->loop.now + END_GRACE_MS, stop_for_good);
	}
	sig_maybe_stop(g);
}

static int open_worker(struct sig *g, struct env *e)
{
	const struct region *own = &e->region[e->seat];
	g->env = e;
	g->c = e->config.p;
	g->head = own->head;
	g->calls = region_area(own, AREA_CALLS);
	g->n_calls = region_count(own, AREA_CALLS);
	g->done = region_area(own, AREA_DONE);
	g->n_done = region_count(own, AREA_DONE);
	g->legs = region_area(own, AREA_MEDIA_LEGS);
	g->n_legs = region_count(own, AREA_MEDIA_LEGS);
	g->cells = region_area(own, AREA_CAPACITY);
	g->n_cells = region_count(own, AREA_CAPACITY);
	g->journal = region_area(own, AREA_JOURNAL);
	g->receive = region_area(own, AREA_RECEIVE);
	g->arena = malloc(ARENA_BYTES);
	g->scratch = malloc(SCRATCH_BYTES);
	struct msg_limits limits = { g->c->sip.max_message, g->c->sip.max_headers, g->c->sip.max_uri };
	g->parser = msg_parser_new(&limits);
	/* the keys of the indexes must be the same for every incarnation: they lie in the region */
	g->private_key = (struct hash_key){ e->roster->token_key.k1, e->roster->token_key.k0 };
	if (!g->arena || !g->scratch || !g->parser)
		return -ENOMEM;
	int r = protect_open(g);
	if (r < 0)
		return r;
	auth_open(g);
	take_images(e);
	g->draining = e->roster->state == SYSTEM_DRAINING;
	transport_configure(g);
	return adopt(g);
}

int signaling_main(struct env *e)
{
	static struct sig worker;
	struct sig *g = &worker;
	int r = env_start(e);
	if (r < 0)
		return 1;
	e->context = g;
	e->on_ring = on_ring;
	e->on_turn = on_turn;
	e->on_config = e->on_routes = take_images;
	e->on_drain = on_drain;
	e->on_stop = on_stop;
	r = open_worker(g, e);
	if (r == 0)
		r = transport_open(g);
	if (r == 0)
		r = bindings_open(g);
	if (r < 0) {
		log_error("cannot start: %s", strerror(-r));
		return 1;
	}
	adopt_resend(g);
	transport_flush(g);
	env_ready(e); /* before the replay: what makes us hang shall be found out soon */
	transport_replay(g);
	transport_flush(g);
	return env_run(e);
}
