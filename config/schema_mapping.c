/* Section `mapping_gateways`, and what both kinds of gateways have: prefix lists, periods. */
#include "config/schema.h"
#include <stdio.h>

/* --- prefix lists ---------------------------------------------------------------------------------------------- */

static const struct type type_listed_prefix = { .size = sizeof(struct cfg_text), .read = read_prefix, .min = 1,
	.max = 32,
	.character = character_digit, .allowed = "digits, letters, + * #", .text = true };
static const struct key prefix_list_keys[] = {
	{ "allow", KEY_LIST, FIELD(cfg_prefix_lists, allow), .type = &type_listed_prefix },
	{ "deny", KEY_LIST, FIELD(cfg_prefix_lists, deny), .type = &type_listed_prefix },
	{ 0 }
};
const struct schema schema_prefix_lists = { .keys = prefix_list_keys, .size = sizeof(struct cfg_prefix_lists) };

/* --- periods --------------------------------------------------------------------------------------------------- */

static int day_of(struct span name)
{
	static const char *const days[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };
	for (int i = 0; i < 7; i++)
		if (span_ieq(name, span_of(days[i])))
			return i;
	return -1;
}

/* one element: "mon" or "mon-fri", also over the end of the week ("sat-mon"); the bits are added up in finish_period */
static bool read_days(const struct input *in, const struct type *t, void *out)
{
	const char *dash = memchr(in->text.p, '-', in->text.n);
	struct span from = { in->text.p, dash ? (size_t)(dash - in->text.p) : in->text.n };
	struct span to = dash ? (struct span){ dash + 1, in->text.n - from.n - 1 } : from;
	int first = day_of(from), last = day_of(to);
	uint32_t bits = 0;
	if (first < 0 || last < 0)
		return value_wrong(in, "is not a weekday, allowed: ", t->allowed);
	for (int day = first;; day = (day + 1) % 7) {
		bits |= 1u << day;
		if (day == last)
			break;
	}
	value_store(out, t->size, bits);
	return true;
}

static const struct type type_days = { .size = sizeof(uint32_t), .read = read_days,
	.allowed = "mon, tue, wed, thu, fri, sat, sun, mon-fri" };

bool days_read(struct compile *c, const struct node *n, const struct place *place, void *out)
{
	uint32_t *days = out;
	struct cfg_list list;
	if (!schema_list(c, &type_days, n, place, &list))
		return false;
	const uint32_t *bits = image_at(&c->image, list);
	*days = 0;
	for (uint32_t i = 0; i < list.n; i++)
		*days |= bits[i];
	if (!*days)
		errors_add(c->errors, n->at, place, "is empty");
	return false;
}

/* "18:00"; the end may be "24:00" */
static bool read_clock(const struct input *in, const struct type *t, void *out)
{
	const char *colon = memchr(in->text.p, ':', in->text.n);
	struct span before = { in->text.p, colon ? (size_t)(colon - in->text.p) : 0 };
	struct span after = colon ? (struct span){ colon + 1, in->text.n - before.n - 1 } : before;
	int64_t hours, minutes;
	if (!value_integer(before, &hours) || !value_integer(after, &minutes) || after.n != 2 || before.n > 2)
		return value_wrong(in, "is not a time of day, allowed: ", t->allowed);
	if (hours < 0 || minutes < 0 || minutes > 59 || hours * 60 + minutes > 24 * 60)
		return value_wrong(in, "is outside ", t->allowed);
	value_store(out, t->size, hours * 60 + minutes);
	return true;
}

static const struct choice period_limits[] = { { "none", PERIOD_UNLIMITED }, { 0 } };
const struct type type_clock = { .size = sizeof(uint16_t), .read = read_clock, .allowed = "00:00-24:00" };
static const struct type type_period_limit = { .size = sizeof(uint32_t), .read = read_number,
	.choices = period_limits, .min = 0,
	.max = 1000000, .allowed = "none, 0-1000000" };
