#include "base/clock.h"
#include "base/loop.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct loop l;
static int turns, calls;

struct source {
	struct loop_source s;
	struct source *other; /* to delete */
	int calls;
	uint32_t events;
};

static void start(void)
{
	cr_assert_eq(loop_init(&l), 0);
}
static void stop(void)
{
	loop_done(&l);
}

static struct source *source_new(void (*ready)(struct loop_source *, uint32_t), unsigned count)
{
	struct source *s = calloc(1, sizeof(*s));
	cr_assert_not_null(s);
	s->s.fd = eventfd(count, EFD_NONBLOCK | EFD_CLOEXEC);
	s->s.ready = ready;
	cr_assert_eq(loop_add(&l, &s->s, EPOLLIN), 0);
	return s;
}

static void source_free(struct source *s)
{
	close(s->s.fd);
	free(s);
}

static void drain_and_stop(struct loop_source *s, uint32_t events)
{
	struct source *o = (struct source *)s;
	uint64_t v;
	o->calls++;
	o->events = events;
	cr_assert_eq(read(s->fd, &v, sizeof(v)), sizeof(v));
	loop_stop(&l, 7);
}

static void count_up_to_two(struct loop_source *s, uint32_t events)
{
	struct source *o = (struct source *)s;
	uint64_t v;
	(void)events;
	cr_assert_eq(read(s->fd, &v, sizeof(v)), sizeof(v));
	if (++o->calls == 2)
		loop_stop(&l, 0);
}

static void ring(struct wheel_timer *t, uint64_t now);
struct ringing {
	struct wheel_timer t;
	struct source *s;
	uint64_t at;
};
static void ring(struct wheel_timer *t, uint64_t now)
{
	struct ringing *r = (struct ringing *)t;
	uint64_t one = 1;
	r->at = now;
	cr_assert_eq(write(r->s->s.fd, &one, sizeof one), sizeof one);
}

static void stop_after_turns(struct loop *loop)
{
	if (--turns <= 0)
		loop_stop(loop, 3);
}

Test(loop, source_is_called, .init = start, .fini = stop)
{
	struct source *s = source_new(drain_and_stop, 1);
	cr_expect_eq(loop_run(&l), 7);
	cr_expect_eq(s->calls, 1);
	cr_expect_eq(s->events, EPOLLIN);
	cr_expect_eq(loop_add(&l, &s->s, EPOLLIN), -EEXIST);
	loop_del(&l, &s->s);
	cr_expect_eq(loop_change(&l, &s->s, EPOLLIN), -ENOENT);
	source_free(s);
}

Test(loop, change_of_events, .init = start, .fini = stop)
{
	struct source *s = source_new(drain_and_stop, 1);
	cr_assert_eq(loop_change(&l, &s->s, 0), 0);
	turns = 2;
	l.max_wait = 1;
	l.hook = stop_after_turns;
	cr_expect_eq(loop_run(&l), 3);
	cr_expect_eq(s->calls, 0);
	cr_assert_eq(loop_change(&l, &s->s, EPOLLIN), 0);
	l.hook = NULL;
	cr_expect_eq(loop_run(&l), 7);
	loop_del(&l, &s->s);
	source_free(s);
}

/* whichever of the two comes first deletes and frees the other, whose event is in the same batch */
static void deletes_other(struct loop_source *s, uint32_t events)
{
	struct source *o = (struct source *)s;
	(void)events;
	calls++;
	o->other->other = NULL;
	loop_del(&l, &o->other->s);
	source_free(o->other);
	loop_del(&l, s);
	source_free(o);
	turns = 2;
	l.max_wait = 1;
	l.hook = stop_after_turns;
}

Test(loop, source_deleted_while_its_event_waits, .init = start, .fini = stop)
{
	struct source *a = source_new(deletes_other, 1), *b = source_new(deletes_other, 1);
	a->other = b;
	b->other = a;
	cr_expect_eq(loop_run(&l), 3);
	cr_expect_eq(calls, 1);
}

Test(loop, source_whose_descriptor_is_closed_already, .init = start, .fini = stop)
{
	struct source *s = source_new(drain_and_stop, 0);
	close(s->s.fd);
	loop_del(&l, &s->s);
	free(s);
	turns = 1;
	l.max_wait = 1;
	l.hook = stop_after_turns;
	cr_expect_eq(loop_run(&l), 3);
}

static struct wheel_timer timer, second;
static uint64_t called_at;

static void timer_stops(struct wheel_timer *t, uint64_t now_ms)
{
	cr_expect_geq(now_ms, t->deadline);
	called_at = clock_ms();
	calls++;
	loop_stop(&l, 0);
}

