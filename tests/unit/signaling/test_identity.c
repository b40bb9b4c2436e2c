/* What a gateway is shown of the caller: pieces without a call. Whole INVITEs are in tests/scenario/identity.py. */
#include "signaling/identity.h"
#include <criterion/criterion.h>

Test(identity, asked)
{
	static const struct {
		const char *privacy;
		enum identity_asked asked;
	} rows[] = { { "", ASKED_NOTHING }, { "id", ASKED_ID }, { "ID", ASKED_ID }, { "user", ASKED_ID },
		{ "full", ASKED_ID }, { "header;id;critical", ASKED_ID }, { "header; user", ASKED_ID },
		{ "none", ASKED_NONE }, { "none;id", ASKED_ID }, { "header", ASKED_NOTHING },
		{ "session", ASKED_NOTHING }, { "identity", ASKED_NOTHING }, { ";;", ASKED_NOTHING },
		{ "idx;xid", ASKED_NOTHING }, { "critical, id", ASKED_ID } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		cr_expect_eq(identity_asked(span_of(rows[i].privacy)), rows[i].asked, "%s", rows[i].privacy);
}

Test(identity, display)
{
	static const struct {
		enum cfg_display mode;
		const char *display, *number, *shown;
	} rows[] = {
		{ DISPLAY_IGNORE, "Al", "155", "Al" },
		{ DISPLAY_IGNORE, "", "155", "" },
		{ DISPLAY_E164, "Al", "155", "+155" },
		{ DISPLAY_E164, "", "155", "+155" },
		{ DISPLAY_E164, "Al", "+155", "+155" },
		{ DISPLAY_E164, "Al", "00155", "+155" },
		{ DISPLAY_E164, "Al", "+00155", "+00155" },
		{ DISPLAY_E164, "Al", "", "Al" },
		{ DISPLAY_E164, "Al", "+", "Al" },
		{ DISPLAY_E164, "Al", "bob", "Al" },
		{ DISPLAY_E164, "Al", "155*", "Al" },
		{ DISPLAY_NUMBER, "Al", "155", "155" },
		{ DISPLAY_NUMBER, "Al", "+155", "155" },
		{ DISPLAY_NUMBER, "Al", "00155", "00155" },
		{ DISPLAY_NUMBER, "Al", "bob", "Al" },
	};
	char buffer[DISPLAY_BYTES], longest[300];
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct span s =
			identity_display(rows[i].mode, span_of(rows[i].display), span_of(rows[i].number), buffer);
		cr_expect(
			span_eq(s, span_of(rows[i].shown)), "%u %s: %.*s", rows[i].mode, rows[i].number, (int)s.n, s.p);
	}
	memset(longest, '1', sizeof(longest));
	cr_expect_eq(identity_display(DISPLAY_E164, SPAN("Al"), (struct span){ longest, DISPLAY_BYTES - 1 }, buffer).n,
		DISPLAY_BYTES);
	cr_expect_eq(identity_display(DISPLAY_E164, SPAN("Al"), (struct span){ longest, DISPLAY_BYTES }, buffer).n, 2);
}

static const char *written(void (*write)(struct out *o, struct span s), const char *text)
{
	static char buffer[256];
	struct out o = out_init(buffer, sizeof(buffer) - 1);
	write(&o, span_of(text));
	buffer[o.n] = 0;
	return buffer;
}

Test(identity, quoted)
{
	cr_expect_str_eq(written(out_display, "Al"), "\"Al\" ");
	cr_expect_str_eq(written(out_display, "a \\\"b\\\" c"), "\"a \\\"b\\\" c\" ", "what was escaped stays so");
	cr_expect_str_eq(written(out_display, "a\" <sip:evil>"), "\"a\\\" <sip:evil>\" ");
	cr_expect_str_eq(written(out_display, "a\\"), "\"a\\\\\" ", "a last backslash does not take the quote");
	cr_expect_str_eq(written(out_display, "\\\\"), "\"\\\\\" ");
}

Test(identity, escaped)
{
	cr_expect_str_eq(written(out_user, "+155-.!~*'()&=$,;?/_aZ"), "+155-.!~*'()&=$,;?/_aZ");
	cr_expect_str_eq(written(out_user, "a@b <c>\"#%:"), "a%40b%20%3cc%3e%22%23%25%3a");
	cr_expect_str_eq(written(out_user, "\xc3\xa4"), "%c3%a4");
}
