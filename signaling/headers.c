#include "signaling/headers.h"
#include "base/uuid.h"
#include "signaling/forward.h"
#include "signaling/identity.h"
#include "sip/msg_parts.h"
#include "signaling/transport.h"

#define LINES_BYTES 16384u

enum kind { VERBATIM, HOSTS, EVENT, OWN_DIALOG };
static const struct end_to_end {
	struct span name;
	enum kind kind;
	char compact;
} end_to_end[] = {
	{ SPAN("Reason"), VERBATIM, 0 },
	{ SPAN("Diversion"), HOSTS, 0 },
	{ SPAN("History-Info"), HOSTS, 0 },
	{ SPAN("Call-Info"), HOSTS, 0 },
	{ SPAN("Alert-Info"), HOSTS, 0 },
	{ SPAN("Referred-By"), HOSTS, 'b' },
	{ SPAN("User-to-User"), VERBATIM, 0 },
	{ SPAN("Subject"), VERBATIM, 's' },
	{ SPAN("Event"), EVENT, 'o' },
	{ SPAN("Subscription-State"), VERBATIM, 0 },
	{ SPAN("Refer-Sub"), VERBATIM, 0 },
	{ SPAN("Replaces"), OWN_DIALOG, 0 },
	{ SPAN("Info-Package"), VERBATIM, 0 },
	{ SPAN("Recv-Info"), VERBATIM, 0 },
	{ SPAN("Content-Disposition"), VERBATIM, 0 },
};
#define END_TO_END (sizeof end_to_end / sizeof *end_to_end)

static const struct end_to_end *find(struct span name)
{
	for (size_t i = 0; i < END_TO_END; i++)
		if (name.n == 1 ? (name.p[0] | 0x20) == end_to_end[i].compact : span_ieq(name, end_to_end[i].name))
			return &end_to_end[i];
	return NULL;
}

static bool listed(const struct config *c, const struct cfg_list *list, struct span name)
{
	const struct cfg_text *t = CFG_LIST(c, list, struct cfg_text);
	for (uint32_t i = 0; i < list->n; i++)
		if (span_ieq(cfg_span(c, t[i]), name))
			return true;
	return false;
}

static const struct cfg_routing_gateway *gateway_of(const struct work *w)
{
	const struct config *c = w->g->c;
	return w->s.attempt && w->s.gateway < c->routing_gateways.n ? cfg_routing(c, w->s.gateway) : NULL;
}

/* --- hosts --- */

static void out_own_host(const struct work *w, enum call_leg_side to, bool port, struct out *o)
{
	const struct call_leg *leg = &w->s.leg[to];
	char text[300];
	struct out host = out_init(text, sizeof text);
	transport_host(w->g, leg->listen, &leg->target, &host);
	const char *colon = memrchr(text, ':', host.n);
	if (!port && colon && memchr(colon, ']', (size_t)(text + host.n - colon)) == NULL)
		host.n = (size_t)(colon - text);
	out_bytes(o, text, host.n);
}

static void out_param(struct out *o, char lead, struct span params, struct span name)
{
	struct span value;
	if (!params.n || !msg_param(params, name, &value) || !value.n)
		return;
	out_char(o, lead);
	out_span(o, name);
	out_char(o, '=');
	out_span(o, value);
}

/* of the headers in a URI only those that tell why it was left (RFC 7044 section 5) */
static void out_uri_headers(struct out *o, struct span headers)
{
	char lead = '?';
	while (headers.n) {
		const char *amp = memchr(headers.p, '&', headers.n);
		struct span one = { headers.p, amp ? (size_t)(amp - headers.p) : headers.n };
		headers = (struct span){ one.p + one.n, headers.n - one.n };
		if (headers.n)
			headers = (struct span){ headers.p + 1, headers.n - 1 };
		if ((one.n > 7 && strncasecmp(one.p, "Reason=", 7) == 0) || (one.n > 8 && strncasecmp(one.p, "Privacy=", 8) == 0)) {
			out_char(o, lead);
			out_span(o, one);
			lead = '&';
		}
	}
}

static bool is_nobody(struct span host) /* RFC 2606: names no host, so it says nothing */
{
	return host.n > 8 && span_ieq((struct span){ host.p + host.n - 8, 8 }, SPAN(".invalid"));
}

