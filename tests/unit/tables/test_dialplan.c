/* Dial plans: every form of a rule, which rule applies, length guards, drawn and polled rewrites. */
#include "image.h"
#include "tables/dialplan.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#define RULES 8
struct rule_text {
	const char *match, *rewrites; /* guards as "E13" behind a blank; rewrites separated by commas */
	bool poll;
};

static struct config *c;

/* plan 0 of a fresh image */
static void plan(const struct rule_text *texts)
{
	struct image_writer w = image_begin();
	struct cfg_dial_rule rules[RULES] = { 0 };
	uint32_t n = 0;
	for (; n < RULES && texts[n].match; n++) {
		char match[80];
		struct cfg_guard guards[4];
		uint32_t n_guards = 0;
		snprintf(match, sizeof(match), "%s", texts[n].match);
		char *blank = strchr(match, ' ');
		for (char *g = blank ? blank + 1 : NULL; g && *g;) {
			guards[n_guards].kind = *g;
			guards[n_guards++].n = (uint8_t)strtoul(g + 1, &g, 10);
		}
		if (blank)
			*blank = 0;
		rules[n] = (struct cfg_dial_rule){ .match = image_text(&w, match),
			.rewrites = image_texts(&w, texts[n].rewrites),
			.poll = texts[n].poll,
			.guards = image_list(&w, guards, n_guards, sizeof(*guards)),
			.turn = CONFIG_NONE };
	}
	struct cfg_dial_plan p = { .name = image_text(&w, "p"), .rules = image_list(&w, rules, n, sizeof(*rules)) };
	struct cfg_list plans = image_list(&w, &p, 1, sizeof(p));
	free(c);
	c = image_end(&w, NULL, 0, NULL, 0, NULL, 0);
	c->dial_plans = plans;
}

static void tear_down(void)
{
	free(c);
	c = NULL;
}
TestSuite(dialplan, .fini = tear_down);

/* what the number becomes; "-": no rule, "!": incomplete. *ret_rule may be NULL */
static const char *become_with(const char *number, const struct dialplan_draw *draw, uint32_t *ret_rule)
{
	static char text[DIALPLAN_BYTES + 1];
	struct out o = out_init(text, DIALPLAN_BYTES);
	uint32_t rule = CONFIG_NONE;
	enum dialplan_verdict v = dialplan_find(c, 0, span_of(number), &rule);
	if (ret_rule)
		*ret_rule = rule;
	if (v != DIALPLAN_RULE) {
		cr_expect_eq(rule, CONFIG_NONE);
		return v == DIALPLAN_INCOMPLETE ? "!" : "-";
	}
	cr_assert_eq(dialplan_rewrite(c, 0, rule, span_of(number), draw, &o), 0);
	text[o.n] = 0;
	return text;
}
static const char *become(const char *number)
{
	return become_with(number, &(struct dialplan_draw){ 1, 0 }, NULL);
}

