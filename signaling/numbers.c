#include "signaling/numbers.h"
#include "signaling/capacity.h"
#include "signaling/trace.h"

enum dialplan_verdict numbers_apply(
	struct sig *g, uint32_t plan, struct span number, char buffer[DIALPLAN_BYTES], struct span *ret_number)
{
	uint32_t rule;
	*ret_number = number;
	if (plan == CONFIG_NONE)
		return DIALPLAN_NONE;
	enum dialplan_verdict v = dialplan_find(g->c, plan, number, &rule);
	if (v != DIALPLAN_RULE)
		return v;
	const struct cfg_dial_rule *r = dialplan_rule(g->c, plan, rule);
	struct dialplan_draw draw = { .random = uuid_random() };
	struct out o = out_init(buffer, DIALPLAN_BYTES);
	if (r->poll)
		draw.turn = capacity_turn(g, cell_turn(g->c, r->turn));
	if (dialplan_rewrite(g->c, plan, rule, number, &draw, &o) < 0)
		return DIALPLAN_NONE;
	*ret_number = out_done(&o);
	if (g->tracing)
		trace_note(g, "dial plan %s, rule %u: %.*s becomes %.*s", cfg_str(g->c, CFG_LIST(g->c, &g->c->dial_plans, struct cfg_dial_plan)[plan].name),
			rule + 1, TRACE_SPAN(number), TRACE_SPAN(*ret_number));
	return DIALPLAN_RULE;
}
