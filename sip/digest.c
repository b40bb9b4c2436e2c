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

/* the next name=value; quotation marks taken off. 1, 0 at the end, -EBADMSG */
static int next_pair(struct span *rest, struct span *ret_name, struct span *ret_value)
{
	struct span pair;
	if (!msg_next_value(rest, &pair))
		return 0;
	const char *equals = memchr(pair.p, '=', pair.n);
	if (!equals)
		return -EBADMSG;
	*ret_name = part_trim((struct span){ pair.p, (size_t)(equals - pair.p) });
	struct span v = part_trim((struct span){ equals + 1, pair.n - (size_t)(equals + 1 - pair.p) });
	if (v.n && v.p[0] == '"') {
		if (v.n < 2 || v.p[v.n - 1] != '"')
			return -EBADMSG;
		v = (struct span){ v.p + 1, v.n - 2 };
	}
	*ret_value = v;
	return 1;
}

int digest_read(struct span value, struct digest_challenge *ret_challenge)
{
	struct digest_challenge c = { 0 };
	struct span rest = value, scheme = part_token(&rest), name, v;
	int error = 0, r;
	if (!span_ieq(scheme, SPAN("Digest")))
		return -EPROTONOSUPPORT;
	while ((r = next_pair(&rest, &name, &v)) > 0)
		put(&c, name, v, &error);
	if (r < 0)
		return r;
	if (error)
		return error;
	if (!c.nonce.n || !c.realm.p)
		return -EBADMSG;
	*ret_challenge = c;
	return 0;
}

/* --- the response --- */

static struct span hash(enum md kind, const struct span *parts, size_t n, char hex[MD_HEX_MAX])
{
	return (struct span){ hex, md_hex(kind, parts, n, hex) };
}

struct made { /* what a response is made of, but for A1 */
	enum md algorithm;
	struct span method, uri, nonce;
	struct span nc, cnonce; /* n 0: no qop */
};

static struct span make_response(const struct made *m, struct span a1, char hex[MD_HEX_MAX])
{
	char h2[MD_HEX_MAX];
	const struct span colon = SPAN(":");
	struct span a2 = hash(m->algorithm, (const struct span[]){ m->method, colon, m->uri }, 3, h2);
	if (!m->nc.n)
		return hash(m->algorithm, (const struct span[]){ a1, colon, m->nonce, colon, a2 }, 5, hex);
	return hash(m->algorithm,
		(const struct span[]){ a1, colon, m->nonce, colon, m->nc, colon, m->cnonce, colon, SPAN("auth"), colon, a2 }, 11, hex);
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
	char h1[MD_HEX_MAX], h3[MD_HEX_MAX], count[8];
	struct out nc = out_init(count, sizeof count);
	out_hex(&nc, r->nc, 8);
	const struct span colon = SPAN(":");
	struct span a1 = hash(c->algorithm, (const struct span[]){ u->name, colon, c->realm, colon, u->password }, 5, h1);
	const struct made m = { c->algorithm, r->method, r->uri, c->nonce, c->qop ? out_done(&nc) : (struct span){ 0 }, r->cnonce };
	struct span response = make_response(&m, a1, h3);
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

/* --- the server's side --- */

void digest_write_challenge(const struct digest_challenge *c, struct out *o)
{
	out_quoted(o, SPAN("Digest realm"), c->realm);
	out_quoted(o, SPAN(", nonce"), c->nonce);
	out_span(o, c->algorithm == MD_SHA256 ? SPAN(", algorithm=SHA-256") : SPAN(", algorithm=MD5"));
	if (c->qop)
		out_lit(o, ", qop=\"auth\"");
	if (c->stale)
		out_lit(o, ", stale=true");
}

enum { USERNAME, REALM, NONCE, URI, RESPONSE, CNONCE, NC, QOP, ALGORITHM, USERHASH, FIELDS };
static const struct span fields[FIELDS] = { { "username", 8 }, { "realm", 5 }, { "nonce", 5 }, { "uri", 3 }, { "response", 8 }, { "cnonce", 6 },
	{ "nc", 2 }, { "qop", 3 }, { "algorithm", 9 }, { "userhash", 8 } };

static bool read_count(struct span text, uint32_t *ret_count)
{
	uint32_t v = 0;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i], low = (char)(c | 0x20);
		bool digit = c >= '0' && c <= '9';
		if (!digit && (low < 'a' || low > 'f'))
			return false;
		v = v << 4 | (uint32_t)(digit ? c - '0' : low - 'a' + 10);
	}
	*ret_count = v;
	return text.n == 8 && v;
}

