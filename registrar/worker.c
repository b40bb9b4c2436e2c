/* The registrar process: its region, its orders and its end. */
#include "registrar/worker.h"
#include "base/clock.h"
#include "base/log.h"
#include "registrar/keepalive.h"
#include "registrar/persist.h"
#include "registrar/suspensions.h"
#include "registrar/registrar.h"
#include <errno.h>

#define SETTLE_MS 20u /* entries that wait for others to go are looked at so often */

struct process {
	struct registrar g;
	struct wheel_timer settle, deadline;
};
static struct process process;

/* --- messages --- */

void registrar_datagram(struct registrar *g, const char *data, size_t n, uint64_t now)
{
	static struct msg m; /* large */
	const char *why;
	struct token t;
	uint32_t number;
	if (msg_parse(g->parser, data, n, &m, &why) < 0 || m.request) {
		count_one(g->head, COUNT_MALFORMED);
		return;
	}
	if (branch_read(&g->env->roster->token_key, m.via.branch, &t, &number) < 0 || t.aux != TOKEN_REGISTRAR || t.slot >= g->n ||
	    g->all[t.slot].slot.generation != t.generation || g->all[t.slot].slot.state != SLOT_LIVE || m.method != METHOD_REGISTER)
		count_one(g->head, COUNT_STRAY);
	else
		registration_answered(g, t.slot, number, &m, now);
}

static void order(struct registrar *g, struct span id, bool on)
{
	uint32_t slot = registration_find(g->env, id, REGISTRATION_NOWHERE);
	if (slot != REGISTRATION_NOWHERE && !g->stopping)
		registration_order(g, slot, on, clock_ms());
}

static void on_ring(struct env *e, uint32_t from, const struct ring_message *m)
{
	struct registrar *g = e->context;
	const char *body = (const char *)(m + 1);
	(void)from;
	if (m->type == MESSAGE_DATAGRAM && m->size > sizeof(struct message_datagram))
		registrar_datagram(g, body + sizeof(struct message_datagram), m->size - sizeof(struct message_datagram), clock_ms());
	else if (m->type == MESSAGE_REGISTER || m->type == MESSAGE_UNREGISTER)
		order(g, (struct span){ body, m->size }, m->type == MESSAGE_REGISTER);
}

/* --- configuration --- */

static void settle_due(struct wheel_timer *t, uint64_t now)
{
	struct registrar *g = &process.g;
	(void)now;
	if (!g->stopping && g->wanting && g->n_free)
		schedule_settle(g, clock_ms());
	if (!g->stopping && g->wanting)
		wheel_add(&g->env->loop.wheel, t, clock_ms() + SETTLE_MS, settle_due);
}

static void settle(struct registrar *g)
{
	schedule_settle(g, clock_ms());
	if (g->wanting > g->leaving)
		log_error("%u entries of registrations are left out: system.limits.registrations is %u", g->wanting - g->leaving, g->n);
	wheel_add(&g->env->loop.wheel, &process.settle, clock_ms() + SETTLE_MS, settle_due);
}

static void on_config(struct env *e)
{
	struct registrar *g = e->context;
	g->c = e->config.p;
	if (!g->stopping)
		settle(g);
}

/* --- the end --- */

void registrar_maybe_stop(struct registrar *g)
{
	if (g->stopping && !g->leaving)
		loop_stop(&g->env->loop, 0);
}

static void too_late(struct wheel_timer *t, uint64_t now)
{
	struct registrar *g = &process.g;
	(void)t;
	(void)now;
	log_warning("%u registrations could not be taken back in time", g->leaving);
	loop_stop(&g->env->loop, 0);
}

void registrar_leave(struct registrar *g, uint64_t now)
{
	static struct job j;
	for (uint32_t i = 0; i < g->n; i++) {
		if (g->all[i].slot.state != SLOT_LIVE)
			continue;
		job_open(&j, g, i, now);
		registration_leave(&j, LEAVE_STOP);
		job_commit(&j);
	}
}

static void on_stop(struct env *e, bool now)
{
	struct registrar *g = e->context;
	uint64_t at = clock_ms();
	(void)now; /* what an upstream still believes would send calls to nowhere: there is time for this */
	if (g->stopping)
		return;
	g->stopping = true;
	if (CMM_LOAD_SHARED(e->roster->state) == SYSTEM_DRAINING)
		registrar_leave(g, at);
	else
		g->leaving = 0; /* not the system's end: a successor goes on */
	wheel_add(&e->loop.wheel, &process.deadline, at + g->c->registration.unregister_timeout + SETTLE_MS, too_late);
	registrar_maybe_stop(g);
}

int registrar_open(struct registrar *g, struct env *e)
{
	const struct region *own = &e->region[e->seat];
	g->env = e;
	g->c = e->config.p;
	g->head = own->head;
	g->all = region_area(own, AREA_REGISTRATIONS);
	g->n = region_count(own, AREA_REGISTRATIONS);
	struct msg_limits limits = { g->c->sip.max_message, g->c->sip.max_headers, g->c->sip.max_uri };
	g->parser = msg_parser_new(&limits);
	/* the same for every incarnation: a request composed again is the same */
	g->private_key = (struct hash_key){ e->roster->token_key.k1, e->roster->token_key.k0 };
	return g->parser ? 0 : -ENOMEM;
}

void registrar_close(struct registrar *g)
{
	job_close(g);
	g->parser = msg_parser_free(g->parser);
}

int registrar_main(struct env *e)
{
	struct registrar *g = &process.g;
	process = (struct process){ 0 };
	int error = env_start(e);
	if (error) {
		log_error("cannot start: %s", strerror(-error));
		return 1;
	}
	error = registrar_open(g, e);
	if (!error)
		error = job_adopt(g, clock_ms());
	if (!error)
		error = persist_open(e);
	int code = 1;
	if (error) {
		log_error("cannot start: %s", strerror(-error));
	} else {
		e->context = g;
		e->on_ring = on_ring;
		e->on_config = on_config;
		e->on_stop = on_stop;
		settle(g);
		keepalive_open(e);
		suspensions_open(e);
		env_ready(e);
		code = env_run(e);
	}
	suspensions_close();
	keepalive_close();
	persist_close();
	registrar_close(g);
	env_done(e);
	return code;
}
