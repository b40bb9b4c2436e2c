#include "shm/block.h"
#include <assert.h>
#include <stdlib.h>

enum { UNUSED, USED, RETIRED };

uint64_t block_plan_for(uint32_t calls, struct block_plan *ret_plan)
{
	/* a call that is up needs one for its texts (1024, with long headers 2048 or 4096) and for half a minute one for its ACK
	 * (512); one being set up a larger one for its texts and one for its INVITE */
	*ret_plan = (struct block_plan){ .count = { 2 * calls + 1024, calls + 1024, calls + 1024, calls / 4 + 256, calls / 64 + 64, 32 } };
	uint64_t at = (sizeof *ret_plan + 63) & ~63ull;
	for (unsigned c = 0; c < BLOCK_CLASSES; c++) {
		ret_plan->at[c] = at;
		at += (uint64_t)ret_plan->count[c] * block_size[c];
	}
	return at;
}

int blocks_begin(struct blocks *b, const struct region *own)
{
	*b = (struct blocks){ .plan = region_area(own, AREA_BLOCKS) };
	size_t total = 0;
	for (unsigned c = 0; c < BLOCK_CLASSES; c++) {
		total += b->plan->count[c];
		b->free_list[c] = calloc(b->plan->count[c], sizeof *b->free_list[c]);
		b->used[c] = calloc(b->plan->count[c], sizeof *b->used[c]);
		if (!b->free_list[c] || !b->used[c])
			goto fail;
	}
	/* every block may be retired at once, so that giving one back never fails */
	b->cap_retired = (uint32_t)total;
	b->retired = calloc(total, sizeof *b->retired);
	if (b->retired)
		return 0;
fail:
	blocks_done(b);
	return -ENOMEM;
}

static bool in_range(const struct block_plan *plan, uint32_t handle)
{
	uint32_t class = block_class(handle);
	return class < BLOCK_CLASSES && block_index(handle) < plan->count[class];
}

int blocks_mark(struct blocks *b, uint32_t handle)
{
	if (!in_range(b->plan, handle))
		return -EINVAL;
	uint8_t *used = &b->used[block_class(handle)][block_index(handle)];
	if (*used)
		return -EINVAL;
	*used = USED;
	return 0;
}

void blocks_unmark(struct blocks *b, uint32_t handle)
{
	b->used[block_class(handle)][block_index(handle)] = UNUSED;
}

void blocks_open(struct blocks *b)
{
	for (unsigned c = 0; c < BLOCK_CLASSES; c++) {
		b->n_free[c] = 0;
		for (uint32_t i = b->plan->count[c]; i-- > 0;)
			if (!b->used[c][i])
				b->free_list[c][b->n_free[c]++] = i;
	}
}

void blocks_done(struct blocks *b)
{
	for (unsigned c = 0; c < BLOCK_CLASSES; c++) {
		free(b->free_list[c]);
		free(b->used[c]);
	}
	free(b->retired);
	*b = (struct blocks){ 0 };
}

void *block_alloc(struct blocks *b, size_t size, uint32_t *ret_handle)
{
	for (unsigned c = 0; c < BLOCK_CLASSES; c++) {
		if (block_size[c] < size || !b->n_free[c])
			continue;
		uint32_t i = b->free_list[c][--b->n_free[c]];
		b->used[c][i] = USED;
		*ret_handle = (c + 1) << 28 | i;
		return commit_fill(block_at(b->plan, *ret_handle));
	}
	return NULL;
}

static void give_back(struct blocks *b, uint32_t handle)
{
	uint32_t class = block_class(handle), i = block_index(handle);
	b->used[class][i] = UNUSED;
	b->free_list[class][b->n_free[class]++] = i;
}

void block_drop(struct blocks *b, uint32_t handle)
{
	if (handle == BLOCK_NONE)
		return;
	assert(in_range(b->plan, handle) && b->used[block_class(handle)][block_index(handle)] == USED);
	give_back(b, handle);
}

void block_retire(struct blocks *b, uint32_t handle)
{
	if (handle == BLOCK_NONE)
		return;
	assert(in_range(b->plan, handle) && b->used[block_class(handle)][block_index(handle)] == USED);
	b->used[block_class(handle)][block_index(handle)] = RETIRED;
	b->retired[b->n_retired++] = handle;
}

void blocks_settle(struct blocks *b)
{
	while (b->n_retired)
		give_back(b, b->retired[--b->n_retired]);
}

const void *block_at(const struct block_plan *plan, uint32_t handle)
{
	if (!in_range(plan, handle))
		return NULL;
	uint32_t class = block_class(handle);
	return (const char *)plan + plan->at[class] + (uint64_t)block_index(handle) * block_size[class];
}

uint32_t blocks_in_use(const struct blocks *b)
{
	uint32_t n = 0;
	for (unsigned c = 0; c < BLOCK_CLASSES; c++)
		n += b->plan->count[c] - b->n_free[c];
	return n;
}

bool blocks_scarce(const struct blocks *b)
{
	uint64_t all = 0, n = 0;
	for (unsigned c = 0; c < BLOCK_CLASSES; c++) {
		if (block_size[c] < 2048)
			continue;
		all += b->plan->count[c];
		n += b->n_free[c];
	}
	return n * 16 < all;
}
