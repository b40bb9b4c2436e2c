/* What is remembered of a transaction that is over: it counts with the commit of the event that it was a part of, and a new worker
 * forgets what the dead one had written of an event without a commit. */
#include "shm/call.h"
#include "signaling/work.h"
#include <criterion/criterion.h>
#include <stdlib.h>

#define DONES  4u
#define CALLS  2u
#define NOW    1000000u
#define ANSWER "SIP/2.0 200 OK\r\n\r\n"

static struct sig g;
static struct call *calls;
static struct done *dones;
static struct work w[CALLS]; /* an event on each */
static const struct addr peer = { .family = 4, .ip = { 127, 0, 0, 1 }, .port = 5070 };

static void new_index(void)
{
	index_done(&g.dones);
	cr_assert_eq(index_init(&g.dones, DONES), 0);
	for (uint32_t i = 0; i < DONES; i++)
		if (dones[i].key)
			index_add(&g.dones, i, dones[i].key);
}

static void open_event(uint32_t slot)
{
	w[slot].g = &g;
	w[slot].slot = slot;
	w[slot].call = &calls[slot];
	w[slot].now = NOW;
	w[slot].s =
		*(const struct call_state *)slot_now(&calls[slot].slot, calls[slot].copies, sizeof(struct call_state));
}

static void commit(uint32_t slot)
{
	slot_commit(&calls[slot].slot, calls[slot].copies, sizeof(struct call_state), &w[slot].s);
}

static void begin(void)
{
	calls = calloc(CALLS, sizeof(*calls));
	dones = calloc(DONES, sizeof(*dones));
	cr_assert(calls && dones);
	g = (struct sig){ .calls = calls, .done = dones, .n_calls = CALLS, .n_done = DONES };
	cr_assert_eq(index_init(&g.dones, DONES), 0);
	for (uint32_t i = 0; i < CALLS; i++) {
		slot_claim(&calls[i].slot);
		open_event(i);
		commit(i);
		slot_live(&calls[i].slot);
		open_event(i);
	}
}

static void end(void)
{
	index_done(&g.dones);
	free(calls);
	free(dones);
}

TestSuite(done, .init = begin, .fini = end);

static void remember(uint32_t slot, uint64_t key)
{
	cr_assert(done_add_in(&w[slot], DONE_RESPONSE, key, SPAN(ANSWER), 0, &peer));
}

/* the worker dies, another one begins with what lies in memory */
static void die(void)
{
	done_forget_uncommitted(&g);
	new_index();
}

static bool known(uint64_t key)
{
	return done_find(&g, key, NOW + 1) != NULL;
}

Test(done, of_a_committed_event)
{
	remember(0, 7);
	commit(0);
	die();
	const struct done *d = done_find(&g, 7, NOW + 1);
	cr_assert(d);
	cr_expect(span_eq((struct span){ d->message, d->n }, SPAN(ANSWER)) && addr_eq(&d->to, &peer) &&
		  d->kind == DONE_RESPONSE);
	cr_expect_not(done_find(&g, 7, NOW + TXN_LIFE_MS), "for 64*T1 and no longer");
}

Test(done, of_an_event_without_commit)
{
	remember(0, 7);
	remember(0, 8);
	die();
	cr_expect_not(known(7));
	cr_expect_not(known(8));
}

Test(done, of_two_calls)
{
	remember(0, 7);
	remember(1, 8);
	commit(1);
	die();
	cr_expect_not(known(7), "the other call's commit is none of its");
	cr_expect(known(8));
}

Test(done, later_events_change_nothing)
{
	remember(0, 7);
	commit(0);
	open_event(0);
	remember(0, 8); /* of the event that is not committed */
	die();
	cr_expect(known(7));
	cr_expect_not(known(8));
}

/* the commit that made it true was the call's last one; another call lives there now */
Test(done, of_an_earlier_life)
{
	remember(0, 7);
	commit(0);
	slot_free(&calls[0].slot);
	slot_claim(&calls[0].slot);
	open_event(0);
	remember(0, 8); /* of the new call, whose first event is not committed */
	die();
	cr_expect(known(7));
	cr_expect_not(known(8));
}

Test(done, without_a_call)
{
	cr_assert(done_add(&g, DONE_RESPONSE, 7, SPAN(ANSWER), 0, &peer, NOW));
	die();
	cr_expect(known(7), "true by itself");
}

/* commits are counted in 32 bits */
Test(done, counter_wraps)
{
	calls[0].slot.commit = UINT32_MAX - 1;
	open_event(0);
	remember(0, 7);
	commit(0);
	open_event(0);
	remember(0, 8);
	die();
	cr_expect(known(7));
	cr_expect_not(known(8));
	open_event(0);
	remember(0, 9);
	commit(0);
	die();
	cr_expect(known(7) && known(9), "commit %u", calls[0].slot.commit);
}

Test(done, too_long_to_be_kept)
{
	static const char text[DONE_BYTES + 1];
	cr_expect(done_add_in(&w[0], DONE_RESPONSE, 7, (struct span){ text, DONE_BYTES }, 0, &peer));
	cr_expect_not(done_add_in(&w[0], DONE_RESPONSE, 8, (struct span){ text, DONE_BYTES + 1 }, 0, &peer));
	commit(0);
	die();
	cr_expect(known(7));
	cr_expect_not(known(8));
}

/* the oldest gives way, and is not found any more */
Test(done, a_circle)
{
	for (uint64_t key = 1; key <= DONES + 1; key++)
		remember(0, key);
	commit(0);
	cr_expect_not(known(1));
	for (uint64_t key = 2; key <= DONES + 1; key++)
		cr_expect(known(key), "%lu", (unsigned long)key);
}
