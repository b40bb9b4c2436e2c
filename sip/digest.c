#include "sip/digest.h"
#include "sip/msg_parts.h"
#include <errno.h>

/* --- the challenge --- */

static void put(struct digest_challenge *c, struct span name, struct span v, int *error)
{
	struct span one;
	if (span_ieq(name, SPAN("realm"))) {
		c->realm = v;
	} else if (span_ieq(name, SPAN("nonce"))) {
		c->nonce = v;
	} else if (span_ieq(name, SPAN("opaque"))) {
		c->opaque = v;
	} else if (span_ieq(name, SPAN("stale"))) {
		c->stale = span_ieq(v, SPAN("true"));
	} else if (span_ieq(name, SPAN("algorithm"))) {
		c->named = true;
		c->algorithm = span_ieq(v, SPAN("SHA-256")) ? MD_SHA256 : MD_MD5;
		if (c->algorithm == MD_MD5 && !span_ieq(v, SPAN("MD5")))
			*error = -EPROTONOSUPPORT;
	} else if (span_ieq(name, SPAN("qop"))) {
		bool any = v.n > 0;
		while (msg_next_value(&v, &one))
			c->qop |= span_ieq(one, SPAN("auth"));
		if (any && !c->qop)
			*error = -EPROTONOSUPPORT;
	}
}

int digest_read(struct span value, struct digest_challenge *ret_challenge)
{
	struct digest_challenge c = { 0 };
	struct span rest = value, scheme = part_token(&rest), pair;
	int error = 0;
	if (!span_ieq(scheme, SPAN("Digest")))
		return -EPROTONOSUPPORT;
	while (msg_next_value(&rest, &pair)) {
		const char *equals = memchr(pair.p, '=', pair.n);
		if (!equals)
			return -EBADMSG;
		struct span name = part_trim((struct span){ pair.p, (size_t)(equals - pair.p) });
		struct span v = part_trim((struct span){ equals + 1, pair.n - (size_t)(equals + 1 - pair.p) });
		if (v.n && v.p[0] == '"') {
			if (v.n < 2 || v.p[v.n - 1] != '"')
				return -EBADMSG;
			v = (struct span){ v.p + 1, v.n - 2 };
		}
		put(&c, name, v, &error);
	}
	if (error)
		return error;
	if (!c.nonce.n || !c.realm.p)
		return -EBADMSG;
	*ret_challenge = c;
	return 0;
}

/* --- the response --- */

static struct span hash(const struct digest_challenge *c, const struct span *parts, size_t n, char hex[MD_HEX_MAX])
{
	return (struct span){ hex, md_hex(c->algorithm, parts, n, hex) };
}

static void out_quoted(struct out *o, struct span name, struct span v)
{
	out_span(o, name);
	out_lit(o, "=\"");
	out_span(o, v);
	out_char(o, '"');
}

void digest_write(const struct digest_challenge *c, const struct digest_user *u, const struct digest_request *r, struct out *o)
{
	char h1[MD_HEX_MAX], h2[MD_HEX_MAX], h3[MD_HEX_MAX], count[8];
	struct out nc = out_init(count, sizeof count);
	const struct span colon = SPAN(":");
	struct span a1 = hash(c, (const struct span[]){ u->name, colon, c->realm, colon, u->password }, 5, h1);
	struct span a2 = hash(c, (const struct span[]){ r->method, colon, r->uri }, 3, h2), response;
	out_hex(&nc, r->nc, 8);
	if (c->qop)
		response = hash(c, (const struct span[]){ a1, colon, c->nonce, colon, out_done(&nc), colon, r->cnonce, colon, SPAN("auth"), colon, a2 }, 11, h3);
	else
		response = hash(c, (const struct span[]){ a1, colon, c->nonce, colon, a2 }, 5, h3);
	out_quoted(o, SPAN("Digest username"), u->name);
	out_quoted(o, SPAN(", realm"), c->realm);
	out_quoted(o, SPAN(", nonce"), c->nonce);
	out_quoted(o, SPAN(", uri"), r->uri);
	out_quoted(o, SPAN(", response"), response);
	if (c->named)
		out_span(o, c->algorithm == MD_SHA256 ? SPAN(", algorithm=SHA-256") : SPAN(", algorithm=MD5"));
	if (c->opaque.p)
		out_quoted(o, SPAN(", opaque"), c->opaque);
	if (!c->qop)
		return;
	out_quoted(o, SPAN(", qop=auth, cnonce"), r->cnonce);
	out_lit(o, ", nc=");
	out_span(o, out_done(&nc));
}
