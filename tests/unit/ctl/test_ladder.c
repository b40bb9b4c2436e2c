/* The ladder of a trace and its capture file. */
#include "ctl/ladder.h"
#include "base/pcap.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

static char *shown;
static size_t shown_n;

static const char *print(const char *text)
{
	char why[100];
	struct json *j = js_parse(text, strlen(text), why, sizeof(why));
	FILE *f = open_memstream(&shown, &shown_n);
	cr_assert(j, "%s", why);
	ladder_print(j, f);
	fclose(f);
	js_free(j);
	return shown;
}

Test(ladder, lines)
{
	setenv("TZ", "UTC", 1);
	cr_expect_str_eq(print("{\"event\":\"trace\",\"time_us\":3661000042,\"kind\":\"in\",\"from\":\"10.0.0.1:5060\",\"to\":\"10.0.0.2:5070\","
			       "\"message\":\"BYE sip:a SIP/2.0\\r\\nVia: x\"}"),
		"01:01:01.000042  10.0.0.1:5060         -> 10.0.0.2:5070          BYE sip:a SIP/2.0\n");
	cr_expect_str_eq(print("{\"event\":\"trace\",\"time_us\":1,\"kind\":\"decision\",\"text\":\"a\\u001b[2J\",\"lost\":3}"),
		"-- 3 messages could not be shown --\n00:00:00.000001     * a?[2J\n");
	cr_expect_str_eq(print("{\"event\":\"call.end\"}"), "");
}

static size_t capture(const char *text, char *buf, size_t cap)
{
	char why[100];
	struct json *j = js_parse(text, strlen(text), why, sizeof(why));
	FILE *f = fmemopen(buf, cap, "w");
	cr_assert(j && f);
	cr_assert_eq(ladder_capture(j, f), 0);
	long n = ftell(f);
	fclose(f);
	js_free(j);
	return (size_t)n;
}

Test(ladder, capture)
{
	char buf[300];
	cr_assert_eq(capture("{\"event\":\"trace\",\"time_us\":5000007,\"kind\":\"out\",\"from\":\"10.0.0.1:5060\",\"to\":\"10.0.0.2:5070\","
			     "\"message\":\"a?c\",\"hex\":\"61ff63\"}",
			     buf, sizeof(buf)),
		16 + 20 + 8 + 3);
	static const uint8_t wanted[] = { 5, 0, 0, 0, 7, 0, 0, 0, 31, 0, 0, 0, 31, 0, 0, 0, 0x45, 0, 0, 31 };
	cr_expect_arr_eq(buf, wanted, sizeof(wanted));
	cr_expect_arr_eq(buf + 16 + 28, "a\xff"
					"c",
		3);
	cr_assert_eq(capture("{\"from\":\"[::1]:5060\",\"to\":\"[::2]:5070\",\"time_us\":1,\"message\":\"abc\"}", buf, sizeof(buf)), 16 + 40 + 8 + 3);
	cr_assert_eq(capture("{\"kind\":\"decision\",\"text\":\"x\"}", buf, sizeof(buf)), 0);
}

Test(ladder, families_do_not_mix)
{
	struct addr a = { .family = 4 }, b = { .family = 6 };
	cr_expect_eq(pcap_packet(stderr, 0, &a, &b, SPAN("x")), -EINVAL);
}
