/* Digest credentials against the examples of RFC 2617 section 3.5 and RFC 7616 section 3.9.1, and what challenges are read. */
#include "sip/digest.h"
#include <criterion/criterion.h>
#include <errno.h>

static struct span written(const char *challenge, const struct digest_user *u, const struct digest_request *r)
{
	static char text[1024];
	struct digest_challenge c;
	struct out o = out_init(text, sizeof text - 1);
	cr_assert_eq(digest_read(span_of(challenge), &c), 0, "%s", challenge);
	digest_write(&c, u, r, &o);
	cr_assert(!o.full);
	text[o.n] = 0;
	return out_done(&o);
}

static void expect(const char *text, const char *part)
{
	cr_expect_not_null(strstr(text, part), "%s\nin\n%s", part, text);
}

Test(digest, rfc2617)
{
	struct digest_user u = { SPAN("Mufasa"), SPAN("Circle Of Life") };
	struct digest_request r = { SPAN("GET"), SPAN("/dir/index.html"), SPAN("0a4f113b"), 1 };
	const char *text = written("Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", "
				   "opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"", &u, &r).p;
	expect(text, "response=\"6629fae49393a05397450978507c4ef1\"");
	expect(text, ", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"");
	expect(text, ", qop=auth, cnonce=\"0a4f113b\", nc=00000001");
	cr_expect_null(strstr(text, "algorithm"));
}

Test(digest, rfc7616)
{
	struct digest_user u = { SPAN("Mufasa"), SPAN("Circle of Life") };
	struct digest_request r = { SPAN("GET"), SPAN("/dir/index.html"), SPAN("f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"), 1 };
#define CHALLENGE(a)                                                                                            \
	"Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=" a                          \
	", nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
	expect(written(CHALLENGE("SHA-256"), &u, &r).p, "response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\"");
	expect(written(CHALLENGE("SHA-256"), &u, &r).p, ", algorithm=SHA-256");
	expect(written(CHALLENGE("MD5"), &u, &r).p, "response=\"8ca523f5e9506fed4657c9700eebdbec\"");
	expect(written(CHALLENGE("md5"), &u, &r).p, ", algorithm=MD5");
}

Test(digest, without_qop)
{
	struct digest_user u = { SPAN("Mufasa"), SPAN("Circle Of Life") };
	struct digest_request r = { SPAN("GET"), SPAN("/dir/index.html"), SPAN("x"), 1 };
	const char *text = written("Digest nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\",realm=\"testrealm@host.com\"", &u, &r).p;
	expect(text, "response=\"670fd8c2df070c60b045671b8b24ff02\""); /* RFC 2069 as amended by its errata */
	cr_expect_null(strstr(text, "qop"));
}

Test(digest, refused_challenges)
{
	struct digest_challenge c = { .stale = true };
	cr_expect_eq(digest_read(SPAN("Basic realm=\"a\""), &c), -EPROTONOSUPPORT);
	cr_expect_eq(digest_read(SPAN("Digest realm=\"a\", nonce=\"b\", algorithm=SHA-512-256"), &c), -EPROTONOSUPPORT);
	cr_expect_eq(digest_read(SPAN("Digest realm=\"a\", nonce=\"b\", algorithm=MD5-sess"), &c), -EPROTONOSUPPORT);
	cr_expect_eq(digest_read(SPAN("Digest realm=\"a\", nonce=\"b\", qop=\"auth-int\""), &c), -EPROTONOSUPPORT);
	cr_expect_eq(digest_read(SPAN("Digest realm=\"a\""), &c), -EBADMSG);
	cr_expect_eq(digest_read(SPAN("Digest nonce=\"b\""), &c), -EBADMSG);
	cr_expect_eq(digest_read(SPAN("Digest realm=\"a, nonce=\"b\""), &c), -EBADMSG);
	cr_expect_eq(digest_read(SPAN("Digest realm"), &c), -EBADMSG);
	cr_expect_eq(digest_read(SPAN(""), &c), -EPROTONOSUPPORT);
	cr_expect(c.stale, "untouched on failure");
	cr_assert_eq(digest_read(SPAN("digest realm=\"\", nonce=\"b,c\", stale=TRUE, domain=\"x\""), &c), 0);
	cr_expect(c.stale && !c.qop && span_eq(c.nonce, SPAN("b,c")) && !c.realm.n);
}

/* --- the server's side --- */

#define OF_2617                                                                                                          \
	"Digest username=\"Mufasa\", realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", "      \
	"uri=\"/dir/index.html\", qop=auth, nc=00000001, cnonce=\"0a4f113b\", response=\"6629fae49393a05397450978507c4ef1\", " \
	"opaque=\"5ccc069c403ebaf9f0171e9517f40e41\""

static bool verified(const char *credentials, const char *method, struct digest_secret s)
{
	struct digest_credentials d;
	cr_assert_eq(digest_read_credentials(span_of(credentials), &d), 0, "%s", credentials);
	return digest_verify(&d, span_of(method), &s);
}

Test(digest, verifies_rfc2617)
{
	const struct digest_secret right = { .password = SPAN("Circle Of Life") }, wrong = { .password = SPAN("circle Of Life") };
	cr_expect(verified(OF_2617, "GET", right));
	cr_expect_not(verified(OF_2617, "GET", wrong));
	cr_expect_not(verified(OF_2617, "POST", right));
}

Test(digest, verifies_by_ha1)
{
	const struct digest_secret s = { .ha1 = SPAN("939e7578ed9e3c518a452acee763bce9") }, capital = { .ha1 = SPAN("939E7578ED9E3C518A452ACEE763BCE9") },
				   other = { .ha1 = SPAN("939e7578ed9e3c518a452acee763bce8") };
	cr_expect(verified(OF_2617, "GET", s));
	cr_expect(verified(OF_2617, "GET", capital));
	cr_expect_not(verified(OF_2617, "GET", other));
	cr_expect(digest_serves(&s, MD_MD5) && !digest_serves(&s, MD_SHA256));
}

Test(digest, verifies_rfc7616)
{
	const struct digest_secret s = { .password = SPAN("Circle of Life") };
#define OF_7616(algorithm, response)                                                                                     \
	"Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", algorithm=" algorithm ", " \
	"nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, "                                           \
	"cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, response=\"" response "\""
	cr_expect(verified(OF_7616("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"), "GET", s));
	cr_expect(verified(OF_7616("MD5", "8ca523f5e9506fed4657c9700eebdbec"), "GET", s));
	cr_expect(verified(OF_7616("md5", "8CA523F5E9506FED4657C9700EEBDBEC"), "GET", s));
	cr_expect_not(verified(OF_7616("MD5", "8ca523f5e9506fed4657c9700eebdbed"), "GET", s));
	/* the HA1 of MD5 says nothing about SHA-256 */
	const struct digest_secret ha1 = { .ha1 = SPAN("3d78807defe7de2157e2b0b6573a855f") };
	cr_expect(verified(OF_7616("MD5", "8ca523f5e9506fed4657c9700eebdbec"), "GET", ha1));
	cr_expect_not(verified(OF_7616("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"), "GET", ha1));
}

Test(digest, verifies_without_qop)
{
	const struct digest_secret s = { .password = SPAN("Circle Of Life") };
	cr_expect(verified("Digest username=\"Mufasa\", realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", "
			   "uri=\"/dir/index.html\", response=\"670fd8c2df070c60b045671b8b24ff02\"", "GET", s));
}

Test(digest, reads_credentials)
{
	struct digest_credentials d;
	cr_assert_eq(digest_read_credentials(span_of(OF_2617), &d), 0);
	cr_expect(span_eq(d.username, SPAN("Mufasa")) && span_eq(d.uri, SPAN("/dir/index.html")) && d.qop && d.nc == 1);
	cr_assert_eq(digest_read_credentials(SPAN("digest  USERNAME = \"a\" ,realm=\"\",nonce=n,uri=\"u\",\r\n response=00112233445566778899aabbccddeeff"), &d), 0);
	cr_expect(span_eq(d.nonce, SPAN("n")) && !d.qop && !d.nc && d.algorithm == MD_MD5);
}

Test(digest, refused_credentials)
{
#define BASE "username=\"a\", realm=\"r\", nonce=\"n\", uri=\"u\""
#define HASH ", response=\"00112233445566778899aabbccddeeff\""
	static const struct {
		const char *text;
		int error;
	} bad[] = { { "Basic YTpi", -EPROTONOSUPPORT }, { "", -EPROTONOSUPPORT }, { "Digest", -EBADMSG }, { "Digest " BASE, -EBADMSG },
		{ "Digest " BASE ", response=\"0011\"", -EBADMSG }, { "Digest " BASE HASH ", algorithm=SHA-256", -EBADMSG },
		{ "Digest " BASE HASH ", algorithm=MD5-sess", -EPROTONOSUPPORT }, { "Digest " BASE HASH ", algorithm=\"\"", -EPROTONOSUPPORT },
		{ "Digest " BASE HASH ", qop=auth-int, nc=00000001, cnonce=\"c\"", -EPROTONOSUPPORT },
		{ "Digest " BASE HASH ", userhash=true", -EPROTONOSUPPORT }, { "Digest " BASE HASH ", qop=auth", -EBADMSG },
		{ "Digest " BASE HASH ", qop=auth, nc=00000000, cnonce=\"c\"", -EBADMSG }, { "Digest " BASE HASH ", qop=auth, nc=1, cnonce=\"c\"", -EBADMSG },
		{ "Digest " BASE HASH ", qop=auth, nc=0000000g, cnonce=\"c\"", -EBADMSG }, { "Digest " BASE HASH ", qop=auth, nc=00000001", -EBADMSG },
		{ "Digest " BASE HASH ", username=\"b\"", -EBADMSG }, { "Digest " BASE HASH ", x", -EBADMSG }, { "Digest " BASE HASH ", x=\"", -EBADMSG },
		{ "Digest username=\"\", realm=\"r\", nonce=\"n\", uri=\"u\"" HASH, -EBADMSG }, { "Digest username=\"a\", nonce=\"n\", uri=\"u\"" HASH, -EBADMSG } };
	struct digest_credentials d;
	cr_assert_eq(digest_read_credentials(SPAN("Digest " BASE HASH), &d), 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_expect_eq(digest_read_credentials(span_of(bad[i].text), &d), bad[i].error, "%s", bad[i].text);
}

Test(digest, writes_challenges_that_it_reads)
{
	char text[256];
	struct out o = out_init(text, sizeof text - 1);
	struct digest_challenge c = { .realm = SPAN("tandem"), .nonce = SPAN("abc"), .qop = true }, back;
	digest_write_challenge(&c, &o);
	cr_expect(span_eq(out_done(&o), SPAN("Digest realm=\"tandem\", nonce=\"abc\", algorithm=MD5, qop=\"auth\"")));
	o.n = 0;
	c.algorithm = MD_SHA256;
	c.stale = true;
	digest_write_challenge(&c, &o);
	cr_assert_eq(digest_read(out_done(&o), &back), 0);
	cr_expect(back.stale && back.qop && back.algorithm == MD_SHA256 && span_eq(back.nonce, SPAN("abc")) && span_eq(back.realm, SPAN("tandem")));
}
