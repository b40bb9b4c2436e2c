#include "sample.h"
#include "shm/block.h"
#include <criterion/criterion.h>
#include <signal.h>

static struct region region;
static struct blocks b;

static void setup(void)
{
	cr_assert_eq(sample_region(ROLE_SIGNALING, 0, &region), 0);
	cr_assert_eq(blocks_begin(&b, &region), 0);
}
static void teardown(void)
{
	blocks_done(&b);
	sample_done(&region);
}
TestSuite(block, .init = setup, .fini = teardown);

Test(block, all_fit_their_area_and_do_not_overlap)
{
	struct block_plan p;
	uint64_t n = block_plan_for(1000, &p), at = sizeof p;
	for (unsigned c = 0; c < BLOCK_CLASSES; c++) {
		cr_assert_geq(p.at[c], at);
		cr_assert_eq(p.at[c] % 64, 0);
		at = p.at[c] + (uint64_t)p.count[c] * block_size[c];
	}
	cr_assert_geq(n, at);
	const char *end = (const char *)block_at(b.plan, BLOCK_CLASSES << 28 | (b.plan->count[BLOCK_CLASSES - 1] - 1)) + block_size[BLOCK_CLASSES - 1];
	uint64_t area = (uint64_t)region.head->area[AREA_BLOCKS].n * region.head->area[AREA_BLOCKS].size;
	cr_assert_leq((uint64_t)(end - (const char *)region_area(&region, AREA_BLOCKS)), area);
}

Test(block, smallest_class_that_holds_it)
{
	uint32_t h;
	blocks_open(&b);
	cr_assert_not_null(block_alloc(&b, 1, &h));
	cr_assert_eq(block_capacity(h), 512);
	cr_assert_eq(block_index(h), 0, "low indices first");
	block_alloc(&b, 512, &h);
	cr_assert_eq(block_capacity(h), 512);
	block_alloc(&b, 513, &h);
	cr_assert_eq(block_capacity(h), 1024);
	cr_assert_eq(block_alloc(&b, 66560, &h), block_at(b.plan, h));
	cr_assert_eq(block_capacity(h), 66560);
	cr_assert_null(block_alloc(&b, 66561, &h));
	cr_assert_eq(blocks_in_use(&b), 4);
}

Test(block, a_larger_class_helps_out_and_nothing_is_given_twice)
{
	uint32_t h, n = 0, all = 0;
	blocks_open(&b);
	for (unsigned c = 0; c < BLOCK_CLASSES; c++)
		all += b.plan->count[c];
	for (char *p; (p = block_alloc(&b, 8, &h)); n++) {
		uint32_t none = 0;
		cr_assert_eq(memcmp(p, &none, 4), 0);
		memcpy(p, &h, 4);
	}
	cr_assert_eq(n, all);
	cr_assert_eq(blocks_in_use(&b), all);
}

Test(block, retired_ones_return_when_settled)
{
	uint32_t first, second;
	blocks_open(&b);
	block_alloc(&b, 8, &first);
	block_retire(&b, first);
	block_retire(&b, BLOCK_NONE);
	block_alloc(&b, 8, &second);
	cr_assert_neq(first, second);
	cr_assert_eq(blocks_in_use(&b), 2);
	blocks_settle(&b);
	cr_assert_eq(blocks_in_use(&b), 1);
	block_drop(&b, second);
	cr_assert_eq(blocks_in_use(&b), 0);
	block_drop(&b, BLOCK_NONE);
}

Test(block, retiring_twice_is_our_mistake, .signal = SIGABRT)
{
	uint32_t h;
	blocks_open(&b);
	block_alloc(&b, 8, &h);
	block_retire(&b, h);
	block_retire(&b, h);
}

Test(block, an_adopter_marks_what_is_referred_to)
{
	cr_assert_eq(blocks_mark(&b, 1u << 28 | 0), 0);
	cr_assert_eq(blocks_mark(&b, 1u << 28 | 2), 0);
	cr_assert_eq(blocks_mark(&b, 1u << 28 | 2), -EINVAL, "two records refer to it");
	cr_assert_eq(blocks_mark(&b, BLOCK_NONE), -EINVAL);
	cr_assert_eq(blocks_mark(&b, (BLOCK_CLASSES + 1) << 28), -EINVAL);
	cr_assert_eq(blocks_mark(&b, 5u << 28 | b.plan->count[4]), -EINVAL);
	blocks_open(&b);
	cr_assert_eq(blocks_in_use(&b), 2);
	uint32_t h;
	block_alloc(&b, 8, &h);
	cr_assert_eq(h, 1u << 28 | 1);
	block_alloc(&b, 8, &h);
	cr_assert_eq(h, 1u << 28 | 3);
}

Test(block, foreign_handles_are_checked)
{
	cr_assert_null(block_at(b.plan, BLOCK_NONE));
	cr_assert_null(block_at(b.plan, 7u << 28));
	cr_assert_null(block_at(b.plan, UINT32_MAX));
	cr_assert_null(block_at(b.plan, 1u << 28 | b.plan->count[0]));
	cr_assert_not_null(block_at(b.plan, 1u << 28));
}

Test(block, scarce_before_the_last_is_gone)
{
	uint32_t h, n = 0;
	blocks_open(&b);
	cr_assert(!blocks_scarce(&b));
	while (!blocks_scarce(&b) && block_alloc(&b, 2048, &h))
		n++;
	cr_assert_not_null(block_alloc(&b, 2048, &h), "%u were given out", n);
	block_drop(&b, h);
}