static const struct {
	struct rule_text rules[RULES];
	struct {
		const char *number, *becomes;
	} rows[8];
} cases[] = {
	/* a final star takes the rest, possibly empty */
	{ { { "00*", "*", 0 }, { "0*", "880*", 0 } }, { { "004922", "4922" }, { "01712", "8801712" }, { "00", "" },
							      { "0", "880" }, { "1", "-" }, { "", "-" } } },
	{ { { "0*", "880*", 0 }, { "00*", "*", 0 } },
		{ { "004922", "4922" }, { "01712", "8801712" } } }, /* the order does not matter */
	{ { { "*", "9*", 0 } }, { { "", "9" }, { "12", "912" }, { "*21#", "9*21#" } } },
	{ { { "*", "", 0 } }, { { "12", "" } } },
	{ { { "00*", "+", 0 } }, { { "0049", "+" } } }, /* the rewrite need not use what was taken */
	{ { { "0*", "*9", 0 } }, { { "012", "129" } } },
	/* without one it is a prefix, and the rest follows */
	{ { { "00", "+", 0 } }, { { "0049", "+49" }, { "00", "+" }, { "049", "-" } } },
	{ { { "00", "", 0 } }, { { "0049", "49" } } },
	{ { { "00", NULL, 0 } }, { { "0049", "49" } } },
	{ { { "", "9", 0 } }, { { "12", "912" }, { "", "9" } } },
	{ { { "+49", "0", 0 } }, { { "+4930", "030" }, { "4930", "-" } } },
	{ { { "abc", "1", 0 } }, { { "abcd", "1d" }, { "ABCD", "-" } } },
	/* one digit, a set, and what they took */
	{ { { "0?*", "9$*", 0 } }, { { "0123", "9123" }, { "01", "91" }, { "0", "-" }, { "0a1", "-" } } },
	{ { { "0[2-9]?", "1$$", 0 } }, { { "029", "129" }, { "0197", "-" }, { "02", "-" }, { "023456", "123456" } } },
	{ { { "0[2-9]??*", "$-$-$.*", 0 } }, { { "02345", "2-3-4.5" } } },
	{ { { "[135]", "x$", 0 } }, { { "1", "x1" }, { "2", "-" }, { "52", "x52" } } },
	{ { { "[1-37a-c]", "$", 0 } }, { { "3", "3" }, { "7", "7" }, { "4", "-" }, { "b", "b" }, { "d", "-" } } },
	{ { { "??", "$", 0 } }, { { "123", "13" } } }, /* the first is used, the second dropped */
	/* most literal characters win, then the order; never two rules */
	{ { { "1?3*", "a*", 0 }, { "12*", "b*", 0 }, { "1*", "c*", 0 } },
		{ { "123", "a" }, { "124", "b4" }, { "13", "c3" } } },
	{ { { "1*", "21*", 0 }, { "2*", "x", 0 } }, { { "15", "215" } } },
	{ { { "12", "a", 0 }, { "12*", "b*", 0 } }, { { "123", "a3" } } },
	{ { { "?2", "a", 0 }, { "1[2]", "b", 0 } }, { { "12", "a" } } },
	/* length guards, of the whole number */
	{ { { "00* E13", "*", 0 } }, { { "0044123456789", "44123456789" }, { "004412345678", "!" },
					     { "00441234567890", "-" }, { "1", "-" } } },
	{ { { "0* G5", "*", 0 } }, { { "012345", "12345" }, { "01234", "!" } } },
	{ { { "0* L5", "*", 0 } }, { { "0123", "123" }, { "01234", "-" } } },
	{ { { "0* F5", "*", 0 } }, { { "0123", "123" }, { "01234", "-" }, { "012345", "12345" } } },
	{ { { "0* G3L6", "*", 0 } }, { { "0123", "123" }, { "012", "!" }, { "012345", "-" } } },
	{ { { "0* E4E5", "*", 0 } }, { { "0123", "!" }, { "01234", "-" } } },
	{ { { "00* E13", "*", 0 }, { "0*", "9*", 0 } }, { { "0044", "9044" } } }, /* the guarded rule gives way */
	{ { { "0 E3", "9", 0 } }, { { "012", "912" } } },
	{ { { NULL, NULL, 0 } }, { { "1", "-" } } },
};

Test(dialplan, rules)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		plan(cases[i].rules);
		for (size_t k = 0; k < 8 && cases[i].rows[k].number; k++)
			cr_expect_str_eq(become(cases[i].rows[k].number), cases[i].rows[k].becomes, "%s -> %s: %s",
				cases[i].rules[0].match, cases[i].rules[0].rewrites, cases[i].rows[k].number);
	}
}

