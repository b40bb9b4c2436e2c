#include "signaling/compose.h"
#include "signaling/credentials.h"
#include "signaling/headers.h"
#include "signaling/identity.h"
#include "signaling/peer.h"
#include "signaling/reliable.h"
#include "signaling/session.h"
#include "signaling/transport.h"
#include <errno.h>

const struct span allow_line = SPAN("Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK, INFO, MESSAGE, NOTIFY\r\n");

struct out compose_begin(struct sig *g)
{
	return out_init(g->scratch, SCRATCH_BYTES);
}

const char *reason_phrase(uint16_t code)
{
	static const struct {
		uint16_t code;
		const char *text;
	} map[] = { { 100, "Trying" }, { 180, "Ringing" }, { 181, "Call Is Being Forwarded" }, { 182, "Queued" }, { 183, "Session Progress" },
		{ 200, "OK" }, { 202, "Accepted" }, { 400, "Bad Request" }, { 401, "Unauthorized" }, { 403, "Forbidden" }, { 404, "Not Found" },
		{ 405, "Method Not Allowed" }, { 406, "Not Acceptable" }, { 407, "Proxy Authentication Required" }, { 408, "Request Timeout" },
		{ 410, "Gone" }, { 413, "Request Entity Too Large" }, { 414, "Request-URI Too Long" }, { 415, "Unsupported Media Type" },
		{ 416, "Unsupported URI Scheme" }, { 420, "Bad Extension" }, { 422, "Session Interval Too Small" }, { 423, "Interval Too Brief" },
		{ 480, "Temporarily Unavailable" }, { 481, "Call/Transaction Does Not Exist" }, { 482, "Loop Detected" }, { 483, "Too Many Hops" },
		{ 484, "Address Incomplete" }, { 485, "Ambiguous" }, { 486, "Busy Here" }, { 487, "Request Terminated" },
		{ 488, "Not Acceptable Here" }, { 491, "Request Pending" }, { 500, "Server Internal Error" }, { 501, "Not Implemented" },
		{ 502, "Bad Gateway" }, { 503, "Service Unavailable" }, { 504, "Server Time-out" }, { 505, "Version Not Supported" },
		{ 513, "Message Too Large" }, { 600, "Busy Everywhere" }, { 603, "Decline" }, { 604, "Does Not Exist Anywhere" },
		{ 606, "Not Acceptable" } };
	for (size_t i = 0; i < sizeof map / sizeof *map; i++)
		if (map[i].code == code)
			return map[i].text;
	return code < 200 ? "Progress" : code < 300 ? "Success" : code < 400 ? "Redirection" : code < 500 ? "Client Error" : code < 600 ? "Server Error" : "Global Failure";
}

/* --- ids --- */

static struct token call_token(const struct work *w, uint8_t aux)
{
	return (struct token){ .worker = (uint8_t)w->g->env->index, .aux = aux, .slot = w->slot, .generation = w->call->slot.generation };
}

/* The tag's spare byte: towards the caller the number of the early dialog, towards the callee 0x80 and the attempt. */
void compose_local_tag(const struct work *w, enum call_leg_side leg, char ret_tag[32], size_t *ret_n)
{
	struct token t = call_token(w, leg == LEG_CALLER ? w->s.early & 0x7f : 0x80 | w->s.attempt);
	*ret_n = tag_make(&w->g->env->roster->token_key, &t, ret_tag);
}

size_t compose_call_id(const struct work *w, char *ret_text, size_t cap)
{
	(void)cap;
	struct token t = call_token(w, w->s.attempt);
	return call_id_make(&w->g->env->roster->token_key, w->g->env->roster->instance, &t, ret_text);
}

void out_branch(const struct work *w, struct out *o, uint32_t number)
{
	char text[BRANCH_TEXT];
	struct token t = call_token(w, 0);
	out_bytes(o, text, branch_make(&w->g->env->roster->token_key, &t, number, text));
}

/* --- pieces --- */

static void out_line(struct out *o, struct span name, struct span value)
{
	out_span(o, name);
	out_span(o, value);
	out_lit(o, "\r\n");
}

static void out_via(const struct work *w, struct out *o, const struct call_txn *t)
{
	out_lit(o, "Via: SIP/2.0/UDP ");
	transport_host(w->g, t->listen, &t->to, o);
	out_lit(o, ";branch=");
	out_branch(w, o, (uint32_t)t->key);
	out_lit(o, ";rport\r\n");
}

static void out_contact(const struct work *w, struct out *o, uint16_t listen, const struct addr *to)
{
	out_lit(o, "Contact: <sip:");
	transport_host(w->g, listen, to, o);
	out_lit(o, ">\r\n");
}

