/* status, workers, parameters, metrics, cdr: what the regions say about the system. */
#include "base/clock.h"
#include "ctl/control.h"
#include "ctl/events.h"
#include "ctl/view.h"
#include "shm/location.h"
#include "shm/counters.h"
#include "shm/journal.h"
#include "tandem-config.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const system_states[] = { "starting", "running", "draining" };
static const char *const seat_states[] = { "empty", "starting", "running", "dead", "delayed" };
static const char *const steerings[] = { "ring", "kernel" };
static const char *const relays[] = { "sockets", "sk_lookup" };

static const char *name_of(const char *const *names, size_t n, uint32_t value)
{
	return value < n ? names[value] : "unknown";
}
#define NAME(names, value) name_of(names, sizeof(names) / sizeof(names[0]), CMM_LOAD_SHARED(value))

/* --- status ------------------------------------------------------------------------------------------------------ */

/* processes of the new program; `completed` says how many upgrades there were since the start */
static void add_upgrade(const struct env *e, struct json *result)
{
	const struct roster *r = e->roster;
	uint64_t ordered = CMM_LOAD_SHARED(r->upgrade), completed = CMM_LOAD_SHARED(r->upgraded);
	struct json *o = js_object();
	int64_t of = 0, done = 0;
	for (uint32_t seat = 1; seat < SEATS_MAX; seat++) {
		if (!e->region[seat].head)
			continue;
		of++;
		done += CMM_LOAD_SHARED(r->seat[seat].upgrade) == ordered && CMM_LOAD_SHARED(r->seat[seat].state) == SEAT_RUNNING;
	}
	js_add_bool(o, "running", ordered != completed);
	js_add_int(o, "completed", (int64_t)completed);
	js_add_int(o, "done", done);
	js_add_int(o, "of", of);
	js_add(result, "upgrade", o);
}

int command_status(struct command *c)
{
	const struct config *config = control_config(c->control);
	const struct roster *r = c->control->env->roster;
	const struct cfg_listen *l = CFG_LIST(config, &config->sip.listen, struct cfg_listen);
	struct view_sum s = view_sum(c->control->env, cell_system());
	char address[ADDR_TEXT_MAX] = "";
	if (config->sip.listen.n)
		addr_format(&l[0].addr, false, address, sizeof(address));
	js_add_text(c->result, "name", cfg_span(config, config->system.name));
	js_add_text(c->result, "memo", cfg_span(config, config->system.memo));
	js_add_text(c->result, "version", span_of(TANDEM_VERSION));
	js_add_int(c->result, "pid", r->supervisor_pid);
	events_add_time(c->result, "created", r->started_wall_ms);
	events_add_time(c->result, "access_time", clock_wall_ms());
	js_add_text(c->result, "address", span_of(address));
	js_add_int(c->result, "uptime_s", (int64_t)((clock_ms() - r->started_ms) / 1000));
	js_add_int(c->result, "calls", (int64_t)s.calls);
	js_add_int(c->result, "cps", (int64_t)s.cps);
	js_add_text(c->result, "state", span_of(NAME(system_states, r->state)));
	js_add_text(c->result, "steering", span_of(NAME(steerings, r->steering)));
	js_add_text(c->result, "offload", SPAN("off"));
	js_add_text(c->result, "relay", span_of(NAME(relays, r->relay)));
	js_add_int(c->result, "call_limit", config->system.calls);
	js_add_int(c->result, "config_generation", (int64_t)CMM_LOAD_SHARED(r->config_generation));
	add_upgrade(c->control->env, c->result);
	js_add_int(c->result, "route_generation", (int64_t)CMM_LOAD_SHARED(r->route_generation));
	return 0;
}

/* --- workers ----------------------------------------------------------------------------------------------------- */

