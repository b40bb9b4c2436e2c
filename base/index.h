/* Process-private hash index: 64-bit key -> 32-bit value, several values per key allowed. Chained through two arrays
 * sized once; entries are named by the caller (0..capacity-1), so removal needs no search for the node's memory.
 *
 *	index_add(&ix, entry, key);             // entry < capacity, not in the index
 *	for (uint32_t e = index_first(&ix, key); e != INDEX_NONE; e = index_next(&ix, e)) ...   // entries with that key
 *	index_del(&ix, entry);
 */
#ifndef TANDEM_BASE_INDEX_H
#define TANDEM_BASE_INDEX_H
#include <stdint.h>

#define INDEX_NONE UINT32_MAX
struct index {
	uint32_t capacity, mask;
	uint32_t used;
	uint32_t *heads;
	struct index_entry {
		uint64_t key;
		uint32_t next, prev; /* prev: INDEX_NONE at the head; next of an unused entry is its own number */
	} *entries;
};
int index_init(struct index *ix, uint32_t capacity); /* 0 or -ENOMEM */
void index_done(struct index *ix);
void index_add(struct index *ix, uint32_t entry, uint64_t key);
void index_del(struct index *ix, uint32_t entry); /* nothing to do when not in it */
uint32_t index_first(const struct index *ix, uint64_t key);
uint32_t index_next(const struct index *ix, uint32_t entry); /* next with the same key */
#endif