Test(dialplan, which_rule)
{
	uint32_t rule;
	plan((struct rule_text[]){ { "0*", "1", 0 }, { "00*", "2", 0 }, { "9", "3", 0 }, { 0 } });
	struct dialplan_draw draw = { 0 };
	become_with("009", &draw, &rule);
	cr_expect_eq(rule, 1);
	become_with("019", &draw, &rule);
	cr_expect_eq(rule, 0);
	cr_expect_eq(dialplan_find(c, CONFIG_NONE, SPAN("1"), &rule), DIALPLAN_NONE);
	cr_expect_eq(dialplan_find(c, 1, SPAN("1"), &rule), DIALPLAN_NONE);
	cr_expect_null(dialplan_rule(c, 0, 3));
	cr_expect_null(dialplan_rule(c, 1, 0));
}

Test(dialplan, random_digits)
{
	unsigned seen[10] = { 0 };
	plan((struct rule_text[]){ { "*", "7??", 0 }, { 0 } });
	for (uint64_t i = 0; i < 2000; i++) {
		const char *text = become_with("1", &(struct dialplan_draw){ i, 0 }, NULL);
		cr_assert(strlen(text) == 3 && text[0] == '7' && text[1] >= '0' && text[1] <= '9' && text[2] >= '0' &&
				  text[2] <= '9',
			"%s", text);
		seen[text[1] - '0']++;
		seen[text[2] - '0']++;
	}
	for (int i = 0; i < 10; i++)
		cr_expect(seen[i] > 300 && seen[i] < 500, "%d came %u times of 4000", i, seen[i]);
	char once[8];
	snprintf(once, sizeof(once), "%s", become_with("1", &(struct dialplan_draw){ 9, 0 }, NULL));
	cr_expect_str_eq(
		become_with("1", &(struct dialplan_draw){ 9, 0 }, NULL), once, "the same draw gives the same number");
}

Test(dialplan, drawn_and_polled)
{
	unsigned seen[3] = { 0 };
	plan((struct rule_text[]){ { "*", "a,b,b", 0 }, { 0 } });
	for (uint64_t i = 0; i < 3000; i++)
		seen[become_with("1", &(struct dialplan_draw){ i, 7 }, NULL)[0] - 'a']++;
	cr_expect(seen[0] > 850 && seen[0] < 1150 && seen[0] + seen[1] == 3000, "%u %u", seen[0], seen[1]);
	plan((struct rule_text[]){ { "*", "a,b,c", true }, { 0 } });
	for (uint64_t i = 0; i < 9; i++)
		cr_expect_eq(become_with("1", &(struct dialplan_draw){ 5 * i, i }, NULL)[0], "abc"[i % 3]);
}

Test(dialplan, bounded)
{
	char text[4];
	struct out o = out_init(text, sizeof(text));
	plan((struct rule_text[]){ { "1*", "22*", 0 }, { 0 } });
	cr_expect_eq(dialplan_rewrite(c, 0, 0, SPAN("1345"), &(struct dialplan_draw){ 0 }, &o), -ENOBUFS);
	o = out_init(text, sizeof(text));
	cr_expect_eq(dialplan_rewrite(c, 0, 0, SPAN("134"), &(struct dialplan_draw){ 0 }, &o), 0);
	cr_expect_eq(dialplan_rewrite(c, 0, 0, SPAN("2"), &(struct dialplan_draw){ 0 }, &o), -EINVAL);
	cr_expect_eq(dialplan_rewrite(c, 0, 1, SPAN("1"), &(struct dialplan_draw){ 0 }, &o), -EINVAL);
	/* the longest match with captures, against numbers of any length */
	char match[65], number[97];
	memset(match, '?', 64);
	match[64] = 0;
	memset(number, '1', 96);
	number[96] = 0;
	plan((struct rule_text[]){ { match, match, 0 }, { 0 } });
	for (size_t n = 0; n <= 96; n++) {
		uint32_t rule;
		enum dialplan_verdict v = dialplan_find(c, 0, (struct span){ number, n }, &rule);
		cr_expect_eq(v, n < 64 ? DIALPLAN_NONE : DIALPLAN_RULE);
	}
}
