#include "sip/msg.h"
#include "sip/msg_parts.h"
#include "sip/sofia.h"
#include <errno.h>
#include <stdlib.h>

#define MESSAGE_MAX 65535u

struct msg_parser {
	struct msg_limits limits;
	size_t used;
	char arena[MESSAGE_MAX + MSG_VALUE_BYTES + 1]; /* unfolded values; a Via's pieces */
};

/* what one msg_parse() is at */
struct reading {
	struct msg_parser *p;
	struct msg *m;
	const char *error; /* the first one */
	int code;
	bool optional; /* what is read now may be wrong */
	uint64_t seen; /* bit per header that may come only once */
	int64_t content_length;
};

struct msg_parser *msg_parser_new(const struct msg_limits *limits)
{
	struct msg_parser *p = malloc(sizeof(*p));
	if (!p)
		return NULL;
	p->limits = *limits;
	if (p->limits.message == 0 || p->limits.message > MESSAGE_MAX)
		p->limits.message = MESSAGE_MAX;
	if (p->limits.headers == 0)
		p->limits.headers = 128;
	if (p->limits.uri == 0)
		p->limits.uri = 1024;
	p->used = 0;
	return p;
}

struct msg_parser *msg_parser_free(struct msg_parser *p)
{
	free(p);
	return NULL;
}

static void fail(struct reading *r, int code, const char *error)
{
	if (r->code || r->optional)
		return;
	r->code = code;
	r->error = error;
}

static void bad(struct reading *r, const char *error)
{
	fail(r, -EBADMSG, error);
}

/* ---- values ---- */

static void put_number(struct reading *r, struct span v, int64_t max, int64_t *ret, const char *error)
{
	if (part_number(v, (uint64_t)max, ret) < 0)
		bad(r, error);
}

static void put_number32(struct reading *r, struct span v, int32_t *ret, const char *error)
{
	int64_t number;
	/* what is larger than fits is as good as for ever (RFC 3261 section 20.19) */
	if (part_number(v, UINT32_MAX, &number) < 0)
		bad(r, error);
	else
		*ret = number > INT32_MAX ? INT32_MAX : (int32_t)number;
}

/* false: there are more than fit */
static bool put_options(struct span v, struct msg_options *list)
{
	struct span token;
	while (msg_next_value(&v, &token)) {
		if (list->n == MSG_OPTIONS)
			return false;
		list->v[list->n++] = token;
	}
	return true;
}

static void put_required(struct reading *r, struct span v, struct msg_options *list)
{
	if (!put_options(v, list))
		fail(r, -EMSGSIZE, "Too many option tags");
}

static void put_list(struct reading *r, struct span v, struct span *list, uint32_t max, uint32_t *n)
{
	struct span value;
	while (msg_next_value(&v, &value)) {
		if (*n == max) {
			fail(r, -EMSGSIZE, "Too many header values");
			return;
		}
		list[(*n)++] = value;
	}
}

static void put_via(struct reading *r, struct span v)
{
	struct msg *m = r->m;
	bool first = m->n_vias == 0;
	put_list(r, v, m->vias, MSG_VIAS, &m->n_vias);
	if (!first || m->n_vias == 0)
		return;
	if (sofia_via(m->vias[0], r->p->arena + r->p->used, &m->via) < 0)
		bad(r, "Malformed Via");
	else
		r->p->used += m->vias[0].n + 1;
}

static void put_address(struct reading *r, struct span v, struct msg_address *a, const char *error)
{
	if (part_address(v, a) < 0)
		bad(r, error);
	else if (a->uri.n > r->p->limits.uri)
		fail(r, -EMSGSIZE, "URI Too Long");
}

static void put_contact(struct reading *r, struct span v)
{
	struct msg *m = r->m;
	struct span value;
	while (m->n_contacts < MSG_CONTACTS && msg_next_value(&v, &value)) {
		struct msg_address *a = &m->contacts[m->n_contacts];
		memset(a, 0, offsetof(struct msg_address, u));
		put_address(r, value, a, "Malformed Contact");
		m->n_contacts++;
	}
}

static void put_cseq(struct reading *r, struct span v)
{
	struct span number = part_token(&v);
	int64_t cseq;
	r->m->cseq_method = part_token(&v);
	if (part_number(number, INT32_MAX, &cseq) < 0 || r->m->cseq_method.n == 0 || v.n)
		bad(r, "Malformed CSeq");
	else
		r->m->cseq = (uint32_t)cseq;
}