static void add_worker(struct control *k, uint32_t seat, struct json *list)
{
	const struct roster_seat *s = &k->env->roster->seat[seat];
	const struct region_head *h = k->env->region[seat].head;
	uint64_t now = clock_ms(), beat = CMM_LOAD_SHARED(h->heartbeat_ms);
	struct json *o = js_object();
	js_add_text(o, "role", span_of(role_name(seat_role(seat))));
	js_add_int(o, "index", seat_index(seat));
	js_add_int(o, "pid", CMM_LOAD_SHARED(s->pid));
	js_add_text(o, "state", span_of(NAME(seat_states, s->state)));
	js_add_int(o, "restarts", CMM_LOAD_SHARED(s->restarts));
	js_add_int(o, "heartbeat_age_ms", (int64_t)(beat && now > beat ? now - beat : 0));
	js_add_int(o, "calls",
		seat_role(seat) == ROLE_SIGNALING ? (int64_t)view_cell(k->env, seat_index(seat), cell_system()).calls
						  : 0);
	js_add_real(o, "cpu_percent", (double)(int64_t)(10 * k->usage[seat].cpu_percent + 0.5) / 10);
	js_add_int(o, "rss_kb", (int64_t)k->usage[seat].rss_kb);
	js_add_int(o, "uptime_s", (int64_t)((now - CMM_LOAD_SHARED(s->started_ms)) / 1000));
	js_add_int(o, "last_signal", CMM_LOAD_SHARED(s->last_signal));
	js_add_int(o, "last_code", CMM_LOAD_SHARED(s->last_code));
	js_push(list, o);
}

int command_workers(struct command *c)
{
	struct json *list = js_array();
	for (uint32_t seat = 1; seat < SEATS_MAX; seat++)
		if (c->control->env->region[seat].head)
			add_worker(c->control, seat, list);
	js_add(c->result, "workers", list);
	return 0;
}

/* --- parameters -------------------------------------------------------------------------------------------------- */

int command_parameters(struct command *c)
{
	const struct config *config = control_config(c->control);
	struct json *list = js_array();
	for (uint32_t p = 0; p < P_COUNT; p++) {
		const struct param_info *info = param_info((enum cfg_param)p);
		char value[512];
		size_t n = param_format(config, (enum cfg_param)p, value, sizeof(value));
		struct json *o = js_object();
		js_add_text(o, "name", span_of(info->name));
		js_add_text(o, "value", (struct span){ value, n < sizeof(value) ? n : sizeof(value) - 1 });
		js_add_text(o, "default", span_of(info->fallback));
		js_add_text(o, "range", span_of(info->range));
		js_add_text(o, "unit", span_of(info->unit));
		js_add_text(o, "scope", span_of(info->scope));
		js_add_text(o, "origin",
			p < config->params_origin.n
				? cfg_span(config, CFG_LIST(config, &config->params_origin, struct cfg_text)[p])
				: SPAN("default"));
		js_push(list, o);
	}
	js_add(c->result, "parameters", list);
	return 0;
}

/* --- cdr --------------------------------------------------------------------------------------------------------- */

struct journal_figures {
	uint64_t records, written, acknowledged, waiting, capacity, file_serial, file_offset;
};

static bool read_journal(const struct env *e, uint32_t worker, struct journal_figures *ret_figures)
{
	const struct journal *j = region_area(&e->region[seat_of(ROLE_SIGNALING, worker)], AREA_JOURNAL);
	const struct region *cdr = &e->region[seat_of(ROLE_CDR, 0)];
	const struct journal_ack *ack = region_area(cdr, AREA_ACKS);
	if (!j || !ack || worker >= region_count(cdr, AREA_ACKS))
		return false;
	ack += worker;
	struct journal_figures f = { .acknowledged = CMM_LOAD_SHARED(ack->sequence),
		.written = CMM_LOAD_SHARED(ack->written),
		.capacity = j->capacity,
		.file_serial = CMM_LOAD_SHARED(ack->file_serial),
		.file_offset = CMM_LOAD_SHARED(ack->file_offset) };
	f.records = CMM_LOAD_SHARED(j->tail); /* read last: never less than what is acknowledged of it */
	f.waiting = f.records > f.acknowledged ? f.records - f.acknowledged : 0;
	*ret_figures = f;
	return true;
}

