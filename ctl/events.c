#include "ctl/events.h"
#include "base/clock.h"
#include "ctl/view.h"
#include <stdio.h>

void events_add_time(struct json *o, const char *key, uint64_t wall_ms)
{
	char text[40];
	struct tm t;
	time_t seconds = (time_t)(wall_ms / 1000);
	if (!wall_ms || !gmtime_r(&seconds, &t))
		return;
	size_t n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &t);
	snprintf(text + n, sizeof(text) - n, ".%03uZ", (unsigned)(wall_ms % 1000));
	js_add_text(o, key, span_of(text));
}

/* the record is still there unless the call ended and its slot was given back meanwhile */
static void add_call(struct control *k, uint32_t worker, const struct message_event *m, struct json *o)
{
	static struct view_call v;
	static const struct {
		const char *key;
		enum call_text_id id;
	} texts[] = { { "ingress", TEXT_INGRESS }, { "egress", TEXT_EGRESS }, { "caller", TEXT_CALLER_IN },
		{ "callee", TEXT_CALLEE_IN } };
	if (view_call(k->env, worker, m->slot, &v) || v.generation != m->generation)
		return;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (view_text(&v, texts[i].id).n)
			js_add_text(o, texts[i].key, view_text(&v, texts[i].id));
	if (m->type == EVENT_CALL_END)
		js_add_real(o, "duration_s", (double)view_talk_ms(&v, clock_ms()) / 1000);
}

/* the id and, after a zero, the reason */
static void add_registration(struct json *o, const struct message_event *m, struct span text)
{
	const char *end = memchr(text.p, 0, text.n);
	size_t n = end ? (size_t)(end - text.p) : text.n;
	js_add_text(o, "id", (struct span){ text.p, n });
	if (m->code)
		js_add_int(o, "code", m->code);
	if (text.n > n + 1)
		js_add_text(o, "reason", (struct span){ text.p + n + 1, text.n - n - 1 });
}

/* the account and, after a zero, the Contact URI */
static void add_endpoint(struct json *o, struct span text)
{
	const char *end = memchr(text.p, 0, text.n);
	size_t n = end ? (size_t)(end - text.p) : text.n;
	js_add_text(o, "account", (struct span){ text.p, n });
	if (text.n > n + 1)
		js_add_text(o, "contact", (struct span){ text.p + n + 1, text.n - n - 1 });
}

/* "WHO is ... for ... s: REASON" */
static void add_suspended(struct json *o, struct span text)
{
	const char *end = memchr(text.p, ' ', text.n), *reason = memmem(text.p, text.n, " s: ", 4);
	struct span who = { text.p, end ? (size_t)(end - text.p) : text.n };
	bool ignored = memmem(text.p, text.n, " is ignored ", 12) != NULL;
	js_add_text(o, "who", who);
	js_add_text(o, "kind", ignored ? SPAN("ignored") : who.n && memchr(who.p, '@', who.n) ? SPAN("terminal") : SPAN("source"));
	if (reason)
		js_add_text(o, "reason", (struct span){ reason + 4, text.n - (size_t)(reason + 4 - text.p) });
}

void events_publish(struct control *k, uint32_t seat, const struct message_event *m, size_t text_n)
{
	static const char *const names[] = { [EVENT_CALL_START] = "call.start",
		[EVENT_CALL_ANSWER] = "call.answer",
		[EVENT_CALL_END] = "call.end",
		[EVENT_ALARM] = "alarm",
		[EVENT_REGISTERED] = "registration.registered",
		[EVENT_REGISTRATION_FAILED] = "registration.failed",
		[EVENT_UNREGISTERED] = "registration.unregistered",
		[EVENT_SUSPENDED] = "suspended",
		[EVENT_ENDPOINT_REGISTERED] = "endpoint.registered",
		[EVENT_ENDPOINT_UNREGISTERED] = "endpoint.unregistered",
		[EVENT_ENDPOINT_EXPIRED] = "endpoint.expired" };
	if (m->type == 0 || m->type >= sizeof(names) / sizeof(names[0]))
		return;
	struct json *o = js_object();
	js_add_text(o, "event", span_of(names[m->type]));
	events_add_time(o, "time", clock_wall_ms());
	if (m->type == EVENT_ALARM || m->type == EVENT_SUSPENDED) {
		if (m->type == EVENT_SUSPENDED)
			add_suspended(o, (struct span){ (const char *)(m + 1), text_n });
		js_add_text(o, "text", (struct span){ (const char *)(m + 1), text_n });
	} else if (m->type >= EVENT_REGISTERED && m->type <= EVENT_UNREGISTERED) {
		add_registration(o, m, (struct span){ (const char *)(m + 1), text_n });
	} else if (m->type >= EVENT_ENDPOINT_REGISTERED && m->type <= EVENT_ENDPOINT_EXPIRED) {
		add_endpoint(o, (struct span){ (const char *)(m + 1), text_n });
	} else {
		char id[UUID_TEXT + 1];
		struct uuid u;
		memcpy(&u, m->call_id, sizeof(u));
		uuid_format(&u, id);
		js_add_text(o, "id", span_of(id));
		js_add_int(o, "worker", seat_index(seat));
		add_call(k, seat_index(seat), m, o);
		if (m->code)
			js_add_int(o, "code", m->code);
		if (m->type == EVENT_CALL_END && m->reason < END_REASON_COUNT)
			js_add_text(o, "reason", span_of(end_reason_info((enum end_reason)m->reason)->text));
	}
	control_publish(k, o);
	js_free(o);
}
