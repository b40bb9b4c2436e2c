/* calls, call, hangup. */
#include "base/clock.h"
#include "ctl/control.h"
#include "ctl/events.h"
#include "ctl/view.h"
#include "shm/journal.h"
#include "shm/media.h"
#include "shm/messages.h"
#include <errno.h>
#include <stdlib.h>

#define LIST_LIMIT_MS 1000u /* control must not be silent for longer */

static void add_addr(struct json *o, const char *key, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];
	if (!a->family)
		return;
	addr_format(a, false, text, sizeof(text));
	js_add_text(o, key, span_of(text));
}

static void add_call(const struct view_call *v, struct json *o)
{
	char id[UUID_TEXT + 1];
	uuid_format(&v->id, id);
	js_add_text(o, "id", span_of(id));
	js_add_int(o, "worker", v->worker);
	js_add_text(o, "state", span_of(view_phase(v)));
	js_add_text(o, "ingress", view_text(v, TEXT_INGRESS));
	js_add_text(o, "egress", view_text(v, TEXT_EGRESS));
	js_add_text(o, "caller", view_text(v, TEXT_CALLER_IN));
	js_add_text(o, "callee", view_text(v, TEXT_CALLEE_IN));
	events_add_time(o, "start", v->start_wall_ms);
	events_add_time(o, "answer", v->state.answer_wall_ms);
	js_add_real(o, "duration_s", (double)view_talk_ms(v, clock_ms()) / 1000);
	js_add_int(o, "attempt", v->state.attempt);
}

int command_calls(struct command *c)
{
	static struct view_call v;
	const struct env *e = c->control->env;
	const char *gateway = request_arg(c->request, "gateway");
	struct json *list = js_array();
	uint64_t until = clock_ms() + LIST_LIMIT_MS;
	uint32_t worker = 0, slot = 0, n = 0;
	bool truncated = false;
	while (!truncated && view_next(e, &worker, &slot, &v)) {
		truncated = ++n % 256 == 0 && clock_ms() > until;
		if (gateway && !span_eq(view_text(&v, TEXT_INGRESS), span_of(gateway)) &&
			!span_eq(view_text(&v, TEXT_EGRESS), span_of(gateway)))
			continue;
		struct json *o = js_object();
		add_call(&v, o);
		js_push(list, o);
	}
	js_add(c->result, "calls", list);
	if (truncated)
		js_add_bool(c->result, "truncated", true);
	return 0;
}

/* --- one call ---------------------------------------------------------------------------------------------------- */

/* one relayed stream of a leg: what the relay has seen of it */
static void add_stream(
	const struct env *e, const struct config *config, const struct call_leg *leg, uint32_t i, struct json *list)
{
	if (!leg->media[i] || leg->media[i] - 1 >= media_pairs(config))
		return;
	uint32_t pair = leg->media[i] - 1;
	const struct region *r = &e->region[seat_of(ROLE_MEDIA, pair_media(config, pair))];
	const struct media_flow *flows = region_area(r, AREA_FLOWS);
	struct media_flow f;
	struct json *o = js_object();
	js_add_int(o, "port", pair_port(config, pair));
	if (flows && pair < region_count(r, AREA_FLOWS) &&
		media_flow_read(&flows[pair], leg->media_generation[i], &f) == 0) {
		if (f.latched)
			add_addr(o, "remote", &f.rtp);
		js_add_int(o, "packets", (int64_t)f.packets);
		js_add_int(o, "bytes", (int64_t)f.bytes);
		js_add_int(o, "sent", (int64_t)f.sent);
		js_add_int(o, "lost", (int64_t)media_flow_lost(&f));
		js_add_real(o, "jitter_ms", (double)media_flow_jitter_us(&f) / 1000);
		js_add_int(o, "ssrc", f.ssrc);
		js_add_int(o, "payload_type", f.payload_type);
		js_add_int(
			o, "dropped", (int64_t)(f.dropped_source + f.dropped_bad + f.dropped_hold + f.dropped_unready));
	}
	js_push(list, o);
}

static void add_legs(struct command *c, const struct view_call *v)
{
	static const struct {
		const char *side;
		enum call_text_id gateway, number, target;
	} sides[2] = { [LEG_CALLER] = { "caller", TEXT_INGRESS, TEXT_CALLER_IN, TEXT_IN_TARGET },
		[LEG_CALLEE] = { "callee", TEXT_EGRESS, TEXT_CALLEE_OUT, TEXT_OUT_TARGET } };
	struct json *legs = js_array();
	for (uint32_t side = LEG_CALLER; side <= LEG_CALLEE; side++) {
		const struct call_leg *leg = &v->state.leg[side];
		struct json *o = js_object(), *streams = js_array();
		js_add_text(o, "side", span_of(sides[side].side));
		js_add_text(o, "gateway", view_text(v, sides[side].gateway));
		js_add_text(o, "number", view_text(v, sides[side].number));
		if (side == LEG_CALLER)
			js_add_text(o, "sip_call_id", view_text(v, TEXT_IN_CALL_ID));
		js_add_text(o, "contact", view_text(v, sides[side].target));
		add_addr(o, "source", &leg->source);
		add_addr(o, "target", &leg->target);
		js_add_bool(o, "behind_nat", leg->behind_nat);
		for (uint32_t i = 0; i < leg->streams && i < CALL_STREAMS; i++)
			add_stream(c->control->env, control_config(c->control), leg, i, streams);
		js_add(o, "media", streams);
		js_push(legs, o);
	}
	js_add(c->result, "legs", legs);
}