static void out_agent(const struct work *w, struct out *o, struct span name)
{
	if (w->g->c->sip.user_agent.n)
		out_line(o, name, cfg_span(w->g->c, w->g->c->sip.user_agent));
}

void out_reason(struct out *o, uint16_t cause)
{
	if (!cause)
		return;
	out_lit(o, "Reason: Q.850;cause=");
	out_u64(o, cause);
	out_lit(o, "\r\n");
}

bool out_unsupported(struct out *o, const struct msg *m)
{
	bool any = false;
	for (uint32_t i = 0; i < m->require.n; i++) {
		if (span_ieq(m->require.v[i], SPAN("timer")) || span_ieq(m->require.v[i], SPAN("replaces")) ||
		    span_ieq(m->require.v[i], SPAN("100rel")))
			continue;
		out_span(o, any ? SPAN(", ") : SPAN("Unsupported: "));
		out_span(o, m->require.v[i]);
		any = true;
	}
	if (any)
		out_lit(o, "\r\n");
	return any;
}

void out_body(struct out *o, const struct body *b)
{
	if (b && b->text.n) {
		if (b->type.n)
			out_line(o, SPAN("Content-Type: "), b->type);
		out_lit(o, "Content-Length: ");
		out_u64(o, b->text.n);
		out_lit(o, "\r\n\r\n");
		out_span(o, b->text);
	} else {
		out_lit(o, "Content-Length: 0\r\n\r\n");
	}
}

static void out_cseq(struct out *o, uint32_t number, struct span method)
{
	out_lit(o, "CSeq: ");
	out_u64(o, number);
	out_char(o, ' ');
	out_line(o, method, (struct span){ 0 });
}

/* --- requests --- */

void compose_invite(const struct work *w, struct out *o, const struct call_txn *t, const struct body *b)
{
	char call_id[64];
	out_lit(o, "INVITE ");
	out_span(o, work_text(w, TEXT_OUT_URI));
	out_lit(o, " SIP/2.0\r\n");
	out_via(w, o, t);
	if (w->route.n)
		out_line(o, SPAN("Route: "), w->route);
	out_lit(o, "Max-Forwards: ");
	out_u64(o, w->call->max_forwards);
	out_lit(o, "\r\n");
	out_line(o, SPAN("From: "), work_text(w, TEXT_OUT_FROM));
	out_line(o, SPAN("To: "), work_text(w, TEXT_OUT_TO));
	out_line(o, SPAN("Call-ID: "), (struct span){ call_id, compose_call_id(w, call_id, sizeof call_id) });
	out_cseq(o, t->cseq, SPAN("INVITE"));
	out_contact(w, o, t->listen, &t->to);
	identity_lines(w, o);
	credentials_out(w, o, t);
	headers_invite(w, o);
	reliable_out_request(w, o);
	session_out_request(w, o, t);
	out_agent(w, o, SPAN("User-Agent: "));
	out_body(o, b);
}

/* Request-URI and Route lines of a request inside a dialog; a strict router (no ;lr) takes the Request-URI's place
 * (RFC 3261 section 12.2.1.1) */
static void out_target(struct out *o, struct span method, struct span target, struct span routes)
{
	struct span first = { 0 }, rest = routes, uri = target;
	bool strict = false;
	if (routes.n && msg_next_value(&rest, &first)) {
		const char *lt = memchr(first.p, '<', first.n), *gt = lt ? memchr(lt, '>', first.n - (size_t)(lt - first.p)) : NULL;
		struct span inner = gt ? (struct span){ lt + 1, (size_t)(gt - lt - 1) } : first;
		strict = memmem(inner.p, inner.n, ";lr", 3) == NULL;
		if (strict)
			uri = inner;
	}
	out_span(o, method);
	out_char(o, ' ');
	out_span(o, uri);
	out_lit(o, " SIP/2.0\r\n");
	if (!strict && routes.n) {
		out_line(o, SPAN("Route: "), routes);
	} else if (strict) {
		out_lit(o, "Route: ");
		if (rest.n) {
			out_span(o, rest);
			out_lit(o, ", ");
		}
		out_char(o, '<');
		out_span(o, target);
		out_lit(o, ">\r\n");
	}
}

