#include "sip/sofia.h"
#include <errno.h>
#include <sofia-sip/msg_header.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/su_alloc.h>
#include <sofia-sip/url.h>

/* Sofia cuts text into strings where it lies, and takes escapes out that need not be; so it gets a copy, and its
 * pointers are carried over to the original. */
static struct span carry_over(struct span text, const char *copy, const char *from, const char *to)
{
	return (struct span){ text.p + (from - copy), (size_t)(to - from) };
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int put_user(struct msg_uri *u, struct span raw)
{
	size_t n = 0;
	for (size_t i = 0; i < raw.n; i++) {
		char c = raw.p[i];
		if (c == '%') {
			int high = i + 2 < raw.n ? hex_digit(raw.p[i + 1]) : -1;
			int low = i + 2 < raw.n ? hex_digit(raw.p[i + 2]) : -1;
			if (high < 0 || low < 0)
				return -EBADMSG;
			c = (char)(high << 4 | low);
			i += 2;
		} else if (u->scheme == MSG_SCHEME_TEL && strchr("-.()", c) && c) {
			continue;
		}
		if (n < sizeof(u->user_text))
			u->user_text[n] = c;
		n++;
	}
	u->user_too_long = n > sizeof(u->user_text);
	u->user_n = u->user_too_long ? 0 : (uint16_t)n;
	return 0;
}

static int put_port(const char *digits, uint16_t *ret_port)
{
	unsigned v = 0;
	if (!*digits)
		return -EBADMSG;
	for (; *digits; digits++) {
		if (*digits < '0' || *digits > '9')
			return -EBADMSG;
		v = v * 10 + (unsigned)(*digits - '0');
		if (v > 65535)
			return -EBADMSG;
	}
	if (v == 0)
		return -EBADMSG;
	*ret_port = (uint16_t)v;
	return 0;
}

static enum msg_transport transport_of(struct span name)
{
	if (span_ieq(name, SPAN("udp")))
		return MSG_TRANSPORT_UDP;
	if (span_ieq(name, SPAN("tcp")))
		return MSG_TRANSPORT_TCP;
	if (span_ieq(name, SPAN("tls")))
		return MSG_TRANSPORT_TLS;
	return MSG_TRANSPORT_OTHER;
}

static bool host_is_clean(struct span host)
{
	for (size_t i = 0; i < host.n; i++) {
		unsigned char c = (unsigned char)host.p[i];
		bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		if (!plain && !strchr("-._[]:", c))
			return false;
		if (c == 0)
			return false;
	}
	return host.n > 0;
}

static int put_parts(struct span text, const char *copy, const url_t *url, struct msg_uri *u)
{
	const char *end = copy + text.n;
	const char *headers = url->url_headers, *params = url->url_params;
	const char *fragment = url->url_fragment;
	if (fragment)
		end = fragment - 1;
	if (headers)
		u->headers = carry_over(text, copy, headers, end);
	if (params)
		u->params = carry_over(text, copy, params, headers ? headers - 1 : end);
	if (url->url_user) {
		const char *user_end = url->url_password ? url->url_password - 1 : NULL;
		if (!user_end && url->url_host)
			user_end = url->url_host - 1;
		if (!user_end)
			user_end = params ? params - 1 : headers ? headers - 1 : end;
		u->user_raw = carry_over(text, copy, url->url_user, user_end);
		const char *semicolon = u->user_raw.n ? memchr(u->user_raw.p, ';', u->user_raw.n) : NULL;
		if (semicolon)
			u->user_raw.n = (size_t)(semicolon - u->user_raw.p);
		u->has_user = true;
		if (put_user(u, u->user_raw) < 0)
			return -EBADMSG;
	}
	if (u->scheme == MSG_SCHEME_TEL)
		return u->user_n || u->user_too_long ? 0 : -EBADMSG;
	if (!url->url_host)
		return -EBADMSG;
	u->host = carry_over(text, copy, url->url_host, url->url_host + strlen(url->url_host));
	if (!host_is_clean(u->host) || (url->url_port && put_port(url->url_port, &u->port) < 0))
		return -EBADMSG;
	return 0;
}

int sofia_uri(struct span text, struct msg_uri *ret_uri)
{
	char copy[MSG_VALUE_BYTES + 1];
	struct msg_uri *u = ret_uri;
	struct span value;
	url_t url;
	memset(u, 0, offsetof(struct msg_uri, user_text));
	u->text = text;
	if (text.n == 0 || text.n > MSG_VALUE_BYTES)
		return -EBADMSG;
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] <= ' ' || text.p[i] == '<' || text.p[i] == '>' || text.p[i] == '"')
			return -EBADMSG;
	memcpy(copy, text.p, text.n);
	copy[text.n] = 0;
	if (url_d(&url, copy) < 0)
		return -EBADMSG;
	switch (url.url_type) {
	case url_sip:
		u->scheme = MSG_SCHEME_SIP;
		break;
	case url_sips:
		u->scheme = MSG_SCHEME_SIPS;
		break;
	case url_tel:
		u->scheme = MSG_SCHEME_TEL;
		break;
	default:
		/* no scheme at all is no URI */
		return memchr(text.p, ':', text.n) ? 0 : -EBADMSG;
	}
	if (put_parts(text, copy, &url, u) < 0)
		return -EBADMSG;
	u->lr = u->params.n && msg_param(u->params, SPAN("lr"), &value);
	if (u->params.n && msg_param(u->params, SPAN("transport"), &value))
		u->transport = transport_of(value);
	return 0;
}

