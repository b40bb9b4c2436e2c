/* The registrar process: its region, its orders and its end. */
#include "registrar/worker.h"
#include "base/clock.h"
#include "base/log.h"
#include "registrar/registrar.h"
#include <errno.h>

#define SETTLE_MS 20u /* entries that wait for others to go are looked at so often */

struct process {
	struct registrar g;
	struct wheel_timer settle, deadline;
};
static struct process process;

/* --- messages --- */

static void datagram(struct registrar *g, const char *data, size_t n)
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
		registration_answered(g, t.slot, number, &m, clock_ms());
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
		datagram(g, body + sizeof(struct message_datagram), m->size - sizeof(struct message_datagram));
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

static void on_stop(struct env *e, bool now)
{
	static struct job j;
	struct registrar *g = e->context;
	(void)now; /* what an upstream still believes would send calls to nowhere: there is time for this */
	if (g->stopping)
		return;
	g->stopping = true;
	if (CMM_LOAD_SHARED(e->roster->state) == SYSTEM_DRAINING) {
		uint64_t at = clock_ms();
		for (uint32_t i = 0; i < g->n; i++) {
			if (g->all[i].slot.state != SLOT_LIVE)
				continue;
			job_open(&j, g, i, at);
			registration_leave(&j, LEAVE_STOP);
			job_commit(&j);
		}
		wheel_add(&e->loop.wheel, &process.deadline, at + g->c->registration.unregister_timeout + SETTLE_MS, too_late);
	} else {
		g->leaving = 0;
	}
	registrar_maybe_stop(g);
}

static int open_registrar(struct registrar *g, struct env *e)
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
	if (!g->parser)
		return -ENOMEM;
	e->context = g;
	e->on_ring = on_ring;
	e->on_config = on_config;
	e->on_stop = on_stop;
	return job_adopt(g, clock_ms());
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
	error = open_registrar(g, e);
	int code = 1;
	if (error) {
		log_error("cannot start: %s", strerror(-error));
	} else {
		settle(g);
		env_ready(e);
		code = env_run(e);
	}
	job_close(g);
	msg_parser_free(g->parser);
	env_done(e);
	return code;
}
