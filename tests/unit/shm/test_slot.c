#include "shm/slot.h"
#include <criterion/criterion.h>

struct thing {
	struct slot slot;
	uint64_t copies[2][5];
};

static void commit(struct thing *t, uint64_t v)
{
	uint64_t from[5] = { v, v, v, v, v };
	slot_commit(&t->slot, t->copies, sizeof from, from);
}

Test(slot, only_live_records_are_read)
{
	struct thing t = { 0 };
	uint64_t to[5];
	uint32_t any = 0;
	cr_assert_eq(slot_read(&t.slot, t.copies, sizeof to, &any, to), -ENOENT);
	slot_claim(&t.slot);
	commit(&t, 7);
	cr_assert_eq(slot_read(&t.slot, t.copies, sizeof to, &any, to), -ENOENT);
	slot_live(&t.slot);
	cr_assert_eq(slot_read(&t.slot, t.copies, sizeof to, &any, to), 0);
	cr_assert_eq(to[0], 7);
	cr_assert_eq(any, 1);
	slot_closing(&t.slot);
	cr_assert_eq(slot_read(&t.slot, t.copies, sizeof to, &any, to), 0);
	slot_free(&t.slot);
	cr_assert_eq(slot_read(&t.slot, t.copies, sizeof to, &any, to), -ENOENT);
}

Test(slot, each_commit_is_the_state)
{
	struct thing t = { 0 };
	slot_claim(&t.slot);
	for (uint64_t v = 1; v < 10; v++) {
		uint64_t to[5];
		uint32_t any = 0;
		commit(&t, v);
		slot_live(&t.slot);
		cr_assert_eq(slot_read(&t.slot, t.copies, sizeof to, &any, to), 0);
		cr_assert_eq(to[4], v);
		cr_assert_eq(*(const uint64_t *)slot_now(&t.slot, t.copies, sizeof to), v);
	}
}

Test(slot, a_handle_to_an_earlier_life_fails)
{
	struct thing t = { 0 };
	uint64_t to[5];
	uint32_t first = 0;
	slot_claim(&t.slot);
	commit(&t, 1);
	slot_live(&t.slot);
	cr_assert_eq(slot_read(&t.slot, t.copies, sizeof to, &first, to), 0);
	slot_free(&t.slot);
	slot_claim(&t.slot);
	commit(&t, 2);
	slot_live(&t.slot);
	cr_assert_eq(slot_read(&t.slot, t.copies, sizeof to, &first, to), -ENOENT);
	uint32_t second = 2;
	cr_assert_eq(slot_read(&t.slot, t.copies, sizeof to, &second, to), 0);
	cr_assert_eq(to[0], 2);
}

Test(slot, a_change_after_reading_is_noticed)
{
	struct thing t = { 0 };
	uint64_t to[5];
	struct slot seen = { 0 };
	slot_claim(&t.slot);
	commit(&t, 1);
	slot_live(&t.slot);
	cr_assert_eq(slot_read_seen(&t.slot, t.copies, sizeof to, &seen, to), 0);
	cr_assert(slot_unchanged(&t.slot, &seen));
	commit(&t, 2);
	cr_assert_not(slot_unchanged(&t.slot, &seen));
	cr_assert_eq(slot_read_seen(&t.slot, t.copies, sizeof to, &seen, to), 0);
	slot_free(&t.slot);
	cr_assert_not(slot_unchanged(&t.slot, &seen));
}
