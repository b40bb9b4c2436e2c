/* gateways, route. */
#include "base/clock.h"
#include "base/uuid.h"
#include "ctl/control.h"
#include "ctl/view.h"
#include "shm/call.h"
#include "shm/capacity.h"
#include "shm/location.h"
#include "tables/dialplan.h"
#include "tables/forward.h"
#include "tables/route.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define ROUTE_STEPS 4096u
#define ACCOUNT_CONTACTS 5u /* called at once (behaviour section 7) */
#define ACCOUNT_FORWARDS 5u /* of a call */

static const char *const locks[] = { [LOCK_NONE] = "none", [LOCK_OUT] = "out", [LOCK_IN] = "in", [LOCK_ALL] = "all" };

/* --- gateways ---------------------------------------------------------------------------------------------------- */

static void add_limit(struct json *o, const char *key, uint32_t limit)
{
	if (limit == CONFIG_NONE)
		js_add_null(o, key);
	else
		js_add_int(o, key, limit);
}

static double rounded(double v)
{
	return (double)(int64_t)(10 * v + 0.5) / 10;
}

/* quotients of nothing are null */
static void add_figures(struct json *o, const struct view_sum *s)
{
	js_add_int(o, "cps", (int64_t)s->cps);
	if (s->attempts)
		js_add_real(o, "asr_percent", rounded(100.0 * (double)s->answers / (double)s->attempts));
	else
		js_add_null(o, "asr_percent");
	if (s->ended)
		js_add_real(o, "acd_s", rounded((double)s->duration_ms / (double)s->ended / 1000));
	else
		js_add_null(o, "acd_s");
	if (s->progressed)
		js_add_int(o, "pdd_ms", (int64_t)(s->pdd_ms / s->progressed));
	else
		js_add_null(o, "pdd_ms");
	js_add_int(o, "attempts", (int64_t)s->attempts);
	js_add_int(o, "answers", (int64_t)s->answers);
}

struct gateway_row {
	struct span id;
	const char *kind;
	bool enabled, addressed;
	uint32_t lock, line_limit, cell;
	const struct cfg_routing_gateway *routing; /* NULL: a mapping gateway */
};

static void add_gateway(struct command *c, const struct gateway_row *g, struct json *list)
{
	struct view_sum s = view_sum(c->control->env, g->cell);
	struct json *o = js_object();
	char reason[120] = "";
	const char *state = "up";
	if (!g->enabled) {
		state = "disabled";
		snprintf(reason, sizeof(reason), "enabled: off");
	} else if (g->lock != LOCK_NONE) {
		state = "locked";
		snprintf(reason, sizeof(reason), "lock: %s", g->lock <= LOCK_ALL ? locks[g->lock] : "?");
	} else if (!g->addressed) {
		state = "down";
		snprintf(reason, sizeof(reason), "no address");
	} else if (g->routing && view_down(c->control->env, control_config(c->control), g->routing, reason, sizeof(reason))) {
		state = "down";
	}
	js_add_text(o, "id", g->id);
	js_add_text(o, "kind", span_of(g->kind));
	js_add_text(o, "state", span_of(state));
	js_add_text(o, "reason", span_of(reason));
	js_add_int(o, "calls", (int64_t)s.calls);
	add_limit(o, "line_limit", g->line_limit);
	add_figures(o, &s);
	js_push(list, o);
}

int command_gateways(struct command *c)
{
	const struct config *config = control_config(c->control);
	struct json *list = js_array();
	for (uint32_t i = 0; i < config->mapping_gateways.n; i++) {
		const struct cfg_mapping_gateway *g = cfg_mapping(config, i);
		add_gateway(c,
			&(struct gateway_row){ cfg_span(config, g->id), "mapping", g->enabled, true, g->lock,
				g->line_limit, cell_mapping(config, i), NULL },
			list);
	}
	for (uint32_t i = 0; i < config->routing_gateways.n; i++) {
		const struct cfg_routing_gateway *g = cfg_routing(config, i);
		add_gateway(c,
			&(struct gateway_row){ cfg_span(config, g->id), "routing", g->enabled,
				g->addresses.n > 0 || g->via_registration < config->registrations.n, g->lock, g->line_limit,
				cell_routing(config, i), g },
			list);
	}
	js_add(c->result, "gateways", list);
	return 0;
}

