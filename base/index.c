#include "base/index.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define HEADS_MAX (1u << 31)

/* MurmurHash3 finaliser: keys may be sequential, or differ in their upper bits only */
static uint32_t head_of(const struct index *ix, uint64_t key)
{
	key ^= key >> 33;
	key *= 0xff51afd7ed558ccdu;
	key ^= key >> 33;
	key *= 0xc4ceb9fe1a85ec53u;
	key ^= key >> 33;
	return (uint32_t)key & ix->mask;
}

int index_init(struct index *ix, uint32_t capacity)
{
	uint32_t heads = 1;
	while (heads < capacity && heads < HEADS_MAX)
		heads *= 2;
	*ix = (struct index){ .capacity = capacity, .mask = heads - 1 };
	ix->heads = calloc(heads, sizeof(*ix->heads));
	ix->entries = calloc(capacity ? capacity : 1, sizeof(*ix->entries));
	if (!ix->heads || !ix->entries) {
		index_done(ix);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < heads; i++)
		ix->heads[i] = INDEX_NONE;
	for (uint32_t i = 0; i < capacity; i++)
		ix->entries[i].next = i;
	return 0;
}

void index_done(struct index *ix)
{
	free(ix->heads);
	free(ix->entries);
	*ix = (struct index){ 0 };
}

void index_add(struct index *ix, uint32_t entry, uint64_t key)
{
	assert(entry < ix->capacity && ix->entries[entry].next == entry);
	uint32_t *head = &ix->heads[head_of(ix, key)];
	ix->entries[entry] = (struct index_entry){ .key = key, .next = *head, .prev = INDEX_NONE };
	if (*head != INDEX_NONE)
		ix->entries[*head].prev = entry;
	*head = entry;
	ix->used++;
}

void index_del(struct index *ix, uint32_t entry)
{
	assert(entry < ix->capacity);
	struct index_entry *e = &ix->entries[entry];
	if (e->next == entry)
		return;
	if (e->prev == INDEX_NONE)
		ix->heads[head_of(ix, e->key)] = e->next;
	else
		ix->entries[e->prev].next = e->next;
	if (e->next != INDEX_NONE)
		ix->entries[e->next].prev = e->prev;
	e->next = entry;
	ix->used--;
}

static uint32_t find(const struct index *ix, uint32_t entry, uint64_t key)
{
	while (entry != INDEX_NONE && ix->entries[entry].key != key)
		entry = ix->entries[entry].next;
	return entry;
}

uint32_t index_first(const struct index *ix, uint64_t key)
{
	return find(ix, ix->heads[head_of(ix, key)], key);
}

uint32_t index_next(const struct index *ix, uint32_t entry)
{
	const struct index_entry *e = &ix->entries[entry];
	return e->next == entry ? INDEX_NONE : find(ix, e->next, e->key);
}