int command_cdr(struct command *c)
{
	const struct config *config = control_config(c->control);
	struct json *list = js_array();
	for (uint32_t w = 0; w < WORKERS_MAX; w++) {
		struct journal_figures f;
		if (!read_journal(c->control->env, w, &f))
			continue;
		struct json *o = js_object();
		js_add_int(o, "worker", w);
		js_add_int(o, "records", (int64_t)f.records);
		js_add_int(o, "written", (int64_t)f.written);
		js_add_int(o, "acknowledged", (int64_t)f.acknowledged);
		js_add_int(o, "waiting", (int64_t)f.waiting);
		js_add_int(o, "capacity", (int64_t)f.capacity);
		js_add_int(o, "file_serial", (int64_t)f.file_serial);
		js_add_int(o, "file_offset_bytes", (int64_t)f.file_offset);
		js_push(list, o);
	}
	js_add(c->result, "cdr", list);
	js_add_text(c->result, "dir", cfg_span(config, config->cdr.dir));
	return 0;
}

/* --- metrics ----------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name, *help;
} counters[] = {
#define X(id, name, help) { name, help },
	COUNTERS(X)
#undef X
};

static void head(FILE *f, const char *name, const char *type, const char *help)
{
	fprintf(f, "# HELP tandem_%s %s\n# TYPE tandem_%s %s\n", name, help, name, type);
}

static void write_counters(const struct env *e, FILE *f)
{
	for (uint32_t i = 0; i < COUNTER_COUNT; i++) {
		head(f, counters[i].name, "counter", counters[i].help);
		for (uint32_t seat = 1; seat < SEATS_MAX; seat++) {
			uint64_t v = e->region[seat].head ? CMM_LOAD_SHARED(e->region[seat].head->counter[i]) : 0;
			if (v)
				fprintf(f, "tandem_%s{role=\"%s\",index=\"%u\"} %llu\n", counters[i].name,
					role_name(seat_role(seat)), seat_index(seat), (unsigned long long)v);
		}
	}
}

enum worker_gauge { GAUGE_UP, GAUGE_RESTARTS, GAUGE_HEARTBEAT, GAUGE_CPU, GAUGE_MEMORY };

static double worker_value(const struct control *k, uint32_t seat, enum worker_gauge what)
{
	const struct roster_seat *s = &k->env->roster->seat[seat];
	uint64_t beat = CMM_LOAD_SHARED(k->env->region[seat].head->heartbeat_ms), now = clock_ms();
	switch (what) {
	case GAUGE_UP:
		return CMM_LOAD_SHARED(s->state) == SEAT_RUNNING;
	case GAUGE_RESTARTS:
		return CMM_LOAD_SHARED(s->restarts);
	case GAUGE_HEARTBEAT:
		return now > beat ? (double)(now - beat) / 1000 : 0;
	case GAUGE_CPU:
		return k->usage[seat].cpu_percent / 100;
	default:
		return (double)k->usage[seat].rss_kb * 1024;
	}
}

static void write_workers(const struct control *k, FILE *f)
{
	static const struct {
		const char *name, *type, *help;
	} gauges[] = {
		[GAUGE_UP] = { "worker_up", "gauge", "1: the process is in service" },
		[GAUGE_RESTARTS] = { "worker_restarts_total", "counter", "starts after the first" },
		[GAUGE_HEARTBEAT] = { "worker_heartbeat_age_seconds", "gauge",
			"since the process gave a sign of life" },
		[GAUGE_CPU] = { "worker_cpu_ratio", "gauge", "share of one CPU used" },
		[GAUGE_MEMORY] = { "worker_resident_bytes", "gauge", "resident memory, shared regions included" },
	};
	for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++) {
		head(f, gauges[i].name, gauges[i].type, gauges[i].help);
		for (uint32_t seat = 1; seat < SEATS_MAX; seat++)
			if (k->env->region[seat].head)
				fprintf(f, "tandem_%s{role=\"%s\",index=\"%u\"} %.10g\n", gauges[i].name,
					role_name(seat_role(seat)), seat_index(seat),
					worker_value(k, seat, (enum worker_gauge)i));
	}
}

static void write_journals(const struct env *e, FILE *f)
{
	struct journal_figures j;
	head(f, "cdr_waiting", "gauge", "records not yet on disk");
	for (uint32_t w = 0; w < WORKERS_MAX; w++)
		if (read_journal(e, w, &j))
			fprintf(f, "tandem_cdr_waiting{worker=\"%u\"} %llu\n", w, (unsigned long long)j.waiting);
}

/* ids are letters, digits, dots, dashes and underscores: they need no quoting */
static void write_gateways(const struct env *e, const struct config *c, FILE *f)
{
	head(f, "gateway_calls", "gauge", "calls running");
	for (uint32_t i = 0; i < c->mapping_gateways.n; i++)
		fprintf(f, "tandem_gateway_calls{gateway=\"%s\",kind=\"mapping\"} %llu\n",
			cfg_str(c, cfg_mapping(c, i)->id), (unsigned long long)view_sum(e, cell_mapping(c, i)).calls);
	for (uint32_t i = 0; i < c->routing_gateways.n; i++)
		fprintf(f, "tandem_gateway_calls{gateway=\"%s\",kind=\"routing\"} %llu\n",
			cfg_str(c, cfg_routing(c, i)->id), (unsigned long long)view_sum(e, cell_routing(c, i)).calls);
	head(f, "gateway_attempts_total", "counter", "attempts since start");
	for (uint32_t i = 0; i < c->routing_gateways.n; i++)
		fprintf(f, "tandem_gateway_attempts_total{gateway=\"%s\"} %llu\n", cfg_str(c, cfg_routing(c, i)->id),
			(unsigned long long)view_sum(e, cell_routing(c, i)).attempts);
	head(f, "gateway_answers_total", "counter", "attempts answered since start");
	for (uint32_t i = 0; i < c->routing_gateways.n; i++)
		fprintf(f, "tandem_gateway_answers_total{gateway=\"%s\"} %llu\n", cfg_str(c, cfg_routing(c, i)->id),
			(unsigned long long)view_sum(e, cell_routing(c, i)).answers);
}