static const struct key period_keys[] = {
	{ "days", KEY_CUSTOM, FIELD(cfg_period, days), .custom = days_read },
	{ "from", KEY_VALUE, FIELD(cfg_period, from), .type = &type_clock, .fallback = "00:00" },
	{ "to", KEY_VALUE, FIELD(cfg_period, to), .type = &type_clock, .fallback = "24:00" },
	{ "line_limit", KEY_VALUE, FIELD(cfg_period, line_limit), .type = &type_period_limit },
	{ "priority", KEY_VALUE, FIELD(cfg_period, priority), .type = &type_count },
	{ "callee_dial_plan", KEY_VALUE, FIELD(cfg_period, callee_dial_plan), .type = &type_dial_plan },
	{ "caller_dial_plan", KEY_VALUE, FIELD(cfg_period, caller_dial_plan), .type = &type_dial_plan },
	{ "callee_prefixes", KEY_MAP, FIELD(cfg_period, callee_prefixes), .schema = &schema_prefix_lists },
	{ "caller_prefixes", KEY_MAP, FIELD(cfg_period, caller_prefixes), .schema = &schema_prefix_lists },
	{ 0 }
};

/* the period's own struct has no place for "the row says nothing" but in these numbers */
static void prepare_period(struct compile *c, void *out)
{
	struct cfg_period *p = out;
	(void)c;
	p->days = 0x7f;
	p->line_limit = p->priority = CONFIG_NONE;
}

static void finish_period(struct compile *c, const struct node *n, const struct place *place, void *out)
{
	struct cfg_period *p = out;
	p->has_callee_prefixes = node_get(n, "callee_prefixes") != NULL;
	p->has_caller_prefixes = node_get(n, "caller_prefixes") != NULL;
	if (p->from == p->to)
		errors_add(c->errors, n->at, place, "begins when it ends; a whole day is from 00:00 to 24:00");
}
const struct schema schema_period = { .keys = period_keys, .size = sizeof(struct cfg_period),
	.prepare = prepare_period, .finish = finish_period };

/* --- mapping gateways ------------------------------------------------------------------------------------------ */

static const struct choice authentications[] = { { "ip", AUTH_IP }, { "ip-port", AUTH_IP_PORT }, { "digest",
	AUTH_DIGEST }, { 0 } };
static const struct choice callee_froms[] = { { "to", CALLEE_FROM_TO }, { "request-line", CALLEE_FROM_REQUEST_LINE },
	{ 0 } };
static const struct choice caller_froms[] = { { "from", CALLER_FROM_FROM }, { "remote-party-id", CALLER_FROM_RPID },
	{ "p-asserted-identity", CALLER_FROM_PAI }, { "display", CALLER_FROM_DISPLAY }, { 0 } };
static const struct type type_authentication = { .size = sizeof(uint32_t), .read = read_choice,
	.choices = authentications };
const struct type type_callee_from = { .size = sizeof(uint32_t), .read = read_choice, .choices = callee_froms };
static const struct type type_caller_from = { .size = sizeof(uint32_t), .read = read_choice, .choices = caller_froms };

static const struct key route_keys[] = {
	{ "allow", KEY_LIST, FIELD(cfg_mapping_gateway, routes_allow), .type = &type_routing_gateway },
	{ "deny", KEY_LIST, FIELD(cfg_mapping_gateway, routes_deny), .type = &type_routing_gateway },
	{ 0 }
};
static const struct schema schema_routes = { .keys = route_keys, .size = sizeof(struct cfg_mapping_gateway) };