/* "http://host/path": the authority becomes ours; urn: names no host; anything else is not understood */
static bool out_other_uri(const struct work *w, enum call_leg_side to, struct span uri, struct out *o)
{
	const char *at = memmem(uri.p, uri.n, "://", 3);
	if (!at) {
		if (uri.n < 4 || strncasecmp(uri.p, "urn:", 4) != 0)
			return false;
		out_span(o, uri);
		return true;
	}
	size_t i = (size_t)(at - uri.p) + 3;
	out_bytes(o, uri.p, i);
	out_own_host(w, to, false, o);
	while (i < uri.n && !strchr("/?#", uri.p[i]))
		i++;
	out_bytes(o, uri.p + i, uri.n - i);
	return true;
}

bool headers_uri(const struct work *w, enum call_leg_side to, const struct msg_uri *u, struct out *o)
{
	if (u->scheme == MSG_SCHEME_TEL) {
		out_lit(o, "tel:");
		out_span(o, u->user_raw);
		return true;
	}
	if (u->scheme == MSG_SCHEME_OTHER)
		return out_other_uri(w, to, u->text, o);
	out_lit(o, "sip:");
	if (u->has_user) {
		out_span(o, u->user_raw);
		out_char(o, '@');
	}
	if (is_nobody(u->host))
		out_span(o, u->host);
	else
		out_own_host(w, to, true, o);
	out_param(o, ';', u->params, SPAN("user"));
	out_param(o, ';', u->params, SPAN("cause")); /* RFC 4458 */
	out_uri_headers(o, u->headers);
	return true;
}

/* header parameters but those that name what does not pass */
static void out_params(struct out *o, struct span params)
{
	while (params.n) {
		struct span one = params;
		params = part_params(&one);
		if (one.n && (one.n < 4 || strncasecmp(one.p, "cid=", 4) != 0)) {
			out_char(o, ';');
			out_span(o, one);
		}
	}
}

static void out_hosts(const struct work *w, enum call_leg_side to, struct span name, struct span values, struct out *o)
{
	static struct msg_address a;
	struct span value;
	while (msg_next_value(&values, &value)) {
		size_t before = o->n;
		if (address_parse(value, &a) < 0 || a.star)
			continue;
		out_span(o, name);
		out_lit(o, ": ");
		if (a.display.n)
			out_display(o, a.display);
		out_char(o, '<');
		if (!headers_uri(w, to, &a.u, o)) {
			o->n = before;
			continue;
		}
		out_char(o, '>');
		out_params(o, a.params);
		out_lit(o, "\r\n");
	}
}

/* --- one header --- */

static void out_verbatim(struct out *o, struct span name, struct span value)
{
	out_span(o, name);
	out_lit(o, ": ");
	out_span(o, value);
	out_lit(o, "\r\n");
}

/* Replaces (RFC 3891), as refer.c writes it: of a dialog with a Call-ID that we made */
static bool is_own_dialog(const struct work *w, struct span value)
{
	struct token t;
	part_params(&value);
	return call_id_read(&w->g->env->roster->token_key, w->g->env->roster->instance, value, &t) == 0;
}

static void out_header(const struct work *w, enum call_leg_side to, struct span name, struct span value, struct out *o)
{
	const struct cfg_routing_gateway *gw = gateway_of(w);
	const struct end_to_end *e = find(name);
	if (gw && gw->headers_remove.n && listed(w->g->c, &gw->headers_remove, e ? e->name : name))
		return;
	if (!e) {
		if (gw && gw->headers_pass.n && listed(w->g->c, &gw->headers_pass, name))
			out_verbatim(o, name, value);
	} else if (e->kind == HOSTS) {
		out_hosts(w, to, e->name, value, o);
	} else if (e->kind == EVENT) { /* its id is the CSeq number of the REFER, which is another on each leg */
		part_params(&value);
		out_verbatim(o, e->name, value);
	} else if (e->kind != OWN_DIALOG || is_own_dialog(w, value)) {
		out_verbatim(o, e->name, value);
	}
}

