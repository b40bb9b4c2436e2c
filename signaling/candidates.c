#include "signaling/candidates.h"
#include "base/uuid.h"
#include "shm/names.h"
#include "signaling/capacity.h"
#include "signaling/fork.h"
#include "signaling/forward.h"
#include "signaling/ingress.h"
#include "signaling/trace.h"
#include "signaling/upstream.h"

/* --- gateways --- */

static uint32_t gateway_calls(const void *g, uint32_t gateway)
{
	return capacity_calls(g, cell_routing(((const struct sig *)g)->c, gateway));
}
static uint32_t gateway_last_hour(const void *g, uint32_t gateway)
{
	return capacity_last_hour(g, cell_routing(((const struct sig *)g)->c, gateway));
}
static bool gateway_full(const void *context, uint32_t gateway, enum route_verdict *ret_why)
{
	const struct sig *g = context;
	const struct cfg_routing_gateway *gw = cfg_routing(g->c, gateway);
	if (gw->line_limit != CONFIG_NONE && gateway_calls(g, gateway) >= gw->line_limit) {
		*ret_why = ROUTE_LINE_LIMIT;
		return true;
	}
	if (gw->group < g->c->groups.n) {
		uint32_t limit = CFG_LIST(g->c, &g->c->groups, struct cfg_group)[gw->group].line_limit;
		if (limit != CONFIG_NONE && capacity_calls(g, cell_group(g->c, gw->group)) >= limit) {
			*ret_why = ROUTE_GROUP_LIMIT;
			return true;
		}
	}
	return false;
}
static bool gateway_down(const void *g, uint32_t gateway)
{
	const struct sig *sig = g;
	const struct cfg_routing_gateway *gw = cfg_routing(sig->c, gateway);
	struct addr any;
	return upstream_down(sig, gw) || (gw->hosts.n && !names_gateway(sig->env, sig->c, gw, &any, 1));
}

static enum end_reason gateways(struct work *w)
{
	struct sig *g = w->g;
	bool matched = false;
	uint32_t ingress = w->call->ingress;
	const struct route_query q = { work_text(w, TEXT_CALLEE), work_text(w, TEXT_CALLER),
		ingress_kind(ingress) == INGRESS_MAPPING ? ingress : CONFIG_NONE };
	const struct route_view view = { g, gateway_calls, gateway_last_hour, gateway_full, gateway_down, uuid_random() };
	w->s.n_candidates = (uint8_t)routes_find(g->routes, g->c, &q, &view, w->s.candidates, CALL_CANDIDATES, &matched, NULL, NULL);
	if (g->tracing)
		trace_note(g, "route: callee %.*s from %.*s: %u gateways%s", TRACE_SPAN(q.callee), TRACE_SPAN(work_text(w, TEXT_INGRESS)),
			w->s.n_candidates, matched ? "" : ", no prefix matches");
	return w->s.n_candidates ? END_NONE : matched ? END_NO_GATEWAY : END_NO_ROUTE;
}

/* --- accounts --- */

enum end_reason candidates_find(struct work *w)
{
	const struct config *c = w->g->c;
	w->s.config_generation = c->generation;
	w->s.to_account = 0;
	w->s.account_waits = w->s.n_candidates = w->s.next_candidate = 0;
	for (;;) {
		uint32_t account = config_account(c, work_text(w, TEXT_CALLEE));
		if (account == CONFIG_NONE)
			return gateways(w);
		const struct cfg_account *a = cfg_account(c, account);
		if (!a->enabled || a->lock == LOCK_IN || a->lock == LOCK_ALL)
			return END_LOCKED;
		enum forward_case why = forward_at_once(c, a, clock_wall_ms());
		if (why == FORWARD_NONE && fork_registered(w->g, a, w->now)) {
			if (w->g->tracing)
				trace_note(w->g, "route: callee %s is an account", cfg_str(c, a->id));
			w->s.to_account = account + 1;
			w->s.account_waits = 1;
			return END_NONE;
		}
		bool offline = why == FORWARD_NONE;
		if (offline)
			why = FORWARD_OFFLINE;
		if (!forward_follow(w, a, why))
			return offline ? END_NOT_REGISTERED : END_LOOP;
	}
}
