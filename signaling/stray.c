/* Responses that nobody waits for: to an INVITE of an attempt that was given up, of another branch of a fork, or of a call that
 * is over. Whoever rings is cancelled and whoever answered is let go (RFC 3261 sections 9.1 and 13.2.2.4), by requests that are
 * repeated until they are answered: when the call is gone they get a slot of their own, with nothing in it but the transaction. */
#include "signaling/call.h"
#include "signaling/transport.h"

/* ACK for a 2xx whose dialog is not ours to keep, and the BYE that ends it: from the response alone */
static bool compose_from_response(struct sig *g, struct out *o, const struct event *ev, const char *method, uint32_t cseq, struct span branch)
{
	const struct msg *m = ev->m;
	*o = compose_begin(g);
	out_span(o, span_of(method));
	out_char(o, ' ');
	out_span(o, uri_without_headers(m->n_contacts && !m->contacts[0].star ? &m->contacts[0].u : &m->to.u)); /* without a Contact: what was called */
	out_lit(o, " SIP/2.0\r\nVia: SIP/2.0/UDP ");
	transport_host(g, ev->listen, &ev->source, o);
	out_lit(o, ";branch=");
	out_span(o, branch);
	out_lit(o, ";rport\r\nMax-Forwards: 70\r\nFrom: ");
	out_span(o, m->from.value);
	out_lit(o, "\r\nTo: ");
	out_span(o, m->to.value);
	out_lit(o, "\r\nCall-ID: ");
	out_span(o, m->call_id);
	out_lit(o, "\r\nCSeq: ");
	out_u64(o, cseq);
	out_char(o, ' ');
	out_span(o, span_of(method));
	for (uint32_t i = m->n_record_routes; i-- > 0;) {
		out_lit(o, "\r\nRoute: ");
		out_span(o, m->record_routes[i]);
	}
	out_lit(o, "\r\nContent-Length: 0\r\n\r\n");
	return !o->full;
}

static struct addr response_target(const struct event *ev)
{
	struct addr to;
	struct msg_address hop;
	if (ev->m->n_record_routes && address_parse(ev->m->record_routes[ev->m->n_record_routes - 1], &hop) == 0 && uri_addr(&hop.u, &to) == 0)
		return to;
	if (!ev->m->n_record_routes && ev->m->n_contacts && uri_addr(&ev->m->contacts[0].u, &to) == 0 && addr_same_ip(&to, &ev->source))
		return to;
	return ev->source;
}

/* --- a slot for one transaction --- */

/* A call that is over from the start: no id, no record, no capacity, only what it has to deliver. */
static bool remnant_open(struct work *w, struct sig *g, uint64_t now)
{
	if (g->n_free_call <= g->n_calls / 8 || work_new(w, g, now) < 0)
		return false;
	struct call *call = commit_fill(w->call); /* FILLING: nobody reads it */
	call->id = (struct uuid){ 0 };
	call->start_ms = now;
	call->start_wall_ms = clock_wall_ms();
	call->ingress = call->account = CONFIG_NONE;
	call->config_generation = w->s.config_generation = g->c->generation;
	w->s.phase = CALL_ENDING;
	w->s.gateway = UINT16_MAX; /* none: the global resend list */
	w->s.pdd_ms = UINT64_MAX;
	return true;
}

static void remnant_close(struct work *w, bool good)
{
	if (!good || w->full) {
		work_abandon(w);
		return;
	}
	w->g->reserved--; /* there will be no record */
	work_commit(w);
}

/* Requests of this file are found by what they end, so that a repeated response does not start a second one. Half of the key is
 * kept above the transaction's number, for a successor. */
static uint64_t key_of(const struct sig *g, const struct event *ev, struct span what)
{
	uint32_t half = (uint32_t)(key_merge(g, ev->m->via.branch, what, ev->m->cseq) >> 32);
	return stray_key(half ? half : 1);
}

static void find_by(struct work *w, struct call_txn *t, uint64_t key)
{
	t->key |= key << 32;
	index_add(&w->g->txns, w->slot * CALL_TXNS + txn_number(w, t), key);
}

/* --- a late 2xx: ACK, then BYE --- */

static bool put_bye(struct work *w, struct call_txn *t, const struct event *ev, const struct addr *to)
{
	char branch[BRANCH_TEXT + 2];
	struct out o, b = out_init(branch, sizeof branch);
	t->cseq = ev->m->cseq + 1;
	t->listen = ev->listen;
	t->to = *to;
	out_branch(w, &b, (uint32_t)t->key);
	if (!compose_from_response(w->g, &o, ev, "BYE", t->cseq, out_done(&b))) {
		txn_free(w, t);
		return false;
	}
	txn_message(w, t, &o);
	txn_start_client(w, t);
	find_by(w, t, key_of(w->g, ev, ev->m->to.tag));
	return true;
}

