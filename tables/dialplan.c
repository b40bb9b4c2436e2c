#include "tables/dialplan.h"
#include <errno.h>

#define CAPTURES 64u /* a match has no more characters */

struct taken { /* what a match took of a number */
	uint32_t literals, n;
	char capture[CAPTURES];
	struct span rest; /* by `*`, or what follows the prefix */
	bool star;
};

static bool is_digit(char ch)
{
	return ch >= '0' && ch <= '9';
}

/* `set`: between the brackets */
static bool in_set(struct span set, char ch)
{
	for (size_t i = 0; i < set.n; i++) {
		if (i + 2 < set.n && set.p[i + 1] == '-') {
			if (ch >= set.p[i] && ch <= set.p[i + 2])
				return true;
			i += 2;
		} else if (set.p[i] == ch) {
			return true;
		}
	}
	return false;
}

static bool match(struct span pattern, struct span number, struct taken *ret_taken)
{
	size_t at = 0;
	*ret_taken = (struct taken){ 0 };
	for (size_t i = 0; i < pattern.n; i++, at++) {
		char ch = pattern.p[i];
		if (ch == '*') {
			ret_taken->star = true;
			break;
		}
		if (at == number.n)
			return false;
		if (ch != '?' && ch != '[') {
			if (number.p[at] != ch)
				return false;
			ret_taken->literals++;
			continue;
		}
		if (ch == '[') {
			const char *end = memchr(pattern.p + i, ']', pattern.n - i);
			struct span set = { pattern.p + i + 1, end ? (size_t)(end - pattern.p) - i - 1 : 0 };
			if (!in_set(set, number.p[at]))
				return false;
			i += set.n + 1;
		} else if (!is_digit(number.p[at])) {
			return false;
		}
		if (ret_taken->n < CAPTURES)
			ret_taken->capture[ret_taken->n++] = number.p[at];
	}
	ret_taken->rest = (struct span){ number.p + at, number.n - at };
	return true;
}

/* --- length guards --- */

enum guarded { GUARDS_HOLD, GUARDS_TOO_SHORT, GUARDS_FAIL };

static enum guarded guards(const struct config *c, const struct cfg_dial_rule *rule, size_t n)
{
	const struct cfg_guard *g = CFG_LIST(c, &rule->guards, struct cfg_guard);
	enum guarded result = GUARDS_HOLD;
	for (uint32_t i = 0; i < rule->guards.n; i++) {
		bool longer_helps = (g[i].kind == 'E' && n < g[i].n) || (g[i].kind == 'G' && n <= g[i].n);
		bool fails = (g[i].kind == 'L' && n >= g[i].n) || (g[i].kind == 'E' && n > g[i].n) ||
			     (g[i].kind == 'F' && n == g[i].n);
		if (fails)
			return GUARDS_FAIL;
		if (longer_helps)
			result = GUARDS_TOO_SHORT;
	}
	return result;
}

/* --- finding --- */

static const struct cfg_dial_plan *plan_at(const struct config *c, uint32_t plan)
{
	return plan < c->dial_plans.n ? CFG_LIST(c, &c->dial_plans, struct cfg_dial_plan) + plan : NULL;
}

const struct cfg_dial_rule *dialplan_rule(const struct config *c, uint32_t plan, uint32_t rule)
{
	const struct cfg_dial_plan *p = plan_at(c, plan);
	return p && rule < p->rules.n ? CFG_LIST(c, &p->rules, struct cfg_dial_rule) + rule : NULL;
}

enum dialplan_verdict dialplan_find(const struct config *c, uint32_t plan, struct span number, uint32_t *ret_rule)
{
	const struct cfg_dial_plan *p = plan_at(c, plan);
	uint32_t best = CONFIG_NONE, literals = 0;
	bool incomplete = false;
	for (uint32_t i = 0; p && i < p->rules.n; i++) {
		const struct cfg_dial_rule *rule = CFG_LIST(c, &p->rules, struct cfg_dial_rule) + i;
		struct taken t;
		if (!match(cfg_span(c, rule->match), number, &t) || (best != CONFIG_NONE && t.literals <= literals))
			continue;
		enum guarded g = guards(c, rule, number.n);
		incomplete |= g == GUARDS_TOO_SHORT;
		if (g != GUARDS_HOLD)
			continue;
		best = i;
		literals = t.literals;
	}
	if (best == CONFIG_NONE)
		return incomplete ? DIALPLAN_INCOMPLETE : DIALPLAN_NONE;
	*ret_rule = best;
	return DIALPLAN_RULE;
}

/* --- rewriting --- */

static uint64_t mixed(uint64_t x) /* SplitMix64: neighbouring values have nothing in common */
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

uint32_t dialplan_choice(const struct cfg_dial_rule *rule, const struct dialplan_draw *draw)
{
	uint32_t n = rule->rewrites.n;
	return n < 2 ? 0 : (uint32_t)((rule->poll ? draw->turn : mixed(draw->random)) % n);
}

int dialplan_rewrite(const struct config *c, uint32_t plan, uint32_t rule, struct span number,
	const struct dialplan_draw *draw, struct out *o)
{
	const struct cfg_dial_rule *r = dialplan_rule(c, plan, rule);
	struct taken t;
	if (!r || !match(cfg_span(c, r->match), number, &t))
		return -EINVAL;
	struct span rewrite = { 0 };
	if (r->rewrites.n)
		rewrite = cfg_span(c, CFG_LIST(c, &r->rewrites, struct cfg_text)[dialplan_choice(r, draw)]);
	uint32_t capture = 0;
	uint64_t random = draw->random;
	for (size_t i = 0; i < rewrite.n; i++) {
		char ch = rewrite.p[i];
		if (ch == '*')
			out_span(o, t.rest);
		else if (ch == '$' && capture < t.n)
			out_char(o, t.capture[capture++]);
		else if (ch == '?')
			out_char(o, (char)('0' + (random = mixed(random + i)) % 10));
		else if (ch != '$')
			out_char(o, ch);
	}
	if (!t.star)
		out_span(o, t.rest);
	return o->full ? -ENOBUFS : 0;
}
