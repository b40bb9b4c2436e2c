/* What the other side says of digests against any text: a challenge, or credentials, by the first byte. Beyond "no crash": what was
 * read lies within what was given, a challenge that we answer yields credentials that we read and verify with the same password and
 * with no other, and what we write as a challenge reads the same. */
#include "sip/digest.h"
#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct span whole;

static void require(bool fact)
{
	if (!fact)
		abort();
}

static void within(struct span s)
{
	require(s.n == 0 || (s.p >= whole.p && s.p + s.n <= whole.p + whole.n));
}

static void as_credentials(void)
{
	static const struct digest_secret secrets[] = { { .password = SPAN("secret") }, { .ha1 = SPAN("939E7578ed9e3c518a452acee763bce9") }, { { 0 }, { 0 } } };
	struct digest_credentials d;
	int r = digest_read_credentials(whole, &d);
	require(r == 0 || r == -EBADMSG || r == -EPROTONOSUPPORT);
	if (r < 0)
		return;
	const struct span all[] = { d.username, d.realm, d.nonce, d.uri, d.response, d.cnonce, d.nc_text };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		within(all[i]);
	require(d.username.n && d.nonce.n && d.uri.n && d.qop == (d.nc > 0) && d.response.n == (d.algorithm == MD_SHA256 ? 64 : 32));
	for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
		require(!digest_verify(&d, SPAN("REGISTER"), &secrets[i]) || digest_serves(&secrets[i], d.algorithm));
}

static bool quotable(struct span s)
{
	return !memchr(s.p ? s.p : "", '"', s.n) && !memchr(s.p ? s.p : "", '\\', s.n);
}

/* what we answer a challenge with, read back */
static void answered(const struct digest_challenge *c)
{
	static char text[1 << 17];
	const struct digest_user u = { SPAN("1001"), SPAN("secret") };
	const struct digest_request q = { SPAN("INVITE"), SPAN("sip:1@example.net"), SPAN("c0ffee"), 7 };
	const struct digest_secret right = { .password = u.password }, wrong = { .password = SPAN("secrets") };
	struct digest_credentials d;
	struct out o = out_init(text, sizeof text);
	digest_write(c, &u, &q, &o);
	require(!o.full);
	if (!quotable(c->realm) || !quotable(c->nonce) || !quotable(c->opaque))
		return;
	require(digest_read_credentials(out_done(&o), &d) == 0);
	require(span_eq(d.realm, c->realm) && span_eq(d.nonce, c->nonce) && d.algorithm == c->algorithm && d.qop == c->qop);
	require(digest_verify(&d, q.method, &right) && !digest_verify(&d, q.method, &wrong) && !digest_verify(&d, SPAN("BYE"), &right));
}

static void as_challenge(void)
{
	static char text[1 << 17];
	struct digest_challenge c, again;
	int r = digest_read(whole, &c);
	require(r == 0 || r == -EBADMSG || r == -EPROTONOSUPPORT);
	if (r < 0)
		return;
	within(c.realm);
	within(c.nonce);
	within(c.opaque);
	answered(&c);
	struct out o = out_init(text, sizeof text);
	digest_write_challenge(&c, &o);
	require(!o.full);
	if (!quotable(c.realm) || !quotable(c.nonce))
		return;
	require(digest_read(out_done(&o), &again) == 0);
	require(span_eq(again.realm, c.realm) && span_eq(again.nonce, c.nonce) && again.algorithm == c.algorithm && again.qop == c.qop && again.stale == c.stale);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n == 0 || n > 65535)
		return 0;
	whole = (struct span){ (const char *)data + 1, n - 1 };
	if (data[0] & 1)
		as_credentials();
	else
		as_challenge();
	return 0;
}
