#include "sip/msg.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const struct msg_limits no_limits = { 0 };
static struct msg m;
static const char *error;

/* copies into a block of just that size, so that the sanitizers see whoever reads beyond */
static int parse_bytes(const char *data, size_t n)
{
	static struct msg_parser *p;
	static char *copy;
	if (!p)
		p = msg_parser_new(&no_limits);
	free(copy);
	copy = malloc(n ? n : 1);
	memcpy(copy, data, n);
	memset(&m, 0xa5, sizeof(m)); /* nothing may depend on what was there */
	error = "";
	return msg_parse(p, copy, n, &m, &error);
}

static int parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static bool is(struct span a, const char *text)
{
	return span_eq(a, span_of(text));
}
#define expect_is(a, text) cr_expect(is((a), (text)), "%s: \"%.*s\" is not \"%s\"", #a, (int)(a).n, (a).p, (text))

#define DIALOG                                                                                                         \
	"From: <sip:alice@192.0.2.1>;tag=a1\r\nTo: <sip:bob@192.0.2.2>\r\nCall-ID: id1@192.0.2.1\r\n"                  \
	"CSeq: 1 INVITE\r\n"
#define VIA  "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa;rport\r\n"
#define LINE "INVITE sip:bob@192.0.2.2 SIP/2.0\r\n"

static int parse_with(const char *headers)
{
	char text[8192];
	snprintf(text, sizeof(text), "%s%s%s%s\r\n", LINE, VIA, DIALOG, headers);
	return parse(text);
}

