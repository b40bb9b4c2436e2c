#include "base/wheel.h"
#include <criterion/criterion.h>
#include <stdlib.h>

static struct wheel w;

struct probe {
	struct wheel_timer t;
	int calls;
	uint64_t at;	/* w.now when called: the exact millisecond */
	uint64_t given; /* what the callback was told */
};

static void called(struct wheel_timer *t, uint64_t now_ms)
{
	struct probe *p = (struct probe *)t;
	cr_assert_null(t->next, "a timer must be disarmed when it is called");
	p->calls++;
	p->at = w.now;
	p->given = now_ms;
}

Test(wheel, empty)
{
	wheel_init(&w, 1000);
	cr_expect_eq(wheel_next(&w), UINT64_MAX);
	wheel_advance(&w, 5000000);
	cr_expect_eq(w.now, 5000000);
	wheel_advance(&w, 4000000);
	cr_expect_eq(w.now, 5000000, "time does not go back");
}

Test(wheel, not_before_and_not_after)
{
	struct probe p = { 0 };
	wheel_init(&w, 1000);
	wheel_add(&w, &p.t, 1010, called);
	cr_expect_eq(w.armed, 1);
	cr_expect_eq(wheel_next(&w), 1010);
	wheel_advance(&w, 1009);
	cr_expect_eq(p.calls, 0);
	wheel_advance(&w, 1010);
	cr_expect_eq(p.calls, 1);
	cr_expect_eq(p.given, 1010);
	cr_expect_eq(w.armed, 0);
	wheel_advance(&w, 100000);
	cr_expect_eq(p.calls, 1);
}

/* deadlines around every border of a level, from several positions: exact when advanced by 1 ms around the deadline */
Test(wheel, borders_of_levels)
{
	static const uint64_t starts[] = { 0, 1, 255, 256, 0xfff0, 0xffff, 0x10000, 0xfffffe, 0xffffff, 0xfffffff0,
		0xffffffff, 0x1fffffff0, 0x123456789ab };
	static const uint64_t delays[] = { 1, 2, 254, 255, 256, 257, 511, 512, 0xfffe, 0xffff, 0x10000, 0x10001,
		0xffffff, 0x1000000, 0x1000001, 0xfeffffff, 0xff000000, 0xff000001, 0xffffffff, 0x100000000,
		0x100000001, 0x300000007 };
	for (size_t s = 0; s < sizeof(starts) / sizeof(starts[0]); s++) {
		for (size_t d = 0; d < sizeof(delays) / sizeof(delays[0]); d++) {
			struct probe p = { 0 };
			uint64_t due = starts[s] + delays[d];
			wheel_init(&w, starts[s]);
			wheel_add(&w, &p.t, due, called);
			cr_assert_leq(wheel_next(&w), due);
			wheel_advance(&w, due - 1);
			cr_assert_eq(p.calls, 0, "%llx + %llx: early", (long long)starts[s], (long long)delays[d]);
			cr_assert_leq(wheel_next(&w), due);
			wheel_advance(&w, due);
			cr_assert_eq(p.calls, 1, "%llx + %llx: late", (long long)starts[s], (long long)delays[d]);

			p = (struct probe){ 0 };
			wheel_init(&w, starts[s]);
			wheel_add(&w, &p.t, due, called);
			wheel_advance(&w, due + 12345); /* in one leap: still in its own millisecond */
			cr_assert_eq(p.calls, 1);
			cr_assert_eq(p.at, due);
			cr_assert_eq(p.given, due + 12345);
		}
	}
}

Test(wheel, following_wheel_next_comes_to_each_deadline)
{
	struct probe p[40] = { 0 };
	wheel_init(&w, 77);
	for (int i = 0; i < 40; i++)
		wheel_add(&w, &p[i].t, 78 + (UINT64_C(1) << i), called);
	int steps = 0;
	for (uint64_t next; (next = wheel_next(&w)) != UINT64_MAX; steps++) {
		cr_assert_gt(next, w.now, "wheel_next must make progress");
		wheel_advance(&w, next);
	}
	for (int i = 0; i < 40; i++) {
		cr_expect_eq(p[i].calls, 1);
		cr_expect_eq(p[i].at, 78 + (UINT64_C(1) << i));
	}
	cr_expect_lt(
		steps, 2000, "%d steps", steps); /* cascades, and a few for what is further than the wheel's turn */
}

Test(wheel, overdue_is_called_next)
{
	struct probe p = { 0 };
	wheel_init(&w, 1000);
	wheel_add(&w, &p.t, 3, called);
	cr_expect_eq(p.t.deadline, 3);
	cr_expect_eq(wheel_next(&w), 1001);
	wheel_advance(&w, 1001);
	cr_expect_eq(p.calls, 1);
}

Test(wheel, far_away_is_never)
{
	struct probe p = { 0 };
	wheel_init(&w, 1000);
	wheel_add(&w, &p.t, UINT64_MAX, called);
	wheel_advance(&w, UINT64_C(1) << 41);
	cr_expect_eq(p.calls, 0);
	wheel_del(&w, &p.t);
	cr_expect_eq(wheel_next(&w), UINT64_MAX);
}

