/* One event on one entry, and the way into and out of its slot. */
#include "registrar/registrar.h"
#include "base/clock.h"
#include <errno.h>
#include <stdlib.h>

static const struct registration_state *state_of(const struct registration *r)
{
	return slot_now(&r->slot, r->copies, sizeof(struct registration_state));
}

void job_open(struct job *j, struct registrar *g, uint32_t slot, uint64_t now)
{
	j->g = g;
	j->slot = slot;
	j->r = &g->all[slot];
	j->now = now;
	j->send = j->gone = false;
	j->event = 0;
	memcpy(&j->s, state_of(j->r), sizeof j->s);
}

int job_new(struct job *j, struct registrar *g, struct span id, uint64_t now)
{
	if (!g->n_free || id.n > REGISTRATION_ID)
		return -ENFILE;
	uint32_t slot = g->free_slot[--g->n_free];
	const struct registration *r = &g->all[slot];
	slot_claim(&r->slot);
	commit_u64(&r->id_hash, registration_hash(id));
	commit_bytes(r->id, id.p, id.n);
	commit_u32(&r->id_n, (uint32_t)id.n);
	commit_u64(&r->until_ms, 0);
	*j = (struct job){ .g = g, .slot = slot, .r = r, .now = now };
	return 0;
}

/* --- afterwards --- */

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return !b || (a && a < b) ? a : b;
}

static void expired(struct wheel_timer *t, uint64_t now)
{
	struct registration_timer *rt = (struct registration_timer *)t;
	(void)now; /* the turn's, which may be older than what has been done since */
	registration_due(rt->g, (uint32_t)(rt - rt->g->timer), clock_ms());
}

static void arm(struct registrar *g, uint32_t slot, const struct registration_state *s)
{
	uint64_t at = s->request ? s->resend_ms : s->next_ms;
	if (job_leaving(s))
		at = sooner(sooner(at, s->next_ms), s->leave_ms);
	at = sooner(at, s->expires_ms);
	if (at)
		wheel_add(&g->env->loop.wheel, &g->timer[slot].t, at, expired);
	else
		wheel_del(&g->env->loop.wheel, &g->timer[slot].t);
}

static void transmit(struct registrar *g, const struct registration *r)
{
	const struct registration_state *s = state_of(r);
	struct sockaddr_storage sa;
	socklen_t n = addr_to_sockaddr(&s->to, &sa);
	int fd = s->listen < g->env->n_listen ? g->env->sip[s->listen][0] : -1;
	if (fd < 0 || sendto(fd, s->message, s->message_n, MSG_DONTWAIT, (struct sockaddr *)&sa, n) < 0)
		count_one(g->head, COUNT_SEND_FAILED); /* the resends try again */
	else
		count_one(g->head, COUNT_DATAGRAMS_OUT);
	commit_u32(&r->slot.sent, r->slot.commit);
}

static void tell(const struct job *j)
{
	char text[REGISTRATION_ID + 1 + REGISTRATION_ERROR];
	struct message_event m = { .type = j->event, .slot = j->slot, .generation = j->r->slot.generation, .code = j->s.last_code };
	struct span id = registration_id(j->r);
	size_t n = strnlen(j->s.error, sizeof j->s.error - 1);
	memcpy(text, id.p, id.n);
	text[id.n] = 0;
	memcpy(text + id.n + 1, j->s.error, n);
	env_push(j->g->env, seat_of(ROLE_CONTROL, 0), MESSAGE_EVENT, &m, sizeof m, text, id.n + 1 + n);
}

static void give_back(struct registrar *g, uint32_t slot)
{
	const struct registration *r = &g->all[slot];
	commit_u64(&r->until_ms, 0);
	slot_free(&r->slot);
	index_del(&g->ids, slot);
	wheel_del(&g->env->loop.wheel, &g->timer[slot].t);
	g->free_slot[g->n_free++] = slot;
}

void job_commit(struct job *j)
{
	struct registrar *g = j->g;
	const struct registration *r = j->r;
	bool new = r->slot.state == SLOT_FILLING, was = !new && job_leaving(state_of(r)), is = !j->gone && job_leaving(&j->s);
	if (j->send)
		j->s.send_commit = r->slot.commit + 1;
	if (j->event)
		tell(j); /* before: who has seen the state may wait for it */
	if (j->gone) {
		give_back(g, j->slot);
	} else {
		slot_commit(&r->slot, r->copies, sizeof j->s, &j->s);
		if (new) {
			slot_live(&r->slot);
			index_add(&g->ids, j->slot, r->id_hash);
		}
		commit_u64(&r->until_ms, j->s.expires_ms);
		if (j->send)
			transmit(g, r);
		arm(g, j->slot, &j->s);
	}
	g->leaving += is;
	g->leaving -= was;
	if (was && !is)
		registrar_maybe_stop(g);
}

/* --- a successor --- */

static void adopt_one(struct registrar *g, uint32_t slot, uint64_t now)
{
	const struct registration *r = &g->all[slot];
	const struct registration_state *s = state_of(r);
	index_add(&g->ids, slot, r->id_hash);
	count_one(g->head, COUNT_REGISTRATIONS_ADOPTED);
	g->leaving += job_leaving(s);
	if (s->phase == REGISTRATION_WAITING && !s->request && s->next_ms * 1000 > g->start_us)
		g->start_us = s->next_ms * 1000;
	if (s->leave == LEAVE_STOP && CMM_LOAD_SHARED(g->env->roster->state) != SYSTEM_DRAINING) {
		/* the stop was not one of the system */
		struct job j;
		job_open(&j, g, slot, now);
		j.s.leave = LEAVE_NOT;
		j.s.request = REQUEST_NONE;
		j.s.phase = REGISTRATION_WAITING;
		j.s.next_ms = schedule_first(g, now);
		job_commit(&j);
		return;
	}
	commit_u64(&r->until_ms, s->expires_ms);
	if (s->request && (int32_t)(s->send_commit - r->slot.sent) > 0)
		transmit(g, r);
	arm(g, slot, s);
}

int job_adopt(struct registrar *g, uint64_t now)
{
	g->timer = calloc(g->n ? g->n : 1, sizeof *g->timer);
	g->free_slot = calloc(g->n ? g->n : 1, sizeof *g->free_slot);
	if (!g->timer || !g->free_slot || index_init(&g->ids, g->n ? g->n : 1) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < g->n; i++) {
		g->timer[i].g = g;
		if (g->all[i].slot.state == SLOT_FILLING)
			slot_free(&g->all[i].slot);
		if (g->all[i].slot.state != SLOT_FREE)
			adopt_one(g, i, now);
	}
	for (uint32_t i = g->n; i-- > 0;)
		if (g->all[i].slot.state == SLOT_FREE)
			g->free_slot[g->n_free++] = i;
	return 0;
}

void job_close(struct registrar *g)
{
	index_done(&g->ids);
	free(g->timer);
	free(g->free_slot);
}
