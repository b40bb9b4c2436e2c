/* The sections of a configuration, and those small enough to stand here: system, log, routing, registration, records,
 * status. */
#include "config/schema.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

/* --- system --------------------------------------------------------------------------------------------------- */

#define WORKERS_MAX  64
#define WORKERS_AUTO 0

static const struct choice auto_workers[] = { { "auto", WORKERS_AUTO }, { 0 } };
static const struct type type_workers = { .size = sizeof(uint32_t), .read = read_number, .choices = auto_workers,
	.min = 1, .max = WORKERS_MAX,
	.allowed = "auto, 1-64" };
static const struct type type_calls = { .size = sizeof(uint32_t), .read = read_number, .min = 1, .max = 1000000,
	.allowed = "1-1000000" };
static const struct type type_endpoints = { .size = sizeof(uint32_t), .read = read_number, .min = 0, .max = 10000000,
	.allowed = "0-10000000" };
static const struct type type_registrations = { .size = sizeof(uint32_t), .read = read_number, .min = 0,
	.max = 100000, .allowed = "0-100000" };
static const struct type type_drain = { .size = sizeof(uint32_t), .read = read_seconds, .min = 0, .max = 86400000,
	.allowed = "0-86400" };
/* status.sock and its zero must fit into 108 bytes */
static const struct type type_run_dir = { .size = sizeof(struct cfg_text), .read = read_path, .min = 1, .max = 90,
	.character = character_free,
	.allowed = "a path", .text = true };

static const struct key worker_keys[] = {
	{ "signaling", KEY_VALUE, FIELD(config, system.signaling), .type = &type_workers },
	{ "media", KEY_VALUE, FIELD(config, system.media), .type = &type_workers },
	{ 0 }
};
static const struct schema schema_workers = { .keys = worker_keys, .size = sizeof(struct config) };

static bool workers_read(struct compile *c, const struct node *n, const struct place *place, void *out)
{
	struct config *config = out;
	struct input in = { c, n->at, place, n->text, false };
	if (n->kind == NODE_SCALAR && type_workers.read(&in, &type_workers, &config->system.signaling))
		config->system.media = config->system.signaling;
	else if (n->kind != NODE_SCALAR)
		schema_read(c, &schema_workers, n, place, out);
	return false;
}

static const struct key limit_keys[] = {
	{ "calls", KEY_VALUE, FIELD(config, system.calls), .type = &type_calls, .fallback = "20000" },
	{ "endpoints", KEY_VALUE, FIELD(config, system.endpoints), .type = &type_endpoints, .fallback = "100000" },
	{ "registrations", KEY_VALUE, FIELD(config, system.registrations), .type = &type_registrations,
		.fallback = "2000" },
	{ 0 }
};
static const struct schema schema_limits = { .keys = limit_keys, .size = sizeof(struct config) };

static const struct key system_keys[] = {
	{ "name", KEY_VALUE, FIELD(config, system.name), .type = &type_id, .fallback = "sw1" },
	{ "memo", KEY_VALUE, FIELD(config, system.memo), .type = &type_text },
	{ "user", KEY_VALUE, FIELD(config, system.user), .type = &type_text },
	{ "run_dir", KEY_VALUE, FIELD(config, system.run_dir), .type = &type_run_dir },
	{ "state_dir", KEY_VALUE, FIELD(config, system.state_dir), .type = &type_path },
	{ "workers", KEY_CUSTOM, NOWHERE, .custom = workers_read },
	{ "limits", KEY_MAP, NOWHERE, .schema = &schema_limits },
	{ "drain_timeout", KEY_VALUE, FIELD(config, system.drain_timeout), .type = &type_drain, .fallback = "30" },
	{ "pin", KEY_VALUE, FIELD(config, system.pin), .type = &type_onoff, .fallback = "off" },
	{ 0 }
};

static void prepare_system(struct compile *c, void *out)
{
	struct config *config = out;
	const char *runtime = c->sealed ? NULL : getenv("XDG_RUNTIME_DIR");
	char path[256] = "/run/tandem";
	if (runtime && runtime[0] == '/')
		snprintf(path, sizeof(path), "%s/tandem", runtime);
	config->system.run_dir = image_text(&c->image, span_of(path));
	config->system.signaling = config->system.media = 2;
}

/* `auto`: half of the cores each */
static void finish_system(struct compile *c, const struct node *n, const struct place *place, void *out)
{
	struct config *config = out;
	cpu_set_t set;
	int cores = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 2;
	uint32_t half = (uint32_t)(cores + 1) / 2;
	(void)c;
	(void)n;
	(void)place;
	if (half > WORKERS_MAX)
		half = WORKERS_MAX;
	if (config->system.signaling == WORKERS_AUTO)
		config->system.signaling = half;
	if (config->system.media == WORKERS_AUTO)
		config->system.media = half;
}
static const struct schema schema_system = { .keys = system_keys, .size = sizeof(struct config),
	.prepare = prepare_system, .finish = finish_system };