/* no slot: once, and again when the 2xx is */
static void bye_once(struct sig *g, const struct event *ev, const struct addr *to, struct span branch)
{
	struct out o;
	if (compose_from_response(g, &o, ev, "BYE", ev->m->cseq + 1, branch))
		transport_queue_copy(g, o.p, o.n, ev->listen, to);
}

void end_unwanted(struct sig *g, struct work *w, const struct event *ev)
{
	struct out o;
	struct work own;
	struct addr to = response_target(ev);
	char branch[BRANCH_TEXT + 2];
	size_t n = ev->m->via.branch.n < BRANCH_TEXT ? ev->m->via.branch.n : BRANCH_TEXT;
	memcpy(branch, ev->m->via.branch.p, n);
	branch[n] = 'a'; /* an ACK for a 2xx is a transaction of its own, and so is the BYE */
	if (compose_from_response(g, &o, ev, "ACK", ev->m->cseq, (struct span){ branch, n + 1 }))
		transport_queue_copy(g, o.p, o.n, ev->listen, &to);
	if (index_first(&g->txns, key_of(g, ev, ev->m->to.tag)) != INDEX_NONE)
		return; /* its BYE is under way */
	bool remnant = !w && remnant_open(&own, g, ev->now);
	if (remnant)
		w = &own;
	struct call_txn *t = w ? txn_new(w, false, METHOD_BYE, LEG_CALLEE) : NULL;
	bool good = t && put_bye(w, t, ev, &to);
	if (remnant)
		remnant_close(w, good);
	branch[n] = 'b';
	if (!t)
		bye_once(g, ev, &to, (struct span){ branch, n + 1 });
}

/* --- a late 1xx: CANCEL --- */

static void cancel_late(struct sig *g, const struct done *d, const struct event *ev)
{
	struct work w;
	uint64_t key = key_of(g, ev, SPAN("CANCEL"));
	if (index_first(&g->txns, key) != INDEX_NONE)
		return; /* its CANCEL is under way */
	if (!remnant_open(&w, g, ev->now)) {
		transport_queue(g, d->message, d->n, d->listen, &d->to);
		return;
	}
	struct call_txn *t = txn_new(&w, false, METHOD_CANCEL, LEG_CALLEE);
	struct out o = compose_begin(g);
	out_bytes(&o, d->message, d->n);
	t->cseq = ev->m->cseq;
	t->listen = d->listen;
	t->to = d->to;
	txn_message(&w, t, &o);
	txn_start_client(&w, t);
	find_by(&w, t, key);
	remnant_close(&w, true);
}

/* the branch of a CANCEL is its INVITE's, which names the call that is gone */
static void cancel_answered(struct sig *g, const struct event *ev)
{
	uint32_t e = index_first(&g->txns, key_of(g, ev, SPAN("CANCEL")));
	struct work w;
	if (e == INDEX_NONE || ev->m->status < 200)
		return;
	work_open(&w, g, e / CALL_TXNS, ev->now);
	txn_free(&w, &w.s.txn[e % CALL_TXNS]);
	work_commit(&w);
}

void stray_response(struct sig *g, const struct event *ev)
{
	const struct msg *m = ev->m;
	const struct done *d = done_find(g, key_branch(g, m->via.branch), ev->now);
	count_one(g->head, d ? COUNT_REPEATED : COUNT_STRAY);
	if (m->method == METHOD_CANCEL)
		cancel_answered(g, ev);
	if (m->method != METHOD_INVITE)
		return;
	if (m->status >= 200 && m->status < 300) {
		end_unwanted(g, NULL, ev);
	} else if (d && d->kind == DONE_ACK && m->status >= 300) {
		transport_queue(g, d->message, d->n, d->listen, &d->to);
	} else if (d && d->kind == DONE_ABANDONED && m->status < 200) {
		cancel_late(g, d, ev);
	} else if (d && d->kind == DONE_ABANDONED) {
		struct out o = compose_begin(g); /* the CANCEL has the INVITE's Request-URI, Via and From */
		if (compose_from_invite(&o, (struct span){ d->message, d->n }, SPAN("ACK"), m->to.value, (struct span){ 0 }) == 0 && !o.full)
			transport_queue_copy(g, o.p, o.n, d->listen, &d->to);
	}
}