Test(wheel, moved_and_deleted)
{
	struct probe p = { 0 };
	wheel_init(&w, 0);
	wheel_del(&w, &p.t);
	wheel_add(&w, &p.t, 50, called);
	wheel_add(&w, &p.t, 70000, called);
	cr_expect_eq(w.armed, 1);
	wheel_advance(&w, 69999);
	cr_expect_eq(p.calls, 0);
	wheel_add(&w, &p.t, 70005, called);
	wheel_advance(&w, 70004);
	wheel_del(&w, &p.t);
	wheel_del(&w, &p.t);
	wheel_advance(&w, 100000);
	cr_expect_eq(p.calls, 0);
	cr_expect_eq(w.armed, 0);
	cr_expect_eq(wheel_next(&w), UINT64_MAX);
}

static struct probe victim[3];
static int rearmed;

static void deletes_others(struct wheel_timer *t, uint64_t now_ms)
{
	called(t, now_ms);
	for (int i = 0; i < 3; i++)
		if (&victim[i].t != t)
			wheel_del(&w, &victim[i].t);
}

static void rearms_for_now(struct wheel_timer *t, uint64_t now_ms)
{
	called(t, now_ms);
	if (++rearmed < 5)
		wheel_add(&w, t, w.now, rearms_for_now);
}

static void rearms_period(struct wheel_timer *t, uint64_t now_ms)
{
	called(t, now_ms);
	wheel_add(&w, t, t->deadline + 20, rearms_period);
}

Test(wheel, callback_deletes_what_is_due_with_it)
{
	wheel_init(&w, 0);
	for (int i = 0; i < 3; i++)
		wheel_add(&w, &victim[i].t, 300, deletes_others);
	wheel_advance(&w, 1000);
	cr_expect_eq(victim[0].calls + victim[1].calls + victim[2].calls, 1);
	cr_expect_eq(w.armed, 0);
	cr_expect_eq(wheel_next(&w), UINT64_MAX);
}

Test(wheel, callback_arms_itself_again)
{
	struct probe p = { 0 };
	wheel_init(&w, 0);
	wheel_add(&w, &p.t, 255, rearms_for_now);
	wheel_advance(&w, 255);
	cr_expect_eq(p.calls, 1, "for now means the next millisecond, else the wheel would spin");
	wheel_advance(&w, 1000);
	cr_expect_eq(p.calls, 5);
	cr_expect_eq(p.at, 259);
}

Test(wheel, period_without_drift)
{
	struct probe p = { 0 };
	wheel_init(&w, 1);
	wheel_add(&w, &p.t, 21, rearms_period);
	for (uint64_t now = 1; now < 100000; now += 7)
		wheel_advance(&w, now);
	cr_expect_eq(p.calls, (int)((w.now - 1) / 20));
	cr_expect_eq((p.at - 1) % 20, 0);
}

/* Random adding, moving, deleting and advancing, also from callbacks, against a plain array of deadlines. */
#define TIMERS 300
static struct entry {
	struct wheel_timer t;
	bool armed;
	uint64_t due; /* when it must be called */
} entries[TIMERS];
static uint64_t last_called, target;

static uint64_t random_delay(void)
{
	return (uint64_t)rand() & ((UINT64_C(1) << rand() % 27) - 1);
}

static void random_called(struct wheel_timer *t, uint64_t now_ms);

static void random_add(struct entry *e)
{
	uint64_t deadline = w.now + random_delay();
	if (rand() % 20 == 0)
		deadline = w.now - (uint64_t)(rand() % 100);
	wheel_add(&w, &e->t, deadline, random_called);
	e->armed = true;
	e->due = deadline > w.now ? deadline : w.now + 1;
}

static void random_del(struct entry *e)
{
	wheel_del(&w, &e->t);
	e->armed = false;
}

static void random_called(struct wheel_timer *t, uint64_t now_ms)
{
	struct entry *e = (struct entry *)t;
	cr_assert(e->armed);
	cr_assert_eq(e->due, w.now);
	cr_assert_eq(now_ms, target);
	cr_assert_geq(w.now, last_called);
	last_called = w.now;
	e->armed = false;
	for (int i = rand() % 4; i > 0; i--) {
		struct entry *other = &entries[rand() % TIMERS];
		if (rand() % 3 == 0)
			random_del(other);
		else
			random_add(other);
	}
	if (rand() % 2)
		random_add(e);
}

Test(wheel, random_against_a_plain_list)
{
	srand(42);
	target = UINT64_C(0xfffff000); /* crosses bit 32 on the way */
	wheel_init(&w, target);
	last_called = target;
	for (int step = 0; step < 20000; step++) {
		struct entry *e = &entries[rand() % TIMERS];
		if (rand() % 4 == 0)
			random_del(e);
		else if (w.armed < 150)
			random_add(e);
		target = rand() % 3 ? w.now + (uint64_t)rand() % 40 : w.now + random_delay() / 64;
		wheel_advance(&w, target);
		cr_assert_eq(w.now, target);
		uint64_t armed = 0, earliest = UINT64_MAX;
		for (int i = 0; i < TIMERS; i++) {
			cr_assert_eq(entries[i].armed, entries[i].t.next != NULL);
			if (!entries[i].armed)
				continue;
			cr_assert_gt(entries[i].due, w.now, "timer %d was forgotten", i);
			earliest = entries[i].due < earliest ? entries[i].due : earliest;
			armed++;
		}
		cr_assert_eq(armed, w.armed);
		cr_assert_leq(wheel_next(&w), earliest);
		cr_assert_gt(wheel_next(&w), w.now);
	}
}
