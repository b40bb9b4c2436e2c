#include "base/index.h"
#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdlib.h>

static struct index ix;

static void start(uint32_t capacity)
{
	cr_assert_eq(index_init(&ix, capacity), 0);
}
static void stop(void)
{
	index_done(&ix);
}

static unsigned count(uint64_t key)
{
	unsigned n = 0;
	for (uint32_t e = index_first(&ix, key); e != INDEX_NONE; e = index_next(&ix, e))
		n++;
	return n;
}

Test(index, add_find_del, .fini = stop)
{
	start(8);
	cr_expect_eq(index_first(&ix, 5), INDEX_NONE);
	index_add(&ix, 0, 5);
	index_add(&ix, 7, 6);
	cr_expect_eq(index_first(&ix, 5), 0);
	cr_expect_eq(index_first(&ix, 6), 7);
	cr_expect_eq(index_next(&ix, 0), INDEX_NONE);
	cr_expect_eq(ix.used, 2);
	index_del(&ix, 0);
	index_del(&ix, 0);
	index_del(&ix, 3);
	cr_expect_eq(ix.used, 1);
	cr_expect_eq(index_first(&ix, 5), INDEX_NONE);
	cr_expect_eq(index_first(&ix, 6), 7);
	index_add(&ix, 0, 6);
	cr_expect_eq(count(6), 2);
}

Test(index, several_entries_of_one_key, .fini = stop)
{
	start(100);
	for (uint32_t i = 0; i < 100; i++)
		index_add(&ix, i, i % 3);
	cr_expect_eq(count(0), 34);
	cr_expect_eq(count(1), 33);
	cr_expect_eq(count(3), 0);
	for (uint32_t i = 0; i < 100; i += 3)
		index_del(&ix, i);
	cr_expect_eq(count(0), 0);
	cr_expect_eq(count(1), 33);
	cr_expect_eq(count(2), 33);
}

Test(index, of_one_and_of_none)
{
	start(1);
	index_add(&ix, 0, UINT64_MAX);
	cr_expect_eq(index_first(&ix, UINT64_MAX), 0);
	stop();
	start(0);
	cr_expect_eq(index_first(&ix, 0), INDEX_NONE);
	stop();
}

/* the longest chain must stay short for keys that a plain mask would put into one */
Test(index, keys_are_spread)
{
	static const unsigned shifts[] = { 0, 12, 32, 48 };
	for (size_t s = 0; s < sizeof(shifts) / sizeof(shifts[0]); s++) {
		start(4096);
		for (uint32_t i = 0; i < 4096; i++)
			index_add(&ix, i, (uint64_t)i << shifts[s]);
		unsigned longest = 0;
		for (uint32_t h = 0; h <= ix.mask; h++) {
			unsigned n = 0;
			for (uint32_t e = ix.heads[h]; e != INDEX_NONE; e = ix.entries[e].next)
				n++;
			longest = n > longest ? n : longest;
		}
		cr_expect_leq(longest, 12, "shift %u: a chain of %u", shifts[s], longest);
		stop();
	}
}

#define ENTRIES 200
Test(index, random_against_a_plain_array, .fini = stop)
{
	bool in[ENTRIES] = { false };
	uint64_t keys[ENTRIES] = { 0 };
	start(ENTRIES);
	srand(7);
	for (int step = 0; step < 20000; step++) {
		uint32_t e = (uint32_t)rand() % ENTRIES;
		if (in[e]) {
			index_del(&ix, e);
		} else {
			keys[e] = (uint64_t)rand() % 50;
			index_add(&ix, e, keys[e]);
		}
		in[e] = !in[e];
		uint64_t key = (uint64_t)rand() % 50;
		unsigned want = 0, got = 0;
		for (int i = 0; i < ENTRIES; i++)
			want += in[i] && keys[i] == key;
		for (uint32_t f = index_first(&ix, key); f != INDEX_NONE; f = index_next(&ix, f)) {
			cr_assert(in[f] && keys[f] == key);
			got++;
		}
		cr_assert_eq(got, want);
	}
}
