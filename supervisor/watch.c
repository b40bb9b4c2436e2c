/* Deaths and hangs: a process that ended is started again, one that went silent is ended. */
#include "base/clock.h"
#include "base/log.h"
#include "shm/seat.h"
#include "supervisor/policy.h"
#include "supervisor/supervisor.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#define RETRY_MS 200u /* no process could be made: the next try */

static void delay_over(struct wheel_timer *t, uint64_t now)
{
	struct child *c = OWNER(t, struct child, delay);
	(void)now;
	if (!c->done)
		watch_start(c->s, c);
	stages_advance(c->s);
}

void watch_start(struct supervisor *s, struct child *c)
{
	if (child_start(s, c) == 0) {
		stages_tell(s, c);
		return;
	}
	child_seat_state(s, c, SEAT_DELAYED);
	wheel_add(&s->loop.wheel, &c->delay, clock_ms() + RETRY_MS, delay_over);
}

static void describe(const siginfo_t *i, char *buf, size_t cap)
{
	if (i->si_pid == 0) /* a former supervisor's child: its status went elsewhere */
		snprintf(buf, cap, "ended");
	else if (i->si_code == CLD_EXITED)
		snprintf(buf, cap, "ended with code %d", i->si_status);
	else
		snprintf(buf, cap, "was killed by signal %d (%s)%s", i->si_status, strsignal(i->si_status),
			i->si_code == CLD_DUMPED ? ", core dumped" : "");
}

static void tell_death(struct supervisor *s, const struct child *c, const siginfo_t *i, bool expected)
{
	char name[SEAT_TEXT_MAX], how[128];
	bool exited = i->si_code == CLD_EXITED;
	describe(i, how, sizeof(how));
	seat_format(c->seat, name);
	if (expected)
		log_info("%s (pid %d) %s", name, c->pid, how);
	else
		log_warning("%s (pid %d) %s", name, c->pid, how);
	orders_event(s,
		"{\"event\":\"worker.died\",\"worker\":\"%s\",\"role\":\"%s\",\"index\":%u,\"pid\":%d,\"%s\":%d,"
		"\"expected\":%s}",
		name, role_name(seat_role(c->seat)), seat_index(c->seat), (int)c->pid, exited ? "code" : "signal",
		i->si_status, expected ? "true" : "false");
}

static void start_again(struct supervisor *s, struct child *c)
{
	char name[SEAT_TEXT_MAX];
	uint64_t now = clock_ms();
	const struct policy_death death = { .wanted = c->wanted,
		.ready = c->ready_ms != 0,
		.service_ms = c->ready_ms ? now - c->ready_ms : 0,
		.quick_deaths = c->quick_deaths };
	struct policy_restart p = policy_restart(&death);
	c->quick_deaths = p.quick_deaths;
	commit_u32(&s->roster->seat[c->seat].restarts, s->roster->seat[c->seat].restarts + 1);
	if (p.alarm)
		orders_alarm(s, "%s died %u times in a row right after its start; the next start is in %u s",
			seat_format(c->seat, name), p.quick_deaths, p.delay_ms / 1000);
	if (p.alarm &&
		s->stage < STAGE_RUNNING) { /* not one start has succeeded: nothing that would be worth waiting for */
		log_error("the start has failed");
		s->failed = true;
		c->done = true;
		stages_stop(s, true);
		return;
	}
	if (p.delay_ms) {
		child_seat_state(s, c, SEAT_DELAYED);
		wheel_add(&s->loop.wheel, &c->delay, now + p.delay_ms, delay_over);
		if (c->restart_serial)
			orders_result(s, c->restart_serial, -EAGAIN, "it keeps dying; the next start is delayed");
		c->restart_serial = 0;
		return;
	}
	watch_start(s, c);
}

void watch_ended(struct loop_source *source, uint32_t events)
{
	struct child *c = OWNER(source, struct child, end);
	struct supervisor *s = c->s;
	siginfo_t i = { 0 };
	(void)events;
	if (waitid(P_PIDFD, (id_t)source->fd, &i, WEXITED | WNOHANG) < 0 ? errno != ECHILD : i.si_pid == 0)
		return;
	bool exited = i.si_code == CLD_EXITED;
	bool over = stages_ended(s, c, c->wanted || (exited && i.si_status == 0));
	commit_u32(&s->roster->seat[c->seat].last_signal, exited ? 0 : (uint32_t)i.si_status);
	commit_u32(&s->roster->seat[c->seat].last_code, exited ? (uint32_t)i.si_status : 0);
	commit_u32(&s->roster->seat[c->seat].own_fault, c->hung || (!exited && policy_own_fault(i.si_status)));
	orders_ready(&c->notices, 0); /* its last words */
	child_closed(s, c);
	tell_death(s, c, &i, over || c->wanted);
	c->pid = 0;
	child_seat_state(s, c, over ? SEAT_EMPTY : SEAT_DEAD);
	c->done = c->done || over;
	if (!c->done)
		start_again(s, c);
	stages_advance(s);
}

static void look_for_hang(struct supervisor *s, struct child *c, uint64_t now)
{
	char name[SEAT_TEXT_MAX];
	const struct region_head *h = s->env.region[c->seat].head;
	const struct policy_pulse p = { .role = seat_role(c->seat),
		.now = now,
		.heartbeat = CMM_LOAD_SHARED(h->heartbeat_ms),
		.started = c->started_ms,
		.trusted = s->trusted_ms,
		.ready = c->ready_ms != 0 };
	if (c->wanted || !policy_hung(&p))
		return;
	log_error("%s (pid %d) gave no sign of life for %llu ms and is ended", seat_format(c->seat, name), c->pid,
		(unsigned long long)(now - (p.heartbeat > p.started ? p.heartbeat : p.started)));
	c->hung = true;
	c->started_ms = now; /* said once; its death is seen by its pidfd */
	child_kill(c, SIGKILL);
}

void watch_tick(struct wheel_timer *t, uint64_t now)
{
	struct supervisor *s = OWNER(t, struct supervisor, tick);
	now = clock_ms();
	if (now > s->tick_due + POLICY_LATE_MS)
		s->trusted_ms = now; /* the machine stood still: no silence before this counts */
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++) {
		struct child *c = &s->child[seat];
		if (!c->s || c->pid <= 0)
			continue;
		look_for_hang(s, c, now);
		publish_owed(s, c);
	}
	upgrade_tick(s, now);
	stages_tick(s);
	stat_set(&s->env.region[0].head->heartbeat_ms, now);
	s->tick_due = now + POLICY_TICK_MS;
	wheel_add(&s->loop.wheel, &s->tick, s->tick_due, watch_tick);
}
