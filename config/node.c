/* The tree of a configuration file: arena, children, repeated keys. */
#include "config/node.h"
#include <stdalign.h>
#include <stdlib.h>

struct arena_block {
	struct arena_block *next;
	size_t n, cap;
	alignas(max_align_t) char bytes[];
};

#define ARENA_BLOCK (256u * 1024u)

void *arena_alloc(struct arena *a, size_t n)
{
	n = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	struct arena_block *b = a->blocks;
	if (!b || b->cap - b->n < n) {
		size_t cap = n > ARENA_BLOCK ? n : ARENA_BLOCK;
		b = malloc(sizeof(*b) + cap);
		if (!b)
			abort();
		*b = (struct arena_block){ a->blocks, 0, cap };
		a->blocks = b;
	}
	void *p = b->bytes + b->n;
	b->n += n;
	return memset(p, 0, n);
}

struct span arena_text(struct arena *a, struct span text)
{
	char *p = arena_alloc(a, text.n + 1);
	if (text.n)
		memcpy(p, text.p, text.n);
	return (struct span){ p, text.n };
}

void arena_free(struct arena *a)
{
	while (a->blocks) {
		struct arena_block *b = a->blocks;
		a->blocks = b->next;
		free(b);
	}
	*a = (struct arena){ 0 };
}

struct node *node_new(struct arena *a, enum node_kind kind, struct mark at)
{
	struct node *n = arena_alloc(a, sizeof(*n));
	n->at = at;
	n->kind = (uint8_t)kind;
	n->weight = 1;
	a->nodes++;
	return n;
}

void node_append(struct node *parent, struct node *key, struct node *child)
{
	child->key = key;
	child->next = NULL;
	if (parent->last)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
	parent->count++;
	parent->weight += child->weight + (key ? 1 : 0);
	if (parent->height <= child->height)
		parent->height = (uint8_t)(child->height + 1);
}

const struct node *node_get(const struct node *map, const char *key)
{
	struct span name = span_of(key);
	for (const struct node *n = map->kind == NODE_MAP ? map->first : NULL; n; n = n->next)
		if (span_eq(n->key->text, name))
			return n;
	return NULL;
}

bool node_is_null(const struct node *n)
{
	if (!n)
		return true;
	return n->kind == NODE_SCALAR && !n->quoted &&
	       (n->text.n == 0 || span_eq(n->text, SPAN("~")) || span_ieq(n->text, SPAN("null")));
}

/* --- repeated keys ------------------------------------------------------------------------------------------- */

struct entry {
	struct node *value;
	uint32_t position;
};

struct merge { /* what is being merged */
	struct config_errors *errors;
	const struct place *place;
	int levels;
};

static int compare_keys(const struct entry *x, const struct entry *y)
{
	struct span a = x->value->key->text, b = y->value->key->text;
	int r = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
	if (r)
		return r;
	return a.n == b.n ? 0 : a.n < b.n ? -1 : 1;
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int r = compare_keys(x, y);
	return r ? r : x->position < y->position ? -1 : 1;
}

/* `later` goes into `kept`, or is an error; either way it leaves the map */
static void merge_two(struct node *kept, struct node *later, struct merge m)
{
	struct mark from = kept->key->at, at = later->key->at;
	bool mergeable = m.levels > 0 && kept->kind == later->kind && kept->kind != NODE_SCALAR && from.file != at.file;
	if (!mergeable) {
		struct place place = { m.place, later->key->text, 0, false };
		errors_add(m.errors, at, &place, "given twice, first at %s:%u", errors_file_name(m.errors, from.file),
			from.line);
		return;
	}
	for (struct node *child = later->first, *next; child; child = next) {
		next = child->next;
		node_append(kept, child->key, child);
	}
}

static void rebuild(struct node *map, const struct entry *entries, const bool *gone, size_t n)
{
	struct node **in_order = malloc(n * sizeof(struct node *));
	if (!in_order)
		abort();
	for (size_t i = 0; i < n; i++)
		in_order[entries[i].position] = gone[i] ? NULL : entries[i].value;
	map->first = map->last = NULL;
	map->count = 0;
	for (size_t i = 0; i < n; i++) {
		if (in_order[i])
			node_append(map, in_order[i]->key, in_order[i]);
	}
	free(in_order);
}

static void merge_entries(struct node *map, struct merge m)
{
	size_t n = map->count, i = 0;
	struct entry *entries = malloc(n * sizeof(*entries));
	bool *gone = calloc(n, sizeof(*gone));
	if (!entries || !gone)
		abort();
	for (struct node *c = map->first; c; c = c->next, i++)
		entries[i] = (struct entry){ c, (uint32_t)i };
	qsort(entries, n, sizeof(*entries), compare_entries);
	bool any = false;
	for (size_t kept = 0, k = 1; k < n; k++) {
		if (compare_keys(&entries[kept], &entries[k]) != 0) {
			kept = k;
			continue;
		}
		merge_two(entries[kept].value, entries[k].value, m);
		gone[k] = any = true;
	}
	if (any)
		rebuild(map, entries, gone, n);
	free(entries);
	free(gone);
}

struct place node_item(const struct place *up, const struct node *element, uint32_t index)
{
	const struct node *id = node_get(element, "id");
	struct span name = id && id->kind == NODE_SCALAR ? id->text : (struct span){ 0 };
	return (struct place){ up, name, index, true };
}

static void merge_tree(struct node *n, struct merge m)
{
	if (n->kind == NODE_MAP && n->count > 1)
		merge_entries(n, m);
	uint32_t i = 0;
	for (struct node *c = n->kind == NODE_SCALAR ? NULL : n->first; c; c = c->next, i++) {
		if (c->kind == NODE_SCALAR)
			continue;
		struct place place =
			c->key ? (struct place){ m.place, c->key->text, 0, false } : node_item(m.place, c, i);
		merge_tree(c, (struct merge){ m.errors, &place, m.levels - 1 });
	}
}

void node_merge(struct node *map, struct config_errors *errors, int levels)
{
	merge_tree(map, (struct merge){ errors, NULL, levels });
}