/* --- route ------------------------------------------------------------------------------------------------------- */

static uint32_t running(const void *context, uint32_t gateway)
{
	const struct env *e = context;
	return (uint32_t)view_sum(e, cell_routing(e->config.p, gateway)).calls;
}

static uint32_t last_hour(const void *context, uint32_t gateway)
{
	const struct env *e = context;
	return (uint32_t)view_sum(e, cell_routing(e->config.p, gateway)).last_hour;
}

static bool over(uint64_t n, uint32_t limit)
{
	return limit != CONFIG_NONE && n >= limit;
}

static bool full(const void *context, uint32_t gateway, enum route_verdict *ret_why)
{
	const struct env *e = context;
	const struct config *c = e->config.p;
	const struct cfg_routing_gateway *g = cfg_routing(c, gateway);
	struct view_sum s = view_sum(e, cell_routing(c, gateway));
	if (over(s.calls, g->line_limit)) {
		*ret_why = ROUTE_LINE_LIMIT;
	} else if (g->group != CONFIG_NONE && over(view_sum(e, cell_group(c, g->group)).calls,
						      CFG_LIST(c, &c->groups, struct cfg_group)[g->group].line_limit)) {
		*ret_why = ROUTE_GROUP_LIMIT;
	} else if (over(s.cps, g->rate_limit)) {
		*ret_why = ROUTE_RATE_LIMIT;
	} else {
		return false;
	}
	return true;
}

static bool down(const void *context, uint32_t gateway)
{
	const struct env *e = context;
	char text[80];
	return view_down(e, e->config.p, cfg_routing(e->config.p, gateway), text, sizeof(text));
}

static void add_step(struct json *steps, const char *step, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void add_step(struct json *steps, const char *step, const char *format, ...)
{
	char text[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	struct json *o = js_object();
	js_add_text(o, "step", span_of(step));
	js_add_text(o, "result", span_of(text));
	js_push(steps, o);
}

/* `number` through `plan`; *ret_number is in `buffer` or `number` itself. What happened as text, rules counted from 1; rewrites
 * that are drawn or take turns are those of this moment. */
static enum dialplan_verdict through_plan(struct command *c, uint32_t plan, struct span number, char buffer[DIALPLAN_BYTES],
	struct span *ret_number, char *ret_text, size_t size)
{
	const struct config *config = control_config(c->control);
	struct dialplan_draw draw = { .random = uuid_random() };
	struct out o = out_init(buffer, DIALPLAN_BYTES);
	uint32_t rule;
	*ret_number = number;
	*ret_text = 0;
	if (plan >= config->dial_plans.n)
		return DIALPLAN_NONE;
	const char *name = cfg_str(config, CFG_LIST(config, &config->dial_plans, struct cfg_dial_plan)[plan].name);
	enum dialplan_verdict v = dialplan_find(config, plan, number, &rule);
	if (v != DIALPLAN_RULE) {
		snprintf(ret_text, size, "%s: no rule applies%s", name, v == DIALPLAN_INCOMPLETE ? ", the number is too short for one" : "");
		return v;
	}
	const struct cfg_dial_rule *r = dialplan_rule(config, plan, rule);
	if (r->poll)
		draw.turn = view_sum(c->control->env, cell_turn(config, r->turn)).attempts;
	if (dialplan_rewrite(config, plan, rule, number, &draw, &o) == 0)
		*ret_number = out_done(&o);
	snprintf(ret_text, size, "%s: rule %u, %.*s becomes %.*s", name, rule + 1, (int)number.n, number.p, (int)ret_number->n, ret_number->p);
	return v;
}

/* The dial plans of the ingress; true: the call goes on. The new numbers are in static memory. */
static bool translate(struct command *c, const struct cfg_mapping_gateway *g, struct route_query *q, struct json *steps)
{
	static char callee[DIALPLAN_BYTES], caller[DIALPLAN_BYTES];
	char text[400];
	through_plan(c, g->caller_dial_plan, q->caller, caller, &q->caller, text, sizeof(text));
	if (*text)
		add_step(steps, "caller_dial_plan", "%s", text);
	enum dialplan_verdict v = through_plan(c, g->callee_dial_plan, q->callee, callee, &q->callee, text, sizeof(text));
	if (*text)
		add_step(steps, "callee_dial_plan", "%s", text);
	if (v == DIALPLAN_INCOMPLETE || !q->callee.n)
		add_step(steps, "callee", "refused with 484: the number is incomplete");
	return v != DIALPLAN_INCOMPLETE && q->callee.n;
}

static uint64_t account_calls(const struct env *e, uint32_t account)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < ((const struct config *)e->config.p)->system.signaling; i++) {
		const struct region *r = &e->region[seat_of(ROLE_SIGNALING, i)];
		const struct account_cell *cells = region_area(r, AREA_ACCOUNTS);
		sum += cells && account < region_count(r, AREA_ACCOUNTS) ? CMM_LOAD_SHARED(cells[account].calls) : 0;
	}
	return sum;
}

