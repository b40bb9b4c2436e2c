/* Dial plans: ordered rules "match -> rewrite" that change a number (routing.md "Dial plan"). Pure functions over the
 * configuration's image; bounded by the rules of one plan and the length of the number.
 *
 * Match: digits and letters stand for themselves, `?` for one digit, `[2-9]` for one of a set, a final `*` for the rest,
 * possibly empty. Without a final `*` the match is a prefix and the rest of the number follows the rewrite. Of several rules that
 * match the one with most literal characters applies, of these the first; never more than one.
 * Length guards, of the whole number: L less than, E equal to, G greater than, F not equal to.
 * Rewrite: `$` is what the match's next `?` or set took, `*` what its `*` took, `?` a random digit, all else itself. Of several
 * rewrites one is drawn (one that is given twice is drawn twice as often), or they take turns (`poll`).
 *
 *	char text[DIALPLAN_BYTES];
 *	struct out o = out_init(text, sizeof(text));
 *	uint32_t rule;
 *	if (dialplan_find(c, plan, number, &rule) == DIALPLAN_RULE && dialplan_rewrite(c, plan, rule, number, &draw, &o) == 0)
 *		number = out_done(&o); */
#ifndef TANDEM_TABLES_DIALPLAN_H
#define TANDEM_TABLES_DIALPLAN_H
#include "base/out.h"
#include "config/config.h"

#define DIALPLAN_BYTES 256u /* holds what any two plans, one after the other, make of a number of up to 96 characters */

/* INCOMPLETE: no rule applies, but one would if the number had more digits: all that it fails is E or G */
enum dialplan_verdict { DIALPLAN_NONE, DIALPLAN_RULE, DIALPLAN_INCOMPLETE };
/* `plan`: index into config.dial_plans; CONFIG_NONE: no plan, DIALPLAN_NONE. *ret_rule: set with DIALPLAN_RULE, from 0 */
enum dialplan_verdict dialplan_find(const struct config *c, uint32_t plan, struct span number, uint32_t *ret_rule);

struct dialplan_draw {
	uint64_t random; /* chooses the rewrite, and makes the random digits */
	uint64_t turn;	 /* chooses the rewrite of a rule with `poll`: counts its uses */
};
const struct cfg_dial_rule *dialplan_rule(const struct config *c, uint32_t plan, uint32_t rule);
/* which of its rewrites: index into rule->rewrites */
uint32_t dialplan_choice(const struct cfg_dial_rule *rule, const struct dialplan_draw *draw);
/* Appends the new number. 0; -ENOBUFS: does not fit; -EINVAL: the rule does not match the number */
int dialplan_rewrite(const struct config *c, uint32_t plan, uint32_t rule, struct span number,
	const struct dialplan_draw *draw, struct out *o);
#endif
