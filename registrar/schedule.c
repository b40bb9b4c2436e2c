/* When entries register for the first time, and how the configuration becomes entries. */
#include "registrar/registrar.h"
#include "base/log.h"
#include <stdlib.h>

#define LEAVE_STEP_US 500u /* between two that are taken back: sooner than this an upstream's socket buffer would overflow */

uint64_t schedule_first(struct registrar *g, uint64_t now)
{
	uint64_t step = 1000000u / (g->c->registration.rate ? g->c->registration.rate : 1), at = g->start_us + step;
	g->start_us = at > now * 1000 ? at : now * 1000;
	return (g->start_us + 999) / 1000;
}

uint64_t schedule_leave(struct registrar *g, uint64_t now)
{
	uint64_t whole = (uint64_t)g->c->registration.unregister_timeout * 1000 / 5, step = g->n ? whole / g->n : 0;
	uint64_t at = g->leave_us + (step < LEAVE_STEP_US ? step : LEAVE_STEP_US);
	g->leave_us = at > now * 1000 ? at : now * 1000;
	return (g->leave_us + 999) / 1000;
}

static const struct cfg_registration *entry(const struct config *c, uint32_t i)
{
	return CFG_LIST(c, &c->registrations, struct cfg_registration) + i;
}

static uint32_t find(const struct registrar *g, struct span id)
{
	for (uint32_t s = index_first(&g->ids, registration_hash(id)); s != INDEX_NONE; s = index_next(&g->ids, s))
		if (span_eq(registration_id(&g->all[s]), id))
			return s;
	return REGISTRATION_NOWHERE;
}

static void change(struct registrar *g, uint32_t slot, const struct cfg_registration *r, uint64_t now)
{
	static struct job j; /* large */
	static struct registration_account a;
	account_fill(g->c, r, &a);
	job_open(&j, g, slot, now);
	if (j.s.leave == LEAVE_REMOVED || account_equal(&j.s.account, &a))
		return;
	if (account_same_identity(&j.s.account, &a)) {
		j.s.account = a;
		if (j.s.phase == REGISTRATION_FAILED && !j.s.request)
			j.s.next_ms = schedule_first(g, now); /* what was wrong may be right now */
	} else {
		log_info("registration %.*s: its identity has changed", (int)registration_id(j.r).n, registration_id(j.r).p);
		registration_leave(&j, LEAVE_REMOVED);
	}
	job_commit(&j);
}

static bool add(struct registrar *g, const struct cfg_registration *r, uint64_t now)
{
	static struct job j;
	if (job_new(&j, g, cfg_span(g->c, r->id), now) < 0)
		return false;
	account_fill(g->c, r, &j.s.account);
	j.s.phase = REGISTRATION_WAITING;
	j.s.next_ms = schedule_first(g, now);
	job_commit(&j);
	return true;
}

static void leave_unless(struct registrar *g, const uint8_t *keep, uint64_t now)
{
	static struct job j;
	for (uint32_t i = 0; i < g->n; i++) {
		if (keep[i] || g->all[i].slot.state == SLOT_FREE)
			continue;
		job_open(&j, g, i, now);
		if (j.s.leave == LEAVE_REMOVED)
			continue;
		registration_leave(&j, LEAVE_REMOVED);
		job_commit(&j);
	}
}

void schedule_settle(struct registrar *g, uint64_t now)
{
	const struct config *c = g->c;
	uint8_t *keep = calloc(g->n ? g->n : 1, 1);
	if (!keep) {
		log_error("registrations stay as they are: out of memory");
		return;
	}
	for (uint32_t i = 0; i < c->registrations.n; i++) {
		uint32_t slot = entry(c, i)->enabled ? find(g, cfg_span(c, entry(c, i)->id)) : REGISTRATION_NOWHERE;
		if (slot == REGISTRATION_NOWHERE)
			continue;
		keep[slot] = 1;
		change(g, slot, entry(c, i), now);
	}
	leave_unless(g, keep, now);
	free(keep);
	g->wanting = 0;
	for (uint32_t i = 0; i < c->registrations.n && !g->stopping; i++) {
		if (!entry(c, i)->enabled)
			continue;
		uint32_t slot = find(g, cfg_span(c, entry(c, i)->id));
		if (slot == REGISTRATION_NOWHERE)
			g->wanting += !add(g, entry(c, i), now);
		else /* one that goes keeps the name until it has gone */
			g->wanting += ((const struct registration_state *)slot_now(&g->all[slot].slot, g->all[slot].copies,
					      sizeof(struct registration_state)))->leave == LEAVE_REMOVED;
	}
}