/* What the ingress gateway, or the account that calls, lets through; true: the call goes on. Cuts the tech prefix off. */
static bool enter(struct command *c, struct route_query *q, uint32_t account, struct json *steps)
{
	const struct config *config = control_config(c->control);
	struct cfg_mapping_gateway of_account;
	if (q->ingress == CONFIG_NONE && account == CONFIG_NONE) {
		add_step(steps, "ingress", "none given: no limits and filters of an ingress gateway");
		return true;
	}
	if (account != CONFIG_NONE)
		of_account = config_account_settings(config, account);
	const struct cfg_mapping_gateway *g = account != CONFIG_NONE ? &of_account : cfg_mapping(config, q->ingress);
	struct span tech = cfg_span(config, g->tech_prefix);
	add_step(steps, "ingress", "%s%s", account != CONFIG_NONE ? "account " : "", cfg_str(config, g->id));
	if (!g->enabled || g->lock == LOCK_OUT || g->lock == LOCK_ALL) {
		add_step(steps, "lock", "refused with 403: the %s is %s", account != CONFIG_NONE ? "account" : "gateway", g->enabled ? "locked" : "disabled");
		return false;
	}
	if (tech.n && !span_starts(q->callee, tech)) {
		add_step(steps, "tech_prefix", "the callee does not begin with %.*s: such a call is not this gateway's",
			(int)tech.n, tech.p);
		return false;
	}
	q->callee.p += tech.n;
	q->callee.n -= tech.n;
	if (tech.n)
		add_step(steps, "tech_prefix", "%.*s is cut off: %.*s", (int)tech.n, tech.p, (int)q->callee.n,
			q->callee.p);
	if (!translate(c, g, q, steps))
		return false;
	if (!prefix_allowed(config, &g->callee_prefixes, q->callee)) {
		add_step(steps, "callee_prefixes", "refused with 403");
		return false;
	}
	if (!prefix_allowed(config, &g->caller_prefixes, q->caller)) {
		add_step(steps, "caller_prefixes", "refused with 403");
		return false;
	}
	struct view_sum s = { 0 };
	if (account != CONFIG_NONE)
		s.calls = account_calls(c->control->env, account);
	else
		s = view_sum(c->control->env, cell_mapping(config, q->ingress));
	if (over(s.calls, g->line_limit) || over(s.cps, g->rate_limit)) {
		add_step(steps, "limit", "refused with 503: the %s limit is reached",
			over(s.calls, g->line_limit) ? "line" : "rate");
		return false;
	}
	return true;
}

