#include "sip/msg_parts.h"
#include "sip/sofia.h"
#include <errno.h>

/* ---- names ---- */

struct name {
	struct span text;
	char compact; /* 0: none */
	uint8_t id;
	bool single;
};
static const struct name names[] = {
	{ SPAN("Via"), 'v', HEADER_VIA, false },
	{ SPAN("From"), 'f', HEADER_FROM, true },
	{ SPAN("To"), 't', HEADER_TO, true },
	{ SPAN("Call-ID"), 'i', HEADER_CALL_ID, true },
	{ SPAN("CSeq"), 0, HEADER_CSEQ, true },
	{ SPAN("Contact"), 'm', HEADER_CONTACT, false },
	{ SPAN("Route"), 0, HEADER_ROUTE, false },
	{ SPAN("Record-Route"), 0, HEADER_RECORD_ROUTE, false },
	{ SPAN("Max-Forwards"), 0, HEADER_MAX_FORWARDS, true },
	{ SPAN("Content-Length"), 'l', HEADER_CONTENT_LENGTH, true },
	{ SPAN("Content-Type"), 'c', HEADER_CONTENT_TYPE, true },
	{ SPAN("Expires"), 0, HEADER_EXPIRES, true },
	{ SPAN("Session-Expires"), 'x', HEADER_SESSION_EXPIRES, true },
	{ SPAN("Min-SE"), 0, HEADER_MIN_SE, true },
	{ SPAN("Retry-After"), 0, HEADER_RETRY_AFTER, true },
	{ SPAN("RSeq"), 0, HEADER_RSEQ, true },
	{ SPAN("RAck"), 0, HEADER_RACK, true },
	{ SPAN("Supported"), 'k', HEADER_SUPPORTED, false },
	{ SPAN("Require"), 0, HEADER_REQUIRE, false },
	{ SPAN("Proxy-Require"), 0, HEADER_PROXY_REQUIRE, false },
	{ SPAN("Allow"), 0, HEADER_ALLOW, false },
	{ SPAN("Reason"), 0, HEADER_REASON, false },
	{ SPAN("Privacy"), 0, HEADER_PRIVACY, true },
	{ SPAN("P-Asserted-Identity"), 0, HEADER_IDENTITY, false },
	{ SPAN("Remote-Party-ID"), 0, HEADER_REMOTE_PARTY, false },
	{ SPAN("Diversion"), 0, HEADER_DIVERSION, false },
};
#define NAMES (sizeof(names) / sizeof(names[0]))

/* compact forms of headers that have no field of their own */
static const struct {
	struct span text;
	char compact;
} compact_others[] = {
	{ SPAN("Content-Encoding"), 'e' },
	{ SPAN("Subject"), 's' },
	{ SPAN("Refer-To"), 'r' },
	{ SPAN("Referred-By"), 'b' },
	{ SPAN("Allow-Events"), 'u' },
	{ SPAN("Event"), 'o' },
	{ SPAN("Accept-Contact"), 'a' },
	{ SPAN("Reject-Contact"), 'j' },
	{ SPAN("Request-Disposition"), 'd' },
	{ SPAN("Identity"), 'y' },
};

enum part_header part_header(struct span name)
{
	if (name.n == 0)
		return HEADER_OTHER;
	char first = (char)(name.p[0] | 0x20);
	for (size_t i = 0; i < NAMES; i++) {
		if (name.n == 1 ? names[i].compact == first
				: name.n == names[i].text.n && (names[i].text.p[0] | 0x20) == first &&
					  span_ieq(name, names[i].text))
			return (enum part_header)names[i].id;
	}
	return HEADER_OTHER;
}

bool part_header_is_single(enum part_header id)
{
	return id != HEADER_OTHER && names[id - 1].single;
}

struct span msg_other(const struct msg *m, struct span name)
{
	char compact = 0;
	for (size_t i = 0; i < sizeof(compact_others) / sizeof(compact_others[0]); i++)
		if (span_ieq(name, compact_others[i].text))
			compact = compact_others[i].compact;
	for (uint32_t i = 0; i < m->n_others; i++) {
		struct span other = m->others[i].name;
		if (span_ieq(other, name) || (compact && other.n == 1 && (other.p[0] | 0x20) == compact))
			return m->others[i].value;
	}
	return (struct span){ NULL, 0 };
}