static struct json *add_moment(struct json *list, const char *event, uint64_t wall_ms)
{
	if (!wall_ms)
		return NULL;
	struct json *o = js_object();
	events_add_time(o, "time", wall_ms);
	js_add_text(o, "event", span_of(event));
	js_push(list, o);
	return o;
}

static struct span entry_text(const struct journal_entry *j, struct journal_text t)
{
	return t.at <= JOURNAL_TEXT && t.n <= JOURNAL_TEXT - t.at ? (struct span){ j->text + t.at, t.n } : SPAN("");
}

/* attempts that failed have their records in the journal, as long as it has not come round */
static void add_attempts(const struct env *e, const struct view_call *v, struct json *list)
{
	const struct journal *j = region_area(&e->region[seat_of(ROLE_SIGNALING, v->worker)], AREA_JOURNAL);
	static struct journal_entry entry;
	uint64_t tail = j ? CMM_LOAD_SHARED(j->tail) : 0, first = j && tail > j->capacity ? tail - j->capacity : 0;
	for (uint64_t s = first; s < tail; s++) {
		const struct journal_entry *at = journal_at(j, s);
		if (memcmp(&at->call_id, &v->id, sizeof(v->id)) != 0)
			continue;
		entry = *at;
		if (entry.sequence != s || memcmp(&entry.call_id, &v->id, sizeof(v->id)) != 0)
			continue;
		struct json *o = add_moment(list, entry.final ? "record" : "attempt failed", entry.end_ms);
		js_add_int(o, "attempt", entry.attempt);
		js_add_text(o, "gateway", entry_text(&entry, entry.egress));
		js_add_int(o, "code", entry.code);
		if (entry.reason < END_REASON_COUNT)
			js_add_text(o, "reason", span_of(end_reason_info((enum end_reason)entry.reason)->text));
	}
}

static void add_history(struct command *c, const struct view_call *v)
{
	const struct call_state *s = &v->state;
	struct json *list = js_array();
	add_moment(list, "start", v->start_wall_ms);
	add_attempts(c->control->env, v, list);
	struct json *attempt = add_moment(list, "attempt", s->attempt ? s->attempt_wall_ms : 0);
	js_add_int(attempt, "attempt", s->attempt);
	js_add_text(attempt, "gateway", view_text(v, TEXT_EGRESS));
	add_moment(list, "progress", s->progress_wall_ms);
	add_moment(list, "alert", s->alert_wall_ms);
	add_moment(list, "answer", s->answer_wall_ms);
	js_add(c->result, "history", list);
}

/* 0 with the call that the request names; else the error has been said */
static int find_call(struct command *c, struct view_call *ret_call)
{
	struct uuid id;
	const char *text = request_arg(c->request, "id");
	if (!text || uuid_parse(text, &id))
		return command_error(c, -EINVAL, "id: the UUID of a call as `calls` shows it is expected");
	int r = view_find(c->control->env, &id, ret_call);
	if (r)
		return command_error(c, r, r == -EBUSY ? "the call changes too fast; try again" : "no such call");
	return 0;
}

int command_call(struct command *c)
{
	static struct view_call v;
	int r = find_call(c, &v);
	if (r)
		return r;
	add_call(&v, c->result);
	js_add_text(c->result, "caller_out", view_text(&v, TEXT_CALLER_OUT));
	js_add_text(c->result, "callee_out", view_text(&v, TEXT_CALLEE_OUT));
	js_add_text(c->result, "codec", view_text(&v, TEXT_CODEC));
	js_add_bool(c->result, "relayed", v.state.relayed);
	js_add_bool(c->result, "recovered", v.state.recovered);
	if (v.state.pdd_ms != UINT64_MAX)
		js_add_int(c->result, "pdd_ms", (int64_t)v.state.pdd_ms);
	add_legs(c, &v);
	add_history(c, &v);
	return 0;
}

int command_hangup(struct command *c)
{
	static struct view_call v;
	int r = find_call(c, &v);
	if (r)
		return r;
	const struct message_call m = { .slot = v.slot, .generation = v.generation };
	r = env_push(c->control->env, seat_of(ROLE_SIGNALING, v.worker), MESSAGE_HANGUP, &m, sizeof(m), NULL, 0);
	if (r)
		return command_error(c, r, "signaling/%u does not take orders at the moment; try again", v.worker);
	js_add_text(c->result, "id", span_of(request_arg(c->request, "id")));
	return 0;
}
