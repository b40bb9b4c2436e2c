/* suspended, unsuspend: terminals and sources that are refused (shm/auth.h), addresses that are ignored (shm/sources.h). */
#include "base/clock.h"
#include "ctl/control.h"
#include "ctl/events.h"
#include "shm/auth.h"
#include "shm/messages.h"
#include "shm/sources.h"
#include <errno.h>
#include <stdlib.h>

static void add(struct json *list, const char *who, const char *kind, uint64_t until_ms, const char *reason)
{
	struct json *o = js_object();
	js_add_text(o, "who", span_of(who));
	js_add_text(o, "kind", span_of(kind));
	events_add_time(o, "until", clock_wall_ms() + (until_ms - clock_ms()));
	js_add_text(o, "reason", span_of(reason));
	js_push(list, o);
}

/* --- terminals and sources --------------------------------------------------------------------------------------- */

typedef void (*each_suspended)(const struct auth_record *r, void *context);

static void for_each(const struct env *e, uint64_t now, each_suspended each, void *context)
{
	struct auth_record r;
	for (uint32_t worker = 0; worker < WORKERS_MAX; worker++) {
		const struct region *region = &e->region[seat_of(ROLE_SIGNALING, worker)];
		for (uint32_t i = 0; i < region_count(region, AREA_AUTH); i++)
			if (auth_read(region, i, &r) == 0 && r.kind != AUTH_ATTEMPT && r.copies[0].until_ms > now)
				each(&r, context);
	}
}

static void list_one(const struct auth_record *r, void *context)
{
	char who[AUTH_WHO_MAX];
	auth_who((struct span){ r->name, r->name_n }, &r->source, who);
	add(context, who, r->kind == AUTH_SOURCE ? "source" : "terminal", r->copies[0].until_ms, auth_reason_text(r->copies[0].reason));
}

/* --- ignored addresses ------------------------------------------------------------------------------------------- */

struct said { /* the last that a worker said of an address */
	struct source_event event;
	uint32_t worker;
	uint64_t number;
};