static void put_rack(struct reading *r, struct span v)
{
	struct span rseq = part_token(&v), cseq = part_token(&v), method = part_token(&v);
	put_number(r, rseq, UINT32_MAX, &r->m->rack_rseq, "Malformed RAck");
	put_number(r, cseq, INT32_MAX, &r->m->rack_cseq, "Malformed RAck");
	r->m->rack_method = msg_method(method);
}

static void put_session_expires(struct reading *r, struct span v)
{
	struct span params = part_params(&v), who;
	put_number32(r, v, &r->m->session_expires, "Malformed Session-Expires");
	if (!msg_param(params, SPAN("refresher"), &who))
		return;
	if (span_ieq(who, SPAN("uac")))
		r->m->refresher = MSG_REFRESHER_UAC;
	else if (span_ieq(who, SPAN("uas")))
		r->m->refresher = MSG_REFRESHER_UAS;
}

static void put_content_type(struct msg *m, struct span v)
{
	m->content_type_value = v;
	part_params(&v);
	m->content_type = v;
}

static void put_retry_after(struct reading *r, struct span v)
{
	size_t n = 0;
	while (n < v.n && v.p[n] >= '0' && v.p[n] <= '9') /* a comment or parameters may follow */
		n++;
	put_number(r, (struct span){ v.p, n }, UINT32_MAX, &r->m->retry_after, "Malformed Retry-After");
}

static void put_identity(struct reading *r, struct span v)
{
	struct msg *m = r->m;
	struct span value;
	while (m->n_identities < MSG_IDENTITIES && msg_next_value(&v, &value))
		if (part_address(value, &m->identities[m->n_identities]) == 0)
			m->n_identities++; /* one that cannot be read identifies nobody */
}

static void put_other(struct reading *r, struct span name, struct span v)
{
	struct msg *m = r->m;
	if (m->n_others == MSG_OTHERS)
		fail(r, -EMSGSIZE, "Too many headers");
	else
		m->others[m->n_others++] = (struct msg_header){ name, v };
}

/* ---- headers ---- */

static void put_dialog_header(struct reading *r, enum part_header id, struct span v)
{
	struct msg *m = r->m;
	switch (id) {
	case HEADER_VIA:
		put_via(r, v);
		break;
	case HEADER_FROM:
		put_address(r, v, &m->from, "Malformed From");
		break;
	case HEADER_TO:
		put_address(r, v, &m->to, "Malformed To");
		break;
	case HEADER_CALL_ID:
		if (part_token(&v).n == 0 || v.n)
			bad(r, "Malformed Call-ID");
		break;
	case HEADER_CSEQ:
		put_cseq(r, v);
		break;
	case HEADER_CONTACT:
		put_contact(r, v);
		break;
	case HEADER_ROUTE:
		put_list(r, v, m->routes, MSG_ROUTES, &m->n_routes);
		break;
	case HEADER_RECORD_ROUTE:
		put_list(r, v, m->record_routes, MSG_ROUTES, &m->n_record_routes);
		break;
	default:
		break;
	}
}

static void put_plain_header(struct reading *r, enum part_header id, struct span v)
{
	struct msg *m = r->m;
	int64_t number = -1;
	switch (id) {
	case HEADER_MAX_FORWARDS:
		put_number(r, v, 255, &number, "Malformed Max-Forwards");
		m->max_forwards = (int32_t)number;
		break;
	case HEADER_CONTENT_LENGTH:
		put_number(r, v, UINT32_MAX, &r->content_length, "Malformed Content-Length");
		break;
	case HEADER_CONTENT_TYPE:
		put_content_type(m, v);
		break;
	case HEADER_EXPIRES:
		put_number32(r, v, &m->expires, "Malformed Expires");
		break;
	case HEADER_SESSION_EXPIRES:
		put_session_expires(r, v);
		break;
	case HEADER_MIN_SE:
		part_params(&v);
		put_number32(r, v, &m->min_se, "Malformed Min-SE");
		break;
	case HEADER_RETRY_AFTER:
		put_retry_after(r, v);
		break;
	case HEADER_RSEQ:
		put_number(r, v, UINT32_MAX, &m->rseq, "Malformed RSeq");
		break;
	case HEADER_RACK:
		put_rack(r, v);
		break;
	default:
		break;
	}
}

