#include "base/addr.h"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>

static const char *round_trip(const char *text)
{
	static char buf[ADDR_TEXT_MAX];
	struct addr a;
	if (addr_parse(span_of(text), &a) < 0)
		return "invalid";
	cr_assert_eq(addr_format(&a, false, buf, sizeof(buf)), strlen(buf));
	return buf;
}

Test(addr, size_without_padding)
{
	cr_assert_eq(sizeof(struct addr), 20);
}

Test(addr, parse_and_format)
{
	cr_expect_str_eq(round_trip("1.2.3.4"), "1.2.3.4");
	cr_expect_str_eq(round_trip("1.2.3.4:5060"), "1.2.3.4:5060");
	cr_expect_str_eq(round_trip("255.255.255.255:65535"), "255.255.255.255:65535");
	cr_expect_str_eq(round_trip("1.2.3.4:7"), "1.2.3.4:7");
	cr_expect_str_eq(round_trip("1.2.3.4:10000"), "1.2.3.4:10000");
	cr_expect_str_eq(round_trip("::1"), "::1");
	cr_expect_str_eq(round_trip("[::1]"), "::1");
	cr_expect_str_eq(round_trip("[2001:DB8::1]:5060"), "[2001:db8::1]:5060");
	cr_expect_str_eq(round_trip("::"), "::");
	cr_expect_str_eq(round_trip("::ffff:1.2.3.4"), "1.2.3.4");
	cr_expect_str_eq(round_trip("[::ffff:1.2.3.4]:5060"), "1.2.3.4:5060");
}

Test(addr, refuses)
{
	static const char *const bad[] = { "", ":", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.4:", "1.2.3.4:65536",
		"1.2.3.4:100000", "1.2.3.4:+5", "1.2.3.4: 5", " 1.2.3.4", "1.2.3.4 ", "[::1", "[::1]5060",
		"[::1]:", "[]", "[1.2.3.4]", "::1]", ":::", "1:2:3:4:5:6:7:8:9", "fe80::1%lo", "example.org",
		"1.2.3.4/8", "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc" };
	struct addr a = { .port = 77 };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(addr_parse(span_of(bad[i]), &a), -EINVAL, "accepted \"%s\"", bad[i]);
	cr_expect_eq(addr_parse((struct span){ "1.2.3.4\0", 8 }, &a), -EINVAL);
	cr_expect_eq(a.port, 77, "the output must stay when the text is refused");
}

Test(addr, reads_no_further_than_the_span)
{
	struct addr a;
	cr_assert_eq(addr_parse((struct span){ "1.2.3.45:60", 7 }, &a), 0);
	cr_expect_eq(a.ip[3], 4);
	cr_expect_eq(a.port, 0);
}

Test(addr, brackets)
{
	char buf[ADDR_TEXT_MAX];
	struct addr a;
	addr_parse(SPAN("::1"), &a);
	addr_format(&a, true, buf, sizeof(buf));
	cr_expect_str_eq(buf, "[::1]");
	addr_format(&a, false, buf, sizeof(buf));
	cr_expect_str_eq(buf, "::1");
	a.port = 5060;
	addr_format(&a, false, buf, sizeof(buf));
	cr_expect_str_eq(buf, "[::1]:5060");
	cr_expect_eq(addr_format_ip(&a, buf, sizeof(buf)), 3);
	cr_expect_str_eq(buf, "::1");
}

Test(addr, too_small_a_buffer)
{
	char buf[12];
	struct addr a;
	addr_parse(SPAN("1.2.3.4:5060"), &a);
	cr_expect_eq(addr_format(&a, false, buf, 12), 0);
	cr_expect_str_eq(buf, "");
	a.port = 506;
	cr_expect_eq(addr_format(&a, false, buf, 12), 11);
	cr_expect_eq(addr_format_ip(&a, buf, 7), 0);
	cr_expect_eq(addr_format_ip(&a, buf, 8), 7);
	cr_expect_eq(addr_format(&a, false, buf, 0), 0);
	cr_expect_eq(addr_format(&(struct addr){ .port = 1 }, false, buf, 12), 0);
}