static int compare(const void *a, const void *b)
{
	const struct said *x = a, *y = b;
	int r = memcmp(&x->event.addr, &y->event.addr, sizeof x->event.addr);
	if (r)
		return r;
	if (x->worker != y->worker)
		return x->worker < y->worker ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static size_t read_events(const struct env *e, struct said *all, size_t cap)
{
	size_t n = 0;
	for (uint32_t worker = 0; worker < WORKERS_MAX; worker++) {
		const struct sources *s = region_area(&e->region[seat_of(ROLE_SIGNALING, worker)], AREA_SOURCES);
		uint64_t next = 0;
		while (s && n < cap && sources_next(s, &next, &all[n].event)) {
			all[n].worker = worker;
			all[n].number = next;
			n++;
		}
	}
	return n;
}

/* One worker's ban is honoured by all, and only its own word lifts it: the longest of what they say last. */
static void list_ignored(const struct env *e, uint64_t now, struct json *list)
{
	size_t cap = 0;
	char who[ADDR_TEXT_MAX];
	for (uint32_t worker = 0; worker < WORKERS_MAX; worker++)
		cap += region_area(&e->region[seat_of(ROLE_SIGNALING, worker)], AREA_SOURCES) ? SOURCES_LOG : 0;
	struct said *all = cap ? calloc(cap, sizeof(*all)) : NULL;
	size_t n = all ? read_events(e, all, cap) : 0;
	if (n)
		qsort(all, n, sizeof(*all), compare);
	for (size_t i = 0; i < n;) {
		struct source_event longest = { .reason = BAN_NONE };
		size_t first = i;
		for (; i < n && addr_same_ip(&all[i].event.addr, &all[first].event.addr); i++) {
			bool last = i + 1 == n || all[i + 1].worker != all[i].worker || !addr_same_ip(&all[i + 1].event.addr, &all[i].event.addr);
			if (last && all[i].event.reason != BAN_NONE && all[i].event.until_ms > longest.until_ms)
				longest = all[i].event;
		}
		if (longest.until_ms <= now)
			continue;
		addr_format_ip(&longest.addr, who, sizeof(who));
		add(list, who, "ignored", longest.until_ms, ban_reason_text((enum ban_reason)longest.reason));
	}
	free(all);
}

int command_suspended(struct command *c)
{
	struct json *list = js_array();
	for_each(c->control->env, clock_ms(), list_one, list);
	list_ignored(c->control->env, clock_ms(), list);
	js_add(c->result, "suspended", list);
	return 0;
}

/* --- unsuspend --------------------------------------------------------------------------------------------------- */

/* "account", "address", "account@address" */
static void parse_who(const char *who, struct message_unsuspend *ret)
{
	const char *at = strrchr(who, '@');
	struct span name = { who, at ? (size_t)(at - who) : strlen(who) };
	memset(ret, 0, sizeof(*ret));
	if (addr_parse(span_of(at ? at + 1 : who), &ret->source) < 0) {
		ret->source.family = 0;
		name.n = strlen(who);
	} else if (!at) {
		name.n = 0;
	}
	ret->source.port = 0;
	ret->name_n = (uint32_t)(name.n < sizeof(ret->name) ? name.n : sizeof(ret->name));
	memcpy(ret->name, name.p, ret->name_n);
}

struct counting {
	const struct message_unsuspend *m;
	int64_t n;
};

static void count_one_of(const struct auth_record *r, void *context)
{
	struct counting *c = context;
	bool there = !c->m->source.family || addr_same_ip(&r->source, &c->m->source);
	bool named = !c->m->name_n || (r->name_n == c->m->name_n && memcmp(r->name, c->m->name, r->name_n) == 0);
	c->n += there && named;
}

static int64_t count_ignored(const struct env *e, uint64_t now, const char *who)
{
	struct json *list = js_array();
	int64_t n = 0;
	list_ignored(e, now, list);
	for (size_t i = 0; i < js_count(list); i++)
		n += span_eq(js_text_of(js_get(js_at(list, i), "who")), span_of(who));
	js_free(list);
	return n;
}

static int order_all(struct command *c, uint32_t type, const void *body, size_t n)
{
	int failed = 0;
	for (uint32_t worker = 0; worker < WORKERS_MAX; worker++) {
		uint32_t seat = seat_of(ROLE_SIGNALING, worker);
		if (c->control->env->region[seat].head && env_push(c->control->env, seat, type, body, n, NULL, 0) < 0)
			failed = command_error(c, -EAGAIN, "signaling/%u does not take orders at the moment; try again", worker);
	}
	return failed;
}

int command_unsuspend(struct command *c)
{
	const char *who = request_arg(c->request, "who");
	struct message_unsuspend m;
	char address[ADDR_TEXT_MAX] = "";
	if (!who || !*who)
		return command_error(c, -EINVAL, "who: ACCOUNT, ADDRESS or ACCOUNT@ADDRESS is expected, as `suspended` shows them");
	parse_who(who, &m);
	struct counting found = { &m, 0 };
	for_each(c->control->env, clock_ms(), count_one_of, &found);
	if (!m.name_n)
		addr_format_ip(&m.source, address, sizeof(address));
	int64_t ignored = *address ? count_ignored(c->control->env, clock_ms(), address) : 0;
	if (!found.n && !ignored)
		return command_error(c, -ENOENT, "who: %s is not suspended", who);
	int r = order_all(c, MESSAGE_UNSUSPEND, &m, sizeof(m));
	if (!r && ignored)
		r = order_all(c, MESSAGE_UNBAN, &(struct message_unban){ m.source }, sizeof(struct message_unban));
	if (r)
		return r;
	js_add_text(c->result, "who", span_of(who));
	js_add_int(c->result, "lifted", found.n + ignored);
	return 0;
}
