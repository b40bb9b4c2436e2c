#include "signaling/fork.h"
#include "shm/location.h"
#include "signaling/call.h"
#include "signaling/credentials.h"
#include "signaling/headers.h"
#include "signaling/transport.h"
#include <errno.h>

static struct location_contact contact[FORK_BRANCHES]; /* large; of the attempt that begins in this event */
static uint32_t n_contacts;
static struct {
	struct span uri, route, callee; /* callee: the value of its To */
	struct addr to;
	uint16_t listen;
} left; /* of the branch that was left in this event */

/* --- whom it calls --- */

bool fork_registered(const struct sig *g, const struct cfg_account *a, uint64_t now)
{
	return location_lookup(g->env, cfg_span(g->c, a->id), now, contact, 1) > 0;
}

static uint32_t account_of(const struct work *w)
{
	return w->s.to_account && w->s.to_account <= w->g->c->accounts.n ? w->s.to_account - 1 : CONFIG_NONE;
}

const struct cfg_routing_gateway *fork_settings(const struct work *w)
{
	static struct cfg_routing_gateway of_account;
	const struct config *c = w->g->c;
	uint32_t account = account_of(w);
	if (account == CONFIG_NONE)
		return w->s.gateway < c->routing_gateways.n ? cfg_routing(c, w->s.gateway) : NULL;
	of_account = c->plain_routing;
	of_account.id = cfg_account(c, account)->id;
	of_account.media = cfg_account(c, account)->media;
	of_account.privacy = PRIVACY_PASSTHROUGH; /* an endpoint is outside of the domain that may know (RFC 3325 section 7) */
	return &of_account;
}

/* --- an attempt --- */

static uint16_t listen_of(const struct work *w, const struct location_contact *at)
{
	return transport_listen_for(w->g, &at->target, at->listen < w->g->n_listen ? at->listen : 0);
}

bool fork_begin(struct work *w)
{
	struct call_leg *leg = &w->s.leg[LEG_CALLEE];
	uint32_t account = account_of(w);
	n_contacts = account == CONFIG_NONE ? 0 :
		location_lookup(w->g->env, cfg_span(w->g->c, cfg_account(w->g->c, account)->id), w->now, contact, FORK_BRANCHES);
	if (!n_contacts)
		return false;
	leg->target = leg->source = contact[0].target;
	leg->listen = listen_of(w, &contact[0]);
	leg->behind_nat = 0;
	for (uint32_t i = 0; i < n_contacts; i++)
		leg->behind_nat |= contact[i].behind_nat || contact[i].target.family != contact[0].target.family;
	w->s.fork_code = w->s.fork_cause = 0;
	return true;
}

static int send_branch(struct work *w, struct span uri, struct span route, const struct addr *to, uint16_t listen, const struct body *body)
{
	struct call_txn *t = txn_new(w, false, METHOD_INVITE, LEG_CALLEE);
	if (!t)
		return -ENOMEM;
	t->attempt = w->s.attempt;
	t->flags = TXN_INITIAL;
	t->cseq = w->s.leg[LEG_CALLEE].cseq_local;
	t->listen = listen;
	t->to = *to;
	work_put(w, TEXT_OUT_URI, uri);
	w->route = route;
	struct out o = compose_begin(w->g);
	compose_invite(w, &o, t, body);
	w->route = (struct span){ 0 };
	txn_message(w, t, &o);
	txn_start_client(w, t);
	return 0;
}

int fork_invite(struct work *w, struct body *body)
{
	headers_kept_body(w, body);
	for (uint32_t i = 0; i < n_contacts; i++) {
		const struct location_contact *at = &contact[i];
		struct msg_uri uri;
		int r = send_branch(w, uri_parse(at->uri, &uri) == 0 ? uri_without_headers(&uri) : at->uri, at->path, &at->target, listen_of(w, at), body);
		if (r < 0)
			return i ? 0 : r;
	}
	return 0;
}

/* --- branches --- */

static struct span message_of(const struct work *w, const struct call_txn *t)
{
	return (struct span){ block_at(w->g->blocks.plan, t->message), t->message_n };
}