Test(msg, usual_invite)
{
	cr_assert_eq(parse("INVITE sip:88017%31@192.0.2.10:5070;user=phone;transport=tcp SIP/2.0\r\n"
			   "Via: SIP/2.0/UDP 192.0.2.1:5061;branch=z9hG4bK1;rport;received=192.0.2.9, SIP/2.0/TCP "
			   "a.example;branch=z9hG4bK2\r\n"
			   "v: SIP/2.0/UDP [2001:db8::1];branch=z9hG4bK3\r\n"
			   "Max-Forwards: 69\r\nRecord-Route: <sip:p1;lr>, <sip:p2;lr>\r\nRecord-Route: "
			   "<sip:p3;lr>\r\nRoute: <sip:us;lr>\r\n"
			   "m: \"Alice, \\\"A\\\"\" <sip:alice@192.0.2.1:5062;ob>;expires=60, <sip:second@x>\r\n"
			   "t: Bob B. <sip:bob@192.0.2.10>\r\nf: \"Alice\" "
			   "<sip:+1212@192.0.2.1;user=phone>;x=\"a;tag=no\";tag=a1\r\n"
			   "i: id1@192.0.2.1\r\nCSeq: 42 INVITE\r\nAllow: INVITE, ACK\r\nAllow: BYE\r\nk: "
			   "timer,100rel\r\nRequire: x\r\n"
			   "Session-Expires: 1800;refresher=uas\r\nMin-SE: 90;a\r\nP-Asserted-Identity: <sip:a@b>, "
			   "<tel:+1-2(3)4.5>\r\n"
			   "Remote-Party-ID: \"R\" <sip:r@x>;privacy=off\r\nPrivacy: id;critical\r\nReason: "
			   "Q.850;cause=16, SIP;cause=200\r\n"
			   "Diversion: <sip:d1@x>;reason=no-answer\r\nDiversion: <sip:d2@x>\r\nExpires: "
			   "120\r\nUser-Agent: thing\r\ns: hello\r\n"
			   "c: Application/SDP ; charset=x\r\nl: 4\r\n\r\nbodyrest"),
		0, "%s", error);
	cr_expect(m.request && m.answerable && m.method == METHOD_INVITE && m.status == 0);
	expect_is(m.uri, "sip:88017%31@192.0.2.10:5070;user=phone;transport=tcp");
	cr_expect(m.ruri.scheme == MSG_SCHEME_SIP && m.ruri.has_user && m.ruri.port == 5070 &&
		  m.ruri.transport == MSG_TRANSPORT_TCP);
	expect_is(uri_user(&m.ruri), "880171");
	expect_is(m.ruri.user_raw, "88017%31");
	expect_is(m.ruri.host, "192.0.2.10");
	expect_is(m.ruri.params, "user=phone;transport=tcp");
	cr_assert_eq(m.n_vias, 3);
	expect_is(m.vias[1], "SIP/2.0/TCP a.example;branch=z9hG4bK2");
	expect_is(m.vias[2], "SIP/2.0/UDP [2001:db8::1];branch=z9hG4bK3");
	cr_expect(m.via.transport == MSG_TRANSPORT_UDP && m.via.port == 5061 && m.via.has_rport && m.via.rport == 0);
	expect_is(m.via.host, "192.0.2.1");
	expect_is(m.via.branch, "z9hG4bK1");
	expect_is(m.via.received, "192.0.2.9");
	cr_expect(m.max_forwards == 69 && m.cseq == 42 && m.expires == 120);
	cr_expect(m.n_record_routes == 3 && m.n_routes == 1);
	expect_is(m.record_routes[1], "<sip:p2;lr>");
	cr_assert_eq(m.n_contacts, 2);
	expect_is(m.contacts[0].display, "Alice, \\\"A\\\"");
	expect_is(m.contacts[0].uri, "sip:alice@192.0.2.1:5062;ob");
	expect_is(m.contacts[0].params, "expires=60");
	cr_expect_eq(m.contacts[0].u.port, 5062);
	expect_is(m.to.display, "Bob B.");
	cr_expect_eq(m.to.tag.n, 0);
	expect_is(m.from.tag, "a1");
	expect_is(m.from.value, "\"Alice\" <sip:+1212@192.0.2.1;user=phone>;x=\"a;tag=no\";tag=a1");
	expect_is(uri_user(&m.from.u), "+1212");
	expect_is(m.call_id, "id1@192.0.2.1");
	expect_is(m.cseq_value, "42 INVITE");
	cr_expect(m.has_allow && m.allow.n == 3 && msg_has_option(&m.allow, SPAN("BYE")));
	cr_expect(m.has_supported && msg_has_option(&m.supported, SPAN("100REL")) &&
		  !msg_has_option(&m.supported, SPAN("100re")));
	cr_expect(m.require.n == 1 && m.proxy_require.n == 0);
	cr_expect(m.session_expires == 1800 && m.refresher == MSG_REFRESHER_UAS && m.min_se == 90);
	cr_assert_eq(m.n_identities, 2);
	expect_is(uri_user(&m.identities[1].u), "+12345");
	cr_expect(m.identities[1].u.scheme == MSG_SCHEME_TEL && m.has_remote_party_id);
	expect_is(uri_user(&m.remote_party_id.u), "r");
	expect_is(m.privacy, "id;critical");
	expect_is(m.reason, "Q.850;cause=16");
	cr_expect_eq(m.n_diversions, 2);
	cr_assert_eq(m.n_others, 2);
	expect_is(m.others[0].name, "User-Agent");
	expect_is(msg_other(&m, SPAN("subject")), "hello");
	cr_expect_eq(msg_other(&m, SPAN("Call-Info")).n, 0);
	cr_expect(msg_type_is(&m, SPAN("application/sdp")));
	expect_is(m.content_type_value, "Application/SDP ; charset=x");
	expect_is(m.body, "body");
}

Test(msg, absent_values)
{
	cr_assert_eq(parse_with(""), 0, "%s", error);
	cr_expect(m.max_forwards == -1 && m.expires == -1 && m.session_expires == -1 && m.min_se == -1 &&
		  m.retry_after == -1);
	cr_expect(m.rseq == -1 && m.rack_rseq == -1 && m.rack_cseq == -1 && m.rack_method == METHOD_NONE);
	cr_expect(!m.n_contacts && !m.n_others && !m.content_type.n && !m.reason.n && !m.privacy.n && !m.body.n);
	cr_expect(!m.has_allow && !m.has_supported && !m.has_remote_party_id && !m.supported.n &&
		  m.refresher == MSG_REFRESHER_NONE);
}

Test(msg, response)
{
	cr_assert_eq(parse("SIP/2.0 183 Session  Progress\r\n" VIA DIALOG
			   "RSeq: 7\r\nRetry-After: 18 (busy);duration=3\r\n\r\nall of it"),
		0);
	cr_expect(!m.request && m.status == 183 && m.method == METHOD_INVITE && m.rseq == 7 && m.retry_after == 18);
	expect_is(m.status_reason, "Session  Progress");
	expect_is(m.body, "all of it");
	cr_assert_eq(parse("SIP/2.0 100 \r\n" VIA DIALOG "\r\n"), 0, "no reason phrase");
	cr_expect_eq(parse("SIP/2.0 100\r\n" VIA DIALOG "\r\n"), 0);
	static const char *const wrong[] = { "SIP/2.0 4294967301 x", "SIP/2.0 99 x", "SIP/2.0 700 x", "SIP/2.0 2x0 x",
		"SIP/2.0 ", "SIP/3.0 200 x", "SIP/2.0" };
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char text[1024];
		snprintf(text, sizeof(text), "%s\r\n%s%s\r\n", wrong[i], VIA, DIALOG);
		cr_expect_eq(parse(text), -EBADMSG, "%s", wrong[i]);
	}
}

