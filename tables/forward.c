#include "tables/forward.h"

const char *forward_reason(enum forward_case why)
{
	static const char *const text[] = { "", "unconditional", "time-of-day", "unavailable", "user-busy", "no-answer" };
	return (unsigned)why < sizeof text / sizeof *text ? text[why] : "";
}

const char *forward_name(enum forward_case why)
{
	static const char *const text[] = { "", "unconditional", "period", "offline", "busy", "no_answer" };
	return (unsigned)why < sizeof text / sizeof *text ? text[why] : "";
}

static struct span by_period(const struct config *c, const struct cfg_account *a, uint64_t wall_ms)
{
	const struct cfg_forward_period *p = CFG_LIST(c, &a->forward_period, struct cfg_forward_period);
	for (uint32_t i = 0; i < a->forward_period.n; i++)
		if (config_in_period(p[i].days, p[i].from, p[i].to, wall_ms))
			return cfg_span(c, p[i].number);
	return (struct span){ 0 };
}

struct span forward_number(const struct config *c, const struct cfg_account *a, enum forward_case why, uint64_t wall_ms)
{
	switch (why) {
	case FORWARD_UNCONDITIONAL:
		return cfg_span(c, a->forward_unconditional);
	case FORWARD_PERIOD:
		return by_period(c, a, wall_ms);
	case FORWARD_OFFLINE:
		return cfg_span(c, a->forward_offline);
	case FORWARD_BUSY:
		return cfg_span(c, a->forward_busy);
	case FORWARD_NO_ANSWER:
		return cfg_span(c, a->forward_no_answer);
	default:
		return (struct span){ 0 };
	}
}

enum forward_case forward_at_once(const struct config *c, const struct cfg_account *a, uint64_t wall_ms)
{
	if (a->forward_unconditional.n)
		return FORWARD_UNCONDITIONAL;
	return a->forward_period.n && by_period(c, a, wall_ms).n ? FORWARD_PERIOD : FORWARD_NONE;
}
