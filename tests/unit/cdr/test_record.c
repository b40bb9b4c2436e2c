#include "cdr/record.h"
#include "entry.h"
#include <criterion/criterion.h>
#include <errno.h>

static char line[RECORD_MAX + 1];

static const char *format(const struct journal_entry *e)
{
	struct record_serial s = { .instance = "ab2c", .worker = 3, .sequence = e->sequence };
	struct out o = out_init(line, sizeof(line) - 1);
	record_format(e, &s, &o);
	cr_assert(!o.full);
	line[o.n] = 0;
	return line;
}
static void has(const char *part)
{
	cr_assert(strstr(line, part), "no %s in %s", part, line);
}
static void lacks(const char *part)
{
	cr_assert(!strstr(line, part), "%s in %s", part, line);
}

Test(record, everything_known)
{
	struct journal_entry e = entry_full(77);
	cr_assert_str_eq(format(&e),
		"{\"call_id\":\"00000000-0000-7000-0000-00000000004d\",\"attempt\":2,\"final\":true,\"ingress\":\"cust-"
		"a\",\"egress\":\"gw-a\","
		"\"account\":\"1001\",\"caller_in\":\"441234\",\"caller_out\":\"+441234\",\"callee_in\":\"00880171\","
		"\"callee_out\":\"880171\","
		"\"lrn\":\"880999\",\"start\":\"2023-11-14T22:13:20.123Z\",\"progress\":\"2023-11-14T22:13:20.623Z\","
		"\"alert\":\"2023-11-14T22:13:21.000Z\",\"answer\":\"2023-11-14T22:13:24.005Z\",\"end\":\"2023-11-"
		"14T22:13:30.050Z\","
		"\"pdd_ms\":500,\"duration_ms\":6045,\"code\":200,\"cause\":16,\"reason\":\"normal\",\"ended_by\":"
		"\"callee\","
		"\"codec\":\"PCMU\",\"sip_call_id_in\":\"abc@x\",\"sip_call_id_out\":\"T0def\",\"source_in\":\"127.0.0."
		"1:5070\","
		"\"target_out\":\"[2001:db8::1]:5080\",\"rtp\":{\"a_to_b\":{\"packets\":300,\"bytes\":51600,\"lost\":2,"
		"\"jitter_ms\":1.234,\"ssrc\":3735928559},\"b_to_a\":{\"packets\":299,\"bytes\":51428,\"lost\":0,"
		"\"jitter_ms\":0.050,"
		"\"ssrc\":7}},\"mos\":4.05,\"recovered\":false,\"serial\":\"ab2c-3-77\"}\n");
}

Test(record, nothing_known)
{
	struct journal_entry e = { .sequence = 5, .pdd_ms = UINT64_MAX };
	cr_assert_str_eq(format(&e),
		"{\"call_id\":\"00000000-0000-0000-0000-000000000000\",\"attempt\":0,\"final\":false,\"duration_ms\":0,"
		"\"recovered\":false,\"serial\":\"ab2c-3-5\"}\n");
}

Test(record, each_optional_field_is_absent_when_unknown)
{
	struct journal_entry e = entry_full(1);
	e.progress_ms = 0;
	e.mos_x100 = 0;
	e.relayed = 0;
	e.target_out.family = 0;
	e.codec.n = 0;
	e.recovered = 1;
	e.pdd_ms = UINT64_MAX;
	e.ended_by = ENDED_BY_NONE;
	format(&e);
	lacks("progress");
	lacks("mos");
	lacks("rtp");
	lacks("target_out");
	lacks("codec");
	lacks("pdd_ms");
	lacks("ended_by");
	has("\"recovered\":true");
	has("\"alert\":");
}

Test(record, direction_without_packets_has_no_jitter)
{
	struct journal_entry e = entry_full(1);
	e.b_to_a = (struct journal_rtp){ 0 };
	format(&e);
	has("\"b_to_a\":{\"packets\":0,\"bytes\":0,\"lost\":0}}");
}

Test(record, cause_follows_from_the_reason_when_there_is_none)
{
	struct journal_entry e = entry_full(1);
	e.cause = 0;
	e.code = 404;
	e.reason = END_NO_ROUTE;
	format(&e);
	has("\"code\":404,\"cause\":1,\"reason\":\"no route\"");
	e.cause = 27;
	format(&e);
	has("\"cause\":27");
}

