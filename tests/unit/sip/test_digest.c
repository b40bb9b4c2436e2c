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
