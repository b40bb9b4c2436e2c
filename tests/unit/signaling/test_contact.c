#include "signaling/contact.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

static struct msg_parser *parser;
static struct msg m;

static void setup(void)
{
	parser = msg_parser_new(&(struct msg_limits){ 0 });
}
static void teardown(void)
{
	msg_parser_free(parser);
}
TestSuite(contact, .init = setup, .fini = teardown);

/* a REGISTER with these header lines */
static const struct msg *request(const char *via, const char *lines)
{
	static char text[8192];
	const char *why;
	int n = snprintf(text, sizeof text,
		"REGISTER sip:sw SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK1\r\nFrom: <sip:1@sw>;tag=a\r\nTo: <sip:1@sw>\r\n"
		"Call-ID: x\r\nCSeq: 1 REGISTER\r\n%s\r\n", via, lines);
	cr_assert_eq(msg_parse(parser, text, (size_t)n, &m, &why), 0, "%s", lines);
	return &m;
}

static struct contact read_one(const char *value)
{
	char line[2048];
	struct contact c;
	snprintf(line, sizeof line, "Contact: %s\r\n", value);
	cr_assert_eq(contact_read(&request("10.0.0.1", line)->contacts[0], &c), 0, "%s", value);
	return c;
}

Test(contact, what_it_asks_for)
{
	struct contact c = read_one("\"A, B\" <sip:a@b;transport=udp>;q=0.25;expires=60;+sip.instance=\"<urn:uuid:1>\";reg-id=2");
	cr_expect(span_eq(c.uri, SPAN("sip:a@b;transport=udp")));
	cr_expect(span_eq(c.instance, SPAN("<urn:uuid:1>")));
	cr_expect_eq(c.q, 250);
	cr_expect_eq(c.asked_ms, 60000);
	cr_expect_eq(c.reg_id, 2);
	c = read_one("<sip:a@b>;reg-id=2");
	cr_expect_eq(c.q, 1000);
	cr_expect_eq(c.asked_ms, -1);
	cr_expect_eq(c.reg_id, 0, "without an instance it means nothing");
	cr_expect_eq(read_one("<sip:a@b>;q=0").q, 0);
	cr_expect_eq(read_one("<sip:a@b>;q=1.0").q, 1000);
	cr_expect_eq(read_one("<sip:a@b>;q=7").q, 1000);
	cr_expect_eq(read_one("<sip:a@b>;expires=").asked_ms, 3600000);
	cr_expect_eq(read_one("<sip:a@b>;expires=-1").asked_ms, 3600000);
	cr_expect_eq(read_one("<sip:a@b>;expires=99999999999999999999").asked_ms, 4294967295000);
	cr_expect_eq(contact_read(&request("10.0.0.1", "Contact: <mailto:a@b>\r\n")->contacts[0], &c), -EBADMSG);
	cr_expect_eq(contact_read(&request("10.0.0.1", "Contact: *\r\n")->contacts[0], &c), -EBADMSG);
}

static bool same(const char *a, const char *b)
{
	struct msg_uri x, y;
	cr_assert_eq(uri_parse(span_of(a), &x), 0, "%s", a);
	cr_assert_eq(uri_parse(span_of(b), &y), 0, "%s", b);
	cr_expect_eq(contact_uri_same(&x, &y), contact_uri_same(&y, &x), "%s and %s, either way", a, b);
	return contact_uri_same(&x, &y);
}

/* the examples of RFC 3261 section 19.1.4, as far as no escapes are in them */
Test(contact, uris_that_are_the_same)
{
	cr_expect(same("sip:alice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp"));
	cr_expect(same("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"));
	cr_expect(same("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"));
	cr_expect_not(same("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"));
	cr_expect_not(same("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"));
	cr_expect_not(same("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"));
	cr_expect_not(same("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"));
	cr_expect_not(same("sip:carol@chicago.com;security=off", "sip:carol@chicago.com;security=on"));
	cr_expect_not(same("sip:carol@chicago.com", "sips:carol@chicago.com"));
	cr_expect_not(same("sip:chicago.com", "sip:carol@chicago.com"));
}