Test(record, nonsense_in_numbers_is_left_out)
{
	struct journal_entry e = entry_full(1);
	e.reason = 60000;
	e.ended_by = 200;
	e.source_in.family = 9;
	e.start_ms = UINT64_MAX;
	format(&e);
	lacks("reason");
	lacks("ended_by");
	lacks("source_in");
	lacks("\"start\"");
}

Test(record, hostile_text_stays_inside_its_string)
{
	struct journal_entry e = entry_full(9);
	size_t at = 200;
	entry_text(&e, &e.caller_in, &at, SPAN("\"},\"serial\":\"ab2c-3-1\"}\n\\\t\0\x01\xff\xc3\xa4"));
	format(&e);
	has("\"caller_in\":\"\\\"},\\\"serial\\\":\\\"ab2c-3-1\\\"}\\n\\\\\\t\\u0000\\u0001\xef\xbf\xbd\xc3\xa4\",");
	cr_assert_eq(strchr(line, '\n'), line + strlen(line) - 1, "one line");
	struct record_serial s;
	cr_assert_eq(record_read_serial((struct span){ line, strlen(line) - 1 }, &s), 0);
	cr_assert_eq(s.sequence, 9);
}

Test(record, longest_texts_fit)
{
	struct journal_entry e = entry_full(9);
	memset(e.text, 1, sizeof(e.text));
	struct journal_text *all[] = { &e.ingress, &e.egress, &e.account, &e.caller_in, &e.caller_out, &e.callee_in,
		&e.callee_out, &e.lrn, &e.codec, &e.sip_call_id_in, &e.sip_call_id_out };
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		*all[i] = (struct journal_text){ 0, JOURNAL_TEXT };
	cr_assert_eq(record_check(&e, 9), 0);
	cr_assert_gt(strlen(format(&e)), 11u * 6 * JOURNAL_TEXT);
}

Test(record, damaged_entries_are_refused)
{
	struct journal_entry e = entry_full(9);
	cr_assert_eq(record_check(&e, 9), 0);
	cr_assert_eq(record_check(&e, 10), -EINVAL);
	e.lrn = (struct journal_text){ JOURNAL_TEXT - 1, 2 };
	cr_assert_eq(record_check(&e, 9), -EINVAL);
	e.lrn = (struct journal_text){ 65535, 0 };
	cr_assert_eq(record_check(&e, 9), -EINVAL);
	e.lrn = (struct journal_text){ 0, 65535 };
	cr_assert_eq(record_check(&e, 9), -EINVAL);
	e.lrn = (struct journal_text){ 0, 0 };
	e.sip_call_id_out = (struct journal_text){ 1, JOURNAL_TEXT };
	cr_assert_eq(record_check(&e, 9), -EINVAL);
}

static int read_serial(const char *text, struct record_serial *ret)
{
	return record_read_serial(span_of(text), ret);
}

Test(record, serial_is_read_back)
{
	struct record_serial s;
	struct journal_entry e = entry_full(123456789012345678);
	format(&e);
	cr_assert_eq(record_read_serial((struct span){ line, strlen(line) - 1 }, &s), 0);
	cr_assert_str_eq(s.instance, "ab2c");
	cr_assert_eq(s.worker, 3);
	cr_assert_eq(s.sequence, 123456789012345678);
	cr_assert_eq(read_serial("{\"a\":1,\"serial\":\"x-0-0\"}", &s), 0);
	const char *bad[] = { "", "}", "\"}", "{\"serial\":\"\"}", "{\"a\":1,\"serial\":\"x-0-\"}",
		"{\"a\":1,\"serial\":\"x--1\"}", "{\"a\":1,\"serial\":\"-0-1\"}", "{\"a\":1,\"serial\":\"0-1\"}",
		"{\"a\":1,\"serial\":\"x-0-1\"", "x-0-1\"}", "{\"a\":1,\"serial\":\"123456789-0-1\"}",
		"{\"a\":1,\"serial\":\"x-99999999999-1\"}", "{\"a\":1,\"serial\":\"x-0-99999999999999999999\"}",
		"{\"a\":1,\"Serial\":\"x-0-1\"}" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(read_serial(bad[i], &s), -EINVAL, "%s", bad[i]);
}

Test(record, instance_is_harmless)
{
	char i[RECORD_INSTANCE_MAX + 1];
	record_instance("ab2c\0xyz", 8, i);
	cr_assert_str_eq(i, "ab2c");
	record_instance("\"-a}B9\n", 7, i);
	cr_assert_str_eq(i, "aB9");
	record_instance("", 0, i);
	cr_assert_str_eq(i, "0");
	record_instance("123456789", 9, i);
	cr_assert_str_eq(i, "12345678");
}