/* --- log ------------------------------------------------------------------------------------------------------ */

static const struct choice levels[] = { { "error", LOG_ERROR }, { "warning", LOG_WARNING }, { "info", LOG_INFO },
	{ "debug", LOG_DEBUG }, { 0 } };
static const struct choice formats[] = { { "text", LOG_TEXT }, { "json", LOG_JSON }, { 0 } };
static const struct type type_level = { .size = sizeof(uint32_t), .read = read_choice, .choices = levels };
static const struct type type_format = { .size = sizeof(uint32_t), .read = read_choice, .choices = formats };
static const struct key log_keys[] = {
	{ "level", KEY_VALUE, FIELD(config, log.level), .type = &type_level, .fallback = "info" },
	{ "format", KEY_VALUE, FIELD(config, log.format), .type = &type_format, .fallback = "text" },
	{ 0 }
};
static const struct schema schema_log = { .keys = log_keys, .size = sizeof(struct config) };

/* --- routing -------------------------------------------------------------------------------------------------- */

static const struct choice sorts[] = { { "priority", SORT_PRIORITY }, { "load", SORT_LOAD }, { "history",
	SORT_HISTORY }, { "id", SORT_ID },
	{ "asr", SORT_ASR }, { "rate", SORT_RATE }, { 0 } };
static const struct type type_sort = { .size = sizeof(uint32_t), .read = read_choice, .choices = sorts };
static const struct type type_window = { .size = sizeof(uint32_t), .read = read_seconds, .min = 60000,
	.max = 86400000, .allowed = "60-86400" };
static const struct type type_bucket = { .size = sizeof(uint32_t), .read = read_seconds, .min = 10000, .max = 3600000,
	.allowed = "10-3600" };
static const struct key routing_keys[] = {
	{ "sort", KEY_LIST, FIELD(config, routing.sort), .type = &type_sort, .fallback = "priority,load,history,id" },
	{ "window", KEY_VALUE, FIELD(config, routing.window), .type = &type_window },
	{ "bucket", KEY_VALUE, FIELD(config, routing.bucket), .type = &type_bucket },
	{ "min_attempts", KEY_VALUE, FIELD(config, routing.min_attempts), .type = &type_count, .fallback = "20" },
	{ 0 }
};

static void prepare_routing(struct compile *c, void *out)
{
	struct config *config = out;
	config->routing.window = (uint32_t)c->config.param[P_SS_GATEWAY_ASR_RESERVE_TIME];
	config->routing.bucket = (uint32_t)c->config.param[P_SS_GATEWAY_ASR_RESERVE_SEPARATE];
}

static void finish_routing(struct compile *c, const struct node *n, const struct place *place, void *out)
{
	struct config *config = out;
	const struct node *sort = node_get(n, "sort");
	struct place at = { place, SPAN("sort"), 0, false };
	const uint32_t *list = image_at(&c->image, config->routing.sort);
	uint32_t seen = 0;
	if (!sort)
		return;
	c->sort_given = true;
	if (!config->routing.sort.n)
		errors_add(c->errors, sort->at, &at, "is empty");
	for (uint32_t i = 0; i < config->routing.sort.n; i++) {
		if (seen & (1u << list[i]))
			errors_add(c->errors, sort->at, &at, "%s stands there twice", sorts[list[i]].word);
		seen |= 1u << list[i];
	}
}
static const struct schema schema_routing = { .keys = routing_keys, .size = sizeof(struct config),
	.prepare = prepare_routing, .finish = finish_routing };

/* --- registration, records, status, protection ----------------------------------------------------------------- */

static const struct type type_rate = { .size = sizeof(uint32_t), .read = read_number, .min = 1, .max = 10000,
	.allowed = "1-10000" };
static const struct type type_unregister = { .size = sizeof(uint32_t), .read = read_seconds, .min = 0, .max = 60000,
	.allowed = "0-60" };
static const struct key registration_keys[] = {
	{ "rate", KEY_VALUE, FIELD(config, registration.rate), .type = &type_rate, .fallback = "50" },
	{ "unregister_timeout", KEY_VALUE, FIELD(config, registration.unregister_timeout), .type = &type_unregister,
		.fallback = "5" },
	{ 0 }
};
static const struct schema schema_registering = { .keys = registration_keys, .size = sizeof(struct config) };

static const struct choice cdr_formats[] = { { "jsonl", CDR_JSONL }, { "csv", CDR_CSV }, { 0 } };
static const struct type type_cdr_format = { .size = sizeof(uint32_t), .read = read_choice, .choices = cdr_formats };
static const struct type type_rotate_size = { .size = sizeof(uint64_t), .read = read_size, .min = 4096,
	.max = 1ll << 40, .allowed = "4K-1024G" };
static const struct type type_rotate_age = { .size = sizeof(uint32_t), .read = read_seconds, .min = 1000,
	.max = 31 * 86400000ll, .allowed = "1s-31d" };