static void out_dialog(const struct work *w, struct out *o, const struct call_txn *t)
{
	char text[64];
	size_t n;
	if (t->leg == LEG_CALLER) { /* the caller's From is the remote party here */
		compose_local_tag(w, LEG_CALLER, text, &n);
		out_lit(o, "From: ");
		out_span(o, work_text(w, TEXT_IN_TO));
		out_lit(o, ";tag=");
		out_bytes(o, text, n);
		out_lit(o, "\r\n");
		out_line(o, SPAN("To: "), work_text(w, TEXT_IN_FROM));
		out_line(o, SPAN("Call-ID: "), work_text(w, TEXT_IN_CALL_ID));
	} else {
		out_line(o, SPAN("From: "), work_text(w, TEXT_OUT_FROM));
		out_line(o, SPAN("To: "), work_text(w, TEXT_OUT_TO));
		out_line(o, SPAN("Call-ID: "), (struct span){ text, compose_call_id(w, text, sizeof text) });
	}
}

void compose_in_dialog(const struct work *w, struct out *o, const struct call_txn *t, struct span extra, const struct body *b)
{
	bool caller = t->leg == LEG_CALLER;
	struct span method = span_of(msg_method_text(t->method)), target = work_text(w, caller ? TEXT_IN_TARGET : TEXT_OUT_TARGET);
	if (!target.n && !caller) /* it has answered without a Contact: what was called is all that is known */
		target = work_text(w, TEXT_OUT_URI);
	out_target(o, method, target, work_text(w, caller ? TEXT_IN_ROUTES : TEXT_OUT_ROUTES));
	out_via(w, o, t);
	out_lit(o, "Max-Forwards: 70\r\n");
	out_dialog(w, o, t);
	out_cseq(o, t->cseq, method);
	if (t->method == METHOD_INVITE || t->method == METHOD_UPDATE) {
		out_contact(w, o, t->listen, &t->to);
		headers_allow(w, t->leg, o);
		session_out_request(w, o, t);
	}
	if (!caller && (t->method == METHOD_INVITE || t->method == METHOD_BYE))
		headers_added(w, o);
	credentials_out(w, o, t);
	out_agent(w, o, SPAN("User-Agent: "));
	out_span(o, extra);
	out_body(o, b);
}

static struct span header_line(struct span text, struct span name)
{
	const char *p = memmem(text.p, text.n, name.p, name.n), *end;
	if (!p)
		return (struct span){ 0 };
	p += 2; /* the name is given with the line end before it */
	end = memmem(p, text.n - (size_t)(p - text.p), "\r\n", 2);
	return end ? (struct span){ p, (size_t)(end - p) + 2 } : (struct span){ 0 };
}

int compose_from_invite(struct out *o, struct span invite, struct span method, struct span to, struct span extra)
{
	/* our own composition: the form of every line is known; its body may be anybody's */
	const char *head = memmem(invite.p, invite.n, "\r\n\r\n", 4);
	if (head)
		invite.n = (size_t)(head - invite.p) + 2;
	const char *uri = memchr(invite.p, ' ', invite.n);
	const char *end = uri ? memmem(uri, invite.n - (size_t)(uri - invite.p), "\r\n", 2) : NULL;
	struct span cseq = header_line(invite, SPAN("\r\nCSeq: "));
	if (!end || cseq.n < 6)
		return -EBADMSG;
	out_span(o, method);
	out_bytes(o, uri, (size_t)(end - uri) + 2);
	out_span(o, header_line(invite, SPAN("\r\nRoute: ")));
	out_span(o, header_line(invite, SPAN("\r\nVia: ")));
	out_lit(o, "Max-Forwards: 70\r\n");
	out_span(o, header_line(invite, SPAN("\r\nFrom: ")));
	out_line(o, SPAN("To: "), to);
	out_span(o, header_line(invite, SPAN("\r\nCall-ID: ")));
	const char *space = memchr(cseq.p + 6, ' ', cseq.n - 6);
	if (!space)
		return -EBADMSG;
	out_bytes(o, cseq.p, (size_t)(space - cseq.p) + 1);
	out_line(o, method, (struct span){ 0 });
	out_span(o, extra);
	out_lit(o, "Content-Length: 0\r\n\r\n");
	return 0;
}

/* --- responses --- */

/* the topmost Via with what RFC 3261 section 18.2.1 and RFC 3581 section 4 add */
static void out_top_via(struct out *o, const struct event *ev)
{
	const struct msg_via *v = &ev->m->via;
	char ip[ADDR_TEXT_MAX];
	size_t ip_n = addr_format_ip(&ev->source, ip, sizeof ip), from = 0;
	bool wants_port = v->has_rport && !v->rport;
	if (wants_port) { /* ";rport" without a value gets one */
		for (size_t i = 0; i + 6 <= v->value.n; i++)
			if (v->value.p[i] == ';' && strncasecmp(v->value.p + i + 1, "rport", 5) == 0) {
				from = i + 6;
				break;
			}
		out_bytes(o, v->value.p, from);
		if (from) {
			out_char(o, '=');
			out_u64(o, ev->source.port);
		}
	}
	out_bytes(o, v->value.p + from, v->value.n - from);
	if (!v->received.n && (wants_port || v->host.n != ip_n || memcmp(v->host.p, ip, ip_n) != 0)) {
		out_lit(o, ";received=");
		out_bytes(o, ip, ip_n);
	}
}