struct span headers_pass(const struct work *w, enum call_leg_side to, const struct msg *m)
{
	static char lines[LINES_BYTES];
	struct out o = out_init(lines, sizeof lines);
	for (uint32_t i = 0; i < m->n_others; i++)
		out_header(w, to, m->others[i].name, m->others[i].value, &o);
	for (uint32_t i = 0; i < m->n_diversions; i++)
		out_header(w, to, SPAN("Diversion"), m->diversions[i], &o);
	if (m->reason.n)
		out_header(w, to, SPAN("Reason"), m->reason, &o);
	return o.full ? (struct span){ 0 } : out_done(&o);
}

uint16_t headers_cause(const struct msg *m)
{
	struct span kind = m->reason, params = part_params(&kind), value;
	int64_t cause;
	if (!m->reason.n || !span_ieq(kind, SPAN("Q.850")) || !msg_param(params, SPAN("cause"), &value) ||
	    part_number(value, 127, &cause) < 0)
		return 0;
	return (uint16_t)cause;
}

/* --- Allow --- */

/* taken by us whatever the other side takes, then those that the other side must take too */
static const struct {
	struct span name;
	uint8_t method;
	bool ours;
} allowed[] = { { SPAN("INVITE"), METHOD_INVITE, true }, { SPAN("ACK"), METHOD_ACK, true }, { SPAN("CANCEL"), METHOD_CANCEL, true },
	{ SPAN("BYE"), METHOD_BYE, true }, { SPAN("OPTIONS"), METHOD_OPTIONS, true }, { SPAN("UPDATE"), METHOD_UPDATE, false },
	{ SPAN("PRACK"), METHOD_PRACK, true }, { SPAN("INFO"), METHOD_INFO, false }, { SPAN("MESSAGE"), METHOD_MESSAGE, false },
	{ SPAN("NOTIFY"), METHOD_NOTIFY, false }, { SPAN("REFER"), METHOD_REFER, false } };

void headers_allow(const struct work *w, enum call_leg_side to, struct out *o)
{
	uint16_t other = w->s.leg[to == LEG_CALLER ? LEG_CALLEE : LEG_CALLER].allow;
	const struct cfg_routing_gateway *gw = gateway_of(w);
	bool refer = gw && gw->refer == REFER_PASS;
	if (!other && !refer) {
		out_span(o, allow_line);
		return;
	}
	out_lit(o, "Allow: ");
	for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
		if ((other && !allowed[i].ours && !(other & 1u << allowed[i].method)) || (allowed[i].method == METHOD_REFER && !refer))
			continue;
		out_bytes(o, ", ", i ? 2 : 0);
		out_span(o, allowed[i].name);
	}
	out_lit(o, "\r\n");
}

void headers_learn_allow(struct work *w, enum call_leg_side from, const struct msg *m)
{
	uint32_t allow = 1u << METHOD_INVITE;
	if (!m->has_allow)
		return;
	for (uint32_t i = 0; i < m->allow.n; i++)
		allow |= 1u << msg_method(m->allow.v[i]);
	w->s.leg[from].allow = (uint16_t)allow;
}

/* --- the INVITE --- */

static bool may_pass(const struct work *w, struct span name)
{
	const struct config *c = w->g->c;
	if (find(name))
		return true;
	bool any = w->s.to_account && forward_may(cfg_account(c, w->s.to_account - 1)); /* to any of them */
	uint32_t n = any ? c->routing_gateways.n : w->s.n_candidates;
	for (uint32_t i = 0; i < n; i++) {
		const struct cfg_routing_gateway *gw = cfg_routing(c, any ? i : w->s.candidates[i]);
		if (gw->headers_pass.n && listed(c, &gw->headers_pass, name))
			return true;
	}
	return false;
}

static size_t out_parts(const struct msg *m, struct out *o);

