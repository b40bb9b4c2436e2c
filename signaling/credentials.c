#include "signaling/credentials.h"
#include "shm/names.h"
#include "signaling/upstream.h"
#include "sip/digest.h"
#include "sip/msg_parts.h"

#define CHALLENGE_MAX 1024u

static const struct cfg_routing_gateway *gateway_of(const struct work *w)
{
	const struct config *c = w->g->c;
	return w->s.attempt && w->s.gateway < c->routing_gateways.n ? cfg_routing(c, w->s.gateway) : NULL;
}

/* Credentials go nowhere else: not to where a redirection, a Contact or a route leads. */
static bool is_gateways(const struct work *w, const struct addr *a)
{
	const struct cfg_routing_gateway *gw = gateway_of(w);
	struct addr proxy, own[NAMES_OF_GATEWAY];
	if (gw && upstream_of(w->g->c, gw))
		return upstream_address(w->g, gw, &proxy) && addr_same_ip(&proxy, a) && proxy.port == a->port;
	uint32_t n = gw ? names_gateway(w->g->env, w->g->c, gw, own, NAMES_OF_GATEWAY) : 0;
	for (uint32_t i = 0; i < n; i++)
		if (addr_same_ip(&own[i], a) && own[i].port == a->port)
			return true;
	return false;
}

static int kept(const struct work *w, struct digest_challenge *ret_challenge)
{
	struct span text = work_text(w, TEXT_CHALLENGE);
	return text.n ? digest_read((struct span){ text.p + 1, text.n - 1 }, ret_challenge) : -ENOENT;
}

void credentials_next_attempt(struct work *w)
{
	work_put(w, TEXT_CHALLENGE, (struct span){ 0 });
	w->s.auth_nc = 0;
}

/* the first challenge that we can answer (RFC 8760 section 2.4) */
static bool find_challenge(const struct msg *m, struct span realm, struct digest_challenge *ret_challenge, struct span *ret_value)
{
	struct span name = m->status == 401 ? SPAN("WWW-Authenticate") : SPAN("Proxy-Authenticate");
	for (uint32_t i = 0; i < m->n_others; i++) {
		*ret_value = m->others[i].value;
		if (span_ieq(m->others[i].name, name) && ret_value->n < CHALLENGE_MAX && digest_read(*ret_value, ret_challenge) == 0 &&
			(!realm.n || span_eq(realm, ret_challenge->realm)))
			return true;
	}
	return false;
}

bool credentials_challenged(struct work *w, struct call_txn *t, const struct event *ev)
{
	const struct cfg_routing_gateway *gw = gateway_of(w);
	struct digest_challenge c, before;
	struct digest_user user;
	struct span value, realm;
	char text[CHALLENGE_MAX + 1];
	if ((ev->m->status != 401 && ev->m->status != 407) || t->leg != LEG_CALLEE || !gw || !upstream_user(w->g, gw, &user, &realm))
		return false;
	if (!is_gateways(w, &ev->source) || !is_gateways(w, &t->to) || !find_challenge(ev->m, realm, &c, &value))
		return false;
	bool again = kept(w, &before) == 0;
	if (again && !span_eq(c.realm, before.realm))
		return false;
	if (t->challenged && (!c.stale || t->challenged > 1))
		return false; /* the credentials themselves are refused */
	if (!again || !span_eq(c.nonce, before.nonce))
		w->s.auth_nc = 0;
	text[0] = ev->m->status == 401 ? '1' : '7';
	memcpy(text + 1, value.p, value.n);
	work_put(w, TEXT_CHALLENGE, (struct span){ text, value.n + 1 });
	t->challenged++;
	return true;
}

void credentials_count(struct work *w)
{
	if (work_text(w, TEXT_CHALLENGE).n)
		w->s.auth_nc++;
}