static const struct {
	struct span text;
	enum txn_method method;
} methods[] = {
	{ SPAN("INVITE"), METHOD_INVITE },
	{ SPAN("ACK"), METHOD_ACK },
	{ SPAN("BYE"), METHOD_BYE },
	{ SPAN("CANCEL"), METHOD_CANCEL },
	{ SPAN("OPTIONS"), METHOD_OPTIONS },
	{ SPAN("UPDATE"), METHOD_UPDATE },
	{ SPAN("PRACK"), METHOD_PRACK },
	{ SPAN("INFO"), METHOD_INFO },
	{ SPAN("REFER"), METHOD_REFER },
	{ SPAN("NOTIFY"), METHOD_NOTIFY },
	{ SPAN("MESSAGE"), METHOD_MESSAGE },
	{ SPAN("REGISTER"), METHOD_REGISTER },
	{ SPAN("SUBSCRIBE"), METHOD_SUBSCRIBE },
	{ SPAN("PUBLISH"), METHOD_PUBLISH },
};
#define METHODS (sizeof(methods) / sizeof(methods[0]))

enum txn_method msg_method(struct span text)
{
	for (size_t i = 0; i < METHODS; i++)
		if (span_eq(text, methods[i].text))
			return methods[i].method;
	return text.n ? METHOD_OTHER : METHOD_NONE;
}

const char *msg_method_text(enum txn_method m)
{
	for (size_t i = 0; i < METHODS; i++)
		if (methods[i].method == m)
			return methods[i].text.p;
	return "";
}

/* ---- pieces ---- */

struct span part_trim(struct span s)
{
	while (s.n && part_is_space(s.p[0]))
		s = (struct span){ s.p + 1, s.n - 1 };
	while (s.n && part_is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

static bool is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("-.!%*_+`'~", c));
}

bool part_is_token(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_token_char(s.p[i]))
			return false;
	return s.n > 0;
}

struct span part_token(struct span *rest)
{
	struct span s = part_trim(*rest);
	size_t n = 0;
	while (n < s.n && !part_is_space(s.p[n]))
		n++;
	*rest = part_trim((struct span){ s.p + n, s.n - n });
	return (struct span){ s.p, n };
}

int part_number(struct span s, uint64_t max, int64_t *ret_number)
{
	uint64_t v = 0;
	if (s.n == 0)
		return -EBADMSG;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -EBADMSG;
		v = v * 10 + (uint64_t)(s.p[i] - '0');
		if (v > max)
			return -EBADMSG;
	}
	*ret_number = (int64_t)v;
	return 0;
}

/* `i`: after an opening quotation mark; index after the closing one, or the end */
static size_t skip_quoted(struct span s, size_t i)
{
	while (i < s.n && s.p[i] != '"')
		i += s.p[i] == '\\' ? 2 : 1;
	return i < s.n ? i + 1 : s.n;
}

/* Index of the first of `a` or `b` (both of those below) outside quotes and, if wanted, outside <>; s.n: there is none. A
 * quote or bracket that is not closed lasts to the end. */
static size_t find_outside(struct span s, char a, char b, bool brackets)
{
	static const bool special[256] = { ['"'] = true, ['<'] = true, [','] = true, [';'] = true, ['='] = true };
	size_t i = 0;
	while (i < s.n) {
		char c = s.p[i];
		if (!special[(unsigned char)c]) {
			i++;
		} else if (c == a || c == b) {
			return i;
		} else if (c == '"') {
			i = skip_quoted(s, i + 1);
		} else if (c == '<' && brackets) {
			const char *close = memchr(s.p + i, '>', s.n - i);
			i = close ? (size_t)(close - s.p) + 1 : s.n;
		} else {
			i++;
		}
	}
	return s.n;
}

static struct span from(struct span s, size_t at)
{
	if (!s.n) /* an absent header: nothing may be added to its NULL */
		return s;
	return at < s.n ? (struct span){ s.p + at, s.n - at } : (struct span){ s.p + s.n, 0 };
}