/* A response that is dropped costs a call: what does not matter in it may be wrong. */
Test(msg, response_with_wrong_optional_headers)
{
	cr_assert_eq(
		parse("SIP/2.0 503 Busy\r\n" VIA DIALOG
		      "Retry-After: Fri, 1 Jan\r\nExpires: x\r\nExpires: 2\r\nMin-SE: -\r\nMax-Forwards: 999\r\n\r\n"),
		0);
	cr_expect(m.retry_after == -1 && m.expires == -1 && m.min_se == -1 && m.max_forwards == -1);
	cr_expect_eq(parse("SIP/2.0 503 Busy\r\n" VIA DIALOG "Content-Length: x\r\n\r\n"), -EBADMSG);
	cr_expect_eq(parse("SIP/2.0 503 Busy\r\n" VIA DIALOG "Expires: x\r\nTo: <sip:twice@x>\r\n\r\n"), -EBADMSG);
}

Test(msg, rack)
{
	cr_assert_eq(parse_with("RAck: 776656 1 INVITE\r\n"), 0);
	cr_expect(m.rack_rseq == 776656 && m.rack_cseq == 1 && m.rack_method == METHOD_INVITE);
}

Test(msg, keep_alives)
{
	static const char *const texts[] = { "", "\r\n", "\r\n\r\n", "abcd", "   \r\n  \t \r\n\n\n" };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		cr_expect_eq(parse(texts[i]), -ENODATA);
	cr_expect_eq(parse_bytes("\0\0\0\0", 4), -ENODATA);
	cr_expect_eq(parse("\r\n\r\n" LINE VIA DIALOG "\r\n"), 0, "white space before the message does not matter");
}

/* RFC 4475 section 3.1.1.1 */
Test(msg, tortuous)
{
	cr_assert_eq(
		parse("INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\r\n"
		      "TO :\r\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\r\n"
		      "from   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\r\n  ;\r\n  tag = 98asjd8\r\n"
		      "MaX-fOrWaRdS: 0068\r\nCall-ID: wsinv.ndaksdj@192.0.2.1\r\nContent-Length   : 2\r\ncseq: "
		      "0009\r\n  INVITE\r\n"
		      "Via  : SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch=390skdjuw\r\ns :\r\nNewFangledHeader:   "
		      "newfangled value\r\n continued newfangled value\r\n"
		      "UnknownHeaderWithUnusualValue: ;;,,;;,;\r\nContent-Type: application/sdp\r\nRoute:\r\n "
		      "<sip:services.example.com;lr;unknownwith=value;unknown-no-value>\r\n"
		      "v:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8  ,\r\n SIP  /   "
		      " 2.0   / UDP  192.168.255.111   ; branch=\r\n z9hG4bK30239\r\n"
		      "m:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =\r\n      newvalue ;\r\n  "
		      "secondparam ; q = 0.33\r\n\r\nv=0\r\n"),
		0, "%s", error);
	cr_expect(m.max_forwards == 68 && m.cseq == 9 && m.n_vias == 3 && m.n_routes == 1 && m.n_contacts == 1);
	expect_is(m.to.tag, "1918181833n");
	expect_is(m.from.tag, "98asjd8");
	expect_is(m.from.display, "J Rosenberg \\\\\\\"");
	expect_is(m.via.host, "192.0.2.2");
	expect_is(m.via.branch, "390skdjuw");
	expect_is(m.body, "v=");
	struct span q;
	cr_expect(msg_param(m.contacts[0].params, SPAN("Q"), &q) && is(q, "0.33"));
	cr_expect(msg_param(m.contacts[0].params, SPAN("secondparam"), &q) && q.n == 0);
	cr_expect(!msg_param(m.contacts[0].params, SPAN("third"), &q));
	struct span folded = msg_other(&m, SPAN("NewFangledHeader"));
	cr_expect(folded.n && !memchr(folded.p, '\n', folded.n) && !memchr(folded.p, '\r', folded.n), "made one line");
}