static void add_candidate(struct command *c, const struct route_query *q, const struct route_step *s, struct json *list)
{
	char rule[1000], down_text[120], callee_plan[400], caller_plan[400], callee_text[DIALPLAN_BYTES], caller_text[DIALPLAN_BYTES];
	struct span callee, caller;
	struct json *o = js_object();
	const struct config *config = control_config(c->control);
	const struct cfg_routing_gateway *g = cfg_routing(config, s->gateway);
	through_plan(c, g->callee_dial_plan, q->callee, callee_text, &callee, callee_plan, sizeof(callee_plan));
	through_plan(c, g->caller_dial_plan, q->caller, caller_text, &caller, caller_plan, sizeof(caller_plan));
	size_t n = s->prefix_n < q->callee.n ? s->prefix_n : q->callee.n;
	snprintf(rule, sizeof(rule), "prefix \"%.*s\" (%s), priority %u, weight %u%s%s%s%s", (int)n, q->callee.p,
		g->prefix_mode == PREFIX_TERMINAL ? "terminal" : "extension", g->priority, g->weight,
		*callee_plan ? "; callee_dial_plan " : "", callee_plan, *caller_plan ? "; caller_dial_plan " : "",
		caller_plan);
	js_add_text(o, "gateway", cfg_span(config, g->id));
	js_add_bool(o, "taken", s->verdict == ROUTE_TAKEN);
	js_add_text(o, "reason",
		s->verdict == ROUTE_TAKEN                                                                        ? SPAN("")
		: s->verdict == ROUTE_DOWN && view_down(c->control->env, config, g, down_text, sizeof(down_text)) ? span_of(down_text)
														  : span_of(route_verdict_text((enum route_verdict)s->verdict)));
	js_add_text(o, "rule", span_of(rule));
	js_add_text(o, "callee_out", callee);
	js_add_text(o, "caller_out", caller);
	js_push(list, o);
}

static void decide(struct command *c, const struct route_query *q, struct json *steps, struct json *candidates)
{
	static struct route_step considered[ROUTE_STEPS];
	const struct env *e = c->control->env;
	const struct config *config = control_config(c->control);
	const struct route_view view = { .context = e,
		.calls = running,
		.last_hour = last_hour,
		.full = full,
		.down = down,
		.random = uuid_random() };
	uint16_t gateways[CALL_CANDIDATES];
	uint32_t n_steps = ROUTE_STEPS;
	bool matched = false;
	int64_t limit = config->param[P_SS_GATEWAY_SWITCH_LIMIT];
	uint32_t cap = limit >= 0 && limit < CALL_CANDIDATES ? (uint32_t)limit + 1 : CALL_CANDIDATES;
	uint32_t n = routes_find(e->routes.p, config, q, &view, gateways, cap, &matched, considered, &n_steps);
	for (uint32_t i = 0; i < n_steps; i++)
		add_candidate(c, q, &considered[i], candidates);
	if (!matched)
		add_step(steps, "route", "refused with 404: no prefix matches");
	else if (!n)
		add_step(steps, "route", "refused with 503: every gateway that matches is left out");
	for (uint32_t i = 0; i < n; i++)
		add_step(steps, "attempt", "%u: %s", i + 1, cfg_str(config, cfg_routing(config, gateways[i])->id));
}

