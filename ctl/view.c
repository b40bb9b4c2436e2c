#include "ctl/view.h"
#include "base/clock.h"
#include "shm/names.h"
#include "shm/registration.h"
#include <stdio.h>

/* --- calls ------------------------------------------------------------------------------------------------------- */

/* The block belongs to the call as long as no commit comes in between: it may be handed out again afterwards. */
static uint32_t copy_text(const struct region *r, const struct call_state *s, char *to)
{
	const void *block = block_at(region_area(r, AREA_BLOCKS), s->text);
	if (!block)
		return 0;
	uint32_t capacity = block_capacity(s->text), n = s->text_used < capacity ? s->text_used : capacity;
	memcpy(to, block, n);
	return n;
}

int view_call(const struct env *e, uint32_t worker, uint32_t slot, struct view_call *ret_call)
{
	const struct region *r = &e->region[seat_of(ROLE_SIGNALING, worker)];
	const struct call *calls = region_area(r, AREA_CALLS);
	if (!calls || slot >= region_count(r, AREA_CALLS))
		return -ENOENT;
	const struct call *c = &calls[slot];
	for (int i = 0; i < SLOT_TRIES; i++) {
		uint32_t generation = 0, commit = __atomic_load_n(&c->slot.commit, __ATOMIC_ACQUIRE);
		int result = slot_read(&c->slot, c->copies, sizeof(c->copies[0]), &generation, &ret_call->state);
		if (result)
			return result;
		ret_call->worker = worker;
		ret_call->slot = slot;
		ret_call->generation = generation;
		ret_call->id = c->id;
		ret_call->start_ms = c->start_ms;
		ret_call->start_wall_ms = c->start_wall_ms;
		ret_call->text_n = copy_text(r, &ret_call->state, ret_call->text);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (CMM_LOAD_SHARED(c->slot.commit) == commit && CMM_LOAD_SHARED(c->slot.generation) == generation)
			return uuid_is_nil(&ret_call->id) ? -ENOENT : 0; /* a remnant (signaling/stray.c) is no call */
	}
	return -EBUSY;
}

int view_find(const struct env *e, const struct uuid *id, struct view_call *ret_call)
{
	int result = -ENOENT;
	for (uint32_t w = 0; w < WORKERS_MAX; w++) {
		const struct region *r = &e->region[seat_of(ROLE_SIGNALING, w)];
		const struct call *calls = region_area(r, AREA_CALLS);
		for (uint32_t i = 0; i < region_count(r, AREA_CALLS); i++) {
			if (memcmp(&calls[i].id, id, sizeof(*id)) != 0 ||
				CMM_LOAD_SHARED(calls[i].slot.state) < SLOT_LIVE)
				continue;
			result = view_call(e, w, i, ret_call);
			if (result == 0 && memcmp(&ret_call->id, id, sizeof(*id)) == 0)
				return 0;
		}
	}
	return result == -EBUSY ? -EBUSY : -ENOENT;
}

bool view_next(const struct env *e, uint32_t *worker, uint32_t *slot, struct view_call *ret_call)
{
	for (; *worker < WORKERS_MAX; ++*worker, *slot = 0) {
		const struct region *r = &e->region[seat_of(ROLE_SIGNALING, *worker)];
		while (*slot < region_count(r, AREA_CALLS))
			if (view_call(e, *worker, (*slot)++, ret_call) == 0)
				return true;
	}
	return false;
}

struct span view_text(const struct view_call *v, enum call_text_id id)
{
	struct call_text t = v->state.t[id];
	if (t.at > v->text_n || t.n > v->text_n - t.at)
		return SPAN("");
	return (struct span){ v->text + t.at, t.n };
}

const char *view_phase(const struct view_call *v)
{
	static const char *const names[] = { "setup", "answered", "up", "ending" };
	return v->state.phase < sizeof(names) / sizeof(names[0]) ? names[v->state.phase] : "unknown";
}

uint64_t view_talk_ms(const struct view_call *v, uint64_t now)
{
	return v->state.answer_ms && now > v->state.answer_ms ? now - v->state.answer_ms : 0;
}

/* --- cells ------------------------------------------------------------------------------------------------------- */

struct view_sum view_cell(const struct env *e, uint32_t worker, uint32_t cell)
{
	const struct region *r = &e->region[seat_of(ROLE_SIGNALING, worker)];
	const struct capacity_cell *cells = region_area(r, AREA_CAPACITY);
	struct view_sum s = { 0 };
	if (!cells || cell >= region_count(r, AREA_CAPACITY))
		return s;
	const struct capacity_cell *c = &cells[cell];
	s.calls = CMM_LOAD_SHARED(c->calls);
	s.last_hour = CMM_LOAD_SHARED(c->last_hour);
	s.attempts = CMM_LOAD_SHARED(c->attempts);
	s.answers = CMM_LOAD_SHARED(c->answers);
	s.pdd_ms = CMM_LOAD_SHARED(c->pdd_ms);
	s.progressed = CMM_LOAD_SHARED(c->progressed);
	s.duration_ms = CMM_LOAD_SHARED(c->duration_ms);
	s.ended = CMM_LOAD_SHARED(c->ended);
	uint32_t now = (uint32_t)(clock_ms() / 1000), second = CMM_LOAD_SHARED(c->second);
	if (second == now || second + 1 == now)
		s.cps = CMM_LOAD_SHARED(c->in_second);
	return s;
}

struct view_sum view_sum(const struct env *e, uint32_t cell)
{
	struct view_sum sum = { 0 };
	for (uint32_t w = 0; w < WORKERS_MAX; w++) {
		struct view_sum s = view_cell(e, w, cell);
		sum.calls += s.calls;
		sum.cps += s.cps;
		sum.last_hour += s.last_hour;
		sum.attempts += s.attempts;
		sum.answers += s.answers;
		sum.pdd_ms += s.pdd_ms;
		sum.progressed += s.progressed;
		sum.duration_ms += s.duration_ms;
		sum.ended += s.ended;
	}
	return sum;
}

/* --- gateways ---------------------------------------------------------------------------------------------------- */

bool view_down(const struct env *e, const struct config *c, const struct cfg_routing_gateway *g, char *ret_reason, size_t cap)
{
	static struct registration_state s; /* large */
	uint32_t generation = 0;
	if (g->via_registration >= c->registrations.n) {
		snprintf(ret_reason, cap, "%s", names_gateway_reason(e, c, g));
		return *ret_reason;
	}
	const struct cfg_registration *entry = CFG_LIST(c, &c->registrations, struct cfg_registration) + g->via_registration;
	const struct registration *r = registration_at(e, registration_find(e, cfg_span(c, entry->id), REGISTRATION_NOWHERE));
	const char *state = entry->enabled ? "waiting" : "disabled";
	if (r && slot_read(&r->slot, r->copies, sizeof(s), &generation, &s) == 0) {
		if (s.expires_ms > clock_ms())
			return false;
		state = registration_state_text(&s);
	}
	snprintf(ret_reason, cap, "registration %s: %s", cfg_str(c, entry->id), state);
	return true;
}

uint32_t view_mapping(const struct config *c, struct span id)
{
	for (uint32_t i = 0; i < c->mapping_gateways.n; i++)
		if (span_eq(cfg_span(c, cfg_mapping(c, i)->id), id))
			return i;
	return CONFIG_NONE;
}

uint32_t view_routing(const struct config *c, struct span id)
{
	for (uint32_t i = 0; i < c->routing_gateways.n; i++)
		if (span_eq(cfg_span(c, cfg_routing(c, i)->id), id))
			return i;
	return CONFIG_NONE;
}