static void out_vias(struct out *o, const struct event *ev)
{
	out_lit(o, "Via: ");
	out_top_via(o, ev);
	for (uint32_t i = 1; i < ev->m->n_vias; i++) {
		out_lit(o, "\r\nVia: ");
		out_span(o, ev->m->vias[i]);
	}
	out_lit(o, "\r\n");
}

static void out_echo(struct out *o, const struct msg *m)
{
	out_line(o, SPAN("Call-ID: "), m->call_id);
	out_lit(o, "CSeq: ");
	out_u64(o, m->cseq);
	out_char(o, ' ');
	out_line(o, m->method_text.n ? m->method_text : m->cseq_method, (struct span){ 0 });
	for (uint32_t i = 0; i < m->n_record_routes; i++)
		out_line(o, SPAN("Record-Route: "), m->record_routes[i]);
}

/* Block: two lengths, the lines up to To without its line end, then the rest: the tag goes in between. */
struct kept_request {
	uint32_t head_n, tail_n;
	uint8_t has_tag, pad[7];
};

int compose_keep_request(struct work *w, struct call_txn *t, const struct event *ev)
{
	struct out o = compose_begin(w->g);
	struct kept_request k = { .has_tag = ev->m->to.tag.n > 0 };
	out_bytes(&o, &k, sizeof k);
	out_vias(&o, ev);
	out_line(&o, SPAN("From: "), ev->m->from.value);
	out_lit(&o, "To: ");
	out_span(&o, ev->m->to.value);
	k.head_n = (uint32_t)(o.n - sizeof k);
	out_echo(&o, ev->m);
	k.tail_n = (uint32_t)(o.n - sizeof k) - k.head_n;
	char *p = o.full ? NULL : block_alloc(&w->g->blocks, o.n, &t->request);
	if (!p) {
		w->full = true;
		return -ENOMEM;
	}
	memcpy(p, o.p, o.n);
	memcpy(p, &k, sizeof k);
	t->request_n = (uint32_t)o.n;
	t->listen = ev->listen;
	reply_address(ev, &t->to);
	return 0;
}

static void out_status(struct out *o, uint16_t code, struct span phrase)
{
	out_lit(o, "SIP/2.0 ");
	out_u64(o, code);
	out_char(o, ' ');
	out_span(o, phrase);
	out_lit(o, "\r\n");
}

void compose_response(const struct work *w, struct out *o, const struct call_txn *t, uint16_t code, struct span extra, const struct body *b)
{
	const struct kept_request *k = block_at(w->g->blocks.plan, t->request);
	const char *lines = (const char *)(k + 1);
	out_status(o, code, span_of(reason_phrase(code)));
	out_bytes(o, lines, k->head_n);
	if (!k->has_tag) {
		char tag[32];
		size_t n;
		compose_local_tag(w, t->leg, tag, &n);
		out_lit(o, ";tag=");
		out_bytes(o, tag, n);
	}
	out_lit(o, "\r\n");
	out_bytes(o, lines + k->head_n, k->tail_n);
	if ((t->method == METHOD_INVITE && code > 100 && code < 300) || (t->method == METHOD_UPDATE && code < 300)) {
		out_contact(w, o, t->listen, &t->to);
		headers_allow(w, t->leg, o);
		if (code >= 200)
			session_out_answer(w, o, t);
	}
	out_agent(w, o, SPAN("Server: "));
	out_span(o, extra);
	out_body(o, b);
}

void compose_reply(struct sig *g, struct out *o, const struct event *ev, uint16_t code, struct span phrase, struct span extra)
{
	const struct msg *m = ev->m;
	out_status(o, code, phrase.n ? phrase : span_of(reason_phrase(code)));
	out_vias(o, ev);
	out_line(o, SPAN("From: "), m->from.value);
	out_lit(o, "To: ");
	out_span(o, m->to.value);
	if (!m->to.tag.n) { /* the same for each repetition, without remembering it */
		out_lit(o, ";tag=");
		out_hex(o, hash_sip(&g->private_key, m->call_id.p, m->call_id.n) ^ m->cseq, 16);
	}
	out_lit(o, "\r\n");
	out_echo(o, m);
	if (g->c->sip.user_agent.n)
		out_line(o, SPAN("Server: "), cfg_span(g->c, g->c->sip.user_agent));
	out_span(o, extra);
	out_lit(o, "Content-Length: 0\r\n\r\n");
}