static const struct key rotate_keys[] = {
	{ "size", KEY_VALUE, FIELD(config, cdr.rotate_size), .type = &type_rotate_size, .fallback = "64M" },
	{ "age", KEY_VALUE, FIELD(config, cdr.rotate_age), .type = &type_rotate_age, .fallback = "1h" },
	{ 0 }
};
static const struct schema schema_rotate = { .keys = rotate_keys, .size = sizeof(struct config) };
static const struct type type_postgres = { .size = sizeof(struct cfg_text), .read = read_text, .min = 1, .max = 1024,
	.character = character_free,
	.allowed = "a connection string", .text = true, .null = true, .secret = true };
static const struct key cdr_keys[] = {
	{ "dir", KEY_VALUE, FIELD(config, cdr.dir), .type = &type_path, .fallback = "cdr" },
	{ "format", KEY_VALUE, FIELD(config, cdr.format), .type = &type_cdr_format, .fallback = "jsonl" },
	{ "rotate", KEY_MAP, NOWHERE, .schema = &schema_rotate },
	{ "postgres", KEY_VALUE, FIELD(config, cdr.postgres), .type = &type_postgres },
	{ 0 }
};
static const struct schema schema_cdr = { .keys = cdr_keys, .size = sizeof(struct config) };

static const struct type type_bind = { .size = sizeof(struct addr), .read = read_bind,
	.allowed = "IP:PORT, [IPv6]:PORT", .null = true };
static const struct key http_keys[] = {
	{ "listen", KEY_VALUE, FIELD(config, http.listen), .type = &type_bind },
	{ 0 }
};
static const struct schema schema_http = { .keys = http_keys, .size = sizeof(struct config) };

static const struct type type_ban = { .size = sizeof(uint32_t), .read = read_seconds, .min = 1000, .max = 604800000,
	.allowed = "1-604800" };
static const struct key protect_keys[] = {
	{ "rate", KEY_VALUE, FIELD(config, protect.rate), .type = &type_rate, .fallback = "50" },
	{ "ban", KEY_VALUE, FIELD(config, protect.ban), .type = &type_ban, .fallback = "300" },
	{ "gateways", KEY_VALUE, FIELD(config, protect.gateways), .type = &type_onoff, .fallback = "off" },
	{ 0 }
};
static const struct schema schema_protect = { .keys = protect_keys, .size = sizeof(struct config) };

static const struct type type_server = { .size = sizeof(struct addr), .read = read_server,
	.allowed = "IP, IP:PORT, [IPv6]:PORT" };
static const struct key dns_keys[] = {
	{ "servers", KEY_LIST, FIELD(config, dns.servers), .type = &type_server },
	{ 0 }
};
static const struct schema schema_dns = { .keys = dns_keys, .size = sizeof(struct config) };

/* --- the root -------------------------------------------------------------------------------------------------- */

/* parameters and media come before the gateways, which take their defaults from them */
static const struct key root_keys[] = {
	{ "system", KEY_MAP, NOWHERE, .schema = &schema_system },
	{ "log", KEY_MAP, NOWHERE, .schema = &schema_log },
	{ "sip", KEY_MAP, NOWHERE, .schema = &schema_sip },
	{ "media", KEY_MAP, NOWHERE, .schema = &schema_media },
	{ "parameters", KEY_CUSTOM, NOWHERE, .custom = parameters_read },
	{ "routing", KEY_MAP, NOWHERE, .schema = &schema_routing },
	{ "dial_plans", KEY_CUSTOM, FIELD(config, dial_plans), .custom = dial_plans_read },
	{ "number_lists", KEY_NAMED, FIELD(config, number_lists), .schema = &schema_number_list },
	{ "rate_tables", KEY_NAMED, FIELD(config, rate_tables), .schema = &schema_rate_table },
	{ "lrn_sources", KEY_NAMED, FIELD(config, lrn_sources), .schema = &schema_lrn_source },
	{ "gateway_groups", KEY_ITEMS, FIELD(config, groups), .schema = &schema_group },
	{ "registration", KEY_MAP, NOWHERE, .schema = &schema_registering },
	{ "registrations", KEY_ITEMS, FIELD(config, registrations), .schema = &schema_registration },
	{ "routing_gateways", KEY_ITEMS, FIELD(config, routing_gateways), .schema = &schema_routing_gateway },
	{ "mapping_gateways", KEY_ITEMS, FIELD(config, mapping_gateways), .schema = &schema_mapping_gateway },
	{ "accounts", KEY_ITEMS, FIELD(config, accounts), .schema = &schema_account },
	{ "cdr", KEY_MAP, NOWHERE, .schema = &schema_cdr },
	{ "http", KEY_MAP, NOWHERE, .schema = &schema_http },
	{ "protect", KEY_MAP, NOWHERE, .schema = &schema_protect },
	{ "dns", KEY_MAP, NOWHERE, .schema = &schema_dns },
	{ 0 }
};
const struct schema schema_root = { .keys = root_keys, .size = sizeof(struct config) };