void headers_keep(struct work *w, const struct msg *m)
{
	static char lines[LINES_BYTES], parts[65536];
	struct out o = out_init(lines, sizeof lines);
	headers_learn_allow(w, LEG_CALLER, m);
	for (uint32_t i = 0; i < m->n_others; i++)
		if (may_pass(w, m->others[i].name) && !span_ieq(m->others[i].name, SPAN("Content-Disposition"))) /* goes with its part */
			out_verbatim(&o, m->others[i].name, m->others[i].value);
	for (uint32_t i = 0; i < m->n_diversions; i++)
		out_verbatim(&o, SPAN("Diversion"), m->diversions[i]);
	if (m->reason.n)
		out_verbatim(&o, SPAN("Reason"), m->reason);
	if (o.n && !o.full)
		work_put(w, TEXT_HEADERS, out_done(&o));
	o = out_init(parts, sizeof parts);
	if (m->body.n && !msg_type_is(m, SPAN("application/sdp")) && out_parts(m, &o) && !o.full)
		work_put(w, TEXT_PARTS, out_done(&o));
}

static void out_kept(const struct work *w, struct span lines, struct out *o)
{
	while (lines.n) {
		const char *colon = memchr(lines.p, ':', lines.n), *end = memmem(lines.p, lines.n, "\r\n", 2);
		if (!colon || !end)
			break;
		out_header(w, LEG_CALLEE, (struct span){ lines.p, (size_t)(colon - lines.p) }, (struct span){ colon + 2, (size_t)(end - colon - 2) }, o);
		lines = (struct span){ end + 2, lines.n - (size_t)(end + 2 - lines.p) };
	}
}

void headers_added(const struct work *w, struct out *o)
{
	const struct cfg_routing_gateway *gw = gateway_of(w);
	const struct cfg_header *add = gw ? CFG_LIST(w->g->c, &gw->headers_add, struct cfg_header) : NULL;
	for (uint32_t i = 0; gw && i < gw->headers_add.n; i++)
		out_verbatim(o, cfg_span(w->g->c, add[i].name), cfg_span(w->g->c, add[i].value));
}

void headers_invite(const struct work *w, struct out *o)
{
	headers_allow(w, LEG_CALLEE, o);
	if (w->s.forwards)
		out_kept(w, work_text(w, TEXT_DIVERSIONS), o);
	out_kept(w, work_text(w, TEXT_HEADERS), o);
	headers_added(w, o);
}

/* --- bodies of several parts, RFC 2046 section 5.1 --- */

#define BOUNDARY_BYTES 34u

/* of each body its own, so that no part can hold it by intent */
static struct span new_boundary(void)
{
	static char text[BOUNDARY_BYTES];
	struct out o = out_init(text, sizeof text);
	out_hex(&o, uuid_random(), 16);
	out_hex(&o, uuid_random(), 16);
	return out_done(&o);
}

struct part {
	struct span type, disposition, encoding, content;
};

/* index of the next delimiter line, or rest.n */
static size_t find_delimiter(struct span rest, struct span boundary)
{
	for (size_t i = 0; i + 2 + boundary.n <= rest.n;) {
		const char *p = memmem(rest.p + i, rest.n - i, boundary.p, boundary.n);
		if (!p)
			return rest.n;
		size_t at = (size_t)(p - rest.p);
		if (at >= 2 && p[-1] == '-' && p[-2] == '-' && (at == 2 || p[-3] == '\n'))
			return at - 2;
		i = at + 1;
	}
	return rest.n;
}

static void read_part(struct span text, struct part *ret_part)
{
	*ret_part = (struct part){ 0 };
	while (text.n) {
		struct span line = span_line(&text);
		const char *colon = memchr(line.p, ':', line.n);
		if (!line.n)
			break;
		if (!colon)
			continue;
		struct span name = part_trim((struct span){ line.p, (size_t)(colon - line.p) });
		struct span value = part_trim((struct span){ colon + 1, line.n - (size_t)(colon + 1 - line.p) });
		if (span_ieq(name, SPAN("Content-Type")) || span_ieq(name, SPAN("c")))
			ret_part->type = value;
		else if (span_ieq(name, SPAN("Content-Disposition")))
			ret_part->disposition = value;
		else if (span_ieq(name, SPAN("Content-Transfer-Encoding")))
			ret_part->encoding = value;
	}
	ret_part->content = text;
}