static void put_feature_header(struct reading *r, enum part_header id, struct span v)
{
	struct msg *m = r->m;
	switch (id) {
	case HEADER_SUPPORTED:
		m->has_supported = true;
		put_options(v, &m->supported);
		break;
	case HEADER_REQUIRE:
		put_required(r, v, &m->require);
		break;
	case HEADER_PROXY_REQUIRE:
		put_required(r, v, &m->proxy_require);
		break;
	case HEADER_ALLOW:
		m->has_allow = true;
		put_options(v, &m->allow);
		break;
	case HEADER_REASON:
		if (m->reason.n == 0)
			msg_next_value(&v, &m->reason);
		break;
	case HEADER_PRIVACY:
		m->privacy = v;
		break;
	case HEADER_IDENTITY:
		put_identity(r, v);
		break;
	case HEADER_REMOTE_PARTY:
		if (!m->has_remote_party_id)
			m->has_remote_party_id = part_address(v, &m->remote_party_id) == 0;
		break;
	case HEADER_DIVERSION:
		while (m->n_diversions < MSG_DIVERSIONS && msg_next_value(&v, &m->diversions[m->n_diversions]))
			m->n_diversions++;
		break;
	default:
		break;
	}
}

static void put_header(struct reading *r, struct span name, struct span v)
{
	enum part_header id = part_header(name);
	struct msg *m = r->m;
	r->optional = !m->request && id > HEADER_LAST_DIALOG && id != HEADER_CONTENT_LENGTH;
	if (part_header_is_single(id)) {
		if (r->seen & 1ull << id) {
			bad(r, "Header given twice");
			r->optional = false;
			return;
		}
		r->seen |= 1ull << id;
	}
	/* these go into a response as they came, whatever is wrong with them */
	if (id == HEADER_FROM)
		m->from.value = v;
	else if (id == HEADER_TO)
		m->to.value = v;
	else if (id == HEADER_CALL_ID)
		m->call_id = v;
	else if (id == HEADER_CSEQ)
		m->cseq_value = v;

	if (id == HEADER_OTHER)
		put_other(r, name, v);
	else if (id <= HEADER_LAST_DIALOG)
		put_dialog_header(r, id, v);
	else if (id <= HEADER_LAST_PLAIN)
		put_plain_header(r, id, v);
	else
		put_feature_header(r, id, v);
	r->optional = false;
}

/* Makes one line of a folded value, in the arena: it is never longer than what came. */
static struct span unfold(struct reading *r, struct span v)
{
	char *to = r->p->arena + r->p->used;
	size_t n = 0;
	for (size_t i = 0; i < v.n; i++)
		to[n++] = v.p[i] == '\r' || v.p[i] == '\n' ? ' ' : v.p[i];
	r->p->used += n;
	return (struct span){ to, n };
}

/* `text`: one header with its folded lines, without the end of the last line */
static void read_header(struct reading *r, struct span text, bool folded)
{
	const char *colon = memchr(text.p, ':', text.n);
	if (!colon || part_is_space(text.p[0])) {
		bad(r, "Header without colon");
		return;
	}
	struct span name = part_trim((struct span){ text.p, (size_t)(colon - text.p) });
	struct span v = { colon + 1, text.n - (size_t)(colon + 1 - text.p) };
	if (!part_is_token(name)) {
		bad(r, "Malformed header name");
		return;
	}
	if (folded)
		v = unfold(r, v);
	v = part_trim(v);
	if (memchr(v.p, '\r', v.n) || memchr(v.p, 0, v.n))
		bad(r, "Control character in header");
	else
		put_header(r, name, v);
}

/* Leaves the body in `*rest`. */
static void read_headers(struct reading *r, struct span *rest)
{
	uint32_t lines = 0;
	while (rest->n) {
		struct span line = span_line(rest);
		bool folded = false;
		if (line.n == 0)
			return;
		while (rest->n && (rest->p[0] == ' ' || rest->p[0] == '\t')) {
			struct span more = span_line(rest);
			line.n = (size_t)(more.p + more.n - line.p);
			folded = true;
		}
		if (++lines > r->p->limits.headers)
			fail(r, -EMSGSIZE, "Too many headers"); /* goes on: what comes may be needed for the answer */
		else
			read_header(r, line, folded);
	}
}

/* ---- start line ---- */

static void read_status(struct reading *r, struct span line)
{
	struct msg *m = r->m;
	struct span text = line;
	int64_t status;
	part_token(&text);
	struct span code = part_token(&text);
	if (code.n != 3 || part_number(code, 699, &status) < 0 || status < 100) {
		bad(r, "Malformed status line");
		return;
	}
	m->status = (uint16_t)status;
	m->status_reason = text;
}