/* An account as callee, registered: what would be done. */
static void explain_account(struct command *c, const struct cfg_account *a, const struct location_contact *at, uint32_t n, struct json *steps)
{
	const struct config *config = control_config(c->control);
	static const enum forward_case later[] = { FORWARD_OFFLINE, FORWARD_BUSY, FORWARD_NO_ANSWER };
	char where[ADDR_TEXT_MAX];
	uint32_t account = (uint32_t)(a - cfg_account(config, 0));
	if (over(account_calls(c->control->env, account), a->line_limit)) {
		add_step(steps, "account", "%s: refused with 503: its line limit is reached", cfg_str(config, a->id));
		return;
	}
	add_step(steps, "account", "%s is registered: %u contact%s called at once", cfg_str(config, a->id), n, n > 1 ? "s are" : " is");
	for (uint32_t i = 0; i < n; i++) {
		addr_format(&at[i].target, false, where, sizeof(where));
		add_step(steps, "attempt", "1: %.*s at %s%s", (int)(at[i].uri.n < 200 ? at[i].uri.n : 200), at[i].uri.p, where,
			at[i].behind_nat ? ", behind NAT" : "");
	}
	for (size_t i = 0; i < sizeof(later) / sizeof(*later); i++) {
		struct span to = forward_number(config, a, later[i], 0);
		if (to.n)
			add_step(steps, "forward", "%s: to %.*s", later[i] == FORWARD_OFFLINE ? "when no contact says anything" : forward_name(later[i]),
				(int)to.n, to.p);
	}
}

/* The callee is an account: follows what needs no call to be tried. True: the call goes on to gateways, perhaps to another number. */
static bool past_accounts(struct command *c, struct route_query *q, struct json *steps)
{
	static struct location_contact at[ACCOUNT_CONTACTS];
	const struct config *config = control_config(c->control);
	uint64_t wall = clock_wall_ms();
	for (uint32_t forwards = 0, i; (i = config_account(config, q->callee)) != CONFIG_NONE; forwards++) {
		const struct cfg_account *a = cfg_account(config, i);
		if (!a->enabled || a->lock == LOCK_IN || a->lock == LOCK_ALL) {
			add_step(steps, "account", "%s: refused with 403: it is %s", cfg_str(config, a->id), a->enabled ? "locked" : "disabled");
			return false;
		}
		enum forward_case why = forward_at_once(config, a, wall);
		uint32_t n = why == FORWARD_NONE ? location_lookup(c->control->env, q->callee, clock_ms(), at, ACCOUNT_CONTACTS) : 0;
		if (n) {
			explain_account(c, a, at, n, steps);
			return false;
		}
		why = why == FORWARD_NONE ? FORWARD_OFFLINE : why;
		struct span to = forward_number(config, a, why, wall);
		if (!to.n || forwards >= ACCOUNT_FORWARDS) {
			add_step(steps, "account", to.n ? "%s: refused: it is forwarded in a circle or too often" :
				"%s: refused with 480: it is not registered and not forwarded", cfg_str(config, a->id));
			return false;
		}
		add_step(steps, "forward", "account %s, %s: to %.*s", cfg_str(config, a->id), forward_name(why), (int)to.n, to.p);
		q->callee = to;
	}
	return true;
}

int command_route(struct command *c)
{
	const struct env *e = c->control->env;
	const struct config *config = control_config(c->control);
	const char *callee = request_arg(c->request, "callee"), *caller = request_arg(c->request, "caller"),
		   *from = request_arg(c->request, "from");
	struct route_query q = { .callee = span_of(callee), .caller = span_of(caller), .ingress = CONFIG_NONE };
	if (!callee)
		return command_error(c, -EINVAL, "callee: a number is expected");
	uint32_t account = CONFIG_NONE;
	if (from && (q.ingress = view_mapping(config, span_of(from))) == CONFIG_NONE &&
		(account = config_account(config, span_of(from))) == CONFIG_NONE)
		return command_error(c, -EINVAL, "from: %s is no mapping gateway and no account", from);
	if (!e->routes.p || routes_config_generation(e->routes.p) != e->config.generation)
		return command_error(c, -EAGAIN, "the routes of this configuration are being built; try again");
	struct json *steps = js_array(), *candidates = js_array();
	if (enter(c, &q, account, steps) && past_accounts(c, &q, steps))
		decide(c, &q, steps, candidates);
	js_add(c->result, "steps", steps);
	js_add(c->result, "candidates", candidates);
	return 0;
}