static struct span uri_of(struct span invite)
{
	const char *p = memchr(invite.p, ' ', invite.n);
	const char *end = p ? memchr(p + 1, ' ', invite.n - (size_t)(p + 1 - invite.p)) : NULL;
	return end ? (struct span){ p + 1, (size_t)(end - p - 1) } : (struct span){ 0 };
}

/* the value of a header that we have written; `name` with the line end before it */
static struct span header_of(struct span invite, struct span name)
{
	const char *head = memmem(invite.p, invite.n, "\r\n\r\n", 4);
	size_t n = head ? (size_t)(head - invite.p) + 2 : invite.n;
	const char *p = memmem(invite.p, n, name.p, name.n);
	const char *end = p ? memmem(p + name.n, n - (size_t)(p + name.n - invite.p), "\r\n", 2) : NULL;
	return end ? (struct span){ p + name.n, (size_t)(end - p) - name.n } : (struct span){ 0 };
}

static bool is_branch(const struct work *w, const struct call_txn *t)
{
	return t->state != TXN_FREE && !t->server && t->method == METHOD_INVITE && t->flags & TXN_INITIAL &&
	       !(t->flags & TXN_ABANDONED) && t->attempt == w->s.attempt;
}

void fork_heard(struct work *w, const struct call_txn *t)
{
	if (!w->s.to_account || !t->message)
		return;
	w->s.leg[LEG_CALLEE].listen = t->listen;
	work_put(w, TEXT_OUT_URI, uri_of(message_of(w, t)));
}

void fork_leave(struct work *w, const struct call_txn *t)
{
	if (!w->s.to_account)
		return;
	struct span invite = message_of(w, t); /* its block is given back after the commit */
	left.uri = uri_of(invite);
	left.route = header_of(invite, SPAN("\r\nRoute: "));
	left.callee = header_of(invite, SPAN("\r\nTo: "));
	left.to = t->to;
	left.listen = t->listen;
}

int fork_again(struct work *w, struct body *body)
{
	char text[MSG_VALUE_BYTES];
	struct span heard = work_text(w, TEXT_OUT_TO);
	if (heard.n > sizeof text)
		return -EMSGSIZE;
	memcpy(text, heard.n ? heard.p : "", heard.n);
	headers_kept_body(w, body);
	work_put(w, TEXT_OUT_TO, left.callee); /* another branch may have a dialog by now */
	int r = send_branch(w, left.uri, left.route, &left.to, left.listen, body);
	work_put(w, TEXT_OUT_TO, (struct span){ text, heard.n });
	return r;
}

bool fork_goes_on(const struct work *w)
{
	for (uint32_t i = 0; i < CALL_TXNS; i++)
		if (is_branch(w, &w->s.txn[i]))
			return true;
	return false;
}

/* --- failures --- */

uint32_t fork_rank(uint16_t code)
{
	switch (code) {
	case 415: /* what a change of the request would help against (section 16.7 step 6) */
	case 420:
	case 484:
		return 1;
	case 486:
		return 2;
	case 401: /* nobody could answer it for the caller */
	case 407:
		return 6;
	case 408:
		return 4;
	default:
		return code >= 600 ? 0 : code >= 500 ? 5 : code >= 400 ? 3 : 7; /* a 3xx is not followed */
	}
}

void fork_failed(struct work *w, enum end_reason failure, uint16_t code)
{
	uint16_t as = code ? code : 408;
	if (!w->s.to_account) {
		attempt_failed(w, failure, code);
		return;
	}
	if (!w->s.fork_code || fork_rank(as) < fork_rank(w->s.fork_code)) {
		w->s.fork_code = as;
		w->s.fork_cause = w->cause_heard;
		w->s.fork_timeout = !code;
	}
	if (as >= 600)
		attempt_drop(w);
	if (fork_goes_on(w))
		return;
	w->cause_heard = w->s.fork_cause;
	if (w->s.fork_timeout)
		attempt_failed(w, END_INVITE_TIMEOUT, 0);
	else
		attempt_failed(w, END_REJECTED, w->s.fork_code);
}