static const struct key mapping_keys[] = {
	{ "id", KEY_VALUE, FIELD(cfg_mapping_gateway, id), .type = &type_id, .required = true },
	{ "addresses", KEY_LIST, FIELD(cfg_mapping_gateway, addresses), .type = &type_network },
	{ "tech_prefix", KEY_VALUE, FIELD(cfg_mapping_gateway, tech_prefix), .type = &type_number_text },
	{ "priority", KEY_VALUE, FIELD(cfg_mapping_gateway, priority), .type = &type_count, .fallback = "10" },
	{ "authentication", KEY_VALUE, FIELD(cfg_mapping_gateway, authentication), .type = &type_authentication,
		.fallback = "ip" },
	{ "enabled", KEY_VALUE, FIELD(cfg_mapping_gateway, enabled), .type = &type_onoff, .fallback = "on" },
	{ "lock", KEY_VALUE, FIELD(cfg_mapping_gateway, lock), .type = &type_lock, .fallback = "none" },
	{ "callee_from", KEY_VALUE, FIELD(cfg_mapping_gateway, callee_from), .type = &type_callee_from,
		.fallback = "to" },
	{ "caller_from", KEY_VALUE, FIELD(cfg_mapping_gateway, caller_from), .type = &type_caller_from,
		.fallback = "from" },
	{ "trusted", KEY_VALUE, FIELD(cfg_mapping_gateway, trusted), .type = &type_onoff, .fallback = "off" },
	{ "support_privacy", KEY_VALUE, FIELD(cfg_mapping_gateway, support_privacy), .type = &type_onoff,
		.fallback = "on" },
	{ "line_limit", KEY_VALUE, FIELD(cfg_mapping_gateway, line_limit), .type = &type_limit, .fallback = "none" },
	{ "rate_limit", KEY_VALUE, FIELD(cfg_mapping_gateway, rate_limit), .type = &type_limit, .fallback = "none" },
	{ "callee_dial_plan", KEY_VALUE, FIELD(cfg_mapping_gateway, callee_dial_plan), .type = &type_dial_plan },
	{ "caller_dial_plan", KEY_VALUE, FIELD(cfg_mapping_gateway, caller_dial_plan), .type = &type_dial_plan },
	{ "lists", KEY_LIST, FIELD(cfg_mapping_gateway, lists), .type = &type_number_list },
	{ "callee_prefixes", KEY_MAP, FIELD(cfg_mapping_gateway, callee_prefixes), .schema = &schema_prefix_lists },
	{ "caller_prefixes", KEY_MAP, FIELD(cfg_mapping_gateway, caller_prefixes), .schema = &schema_prefix_lists },
	{ "routes", KEY_MAP, NOWHERE, .schema = &schema_routes },
	{ "reply_address", KEY_VALUE, FIELD(cfg_mapping_gateway, reply_address), .type = &type_reply_address,
		.fallback = "auto" },
	{ "request_address", KEY_VALUE, FIELD(cfg_mapping_gateway, request_address), .type = &type_request_address,
		.fallback = "auto" },
	{ "media", KEY_VALUE, FIELD(cfg_mapping_gateway, media), .type = &type_media_mode },
	{ "latch", KEY_VALUE, FIELD(cfg_mapping_gateway, latch), .type = &type_latch },
	{ "rate_table", KEY_VALUE, FIELD(cfg_mapping_gateway, rate_table), .type = &type_rate_table },
	{ "periods", KEY_ITEMS, FIELD(cfg_mapping_gateway, periods), .schema = &schema_period },
	{ 0 }
};

static void prepare_mapping(struct compile *c, void *out)
{
	struct cfg_mapping_gateway *g = out;
	g->media = c->config.media.proxy;
	g->latch = c->config.media.latch;
}

/* a gateway on the allow and on the deny list at once */
static void check_routes(
	struct compile *c, const struct node *n, const struct place *place, const struct cfg_mapping_gateway *g)
{
	const struct node *routes = node_get(n, "routes");
	const uint32_t *allow = image_at(&c->image, g->routes_allow), *deny = image_at(&c->image, g->routes_deny);
	struct place at = { place, SPAN("routes"), 0, false };
	for (uint32_t i = 0; i < g->routes_allow.n; i++) {
		for (uint32_t k = 0; k < g->routes_deny.n; k++) {
			if (allow[i] == deny[k])
				errors_add(c->errors, routes->at, &at, "the same gateway is allowed and denied");
		}
	}
}

static void finish_mapping(struct compile *c, const struct node *n, const struct place *place, void *out)
{
	const struct cfg_mapping_gateway *g = out;
	const struct node *addresses = node_get(n, "addresses");
	const struct addr *list = image_at(&c->image, g->addresses);
	struct place at = { place, SPAN("addresses"), 0, false };
	if (!addresses && g->authentication != AUTH_DIGEST)
		errors_add(c->errors, n->at, &at, "is missing");
	else if (addresses && addresses->kind == NODE_LIST && !addresses->count && g->authentication != AUTH_DIGEST)
		errors_add(c->errors, addresses->at, &at, "is empty");
	for (uint32_t i = 0; g->authentication == AUTH_IP_PORT && i < g->addresses.n; i++) {
		if (!list[i].port) {
			errors_add(c->errors, addresses->at, &at,
				"authentication ip-port needs a port with every address");
			break;
		}
	}
	check_routes(c, n, place, g);
}
const struct schema schema_mapping_gateway = { .keys = mapping_keys, .size = sizeof(struct cfg_mapping_gateway),
	.prepare = prepare_mapping,
	.finish = finish_mapping };