static unsigned long long endpoints(const struct env *e)
{
	unsigned long long n = 0;
	for (uint32_t i = 0; i < WORKERS_MAX; i++)
		n += location_count(&e->region[seat_of(ROLE_SIGNALING, i)]);
	return n;
}

int command_metrics(struct command *c)
{
	const struct env *e = c->control->env;
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	if (!f)
		return -ENOMEM;
	head(f, "info", "gauge", "version");
	fprintf(f, "tandem_info{version=\"%s\"} 1\n", TANDEM_VERSION);
	head(f, "uptime_seconds", "gauge", "since the supervisor started");
	fprintf(f, "tandem_uptime_seconds %llu\n", (unsigned long long)((clock_ms() - e->roster->started_ms) / 1000));
	head(f, "calls", "gauge", "calls running");
	fprintf(f, "tandem_calls %llu\n", (unsigned long long)view_sum(e, cell_system()).calls);
	head(f, "endpoints", "gauge", "contacts of accounts that registered here");
	fprintf(f, "tandem_endpoints %llu\n", endpoints(e));
	write_workers(c->control, f);
	write_counters(e, f);
	write_journals(e, f);
	write_gateways(e, control_config(c->control), f);
	if (fclose(f) == 0)
		js_add_text(c->result, "text", (struct span){ text, n });
	free(text);
	return 0;
}
