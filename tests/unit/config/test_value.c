/* Numbers, times, sizes and words as an operator may write them. */
#include "helper.h"
#include "config/schema.h"

Test(value, integers)
{
	static const struct {
		const char *text;
		bool good;
		int64_t value;
	} rows[] = { { "0", true, 0 }, { "12", true, 12 }, { "-3", true, -3 }, { "0x1F", true, 31 }, { "0xff", true,
		255 }, { "007", true, 7 },
		{ "9223372036854775807", true, INT64_MAX }, { "9223372036854775808", true, INT64_MAX },
			{ "99999999999999999999", true, INT64_MAX },
		{ "", false, 0 }, { "-", false, 0 }, { "0x", false, 0 }, { "1.0", false, 0 }, { "1e3", false, 0 },
			{ " 1", false, 0 }, { "1 ", false, 0 },
		{ "+1", false, 0 }, { "1a", false, 0 }, { "0xg", false, 0 } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int64_t v = 0;
		cr_expect_eq(value_integer(span_of(rows[i].text), &v), rows[i].good, "%s", rows[i].text);
		cr_expect_eq(v, rows[i].value, "%s", rows[i].text);
	}
}

Test(value, decimals)
{
	static const struct {
		const char *text;
		bool good;
		int64_t value;
	} rows[] = { { "1", true, 1000 }, { "0.5", true, 500 }, { "1.25", true, 1250 }, { "0.001", true, 1 },
		{ "-0.1", true, -100 },
		{ "99999999999999999999", true, INT64_MAX }, { "0.0001", false, 0 }, { "1.", false, 0 }, { ".5",
			false, 0 }, { "1.2.3", false, 0 },
		{ "", false, 0 }, { "-", false, 0 }, { "a", false, 0 } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int64_t v = 0;
		cr_expect_eq(value_decimal(span_of(rows[i].text), 1000, &v), rows[i].good, "%s", rows[i].text);
		cr_expect_eq(v, rows[i].value, "%s", rows[i].text);
	}
}

Test(value, times)
{
	static const struct {
		const char *text;
		uint32_t ms;
	} rows[] = { { "30", 30000 }, { "1.5", 1500 }, { "500ms", 500 }, { "15m", 900000 }, { "1h", 3600000 }, { "1d",
		86400000 }, { "2S", 2000 },
		{ "0.5m", 30000 }, { "0", 0 } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct compiled r = accepted_with("system: {drain_timeout: %s}\n", rows[i].text);
		cr_expect_eq(r.config->system.drain_timeout, rows[i].ms, "%s", rows[i].text);
		compiled_free(&r);
	}
	static const char *const bad[] = { "1y", "ms", "-1", "86401", "2d", "1.5.5", "99999999999999999999d", "[]",
		"1 h" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		refuse_with("system: {drain_timeout: %s}\n", bad[i], NULL);
}

Test(value, sizes)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} rows[] = { { "4096", 4096 }, { "4k", 4096 }, { "64M", 64u << 20 }, { "2G", 2ull << 30 } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct compiled r = accepted_with("cdr: {rotate: {size: %s}}\n", rows[i].text);
		cr_expect_eq(r.config->cdr.rotate_size, rows[i].bytes, "%s", rows[i].text);
		compiled_free(&r);
	}
	static const char *const bad[] = { "1", "1T", "M", "1.5M", "99999999999999999999G" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		refuse_with("cdr: {rotate: {size: %s}}\n", bad[i], NULL);
}

Test(value, words)
{
	static const struct choice media[] = { { "on", 1 }, { "off", 2 }, { "auto", 3 }, { 0 } };
	int64_t v;
	char buf[64];
	cr_expect(value_choice(media, SPAN("true"), &v) && v == 1);
	cr_expect(value_choice(media, SPAN("no"), &v) && v == 2);
	cr_expect(value_choice(media, SPAN("auto"), &v) && v == 3);
	cr_expect_not(value_choice(media, SPAN("AUTO"), &v));
	cr_expect_not(value_choice(NULL, SPAN("auto"), &v));
	cr_expect_str_eq(value_words(media, buf, sizeof(buf)), "on, off, auto");
}

Test(value, nothing_is_none_where_none_is_a_word)
{
	static const char *const nothing[] = { "null", "~", "none", "", "Null" };
	for (size_t i = 0; i < sizeof(nothing) / sizeof(*nothing); i++) {
		struct compiled r =
			accepted_with("mapping_gateways: [{id: a, addresses: 1.2.3.4, line_limit: %s }]\n", nothing[i]);
		cr_expect_eq(cfg_mapping(r.config, 0)->line_limit, CONFIG_NONE, "%s", nothing[i]);
		compiled_free(&r);
	}
	refuse_with("mapping_gateways: [{id: a, addresses: 1.2.3.4, line_limit: %s}]\n", "\"null\"", NULL);
	refuse_with("mapping_gateways: [{id: a, addresses: 1.2.3.4, priority: %s}]\n", "null",
		"sw.yaml:2:58: mapping_gateways[a].priority: has no value, allowed: 0-1000000");
}

Test(value, text_is_text_whatever_it_looks_like)
{
	struct compiled r = accepted(LISTEN
		"routing_gateways: [{id: on, address: 1.2.3.4}, {id: 1, address: 1.2.3.5}, {id: n, address: 1.2.3.6}]\n"
		"mapping_gateways: [{id: a, addresses: 1.2.3.4, routes: {deny: [1, n]}}]\n");
	cr_expect_str_eq(cfg_str(r.config, cfg_routing(r.config, 0)->id), "on");
	cr_expect_eq(CFG_LIST(r.config, &cfg_mapping(r.config, 0)->routes_deny, uint32_t)[1], 2);
	compiled_free(&r);
}

Test(value, characters)
{
	cr_expect(character_id('a') && character_id(0xc3) && !character_id(' ') && !character_id(',') &&
		  !character_id(0x7f));
	cr_expect(character_host('-') && !character_host('/') && !character_host(0));
	cr_expect(character_token('~') && !character_token(' ') && !character_token(':'));
	cr_expect(character_digit('#') && character_digit('Z') && !character_digit('.'));
	cr_expect(character_quotable(' ') && !character_quotable('"') && !character_quotable('\\'));
	cr_expect(character_user('+') && !character_user('@') && character_hex('F') && !character_hex('g'));
}