static void out_credentials(const struct work *w, struct out *o, struct span method, struct span uri)
{
	const struct cfg_routing_gateway *gw = gateway_of(w);
	struct digest_challenge c;
	char text[16];
	struct out cnonce = out_init(text, sizeof text);
	struct {
		struct uuid id;
		uint64_t nc;
	} seed = { w->call->id, w->s.auth_nc };
	struct digest_user user;
	struct span realm;
	if (!gw || !upstream_user(w->g, gw, &user, &realm) || kept(w, &c) < 0)
		return;
	out_hex(&cnonce, hash_sip(&w->g->private_key, &seed, sizeof seed), 16);
	struct digest_request r = { method, uri, out_done(&cnonce), w->s.auth_nc };
	if (work_text(w, TEXT_CHALLENGE).p[0] == '1')
		out_lit(o, "Authorization: ");
	else
		out_lit(o, "Proxy-Authorization: ");
	digest_write(&c, &user, &r, o);
	out_lit(o, "\r\n");
}

static struct span take_line(struct span *rest)
{
	const char *end = memmem(rest->p, rest->n, "\r\n", 2);
	struct span line = { rest->p, end ? (size_t)(end - rest->p) + 2 : rest->n };
	*rest = (struct span){ rest->p + line.n, rest->n - line.n };
	return line;
}

static bool is_credentials(struct span line)
{
	return span_starts(line, SPAN("Authorization: ")) || span_starts(line, SPAN("Proxy-Authorization: "));
}

static struct span request_uri(struct span message)
{
	const char *uri = memchr(message.p, ' ', message.n);
	const char *end = uri ? memchr(uri + 1, ' ', message.n - (size_t)(uri + 1 - message.p)) : NULL;
	return end ? (struct span){ uri + 1, (size_t)(end - uri - 1) } : (struct span){ 0 };
}

void credentials_out(const struct work *w, struct out *o, const struct call_txn *t)
{
	if (t->leg != LEG_CALLEE || !w->s.auth_nc || !is_gateways(w, &t->to))
		return;
	if (t->method != METHOD_ACK) {
		out_credentials(w, o, span_of(msg_method_text(t->method)), request_uri(out_done(o)));
		return;
	}
	struct span invite = { block_at(w->g->blocks.plan, t->message), t->message_n }; /* section 22.1 */
	while (t->message && invite.n > 2 && !span_starts(invite, SPAN("\r\n"))) {
		struct span line = take_line(&invite);
		if (is_credentials(line))
			out_span(o, line);
	}
}

/* "Via: SIP/2.0/UDP host;branch=...;rport" */
static void out_via_again(const struct work *w, struct out *o, struct span line, uint32_t number)
{
	const char *at = memmem(line.p, line.n, ";branch=", 8);
	size_t before = at ? (size_t)(at - line.p) + 8 : line.n;
	const char *end = at ? memchr(at + 1, ';', line.n - (size_t)(at + 1 - line.p)) : NULL;
	out_bytes(o, line.p, before);
	out_branch(w, o, number);
	if (end)
		out_bytes(o, end, line.n - (size_t)(end - line.p));
	else
		out_lit(o, "\r\n");
}

void credentials_repeat(struct work *w, struct call_txn *t)
{
	struct span rest = { block_at(w->g->blocks.plan, t->message), t->message_n };
	struct span method = span_of(msg_method_text(t->method)), uri = request_uri(rest);
	struct out o = compose_begin(w->g);
	t->key = ++w->s.next_branch;
	t->cseq = ++w->s.leg[t->leg].cseq_local;
	t->state = TXN_CALLING;
	credentials_count(w);
	while (rest.n && !span_starts(rest, SPAN("\r\n"))) {
		struct span line = take_line(&rest);
		if (span_starts(line, SPAN("Via: "))) {
			out_via_again(w, &o, line, (uint32_t)t->key);
		} else if (span_starts(line, SPAN("CSeq: "))) {
			out_lit(&o, "CSeq: ");
			out_u64(&o, t->cseq);
			out_char(&o, ' ');
			out_span(&o, method);
			out_lit(&o, "\r\n");
		} else if (!is_credentials(line)) {
			out_span(&o, line);
		}
	}
	out_credentials(w, &o, method, uri);
	out_span(&o, rest);
	txn_message(w, t, &o);
	txn_start_client(w, t);
}