static struct location_set set_of(const char *uri, const char *instance, uint32_t reg_id)
{
	struct location_set s = { .n = 1 };
	s.at[0].b.reg_id = reg_id;
	s.at[0].text[LOCATION_URI] = span_of(uri);
	s.at[0].text[LOCATION_INSTANCE] = span_of(instance);
	return s;
}

Test(contact, which_one_is_meant)
{
	static struct location_set s;
	struct contact c = read_one("<sip:a@b>;+sip.instance=\"<urn:1>\";reg-id=1");
	s = set_of("sip:z@z", "<URN:1>", 1);
	cr_expect_eq(contact_find(&s, &c), 0, "the instance, whatever the URI");
	s = set_of("sip:a@b", "<urn:1>", 2);
	cr_expect_eq(contact_find(&s, &c), 1, "another flow");
	s = set_of("sip:a@b", "<urn:2>", 0);
	cr_expect_eq(contact_find(&s, &c), 0, "the URI");
	s = set_of("sip:a@B;x=1", "", 0);
	cr_expect_eq(contact_find(&s, &c), 0, "the URI by its meaning");
	s = set_of("sip:b@b", "", 0);
	cr_expect_eq(contact_find(&s, &c), 1);
}

static bool nat(const char *via, const char *contact, bool path, const char *source)
{
	char line[200];
	struct contact c;
	struct addr from;
	snprintf(line, sizeof line, "Contact: %s\r\n", contact);
	cr_assert_eq(addr_parse(span_of(source), &from), 0);
	cr_assert_eq(contact_read(&request(via, line)->contacts[0], &c), 0);
	return contact_behind_nat(&m, &c, path, &from);
}

Test(contact, behind_nat)
{
	cr_expect_not(nat("10.0.0.1:5060", "<sip:a@10.0.0.1>", false, "10.0.0.1:33000"), "ports alone are none");
	cr_expect(nat("192.168.0.1:5060", "<sip:a@10.0.0.1>", false, "10.0.0.1:5060"));
	cr_expect(nat("10.0.0.1", "<sip:a@192.168.0.1>", false, "10.0.0.1:5060"));
	cr_expect_not(nat("10.0.0.1", "<sip:a@192.168.0.1>", true, "10.0.0.1:5060"), "behind a proxy");
	cr_expect_not(nat("phone.example", "<sip:a@phone.example>", false, "10.0.0.1:5060"), "names say nothing");
	cr_expect(nat("[::1]", "<sip:a@[2001:db8::1]>", false, "[::1]:5060"));
}

static void expect_target(const char *contact, const char *path, bool behind_nat, const char *want)
{
	struct contact c = read_one(contact);
	char text[ADDR_TEXT_MAX];
	struct addr from;
	addr_parse(SPAN("10.0.0.9:33000"), &from);
	struct addr to = contact_target(&c, span_of(path), behind_nat, &from);
	addr_format(&to, false, text, sizeof text);
	cr_expect_str_eq(text, want, "%s %s: %s", contact, path, text);
}

Test(contact, where_requests_go)
{
	expect_target("<sip:a@10.0.0.1:5070>", "", false, "10.0.0.1:5070");
	expect_target("<sip:a@10.0.0.1>", "", false, "10.0.0.1:5060");
	expect_target("<sip:a@10.0.0.1>", "", true, "10.0.0.9:33000");
	expect_target("<sip:a@phone.example>", "", false, "10.0.0.9:33000");
	expect_target("<sip:a@[::1]>", "", false, "10.0.0.9:33000");
	expect_target("<sip:a@10.0.0.1>", "<sip:10.0.0.2:5080;lr>, <sip:10.0.0.3;lr>", false, "10.0.0.2:5080");
	expect_target("<sip:a@10.0.0.1>", "<sip:edge.example;lr>", false, "10.0.0.9:33000");
}

Test(contact, path_is_put_together)
{
	char text[64];
	struct out o = out_init(text, sizeof text);
	cr_expect(contact_path(request("10.0.0.1", "Path: <sip:a;lr>\r\nPATH: <sip:b;lr>,<sip:c>\r\n"), &o));
	cr_expect(span_eq(out_done(&o), SPAN("<sip:a;lr>, <sip:b;lr>,<sip:c>")));
	o = out_init(text, sizeof text);
	cr_expect_not(contact_path(request("10.0.0.1", ""), &o));
}
