/* A configuration file as a tree, independent of the library that reads it. Nodes and their text live in an arena and
 * die with it. Every node knows where it stands, for messages. */
#ifndef TANDEM_CONFIG_NODE_H
#define TANDEM_CONFIG_NODE_H
#include "config/errors.h"

/* What a file may demand; an honest configuration of the documented size stays far below. */
#define NODE_DEPTH_MAX 24
#define NODE_COUNT_MAX 12000000u
#define NODE_ALIAS_MAX 100000u /* nodes that aliases may add */
#define NODE_ANCHORS_MAX 1000u

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
	struct mark at;
	uint8_t kind;    /* enum node_kind */
	bool quoted;     /* a scalar in quotes: never null */
	uint8_t height; /* levels below, for the bound on aliases */
	uint32_t weight; /* nodes in this tree, itself included */
	uint32_t count;  /* children: entries of a map, elements of a list */
	struct span text;        /* of a scalar */
	struct node *key;        /* in a map: the key this value stands under */
	struct node *first, *last, *next; /* children; of a map: the values */
};

struct arena {
	struct arena_block *blocks;
	size_t nodes;   /* made so far */
	size_t aliased; /* nodes that aliases added */
};

void *arena_alloc(struct arena *a, size_t n); /* zeroed; aborts when there is no memory */
struct span arena_text(struct arena *a, struct span text); /* a zero-terminated copy */
void arena_free(struct arena *a);

struct node *node_new(struct arena *a, enum node_kind kind, struct mark at);
void node_append(struct node *parent, struct node *key, struct node *child);
/* the value of a key, or NULL */
const struct node *node_get(const struct node *map, const char *key);
/* absent: NULL, `null`, `~`, or nothing after the colon */
bool node_is_null(const struct node *n);

/* Brings the entries of a map with the same key together: those of different files are merged when both are lists or
 * both are maps, down to `levels` below; any other repetition is an error. Recurses into every child. */
void node_merge(struct node *map, struct config_errors *errors, int levels);

/* the place of an element: by its id when it has one */
struct place node_item(const struct place *up, const struct node *element, uint32_t index);

/* yaml.c: reads one document. Returns the root (a map, empty when there is nothing), or NULL: said why. */
struct node *yaml_read(struct arena *a, uint32_t file, struct span text, struct config_errors *errors);
#endif