/* Where the text of a part is in `value` as well (no white space was taken out) the span points there. */
static struct span via_span(struct span value, const char *scratch, const char *part)
{
	struct span s = span_of(part);
	size_t at = (size_t)(part - scratch);
	if (at <= value.n && s.n <= value.n - at && memcmp(value.p + at, part, s.n) == 0)
		s.p = value.p + at;
	return s;
}

static int put_via(struct span value, const char *scratch, const sip_via_t *v, struct msg_via *ret)
{
	const char *slash = v->v_protocol ? strrchr(v->v_protocol, '/') : NULL;
	if (!slash || strncasecmp(v->v_protocol, "SIP/2.0/", 8) != 0 || !v->v_host || !*v->v_host)
		return -EBADMSG;
	ret->transport = transport_of(span_of(slash + 1));
	ret->host = via_span(value, scratch, v->v_host);
	if (!host_is_clean(ret->host) || (v->v_port && put_port(v->v_port, &ret->port) < 0))
		return -EBADMSG;
	if (v->v_branch)
		ret->branch = via_span(value, scratch, v->v_branch);
	if (v->v_received)
		ret->received = via_span(value, scratch, v->v_received);
	if (v->v_maddr)
		ret->maddr = via_span(value, scratch, v->v_maddr);
	if (v->v_rport) {
		ret->has_rport = true;
		if (*v->v_rport && put_port(v->v_rport, &ret->rport) < 0)
			return -EBADMSG;
	}
	return 0;
}

int sofia_via(struct span value, char *scratch, struct msg_via *ret_via)
{
	/* Sofia's allocations (the list of parameters) come from here; only a Via with very many goes to the heap, and
	 * su_home_deinit() returns that. */
	_Alignas(max_align_t) char area[4096];
	union {
		msg_header_t any;
		sip_via_t via;
	} h;
	memset(ret_via, 0, sizeof(*ret_via));
	ret_via->value = value;
	if (value.n == 0 || value.n > MSG_VALUE_BYTES)
		return -EBADMSG;
	su_home_t *home = su_home_auto(area, sizeof(area));
	if (!home)
		return -EBADMSG;
	memcpy(scratch, value.p, value.n);
	scratch[value.n] = 0;
	memset(&h, 0, sizeof(h));
	h.via.v_common->h_class = sip_via_class;
	int r = sip_via_d(home, &h.any, scratch, (isize_t)value.n) < 0 ? -EBADMSG : 0;
	if (r == 0)
		r = put_via(value, scratch, &h.via, ret_via);
	su_home_deinit(home);
	if (r < 0) {
		memset(ret_via, 0, sizeof(*ret_via));
		ret_via->value = value;
	}
	return r;
}