bool msg_next_value(struct span *list, struct span *ret_value)
{
	while (list->n) {
		size_t n = find_outside(*list, ',', ',', true);
		struct span value = part_trim((struct span){ list->p, n });
		*list = from(*list, n + 1);
		if (value.n) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

struct span part_params(struct span *value)
{
	size_t n = find_outside(*value, ';', ';', true);
	struct span params = part_trim(from(*value, n + 1));
	*value = part_trim((struct span){ value->p, n });
	return params;
}

bool msg_param(struct span params, struct span name, struct span *ret_value)
{
	while (params.n) {
		size_t n = find_outside(params, ';', ';', false);
		struct span one = { params.p, n };
		params = from(params, n + 1);
		size_t equals = find_outside(one, '=', '=', false);
		if (!span_ieq(part_trim((struct span){ one.p, equals }), name))
			continue;
		struct span v = part_trim(from(one, equals + 1));
		if (v.n >= 2 && v.p[0] == '"' && v.p[v.n - 1] == '"')
			v = (struct span){ v.p + 1, v.n - 2 };
		*ret_value = v;
		return true;
	}
	return false;
}

struct span msg_tag(struct span value)
{
	struct span params = part_params(&value), tag = { 0 };
	if (params.n)
		msg_param(params, SPAN("tag"), &tag);
	return tag;
}

/* ---- addresses ---- */

/* the display name before '<': a quoted string, or tokens. Quotation marks within are an error, as are commas */
static int put_display(struct span text, struct span *ret_display)
{
	struct span d = part_trim(text);
	if (d.n && d.p[0] == '"') {
		if (d.n < 2 || d.p[d.n - 1] != '"' || skip_quoted((struct span){ d.p, d.n - 1 }, 1) != d.n - 1)
			return -EBADMSG;
		*ret_display = (struct span){ d.p + 1, d.n - 2 };
		return 0;
	}
	if (d.n && (memchr(d.p, '"', d.n) || memchr(d.p, ',', d.n)))
		return -EBADMSG;
	*ret_display = d;
	return 0;
}

int part_address(struct span value, struct msg_address *ret_address)
{
	struct msg_address *a = ret_address;
	struct span rest = value, params;
	memset(a, 0, offsetof(struct msg_address, u));
	a->value = value;
	if (value.n > MSG_VALUE_BYTES)
		return -EBADMSG;
	if (span_eq(value, SPAN("*"))) {
		a->star = true;
		memset(&a->u, 0, offsetof(struct msg_uri, user_text));
		return 0;
	}
	size_t open = find_outside(value, '<', '<', false);
	if (open < value.n) {
		const char *close = memchr(value.p + open, '>', value.n - open);
		if (!close || put_display((struct span){ value.p, open }, &a->display) < 0)
			return -EBADMSG;
		a->uri = part_trim((struct span){ value.p + open + 1, (size_t)(close - value.p) - open - 1 });
		rest = part_trim(from(value, (size_t)(close - value.p) + 1));
		if (rest.n && rest.p[0] != ';')
			return -EBADMSG;
		params = part_trim(from(rest, 1));
	} else {
		params = part_params(&rest);
		a->uri = rest;
		/* without brackets the question mark and comma belong to nobody: RFC 3261 section 20.10 */
		if (rest.n && (memchr(rest.p, '?', rest.n) || memchr(rest.p, ',', rest.n)))
			return -EBADMSG;
	}
	a->params = params;
	if (params.n)
		msg_param(params, SPAN("tag"), &a->tag);
	return sofia_uri(a->uri, &a->u);
}

int address_parse(struct span value, struct msg_address *ret_address)
{
	return part_address(value, ret_address);
}

int uri_parse(struct span text, struct msg_uri *ret_uri)
{
	return sofia_uri(text, ret_uri);
}

int uri_addr(const struct msg_uri *uri, struct addr *ret_addr)
{
	struct addr a;
	if (uri->scheme != MSG_SCHEME_SIP && uri->scheme != MSG_SCHEME_SIPS)
		return -ENXIO;
	if (addr_parse(uri->host, &a) < 0 || a.port)
		return -ENXIO;
	bool secure = uri->scheme == MSG_SCHEME_SIPS || uri->transport == MSG_TRANSPORT_TLS;
	a.port = uri->port ? uri->port : secure ? 5061 : 5060;
	*ret_addr = a;
	return 0;
}

/* ---- questions ---- */

bool msg_has_option(const struct msg_options *list, struct span option)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (span_ieq(list->v[i], option))
			return true;
	return false;
}

bool msg_type_is(const struct msg *m, struct span media_type)
{
	return span_ieq(m->content_type, media_type);
}
