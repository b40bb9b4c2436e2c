#include "ctl/show.h"
#include "ctl/table.h"
#include <stdlib.h>

#define CELL_MAX 4096

struct column {
	const char *title, *key;
};
struct list_view {
	const char *command, *key; /* the result's member that holds the list */
	struct column columns[14];
};
static const struct list_view lists[] = {
	{ "workers", "workers",
		{ { "ROLE", "role" }, { "#", "index" }, { "PID", "pid" }, { "STATE", "state" },
			{ "RESTARTS", "restarts" }, { "HEARTBEAT ms", "heartbeat_age_ms" }, { "CALLS", "calls" },
			{ "CPU %", "cpu_percent" }, { "RSS kB", "rss_kb" } } },
	{ "calls", "calls",
		{ { "ID", "id" }, { "W", "worker" }, { "STATE", "state" }, { "INGRESS", "ingress" },
			{ "EGRESS", "egress" }, { "CALLER", "caller" }, { "CALLEE", "callee" }, { "START", "start" },
			{ "SECONDS", "duration_s" }, { "ATTEMPT", "attempt" } } },
	{ "gateways", "gateways",
		{ { "ID", "id" }, { "KIND", "kind" }, { "STATE", "state" }, { "REASON", "reason" },
			{ "CALLS", "calls" }, { "LIMIT", "line_limit" }, { "CPS", "cps" }, { "ASR %", "asr_percent" },
			{ "ACD s", "acd_s" }, { "PDD ms", "pdd_ms" }, { "ATTEMPTS", "attempts" },
			{ "ANSWERS", "answers" } } },
	{ "registrations", "registrations",
		{ { "ID", "id" }, { "STATE", "state" }, { "REGISTRAR", "registrar" }, { "EXPIRES s", "expires_in_s" },
			{ "NEXT s", "next_in_s" }, { "CODE", "last_code" }, { "ERROR", "last_error" } } },
	{ "endpoints", "endpoints",
		{ { "ACCOUNT", "account" }, { "CONTACT", "contact" }, { "SOURCE", "source" }, { "NAT", "nat" },
			{ "EXPIRES s", "expires_in_s" } } },
	{ "suspended", "suspended",
		{ { "WHO", "who" }, { "KIND", "kind" }, { "UNTIL", "until" }, { "REASON", "reason" } } },
	{ "parameters", "parameters",
		{ { "NAME", "name" }, { "VALUE", "value" }, { "UNIT", "unit" }, { "DEFAULT", "default" },
			{ "RANGE", "range" }, { "SCOPE", "scope" }, { "ORIGIN", "origin" } } },
	{ "cdr", "cdr",
		{ { "WORKER", "worker" }, { "RECORDS", "records" }, { "WRITTEN", "written" },
			{ "ON DISK", "acknowledged" }, { "WAITING", "waiting" }, { "CAPACITY", "capacity" },
			{ "FILE", "file_serial" }, { "OFFSET", "file_offset_bytes" } } },
	{ "route", "steps", { { "STEP", "step" }, { "RESULT", "result" } } },
	{ "route", "candidates",
		{ { "GATEWAY", "gateway" }, { "TAKEN", "taken" }, { "CALLEE", "callee_out" }, { "CALLER", "caller_out" },
			{ "REASON", "reason" }, { "RULE", "rule" } } },
	{ "call", "legs",
		{ { "LEG", "side" }, { "GATEWAY", "gateway" }, { "NUMBER", "number" }, { "SOURCE", "source" },
			{ "TARGET", "target" }, { "CONTACT", "contact" } } },
	{ "call", "history",
		{ { "TIME", "time" }, { "EVENT", "event" }, { "ATTEMPT", "attempt" }, { "GATEWAY", "gateway" },
			{ "CODE", "code" }, { "REASON", "reason" } } },
};

static void show_list(const struct list_view *v, const struct json *list, FILE *f)
{
	char text[CELL_MAX];
	size_t columns = 0;
	while (columns < 14 && v->columns[columns].key)
		columns++;
	struct table *t = table_new(columns);
	if (!t)
		return;
	for (size_t i = 0; i < columns; i++)
		table_column(t, i, v->columns[i].title);
	for (size_t row = 0; row < js_count(list); row++)
		for (size_t i = 0; i < columns; i++) {
			const struct json *value = js_get(js_at(list, row), v->columns[i].key);
			table_add(t, js_scalar(value, text, sizeof(text)) || !text[0] ? "-" : text);
		}
	table_print(t, f);
	table_free(t);
}

static void show_member(const char *key, const struct json *value, void *context)
{
	char text[CELL_MAX];
	FILE *f = context;
	if (js_scalar(value, text, sizeof(text)) == 0)
		fprintf(f, "%-18s %s\n", key, text);
}

void show_result(const char *command, const struct json *result, FILE *f)
{
	struct span text = js_text_of(js_get(result, "text"));
	if (text.n) { /* metrics: as it is */
		fwrite(text.p, 1, text.n, f);
		return;
	}
	js_each(result, show_member, f);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (strcmp(lists[i].command, command) == 0 && js_kind(js_get(result, lists[i].key)) == JS_ARRAY)
			show_list(&lists[i], js_get(result, lists[i].key), f);
}