/* Takes the next part off `*rest` (at first the whole body); false: there is none. */
static bool next_part(const struct msg *m, struct span *rest, struct part *ret_part)
{
	struct span type = m->content_type_value, params = part_params(&type), boundary;
	if (!params.n || !msg_param(params, SPAN("boundary"), &boundary) || !boundary.n || boundary.n > 70)
		return false;
	size_t at = find_delimiter(*rest, boundary);
	if (at == rest->n)
		return false;
	struct span text = { rest->p + at + 2 + boundary.n, rest->n - at - 2 - boundary.n };
	if (text.n >= 2 && text.p[0] == '-' && text.p[1] == '-')
		return false;
	span_line(&text);
	size_t end = find_delimiter(text, boundary);
	if (end == text.n)
		return false; /* not closed */
	*rest = (struct span){ text.p + end, text.n - end };
	text.n = end;
	if (text.n && text.p[text.n - 1] == '\n') /* the line end belongs to the delimiter */
		text.n--;
	if (text.n && text.p[text.n - 1] == '\r')
		text.n--;
	read_part(text, ret_part);
	return true;
}

static bool is_multipart(const struct msg *m)
{
	return m->body.n && m->content_type.n > 10 && strncasecmp(m->content_type.p, "multipart/", 10) == 0;
}

static bool is_sdp(const struct part *p)
{
	struct span type = p->type;
	part_params(&type);
	return span_ieq(type, SPAN("application/sdp"));
}

struct span headers_sdp(const struct msg *m)
{
	struct span rest = m->body;
	struct part p;
	if (!m->body.n || msg_type_is(m, SPAN("application/sdp")))
		return m->body;
	if (is_multipart(m))
		while (next_part(m, &rest, &p))
			if (is_sdp(&p))
				return p.content;
	return (struct span){ 0 };
}

static void out_part(struct out *o, struct span boundary, const struct part *p)
{
	out_lit(o, "--");
	out_span(o, boundary);
	out_lit(o, "\r\n");
	if (p->type.n)
		out_verbatim(o, SPAN("Content-Type"), p->type);
	if (p->disposition.n)
		out_verbatim(o, SPAN("Content-Disposition"), p->disposition);
	if (p->encoding.n)
		out_verbatim(o, SPAN("Content-Transfer-Encoding"), p->encoding);
	out_lit(o, "\r\n");
	out_span(o, p->content);
	out_lit(o, "\r\n");
}

/* the parts that are no SDP; how many */
static size_t out_parts(const struct msg *m, struct out *o)
{
	struct span rest = m->body;
	struct part p = { .type = m->content_type_value, .disposition = msg_other(m, SPAN("Content-Disposition")), .content = m->body };
	struct span boundary = new_boundary();
	size_t n = 0;
	if (!is_multipart(m)) {
		out_part(o, boundary, &p);
		return 1;
	}
	while (next_part(m, &rest, &p))
		if (!is_sdp(&p)) {
			out_part(o, boundary, &p);
			n++;
		}
	return n;
}

/* `b` and parts already written as a body of several parts */
static void join(struct body *b, struct span parts)
{
	static char text[SCRATCH_BYTES], type_text[64];
	struct out o = out_init(text, sizeof text), type = out_init(type_text, sizeof type_text);
	const char *end = memmem(parts.p, parts.n, "\r\n", 2);
	struct span boundary = { parts.p + 2, (size_t)(end - parts.p) - 2 }; /* of their first line */
	if (b->text.n)
		out_part(&o, boundary, &(struct part){ .type = b->type, .content = b->text });
	out_span(&o, parts);
	out_lit(&o, "--");
	out_span(&o, boundary);
	out_lit(&o, "--\r\n");
	out_lit(&type, "multipart/mixed;boundary=");
	out_span(&type, boundary);
	if (!o.full)
		*b = (struct body){ out_done(&type), out_done(&o) };
}

void headers_body(const struct msg *m, struct body *b)
{
	static char parts[65536];
	struct out o = out_init(parts, sizeof parts);
	if (!m->body.n || msg_type_is(m, SPAN("application/sdp")))
		return;
	if (!is_multipart(m))
		*b = (struct body){ m->content_type_value, m->body };
	else if (out_parts(m, &o) && !o.full)
		join(b, out_done(&o));
}

void headers_kept_body(const struct work *w, struct body *b)
{
	struct span parts = work_text(w, TEXT_PARTS);
	if (parts.n)
		join(b, parts);
}
