#include "base/out.h"
#include <criterion/criterion.h>

static char buf[256];
static struct out o;

static void start(void)
{
	o = out_init(buf, sizeof(buf));
}

static const char *text(void)
{
	cr_assert_not(o.full);
	cr_assert_lt(o.n, sizeof(buf));
	buf[o.n] = 0;
	return buf;
}

Test(out, appends, .init = start)
{
	out_lit(&o, "a");
	out_char(&o, ' ');
	out_span(&o, SPAN("bc"));
	out_span(&o, (struct span){ NULL, 0 });
	cr_expect_str_eq(text(), "a bc");
	cr_expect(span_eq(out_done(&o), SPAN("a bc")));
}

Test(out, remembers_that_it_did_not_fit)
{
	char small[4] = "....";
	struct out s = out_init(small, 3);
	out_lit(&s, "abc");
	cr_expect_not(s.full);
	out_char(&s, 'd');
	cr_expect(s.full);
	cr_expect_eq(s.n, 3);
	cr_expect_eq(small[3], '.');
	struct out none = out_init(NULL, 0);
	out_span(&none, (struct span){ NULL, 0 });
	cr_expect_not(none.full);
	out_u64(&none, 0);
	cr_expect(none.full);
}

Test(out, numbers, .init = start)
{
	out_u64(&o, 0);
	out_char(&o, ' ');
	out_u64(&o, 1234567890);
	out_char(&o, ' ');
	out_u64(&o, UINT64_MAX);
	cr_expect_str_eq(text(), "0 1234567890 18446744073709551615");
}

Test(out, hexadecimal, .init = start)
{
	out_hex(&o, 0xab, 4);
	out_char(&o, ' ');
	out_hex(&o, 0x12345, 2);
	out_char(&o, ' ');
	out_hex(&o, UINT64_MAX - 1, 16);
	cr_expect_str_eq(text(), "00ab 45 fffffffffffffffe");
}

Test(out, addresses, .init = start)
{
	static const char *const in[] = { "1.2.3.4", "1.2.3.4:5060", "::1", "[::1]:5060" };
	struct addr a;
	for (int i = 0; i < 4; i++) {
		cr_assert_eq(addr_parse(span_of(in[i]), &a), 0);
		out_addr(&o, &a);
		out_char(&o, ' ');
		out_ip(&o, &a);
		out_char(&o, ' ');
	}
	cr_expect_str_eq(text(), "1.2.3.4 1.2.3.4 1.2.3.4:5060 1.2.3.4 [::1] ::1 [::1]:5060 ::1 ");
}

static const char *json(struct span in)
{
	start();
	out_json(&o, in);
	return text();
}

Test(out, json_escapes)
{
	cr_expect_str_eq(json(SPAN("")), "\"\"");
	cr_expect_str_eq(json((struct span){ NULL, 0 }), "\"\"");
	cr_expect_str_eq(json(SPAN("plain / text")), "\"plain / text\"");
	cr_expect_str_eq(json(SPAN("a\"b\\c")), "\"a\\\"b\\\\c\"");
	cr_expect_str_eq(json(SPAN("\b\f\n\r\t")), "\"\\b\\f\\n\\r\\t\"");
	cr_expect_str_eq(json(SPAN("\0\x01\x1f\x7f")), "\"\\u0000\\u0001\\u001f\x7f\"");
}

#define FFFD "\xef\xbf\xbd"
Test(out, json_utf8)
{
	/* well-formed, and the borders of each length */
	cr_expect_str_eq(
		json(SPAN("\xc3\xa4\xe2\x82\xac\xf0\x9f\x93\x9e")), "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x93\x9e\"");
	cr_expect_str_eq(
		json(SPAN("\xc2\x80\xe0\xa0\x80\xf0\x90\x80\x80")), "\"\xc2\x80\xe0\xa0\x80\xf0\x90\x80\x80\"");
	cr_expect_str_eq(
		json(SPAN("\xdf\xbf\xed\x9f\xbf\xf4\x8f\xbf\xbf")), "\"\xdf\xbf\xed\x9f\xbf\xf4\x8f\xbf\xbf\"");
	/* a lone continuation, overlong forms, surrogates, beyond U+10FFFF */
	cr_expect_str_eq(json(SPAN("a\x80z")), "\"a" FFFD "z\"");
	cr_expect_str_eq(json(SPAN("\xc0\xaf")), "\"" FFFD FFFD "\"");
	cr_expect_str_eq(json(SPAN("\xc1\xbf")), "\"" FFFD FFFD "\"");
	cr_expect_str_eq(json(SPAN("\xe0\x9f\xbf")), "\"" FFFD FFFD FFFD "\"");
	cr_expect_str_eq(json(SPAN("\xed\xa0\x80")), "\"" FFFD FFFD FFFD "\"");
	cr_expect_str_eq(json(SPAN("\xf0\x8f\xbf\xbf")), "\"" FFFD FFFD FFFD FFFD "\"");
	cr_expect_str_eq(json(SPAN("\xf4\x90\x80\x80")), "\"" FFFD FFFD FFFD FFFD "\"");
	cr_expect_str_eq(json(SPAN("\xff\xfe")), "\"" FFFD FFFD "\"");
	/* cut off: one character stands for the part; what follows is kept, a quote too */
	cr_expect_str_eq(json(SPAN("\xe2\x82")), "\"" FFFD "\"");
	cr_expect_str_eq(json(SPAN("\xf0\x9f\x93x")), "\"" FFFD "x\"");
	cr_expect_str_eq(json(SPAN("\xe2\"")), "\"" FFFD "\\\"\"");
}

Test(out, json_that_does_not_fit)
{
	char small[6];
	struct out s = out_init(small, sizeof(small));
	out_json(&s, SPAN("abcd"));
	cr_expect_not(s.full);
	s = out_init(small, sizeof(small));
	out_json(&s, SPAN("abcde"));
	cr_expect(s.full);
}