/* the fields by name, each at most once; others are passed over */
static int read_fields(struct span rest, struct span v[FIELDS])
{
	struct span name, value;
	int r;
	while ((r = next_pair(&rest, &name, &value)) > 0)
		for (int i = 0; i < FIELDS; i++) {
			if (!span_ieq(name, fields[i]))
				continue;
			if (v[i].p)
				return -EBADMSG;
			v[i] = value;
		}
	return r;
}

int digest_read_credentials(struct span value, struct digest_credentials *ret_credentials)
{
	struct span rest = value, scheme = part_token(&rest), v[FIELDS] = { { 0 } };
	if (!span_ieq(scheme, SPAN("Digest")))
		return -EPROTONOSUPPORT;
	int r = read_fields(rest, v);
	if (r < 0)
		return r;
	struct digest_credentials d = { v[USERNAME], v[REALM], v[NONCE], v[URI], v[RESPONSE], v[CNONCE], v[NC], MD_MD5, v[QOP].n > 0, 0 };
	d.algorithm = span_ieq(v[ALGORITHM], SPAN("SHA-256")) ? MD_SHA256 : MD_MD5;
	bool known = d.algorithm == MD_SHA256 || !v[ALGORITHM].p || span_ieq(v[ALGORITHM], SPAN("MD5"));
	if (!known || (d.qop && !span_ieq(v[QOP], SPAN("auth"))) || span_ieq(v[USERHASH], SPAN("true")))
		return -EPROTONOSUPPORT;
	if (!d.username.n || !d.realm.p || !d.nonce.n || !d.uri.n || d.response.n != (d.algorithm == MD_SHA256 ? 64 : 32))
		return -EBADMSG;
	if (d.qop && (!d.cnonce.n || !read_count(d.nc_text, &d.nc)))
		return -EBADMSG;
	if (!d.qop)
		d.nc_text = d.cnonce = (struct span){ 0 };
	*ret_credentials = d;
	return 0;
}

static struct span lower(struct span hex, char to[MD_HEX_MAX])
{
	for (size_t i = 0; i < hex.n && i < MD_HEX_MAX; i++)
		to[i] = (char)(hex.p[i] | 0x20); /* digits have that bit */
	return (struct span){ to, hex.n < MD_HEX_MAX ? hex.n : MD_HEX_MAX };
}

bool digest_verify(const struct digest_credentials *d, struct span method, const struct digest_secret *s)
{
	char h1[MD_HEX_MAX], h3[MD_HEX_MAX], got[MD_HEX_MAX];
	const struct span colon = SPAN(":");
	struct span a1 = s->ha1.n ? lower(s->ha1, h1) :
				    hash(d->algorithm, (const struct span[]){ d->username, colon, d->realm, colon, s->password }, 5, h1);
	const struct made m = { d->algorithm, method, d->uri, d->nonce, d->nc_text, d->cnonce };
	struct span right = make_response(&m, a1, h3), response = lower(d->response, got);
	unsigned char differ = 0;
	for (size_t i = 0; i < right.n && i < response.n; i++)
		differ |= (unsigned char)(right.p[i] ^ response.p[i]);
	return !differ && right.n && right.n == response.n && digest_serves(s, d->algorithm);
}
