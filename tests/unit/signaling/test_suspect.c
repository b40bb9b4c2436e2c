/* Records that cannot be right, found by a successor: the call is ended and recorded, everything else goes on. */
#include "scene.h"
#include "shm/block.h"
#include "shm/call.h"
#include "shm/counters.h"
#include "shm/poison.h"
#include <criterion/criterion.h>
#include <unistd.h>

TestSuite(suspect, .timeout = 60);

static struct call *calls(void)
{
	return (struct call *)(uintptr_t)region_area(&h.env.region[seat_of(ROLE_SIGNALING, 0)], AREA_CALLS);
}

static struct call_state *state_of(unsigned slot)
{
	return &calls()[slot].copies[calls()[slot].slot.commit & 1];
}

static unsigned slot_in_use(void)
{
	for (unsigned i = 0;; i++)
		if (calls()[i].slot.state != SLOT_FREE)
			return i;
}

static void bad_phase(struct call_state *s) { s->phase = 200; }
static void bad_text(struct call_state *s) { s->text = 0xfedcba98; }
static void bad_text_length(struct call_state *s) { s->text_used = 0x7fffffff; }
static void bad_text_place(struct call_state *s) { s->t[TEXT_IN_FROM].at = 0xffffff00; }
static void bad_candidates(struct call_state *s) { s->n_candidates = 255; }
static void bad_stage(struct call_state *s) { s->stage = 99; }
static void bad_reason(struct call_state *s) { s->reason = 250; }
static void bad_journal(struct call_state *s) { s->journal = 1ull << 60; }
static void bad_listen(struct call_state *s) { s->leg[0].listen = 60000; }
static void bad_family(struct call_state *s) { s->leg[1].target.family = 77; }
static void bad_transaction(struct call_state *s)
{
	s->txn[CALL_TXNS - 1] = (struct call_txn){ .state = TXN_PROCEEDING, .method = METHOD_INFO, .leg = 9 };
}
static void bad_message(struct call_state *s)
{
	s->txn[CALL_TXNS - 1] = (struct call_txn){ .state = TXN_PROCEEDING, .method = METHOD_INFO, .message = 0xe0000001, .message_n = 10 };
}
static void same_block_twice(struct call_state *s)
{
	s->txn[CALL_TXNS - 1] = (struct call_txn){ .state = TXN_PROCEEDING, .method = METHOD_INFO, .message = s->text, .message_n = 10 };
}

Test(suspect, damaged_records)
{
	static void (*const damage[])(struct call_state *) = { bad_phase, bad_text, bad_text_length, bad_text_place, bad_candidates, bad_stage, bad_reason,
		bad_journal, bad_listen, bad_family, bad_transaction, bad_message, same_block_twice };
	scene((struct harness_options){ 0 });
	for (unsigned i = 0; i < sizeof damage / sizeof *damage; i++) {
		if (i)
			dialog_init(&a, &caller, &h.sip, "15551234");
		scene_up();
		harness_kill(&h);
		damage[i](state_of(slot_in_use()));
		harness_start(&h, 0);
		harness_idle(&h, 1000);
		record_must(harness_record(&h), true, 1, 200, "internal error");
		cr_expect_null(harness_record(&h), "a second record after damage %u", i);
		cr_expect_eq(harness_counter(&h, COUNT_DAMAGED), i + 1, "damage %u was not seen", i);
	}
	dialog_init(&a, &caller, &h.sip, "15551234");
	scene_up();
	scene_bye(&a, &b);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

/* two deaths at work on a call end it; what is noted after SIGKILL by somebody, or of another life of the slot, does not count */
Test(suspect, blame)
{
	scene((struct harness_options){ 0 });
	scene_up();
	unsigned slot = slot_in_use();
	for (int i = 0; i < 3; i++) {
		harness_kill(&h);
		working_call(h.head, slot);
		commit_u32(&h.env.roster->seat[h.env.seat].own_fault, 0);
		harness_start(&h, 0);
	}
	commit_u32(&h.env.roster->seat[h.env.seat].own_fault, 1);
	harness_kill(&h);
	working_call(h.head, slot);
	harness_start(&h, 0);
	scene_bye(&a, &b); /* one is not enough */
	record_must(harness_record(&h), true, 1, 200, "normal");
	dialog_init(&a, &caller, &h.sip, "15551234");
	usleep(100000);
	harness_kill(&h);
	working_done(h.head);
	harness_start(&h, 0);
	scene_up();
	slot = slot_in_use();
	for (int i = 0; i < 2; i++) {
		harness_kill(&h);
		working_call(h.head, slot);
		harness_start(&h, 0);
	}
	dialog_reply(&a, dialog_expect(&a, "BYE"), 200, NULL, NULL);
	dialog_reply(&b, dialog_expect(&b, "BYE"), 200, NULL, NULL);
	harness_idle(&h, 1000);
	record_must(harness_record(&h), true, 1, 200, "internal error");
	cr_expect_eq(harness_counter(&h, COUNT_POISONED), 1);
	scene_over();
}
