/* Starting and stopping in order. */
#include "base/clock.h"
#include "base/log.h"
#include "shm/capacity.h"
#include "shm/seat.h"
#include "supervisor/service.h"
#include "supervisor/supervisor.h"
#include <signal.h>

#define KILL_AFTER_MS	  5000u	 /* a process told to end at once that has not */
#define KILL_CDR_AFTER_MS 12000u /* it waits 10 s for a disk that refuses */

static bool belongs(enum stage stage, enum role role)
{
	switch (stage) {
	case STAGE_BASE:
		return role == ROLE_CDR || role == ROLE_ROUTING || role == ROLE_REGISTRAR || role == ROLE_MEDIA;
	case STAGE_STOP_REGISTRAR:
		return role == ROLE_REGISTRAR;
	case STAGE_SIGNALING:
	case STAGE_STOP_CALLS:
		return role == ROLE_SIGNALING;
	case STAGE_CONTROL:
	case STAGE_STOP_CONTROL:
		return role == ROLE_CONTROL;
	case STAGE_STOP_MEDIA:
		return role == ROLE_MEDIA || role == ROLE_ROUTING;
	case STAGE_STOP_CDR:
		return role == ROLE_CDR;
	default:
		return false;
	}
}

/* the next seat after `c` that takes part in the stage; NULL: none. FOR each: c = NULL first */
static struct child *next(struct supervisor *s, enum stage stage, struct child *c)
{
	for (uint32_t seat = c ? c->seat + 1 : 0; seat < SEATS_MAX; seat++)
		if (s->child[seat].s && belongs(stage, seat_role(seat)))
			return &s->child[seat];
	return NULL;
}

/* --- starting ---------------------------------------------------------------------------------------------------- */

/* the roster says it to a later supervisor */
static void set_stage(struct supervisor *s, enum stage stage)
{
	s->stage = stage;
	commit_u32(&s->roster->now, s->now);
	commit_release_u32(&s->roster->stage, stage);
}

static void start_stage(struct supervisor *s, enum stage stage)
{
	set_stage(s, stage);
	for (struct child *c = next(s, stage, NULL); c; c = next(s, stage, c))
		if (c->pid <= 0)
			watch_start(s, c);
}

static bool in_service(struct supervisor *s)
{
	for (struct child *c = next(s, s->stage, NULL); c; c = next(s, s->stage, c))
		if (!c->ready_ms)
			return false;
	return s->env.routes.p != NULL;
}

static void running(struct supervisor *s)
{
	const struct config *c = config_now(s);
	set_stage(s, STAGE_RUNNING);
	supervisor_state(s, SYSTEM_RUNNING);
	log_info("running: %u signaling and %u media workers, steering by %s, relay by %s", c->system.signaling,
		c->system.media, s->roster->steering == STEERING_KERNEL ? "kernel" : "ring",
		s->roster->relay == RELAY_SK_LOOKUP ? "one socket per worker" : "one socket per port");
	service_ready();
	service_status("running");
	if (s->reload_again) { /* a signal came while everything started */
		s->reload_again = false;
		publish_reload(s, 0);
	}
}

void stages_begin(struct supervisor *s)
{
	start_stage(s, STAGE_BASE);
}

static bool stopped_before(enum stage stage, enum role role)
{
	for (enum stage i = STAGE_STOP_REGISTRAR; i < stage; i++)
		if (belongs(i, role))
			return true;
	return false;
}

static void stop_stage(struct supervisor *s, enum stage stage);

void stages_adopt(struct supervisor *s)
{
	enum stage stage = (enum stage)s->roster->stage;
	if (stage < STAGE_RUNNING) {
		stages_begin(s);
		stages_advance(s);
		return;
	}
	s->stage = stage;
	s->now = s->roster->now;
	for (uint32_t seat = 1; seat < SEATS_MAX; seat++) {
		struct child *c = &s->child[seat];
		if (!c->s || c->pid > 0)
			continue;
		c->done = stopped_before(stage, seat_role(seat));
		if (!c->done && !belongs(stage, seat_role(seat)))
			watch_start(s, c);
	}
	service_ready();
	if (stage == STAGE_RUNNING) {
		service_status("running");
	} else {
		log_info("stopping goes on");
		service_stopping();
		stop_stage(s, stage);
	}
	stages_advance(s);
}

/* --- stopping ---------------------------------------------------------------------------------------------------- */

/* A worker without calls stays until none has any: somebody has to refuse the new ones that are its. */
static void tell_end(struct supervisor *s, struct child *c)
{
	bool wait = s->stage == STAGE_STOP_CALLS && !s->now && !s->calls_over;
	child_tell(c, wait ? NOTICE_DRAIN : NOTICE_STOP, s->now);
}

static void end_stage(struct supervisor *s)
{
	for (struct child *c = next(s, s->stage, NULL); c; c = next(s, s->stage, c))
		tell_end(s, c);
}

static bool calls_left(struct supervisor *s)
{
	for (struct child *c = next(s, STAGE_STOP_CALLS, NULL); c; c = next(s, STAGE_STOP_CALLS, c)) {
		const struct capacity_cell *cell = region_area(&s->env.region[c->seat], AREA_CAPACITY);
		if (cell && CMM_LOAD_SHARED(cell[cell_system()].calls))
			return true;
	}
	return false;
}