struct uri_case {
	const char *text;
	int result;
	enum msg_scheme scheme;
	const char *user, *host;
	unsigned port;
};
Test(msg, uris)
{
	static const struct uri_case cases[] = {
		{ "sip:a@b", 0, MSG_SCHEME_SIP, "a", "b", 0 },
		{ "SIP:b:5060", 0, MSG_SCHEME_SIP, "", "b", 5060 },
		{ "sips:a:secret@b.c;x", 0, MSG_SCHEME_SIPS, "a", "b.c", 0 },
		{ "sip:user;par=u%40example.net@example.com", 0, MSG_SCHEME_SIP, "user", "example.com", 0 },
		{ "sip:sips%3Auser%40example.com@example.net", 0, MSG_SCHEME_SIP, "sips:user@example.com",
			"example.net", 0 },
		{ "sip:%75se%72@b", 0, MSG_SCHEME_SIP, "user", "b", 0 },
		{ "sip:%Z%45@b", -EBADMSG, MSG_SCHEME_SIP, "", "", 0 },
		{ "sip:a%4@b", -EBADMSG, MSG_SCHEME_SIP, "", "", 0 },
		{ "sip:[2001:db8::1]:5090", 0, MSG_SCHEME_SIP, "", "[2001:db8::1]", 5090 },
		{ "tel:+1-201.555(0123);phone-context=x", 0, MSG_SCHEME_TEL, "+12015550123", "", 0 },
		{ "tel:", -EBADMSG, MSG_SCHEME_TEL, "", "", 0 },
		{ "nobodyKnowsThisScheme:totallyopaquecontent", 0, MSG_SCHEME_OTHER, "", "", 0 },
		{ "sip:a@", -EBADMSG, MSG_SCHEME_SIP, "", "", 0 },
		{ "sip:", -EBADMSG, MSG_SCHEME_SIP, "", "", 0 },
		{ "sip:a@b:0", -EBADMSG, MSG_SCHEME_SIP, "", "", 0 },
		{ "sip:a@b:65536", -EBADMSG, MSG_SCHEME_SIP, "", "", 0 },
		{ "sip:a@b:x", -EBADMSG, MSG_SCHEME_SIP, "", "", 0 },
		{ "sip:a@b c", -EBADMSG, MSG_SCHEME_SIP, "", "", 0 },
		{ "sip:a@b>c", -EBADMSG, MSG_SCHEME_SIP, "", "", 0 },
		{ "sip:a@b%20c", -EBADMSG, MSG_SCHEME_SIP, "", "", 0 },
		{ "a@b", -EBADMSG, MSG_SCHEME_OTHER, "", "", 0 },
		{ "", -EBADMSG, MSG_SCHEME_OTHER, "", "", 0 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct uri_case *c = &cases[i];
		struct msg_uri u;
		memset(&u, 0xa5, sizeof(u));
		cr_expect_eq(uri_parse(span_of(c->text), &u), c->result, "%s", c->text);
		if (c->result)
			continue;
		cr_expect_eq(u.scheme, c->scheme, "%s", c->text);
		if (c->scheme == MSG_SCHEME_OTHER)
			continue;
		cr_expect(is(uri_user(&u), c->user), "%s: user %.*s", c->text, (int)u.user_n, u.user_text);
		cr_expect(is(u.host, c->host), "%s: host %.*s", c->text, (int)u.host.n, u.host.p);
		cr_expect_eq(u.port, c->port, "%s", c->text);
		cr_expect_eq(u.has_user, c->user[0] != 0, "%s", c->text);
	}
	char longest[200];
	struct msg_uri u;
	snprintf(longest, sizeof(longest), "sip:%0*d@b", (int)MSG_USER_BYTES, 1);
	cr_expect_eq(uri_parse(span_of(longest), &u), 0);
	cr_expect(u.user_n == MSG_USER_BYTES && !u.user_too_long);
	snprintf(longest, sizeof(longest), "sip:%0*d@b", (int)MSG_USER_BYTES + 1, 1);
	cr_expect_eq(uri_parse(span_of(longest), &u), 0);
	cr_expect(u.user_n == 0 && u.user_too_long && u.has_user && is(u.host, "b"));
	cr_assert_eq(uri_parse(SPAN("sip:a@b;lr;Transport=TLS?X=y%20z&c=d"), &u), 0);
	cr_expect(u.lr && u.transport == MSG_TRANSPORT_TLS);
	expect_is(u.headers, "X=y%20z&c=d");
	expect_is(u.params, "lr;Transport=TLS");
}

Test(msg, addresses_of_uris)
{
	struct msg_uri u;
	struct addr a;
	cr_assert_eq(uri_parse(SPAN("sip:x@192.0.2.1"), &u), 0);
	cr_expect(uri_addr(&u, &a) == 0 && a.port == 5060 && a.family == 4);
	cr_assert_eq(uri_parse(SPAN("sip:[::1]:6000"), &u), 0);
	cr_expect(uri_addr(&u, &a) == 0 && a.port == 6000 && a.family == 6);
	cr_assert_eq(uri_parse(SPAN("sips:192.0.2.1"), &u), 0);
	cr_expect(uri_addr(&u, &a) == 0 && a.port == 5061);
	cr_assert_eq(uri_parse(SPAN("sip:192.0.2.1;transport=tls"), &u), 0);
	cr_expect(uri_addr(&u, &a) == 0 && a.port == 5061);
	cr_assert_eq(uri_parse(SPAN("sip:host.example.com"), &u), 0);
	cr_expect_eq(uri_addr(&u, &a), -ENXIO);
	cr_assert_eq(uri_parse(SPAN("tel:123"), &u), 0);
	cr_expect_eq(uri_addr(&u, &a), -ENXIO);
}

Test(msg, addresses)
{
	struct msg_address a;
	cr_assert_eq(address_parse(SPAN("caller<sip:c@d>;tag=\"q\""), &a), 0, "no blank before the bracket");
	expect_is(a.display, "caller");
	expect_is(a.tag, "q");
	cr_assert_eq(address_parse(SPAN("\"a <b> ;tag=1\" <sip:c@d;tag=2>"), &a), 0);
	expect_is(a.display, "a <b> ;tag=1");
	expect_is(a.uri, "sip:c@d;tag=2");
	cr_expect_eq(a.tag.n, 0);
	cr_assert_eq(address_parse(SPAN("sip:c@d;tag=3"), &a), 0, "without brackets parameters are the header's");
	expect_is(a.uri, "sip:c@d");
	expect_is(a.tag, "3");
	cr_assert_eq(address_parse(SPAN("*"), &a), 0);
	cr_expect(a.star);
	static const char *const wrong[] = { "", "<sip:a@b", "\"x <sip:a@b>", "\"x\" y <sip:a@b>", "a\"b <sip:a@b>",
		"Bell, A <sip:a@b>", "<sip:a@b> x", "sip:a@b?c=d", "sip:a@b,c" };
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_expect_eq(address_parse(span_of(wrong[i]), &a), -EBADMSG, "%s", wrong[i]);
}

struct header_case {
	const char *headers, *error;
};
/* RFC 4475 sections 3.1.2 and 3.3, and more: refused, but answerable */
Test(msg, malformed_headers)
{
	static const struct header_case cases[] = {
		{ "To: <sip:x@y>\r\n", "Header given twice" },
		{ "t: <sip:x@y>\r\n", "Header given twice" },
		{ "CSeq: 1 INVITE\r\n", "Header given twice" },
		{ "Call-ID: other\r\n", "Header given twice" },
		{ "Content-Length: 0\r\nl: 0\r\n", "Header given twice" },
		{ "Content-Length: 1\r\n", "Content-Length exceeds the message" },
		{ "Content-Length: -999\r\n", "Malformed Content-Length" },
		{ "Content-Length: 99999999999999999999999\r\n", "Malformed Content-Length" },
		{ "Max-Forwards: 300\r\n", "Malformed Max-Forwards" },
		{ "Max-Forwards: \r\n", "Malformed Max-Forwards" },
		{ "Expires: 1000000000000000000000000\r\n", "Malformed Expires" },
		{ "Contact: <sip:a@b\r\n", "Malformed Contact" },
		{ "Contact: sip:a@b?Route=x\r\n", "Malformed Contact" },
		{ "Session-Expires: soon\r\n", "Malformed Session-Expires" },
		{ "Min-SE: x\r\n", "Malformed Min-SE" },
		{ "RAck: 1 INVITE\r\n", "Malformed RAck" },
		{ "RSeq: x\r\n", "Malformed RSeq" },
		{ "no colon\r\n", "Header without colon" },
		{ "two words: x\r\n", "Malformed header name" },
		{ ": x\r\n", "Malformed header name" },
		{ "X: a\rb\r\n", "Control character in header" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect_eq(parse_with(cases[i].headers), -EBADMSG, "%s", cases[i].headers);
		cr_expect_str_eq(error, cases[i].error, "%s: %s", cases[i].headers, error);
		cr_expect(m.request && m.answerable, "%s", cases[i].headers);
	}
	cr_expect_eq(parse_with("Expires: 4294967295\r\n"), 0);
	cr_expect_eq(m.expires, INT32_MAX);
}

struct whole_case {
	const char *text, *error;
	bool answerable;
};
Test(msg, malformed_as_a_whole)
{
#define TO   "To: <sip:b@c>\r\n"
#define FROM "From: <sip:a@c>;tag=1\r\n"
#define ID   "Call-ID: x\r\n"
#define CSEQ "CSeq: 1 INVITE\r\n"
	static const struct whole_case cases[] = {
		{ LINE TO FROM ID CSEQ "\r\n", "Missing Via", false },
		{ LINE VIA FROM ID CSEQ "\r\n", "Missing To", false },
		{ LINE VIA TO ID CSEQ "\r\n", "Missing From", false },
		{ LINE VIA TO FROM CSEQ "\r\n", "Missing Call-ID", false },
		{ LINE VIA TO FROM ID "\r\n", "Missing CSeq", false },
		{ LINE "Via: \r\n" TO FROM ID CSEQ "\r\n", "Missing Via", false },
		{ LINE "Via: SIP/2.0/UDP\r\n" TO FROM ID CSEQ "\r\n", "Malformed Via", false },
		{ LINE "Via: SIP/2.0/UDP a:b\r\n" TO FROM ID CSEQ "\r\n", "Malformed Via", false },
		{ LINE "Via: SIP/2.0/UDP a:70000\r\n" TO FROM ID CSEQ "\r\n", "Malformed Via", false },
		{ LINE "Via: HTTP/1.1/TCP a\r\n" TO FROM ID CSEQ "\r\n", "Malformed Via", false },
		{ LINE "Via: SIP/2.0/UDP ,;;,;,\r\n" TO FROM ID CSEQ "\r\n", "Malformed Via", false },
		{ LINE "Via: SIP/2.0/UDP a;rport=x\r\n" TO FROM ID CSEQ "\r\n", "Malformed Via", false },
		{ LINE VIA "To: \"Mr. J. User <sip:j.user@example.com>\r\n" FROM ID CSEQ "\r\n", "Malformed To", true },
		{ LINE VIA TO "From: x y\r\n" ID CSEQ "\r\n", "Malformed From", true },
		{ LINE VIA TO FROM "Call-ID: a b\r\n" CSEQ "\r\n", "Malformed Call-ID", true },
		{ LINE VIA TO FROM ID "CSeq: 36893488147419103232 INVITE\r\n\r\n", "Malformed CSeq", true },
		{ LINE VIA TO FROM ID "CSeq: 1\r\n\r\n", "Malformed CSeq", false },
		{ LINE VIA TO FROM ID "CSeq: 1 INVITE x\r\n\r\n", "Malformed CSeq", true },
		{ LINE VIA TO FROM ID "CSeq: 1 OPTIONS\r\n\r\n", "CSeq method does not match", true },
		{ "INVITE <sip:a@b> SIP/2.0\r\n" VIA TO FROM ID CSEQ "\r\n", "Malformed Request-URI", true },
		{ "INVITE sip:a@b; lr SIP/2.0\r\n" VIA TO FROM ID CSEQ "\r\n", "Malformed Request-URI", true },
		{ "INVITE  sip:a@b SIP/2.0\r\n" VIA TO FROM ID CSEQ "\r\n", "Malformed Request-URI", true },
		{ "INVITE sip:a@b  SIP/2.0\r\n" VIA TO FROM ID CSEQ "\r\n", "Malformed Request-URI", true },
		{ "INVITE sip:a@b?Route=%3Csip:c%3E SIP/2.0\r\n" VIA TO FROM ID CSEQ "\r\n", "Malformed Request-URI",
			true },
		{ "INVITE sip:a@b SIP/2.0  \r\n" VIA TO FROM ID CSEQ "\r\n", "Malformed request line", true },
		{ "INVITE sip:a@b\r\n" VIA TO FROM ID CSEQ "\r\n", "Malformed request line", true },
		{ "INVITE\r\n" VIA TO FROM ID CSEQ "\r\n", "Malformed request line", true },
		{ "IN(VITE sip:a@b SIP/2.0\r\n" VIA TO FROM ID CSEQ "\r\n", "Malformed method", true },
		{ LINE " X: y\r\n" VIA TO FROM ID CSEQ "\r\n", NULL, false },
		{ "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "Malformed request line", false },
		{ "hello", "Malformed request line", false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct whole_case *c = &cases[i];
		cr_expect_eq(parse(c->text), -EBADMSG, "%s", c->text);
		cr_expect(!c->error || strcmp(error, c->error) == 0, "%s: %s", c->text, error);
		cr_expect(!c->error || m.answerable == c->answerable, "%s", c->text);
	}
	cr_expect_eq(parse_bytes(LINE VIA TO FROM ID CSEQ "X: a\0b\r\n\r\n",
			     sizeof(LINE VIA TO FROM ID CSEQ "X: a\0b\r\n\r\n") - 1),
		-EBADMSG);
	cr_expect_eq(parse("INVITE sip:a@b SIP/7.0\r\n" VIA TO FROM ID CSEQ "\r\n"), -EPROTONOSUPPORT);
	cr_expect(m.answerable);
}

/* RFC 4475 sections 3.1.1 and 3.4: unusual, but to be taken */
Test(msg, unusual)
{
	static const char *const texts[] = {
		"!interesting-Method0123456789_*+`.%indeed'~ "
		"sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/"
		";;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0\r\n" VIA TO FROM ID
		"CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~\r\n\r\n",
		"OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0\r\n" VIA TO FROM ID
		"CSeq: 3 OPTIONS\r\n\r\n",
		"INVITE sip:user@example.com SIP/2.0\nVia: SIP/2.0/UDP 192.31.13.4\nTo: <sip:a@b>\nFrom: "
		"sip:c@d\nCall-ID: x\nCSeq: 1 INVITE\n\n",
		"OPTIONS sip:user@example.com SIP/2.0\r\nVia: SIP/2.0/UNKNOWN t5.example.com;branch=z9hG4bKkdjuw\r\n" TO
			FROM ID "CSeq: 60 OPTIONS\r\n\r\n",
		"REGISTER sip:a SIP/2.0\r\n" VIA TO FROM ID "CSeq: 8 REGISTER\r\nContact: *\r\nMax-Forwards: 0\r\n\r\n",
		"INVITE sip:null-%00-null@example.com SIP/2.0\r\n" VIA TO FROM ID CSEQ "\r\n",
		LINE VIA TO FROM ID CSEQ,
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		cr_expect_eq(parse(texts[i]), 0, "%s: %s", error, texts[i]);
}

/* RFC 4475 section 3.1.1.11: what follows the message in its datagram is not looked at */
Test(msg, two_in_one_datagram)
{
	cr_assert_eq(parse("REGISTER sip:a SIP/2.0\r\n" VIA TO FROM ID
			   "CSeq: 8 REGISTER\r\nContent-Length: 0\r\n\r\n" LINE VIA),
		0);
	cr_expect(m.method == METHOD_REGISTER && m.n_vias == 1 && m.body.n == 0);
}

Test(msg, limits)
{
	static char text[70000];
	struct msg_limits limits = { .message = 1000, .headers = 10, .uri = 50 };
	struct msg_parser *p = msg_parser_new(&limits);
	int n = snprintf(text, sizeof(text), "%s%s%s\r\n", LINE, VIA, DIALOG);
	cr_expect_eq(msg_parse(p, text, (size_t)n, &m, &error), 0);
	memset(text + n, 'x', 1001);
	cr_expect_eq(msg_parse(p, text, 1000, &m, &error), 0);
	cr_expect_eq(msg_parse(p, text, 1001, &m, &error), -EMSGSIZE);
	cr_expect(m.answerable);
	n = snprintf(text, sizeof(text), "INVITE sip:%050d@b SIP/2.0\r\n%s%s\r\n", 1, VIA, DIALOG);
	cr_expect_eq(msg_parse(p, text, (size_t)n, &m, &error), -EMSGSIZE);
	cr_expect(m.answerable && m.uri.n > 50);
	n = snprintf(text, sizeof(text), "%s%s%sContact: <sip:%050d@b>\r\n\r\n", LINE, VIA, DIALOG, 1);
	cr_expect_eq(msg_parse(p, text, (size_t)n, &m, &error), -EMSGSIZE);
	n = snprintf(text, sizeof(text), "%s%s%sA:1\r\nA:1\r\nA:1\r\nA:1\r\nA:1\r\n\r\n", LINE, VIA, DIALOG);
	cr_expect_eq(msg_parse(p, text, (size_t)n, &m, &error), 0);
	n = snprintf(text, sizeof(text), "%s%s%sA:1\r\nA:1\r\nA:1\r\nA:1\r\nA:1\r\nA:1\r\n\r\n", LINE, VIA, DIALOG);
	cr_expect_eq(msg_parse(p, text, (size_t)n, &m, &error), -EMSGSIZE);
	cr_expect(m.answerable);
	cr_expect_null(msg_parser_free(p));
	cr_expect_null(msg_parser_free(NULL));
}

Test(msg, too_many_values)
{
	static const char *const lines[] = { "Via: SIP/2.0/UDP a\r\n", "Route: <sip:a>\r\n",
		"Record-Route: <sip:a>\r\n", "Require: a\r\n", "Proxy-Require: a\r\n" };
	static const char *const cut[] = { "Supported: a\r\n", "Allow: a\r\n", "Diversion: <sip:a>\r\n",
		"P-Asserted-Identity: <sip:a>\r\n" };
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char text[8192] = "";
		for (int k = 0; k < 71; k++)
			strcat(text, lines[i]);
		cr_expect_eq(parse_with(text), -EMSGSIZE, "%s", lines[i]);
		cr_expect(m.answerable);
	}
	for (size_t i = 0; i < sizeof(cut) / sizeof(cut[0]); i++) {
		char text[8192] = "";
		for (int k = 0; k < 71; k++)
			strcat(text, cut[i]);
		cr_expect_eq(parse_with(text), 0, "%s", cut[i]);
	}
	cr_expect_eq(parse_with("m: <sip:a>,<sip:b>,<sip:c>,<sip:d>,<sip:e>,<sip:f>,<sip:g>,<sip:h>,<sip:i>,<sip:j>,<sip:k>,<sip:l>\r\n"), 0,
		"further contacts are left out");
	cr_expect_eq(m.n_contacts, MSG_CONTACTS);
}

static double cpu_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* No 64 KB may cost more than a small multiple of any other: a bound far above what is needed, far below what a quadratic
 * cost would be (hundreds of milliseconds). */
Test(msg, time_is_bounded)
{
	static const char *const repeated[] = { "X:\r\n", "Via: SIP/2.0/UDP a\r\n", "a", ",", ";", ";a", "<", "\"",
		"\\", ",a", " \r\n ", "\r\n a", "Contact: <sip:a>,\r\n", "%41", "X:;=\"\\\"\r\n" };
	static const char *const starts[] = { "", "Via: SIP/2.0/UDP a", "Contact: ", "From: ", "Allow: a",
		"X: ", "Via: SIP/2.0/UDP a;b=\"" };
	static char text[65535];
	for (size_t s = 0; s < sizeof(starts) / sizeof(starts[0]); s++) {
		for (size_t i = 0; i < sizeof(repeated) / sizeof(repeated[0]); i++) {
			size_t n = (size_t)snprintf(text, sizeof(text), "%s%s", LINE, starts[s]),
			       step = strlen(repeated[i]);
			while (n + step <= sizeof(text)) {
				memcpy(text + n, repeated[i], step);
				n += step;
			}
			double start = cpu_us();
			parse_bytes(text, n);
			double took = cpu_us() - start;
			cr_expect_lt(took, 50000.0, "%s, then %s: %.0f us", starts[s], repeated[i], took);
		}
	}
}

Test(msg, methods)
{
	for (int i = METHOD_INVITE; i < METHOD_OTHER; i++)
		cr_expect_eq(msg_method(span_of(msg_method_text((enum txn_method)i))), (enum txn_method)i);
	cr_expect_eq(msg_method(SPAN("invite")), METHOD_OTHER);
	cr_expect_eq(msg_method(SPAN("")), METHOD_NONE);
	cr_expect_str_empty(msg_method_text(METHOD_OTHER));
}
