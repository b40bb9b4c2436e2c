/* Blocks: variable-sized memory of a signalling worker (texts of a call, messages kept for resending), in size classes.
 * There is no persistent allocator state: a block is in use if a live record refers to it. The owner keeps free lists
 * privately; an adopter marks what the live slots refer to and takes everything else as free, so nothing can leak.
 *
 * Lifetime: block_alloc -> fill -> commit the record that refers to it. To give one back: commit the record that no
 * longer refers to it, with block_retire() any time before; it may be handed out again only after blocks_settle(), which
 * the worker calls when the batch is committed *and sent* (queued datagrams point into blocks). */
#ifndef TANDEM_SHM_BLOCK_H
#define TANDEM_SHM_BLOCK_H
#include "shm/commit.h"
#include "shm/region.h"

#define BLOCK_NONE    0u
#define BLOCK_CLASSES 6u
static const uint32_t block_size[BLOCK_CLASSES] = { 512, 1024, 2048, 4096, 16384, 66560 };

/* handle: class + 1 in the top 4 bits, index below; 0 is none */
static inline uint32_t block_class(uint32_t handle) { return (handle >> 28) - 1; }
static inline uint32_t block_index(uint32_t handle) { return handle & 0x0fffffffu; }
static inline uint32_t block_capacity(uint32_t handle) { return block_size[block_class(handle)]; }

struct block_plan { /* how many of each class; in front of AREA_BLOCKS */
	uint32_t count[BLOCK_CLASSES];
	uint64_t at[BLOCK_CLASSES]; /* bytes from the area's start */
};

/* the owner's private view */
struct blocks {
	const struct block_plan *plan;
	uint32_t *free_list[BLOCK_CLASSES];
	uint32_t n_free[BLOCK_CLASSES];
	uint8_t *used[BLOCK_CLASSES]; /* 1: in use; guards against double frees */
	uint32_t *retired;
	uint32_t n_retired, cap_retired;
};

/* bytes and counts for `calls` concurrent calls of a worker */
uint64_t block_plan_for(uint32_t calls, struct block_plan *ret_plan);
/* All blocks count as used by nobody until blocks_begin()…blocks_mark()…blocks_open(). 0 or -ENOMEM */
int blocks_begin(struct blocks *b, const struct region *own);
/* a live record refers to it; -EINVAL when the handle is out of range or marked already (a damaged record) */
int blocks_mark(struct blocks *b, uint32_t handle);
void blocks_unmark(struct blocks *b, uint32_t handle); /* one that was marked: its record turned out to be damaged */
void blocks_open(struct blocks *b); /* everything unmarked is free, low indices handed out first */
void blocks_done(struct blocks *b);
/* Smallest class that holds `size` and has a free block (a larger class when it is empty). Returns writable memory nobody
 * refers to, or NULL. Any address of the block may be filled until the handle is committed. */
void *block_alloc(struct blocks *b, size_t size, uint32_t *ret_handle);
void block_drop(struct blocks *b, uint32_t handle);   /* was never committed */
void block_retire(struct blocks *b, uint32_t handle); /* BLOCK_NONE allowed */
void blocks_settle(struct blocks *b);
/* readable address; NULL for BLOCK_NONE or a handle out of range (readers of foreign records must check) */
const void *block_at(const struct block_plan *plan, uint32_t handle);
uint32_t blocks_in_use(const struct blocks *b);
/* of those of 2048 bytes and more a sixteenth is left: for calls that are there already */
bool blocks_scarce(const struct blocks *b);
#endif