Test(loop, timer_is_called_in_time, .init = start, .fini = stop)
{
	uint64_t due = clock_ms() + 30;
	wheel_add(&l.wheel, &timer, due, timer_stops);
	cr_expect_eq(loop_run(&l), 0);
	cr_expect_eq(calls, 1);
	cr_expect_geq(called_at, due);
	cr_expect_lt(called_at, due + 400); /* before max_wait: the machine may be busy */
}

Test(loop, hook_runs_at_least_every_max_wait, .init = start, .fini = stop)
{
	uint64_t begin = clock_ms();
	cr_expect_eq(l.max_wait, 500);
	turns = 3;
	l.max_wait = 10;
	l.hook = stop_after_turns;
	cr_expect_eq(loop_run(&l), 3);
	cr_expect_geq(clock_ms() - begin, 29);
	cr_expect_lt(clock_ms() - begin, 1400);
}

static void sleeps(struct wheel_timer *t, uint64_t now_ms)
{
	(void)t;
	(void)now_ms;
	usleep(60000);
}

static uint64_t lateness[64];
static int seen;

static void record(struct loop *loop)
{
	lateness[seen++] = loop->late_ms;
	if (seen == 20)
		loop_stop(loop, 0);
}

static void again(struct wheel_timer *t, uint64_t now_ms)
{
	(void)now_ms;
	wheel_add(&l.wheel, t, 0, again); /* in the past: not the loop's fault */
}

static void sleeps_over_the_second(struct wheel_timer *t, uint64_t now_ms)
{
	wheel_add(&l.wheel, &second, clock_ms() + 2, sleeps);
	sleeps(t, now_ms);
}

/* a callback that takes 60 ms makes the next timer late; afterwards the signal goes back to nothing */
Test(loop, lateness, .init = start, .fini = stop)
{
	uint64_t now = clock_ms(), most = 0;
	wheel_add(&l.wheel, &timer, now + 5, sleeps_over_the_second);
	l.max_wait = 2;
	l.hook = record;
	loop_run(&l);
	for (int i = 0; i < seen; i++)
		most = lateness[i] > most ? lateness[i] : most;
	cr_expect_geq(most, 50);
	cr_expect_lt(lateness[seen - 1], most / 4);
}

Test(loop, what_is_armed_in_the_past_is_not_late, .init = start, .fini = stop)
{
	wheel_add(&l.wheel, &timer, 0, again);
	l.max_wait = 5;
	l.hook = record;
	loop_run(&l);
	for (int i = 0; i < seen; i++)
		cr_expect_lt(lateness[i], 100);
}

Test(loop, a_stop_before_the_run_counts, .init = start, .fini = stop)
{
	loop_stop(&l, 9);
	cr_expect_eq(loop_run(&l), 9);
}

Test(loop, error_of_the_wait, .init = start)
{
	close(l.epoll_fd);
	cr_expect_eq(loop_run(&l), -EBADF);
}

static uint64_t turn_began[8];
static void keep_time(struct loop *loop)
{
	turn_began[turns++ & 7] = loop->now;
}

/* a source that is ready already waits for the grid; a timer does not */
Test(loop, nap, .fini = stop)
{
	uint64_t base = (clock_ms() / 320 + 1) * 320; /* clear of where the wheel turns */
	while (clock_ms() < base + 22)
		usleep(200);
	start();
	struct source *s = source_new(count_up_to_two, 1);
	struct ringing r = { .s = s };
	l.nap = 20;
	l.hook = keep_time;
	wheel_add(&l.wheel, &r.t, base + 48, ring);
	turns = 0;
	cr_expect_eq(loop_run(&l), 0);
	cr_expect(turn_began[0] >= base + 40, "a turn %lu ms too early", base + 40 - turn_began[0]);
	cr_expect(r.at >= base + 48, "a timer %lu ms too early", base + 48 - r.at);
	cr_expect(turn_began[turns - 1] >= base + 60, "what came after the timer has its turn on the grid");
	source_free(s);
}

/* what was left unread is read at once */
static void more_and_stop(struct loop_source *s, uint32_t events)
{
	struct source *o = (struct source *)s;
	(void)events;
	l.more = true;
	if (++o->calls == 20)
		loop_stop(&l, 0);
}

Test(loop, no_nap_while_there_is_more, .init = start, .fini = stop)
{
	struct source *s = source_new(more_and_stop, 1);
	uint64_t begin = clock_ms();
	l.nap = 200;
	cr_expect_eq(loop_run(&l), 0);
	cr_expect_lt(clock_ms() - begin, 1000, "one nap and no more");
	source_free(s);
}