Test(addr, longest_text_fits)
{
	char buf[ADDR_TEXT_MAX];
	struct addr a;
	memset(&a, 0xff, sizeof(a));
	a.family = 6;
	cr_expect_eq(addr_format(&a, true, buf, sizeof(buf)), 47);
	cr_expect_str_eq(buf, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}

static bool in_net(const char *ip, const char *net)
{
	struct addr a, n;
	cr_assert_eq(addr_parse(span_of(ip), &a), 0);
	cr_assert_eq(addr_parse_net(span_of(net), &n), 0, "%s", net);
	return addr_in_net(&a, &n);
}

Test(addr, nets)
{
	cr_expect(in_net("10.1.2.3", "10.0.0.0/8"));
	cr_expect(in_net("10.1.2.3:5060", "10.255.0.0/8"));
	cr_expect_not(in_net("11.1.2.3", "10.0.0.0/8"));
	cr_expect(in_net("10.1.2.127", "10.1.2.0/25"));
	cr_expect_not(in_net("10.1.2.128", "10.1.2.0/25"));
	cr_expect(in_net("10.1.2.3", "10.1.2.3"));
	cr_expect_not(in_net("10.1.2.2", "10.1.2.3"));
	cr_expect(in_net("10.1.2.3", "10.1.2.3/32"));
	cr_expect_not(in_net("10.1.2.2", "10.1.2.3/32"));
	cr_expect(in_net("10.1.2.2", "10.1.2.3/31"));
	cr_expect(in_net("10.1.2.2", "0.0.0.0/0"));
	cr_expect(in_net("10.1.2.2", "1.2.3.4/0"));
	cr_expect_not(in_net("::1", "0.0.0.0/0"));
	cr_expect(in_net("2001:db8::5", "::/0"));
	cr_expect(in_net("2001:db8:1::5", "2001:db8::/32"));
	cr_expect_not(in_net("2001:db9::5", "2001:db8::/32"));
	cr_expect(in_net("2001:db8::5", "2001:db8::5/128"));
	cr_expect(in_net("10.1.2.3", "::ffff:10.1.0.0/112"));
	cr_expect_not(in_net("10.2.2.3", "::ffff:10.1.0.0/112"));
}

Test(addr, nets_have_one_form)
{
	struct addr a, b;
	cr_assert_eq(addr_parse_net(SPAN("10.1.2.3/8"), &a), 0);
	cr_assert_eq(addr_parse_net(SPAN("10.0.0.0/8"), &b), 0);
	cr_expect_eq(memcmp(&a, &b, sizeof(a)), 0);
	cr_expect_eq(a.bits, 8);
}

Test(addr, refuses_nets)
{
	static const char *const bad[] = { "1.2.3.4/", "1.2.3.4/33", "1.2.3.4/-1", "::/129", "/8", "1.2.3.4/8/8",
		"1.2.3.4/0x8", "::ffff:1.2.3.4/80", "" };
	struct addr a;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(addr_parse_net(span_of(bad[i]), &a), -EINVAL, "accepted \"%s\"", bad[i]);
}

Test(addr, sockaddr_and_back)
{
	static const char *const texts[] = { "192.0.2.1:5060", "[2001:db8::1]:5061" };
	static const socklen_t lengths[] = { sizeof(struct sockaddr_in), sizeof(struct sockaddr_in6) };
	struct sockaddr_storage sa;
	for (size_t i = 0; i < 2; i++) {
		struct addr a, b;
		cr_assert_eq(addr_parse(span_of(texts[i]), &a), 0);
		cr_expect_eq(addr_to_sockaddr(&a, &sa), lengths[i]);
		addr_from_sockaddr((const struct sockaddr *)&sa, &b);
		cr_expect(addr_eq(&a, &b));
		cr_expect_eq(memcmp(&a, &b, sizeof(a)), 0);
	}
	struct addr none = { 0 };
	cr_expect_eq(addr_to_sockaddr(&none, &sa), 0);
	cr_expect_eq(sa.ss_family, AF_UNSPEC);
}

Test(addr, mapped_sockaddr_is_ipv4)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
	struct addr a, b;
	cr_assert_eq(inet_pton(AF_INET6, "::ffff:192.0.2.9", &in6.sin6_addr), 1);
	addr_from_sockaddr((const struct sockaddr *)&in6, &a);
	addr_parse(SPAN("192.0.2.9:9"), &b);
	cr_expect_eq(memcmp(&a, &b, sizeof(a)), 0);
}

Test(addr, comparisons)
{
	struct addr a, b, c, v6;
	addr_parse(SPAN("1.2.3.4:5"), &a);
	addr_parse(SPAN("1.2.3.4:6"), &b);
	addr_parse(SPAN("1.2.3.5:5"), &c);
	addr_parse(SPAN("[102:304::]:5"), &v6); /* the same bytes in the other family */
	cr_expect(addr_same_ip(&a, &b));
	cr_expect_not(addr_eq(&a, &b));
	cr_expect_not(addr_same_ip(&a, &c));
	cr_expect_not(addr_same_ip(&a, &v6));
	cr_expect_not(addr_is_any(&a));
	cr_expect_not(addr_is_any(&(struct addr){ 0 }));
	addr_parse(SPAN("0.0.0.0"), &a);
	cr_expect(addr_is_any(&a));
	addr_parse(SPAN("[::]:1"), &a);
	cr_expect(addr_is_any(&a));
}