static void read_request_line(struct reading *r, struct span line)
{
	struct msg *m = r->m;
	const char *first = memchr(line.p, ' ', line.n), *last = memrchr(line.p, ' ', line.n);
	m->request = true;
	if (!first || first == last) {
		bad(r, "Malformed request line");
		return;
	}
	struct span version = { last + 1, (size_t)(line.p + line.n - last) - 1 };
	m->method_text = (struct span){ line.p, (size_t)(first - line.p) };
	m->method = msg_method(m->method_text);
	m->uri = (struct span){ first + 1, (size_t)(last - first) - 1 };
	if (!part_is_token(m->method_text))
		bad(r, "Malformed method");
	else if (version.n < 5 || strncasecmp(version.p, "SIP/", 4) != 0)
		bad(r, "Malformed request line");
	else if (!span_ieq(version, SPAN("SIP/2.0")))
		fail(r, -EPROTONOSUPPORT, "Version Not Supported");
	else if (m->uri.n > r->p->limits.uri)
		fail(r, -EMSGSIZE, "Request-URI Too Long");
	else if (sofia_uri(m->uri, &m->ruri) < 0 || m->ruri.headers.n)
		bad(r, "Malformed Request-URI");
}

static void read_start_line(struct reading *r, struct span line)
{
	if (line.n >= 8 && strncasecmp(line.p, "SIP/2.0 ", 8) == 0)
		read_status(r, line);
	else if (line.n >= 4 && strncasecmp(line.p, "SIP/", 4) == 0)
		bad(r, "Malformed status line");
	else
		read_request_line(r, line);
}

/* ---- the whole ---- */

static void check(struct reading *r)
{
	struct msg *m = r->m;
	bool cseq = m->cseq_value.n && m->cseq_method.n;
	m->answerable = m->n_vias && m->via.host.n && m->from.value.n && m->to.value.n && m->call_id.n && cseq;
	if (m->n_vias == 0)
		bad(r, "Missing Via");
	if (m->from.value.n == 0)
		bad(r, "Missing From");
	if (m->to.value.n == 0)
		bad(r, "Missing To");
	if (m->call_id.n == 0)
		bad(r, "Missing Call-ID");
	if (!cseq)
		bad(r, "Missing CSeq");
	else if (!m->request)
		m->method = msg_method(m->cseq_method);
	else if (!span_eq(m->method_text, m->cseq_method))
		bad(r, "CSeq method does not match");
}

static void take_body(struct reading *r, struct span rest)
{
	if (r->content_length > (int64_t)rest.n) {
		bad(r, "Content-Length exceeds the message");
		return;
	}
	if (r->content_length >= 0)
		rest.n = (size_t)r->content_length; /* what follows is to be ignored: RFC 3261 section 18.3 */
	r->m->body = rest;
}

static void reset(struct msg *m)
{
	/* the arrays need not be cleared: their counts are */
	memset(m, 0, offsetof(struct msg, vias));
	m->n_record_routes = m->n_routes = m->n_contacts = m->n_identities = m->n_diversions = m->n_others = 0;
	memset(&m->content_type, 0, offsetof(struct msg, supported) - offsetof(struct msg, content_type));
	m->supported.n = m->require.n = m->proxy_require.n = m->allow.n = 0;
	m->has_allow = m->has_supported = m->has_remote_party_id = false;
	m->reason = m->privacy = (struct span){ NULL, 0 };
	m->max_forwards = m->expires = m->session_expires = m->min_se = -1;
	m->retry_after = m->rseq = m->rack_rseq = m->rack_cseq = -1;
	m->refresher = MSG_REFRESHER_NONE;
	m->rack_method = METHOD_NONE;
}

int msg_parse(struct msg_parser *p, const char *data, size_t n, struct msg *ret_msg, const char **ret_error)
{
	struct span rest = { data, n };
	while (rest.n && part_is_space(rest.p[0]))
		rest = (struct span){ rest.p + 1, rest.n - 1 };
	if (n <= 4 || rest.n == 0)
		return -ENODATA;
	struct reading r = { .p = p, .m = ret_msg, .content_length = -1 };
	reset(ret_msg);
	ret_msg->raw = (struct span){ data, n };
	p->used = 0;
	if (n > p->limits.message) {
		fail(&r, -EMSGSIZE, "Message Too Large");
		if (rest.n > MESSAGE_MAX)
			rest.n = MESSAGE_MAX;
	}
	read_start_line(&r, span_line(&rest));
	read_headers(&r, &rest);
	check(&r);
	take_body(&r, rest);
	if (r.code)
		*ret_error = r.error;
	return r.code;
}