void stages_tick(struct supervisor *s)
{
	if (s->stage != STAGE_STOP_CALLS || s->now || s->calls_over || calls_left(s))
		return;
	s->calls_over = true;
	end_stage(s);
}

void stages_tell(struct supervisor *s, struct child *c)
{
	enum role role = seat_role(c->seat);
	if (s->stage >= STAGE_STOP_REGISTRAR && belongs(s->stage, role))
		tell_end(s, c);
	else if (role == ROLE_SIGNALING && s->roster->state == SYSTEM_DRAINING)
		child_tell(c, NOTICE_DRAIN, 0);
}

/* Calls, registrations and records need a successor even now; whatever else dies while it is being ended has just ended. */
bool stages_ended(const struct supervisor *s, const struct child *c, bool well)
{
	enum role role = seat_role(c->seat);
	if (s->stage < STAGE_STOP_REGISTRAR || !belongs(s->stage, role))
		return false;
	return well || (role != ROLE_SIGNALING && role != ROLE_REGISTRAR && role != ROLE_CDR);
}

static void too_late(struct wheel_timer *t, uint64_t now);

static void arm(struct supervisor *s, uint64_t ms)
{
	wheel_add(&s->loop.wheel, &s->deadline, clock_ms() + ms, too_late);
}

static void kill_stage(struct supervisor *s)
{
	char name[SEAT_TEXT_MAX];
	for (struct child *c = next(s, s->stage, NULL); c; c = next(s, s->stage, c)) {
		if (c->pid > 0)
			log_warning(
				"%s (pid %d) has not ended in time and is killed", seat_format(c->seat, name), c->pid);
		c->wanted = true;
		child_kill(c, SIGKILL);
		if (c->pid <= 0) { /* it waits for its next start: there is none */
			wheel_del(&s->loop.wheel, &c->delay);
			c->done = true;
		}
	}
}

static void too_late(struct wheel_timer *t, uint64_t now)
{
	struct supervisor *s = OWNER(t, struct supervisor, deadline);
	(void)now;
	if (s->stage == STAGE_STOP_CALLS && !s->now) {
		log_info("drain_timeout is over: the remaining calls are ended");
		s->now = true;
		end_stage(s);
		arm(s, KILL_AFTER_MS);
		return;
	}
	kill_stage(s);
	arm(s, KILL_AFTER_MS);
	stages_advance(s);
}

static void stop_stage(struct supervisor *s, enum stage stage)
{
	set_stage(s, stage);
	for (struct child *c = next(s, stage, NULL); c; c = next(s, stage, c)) {
		if (c->pid > 0)
			continue;
		wheel_del(&s->loop.wheel, &c->delay);
		/* one that waits for its next start: calls and records still need its successor, the others are just left out */
		if (stage != STAGE_STOP_CDR && stage != STAGE_STOP_CALLS && stage != STAGE_STOP_REGISTRAR)
			c->done = true;
		else if (!c->done && c->started_ms && !s->failed)
			watch_start(s, c);
		else
			c->done = true;
	}
	s->calls_over = !calls_left(s);
	end_stage(s);
	arm(s, stage == STAGE_STOP_CALLS && !s->now ? config_now(s)->system.drain_timeout
		: stage == STAGE_STOP_REGISTRAR	    ? config_now(s)->registration.unregister_timeout + KILL_AFTER_MS
		: stage == STAGE_STOP_CDR	    ? KILL_CDR_AFTER_MS
						    : KILL_AFTER_MS);
}

static bool stage_gone(struct supervisor *s)
{
	for (struct child *c = next(s, s->stage, NULL); c; c = next(s, s->stage, c))
		if (c->pid > 0 || !c->done)
			return false;
	return true;
}

void stages_stop(struct supervisor *s, bool now)
{
	if (s->stage >= STAGE_STOP_REGISTRAR && (s->now || !now))
		return;
	s->now = now;
	commit_u32(&s->roster->now, now);
	if (s->stage > STAGE_STOP_CALLS || s->stage == STAGE_STOP_REGISTRAR) /* calls are over already, or hear of it when their turn comes */
		return;
	if (s->stage == STAGE_STOP_CALLS) {
		log_info("stopping at once: the remaining calls are ended");
		end_stage(s);
		arm(s, KILL_AFTER_MS);
		return;
	}
	log_info(now ? "stopping at once" : "stopping: no new calls, the running ones have %u s",
		config_now(s)->system.drain_timeout / 1000);
	supervisor_state(s, SYSTEM_DRAINING);
	service_stopping();
	service_status("stopping");
	stop_stage(s, STAGE_STOP_REGISTRAR); /* first: the answers come by way of the signalling workers */
	stages_advance(s);
}

void stages_advance(struct supervisor *s)
{
	if (s->stage < STAGE_RUNNING && in_service(s)) {
		if (s->stage == STAGE_CONTROL)
			running(s);
		else
			start_stage(s, s->stage + 1);
	}
	while (s->stage >= STAGE_STOP_REGISTRAR && s->stage < STAGE_OVER && stage_gone(s)) {
		if (s->stage + 1 < STAGE_OVER) {
			stop_stage(s, s->stage + 1);
			continue;
		}
		set_stage(s, STAGE_OVER);
		wheel_del(&s->loop.wheel, &s->deadline);
		loop_stop(&s->loop, s->failed ? 1 : 0);
	}
}
