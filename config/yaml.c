/* Reads YAML into a tree of nodes. The only user of libyaml. Bounded: depth, number of nodes, what aliases may add.
 * An alias is a copy of its anchor's node and all below it, because merging relinks children; an anchor counts only once
 * its node is complete, so nothing can contain itself. */
#include "config/node.h"
#include <stdlib.h>
#include <yaml.h>

struct anchor {
	struct span name;
	struct node *node;
	struct anchor *next;
};

struct level { /* a list or map that is being read */
	struct node *node, *key; /* key: the one that waits for its value */
	struct span anchor;
};

struct reader {
	struct arena *arena;
	struct config_errors *errors;
	yaml_parser_t parser;
	uint32_t file;
	struct level stack[NODE_DEPTH_MAX];
	int depth;
	struct node *root;
	struct anchor *anchors;
	uint32_t anchor_count;
	bool failed;
};

static struct mark mark_of(const struct reader *r, yaml_mark_t m)
{
	return (struct mark){ r->file, (uint32_t)m.line + 1, (uint32_t)m.column + 1 };
}

static void fail(struct reader *r, struct mark at, const char *why)
{
	errors_add(r->errors, at, NULL, "%s", why);
	r->failed = true;
}

static void remember(struct reader *r, struct span name, struct node *node)
{
	if (!name.n)
		return;
	if (r->anchor_count++ >= NODE_ANCHORS_MAX)
		fail(r, node->at, "too many anchors");
	struct anchor *a = arena_alloc(r->arena, sizeof(*a));
	*a = (struct anchor){ name, node, r->anchors };
	r->anchors = a;
}

/* a complete node finds its place: below the list or map that is open, as a key or a value */
static void place(struct reader *r, struct node *n)
{
	if (r->arena->nodes > NODE_COUNT_MAX) {
		fail(r, n->at, "too many values");
		return;
	}
	if (r->depth == 0) {
		r->root = n;
		return;
	}
	struct level *l = &r->stack[r->depth - 1];
	if (l->node->kind == NODE_LIST) {
		node_append(l->node, NULL, n);
	} else if (!l->key) {
		if (n->kind != NODE_SCALAR)
			fail(r, n->at, "a key must be a single word");
		l->key = n;
	} else {
		node_append(l->node, l->key, n);
		l->key = NULL;
	}
}

static struct span anchor_name(struct reader *r, const yaml_char_t *name)
{
	return name ? arena_text(r->arena, span_of((const char *)name)) : (struct span){ 0 };
}

static void open_level(struct reader *r, enum node_kind kind, struct mark at, const yaml_char_t *anchor)
{
	if (r->depth == NODE_DEPTH_MAX) {
		fail(r, at, "nested too deeply");
		return;
	}
	r->stack[r->depth++] = (struct level){ node_new(r->arena, kind, at), NULL, anchor_name(r, anchor) };
}

static void close_level(struct reader *r)
{
	struct level l = r->stack[--r->depth];
	remember(r, l.anchor, l.node);
	place(r, l.node);
}

static void read_scalar(struct reader *r, const yaml_event_t *e, struct mark at)
{
	struct node *n = node_new(r->arena, NODE_SCALAR, at);
	n->text = arena_text(r->arena, (struct span){ (const char *)e->data.scalar.value, e->data.scalar.length });
	n->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	remember(r, anchor_name(r, e->data.scalar.anchor), n);
	place(r, n);
}

/* depth and size are bounded by the caller */
static struct node *copy_tree(struct arena *a, const struct node *from)
{
	struct node *n = node_new(a, from->kind, from->at);
	n->quoted = from->quoted;
	n->text = from->text;
	for (const struct node *c = from->kind == NODE_SCALAR ? NULL : from->first; c; c = c->next)
		node_append(n, c->key, copy_tree(a, c));
	return n;
}

static void read_alias(struct reader *r, const yaml_event_t *e, struct mark at)
{
	struct span name = span_of((const char *)e->data.alias.anchor);
	struct anchor *a = r->anchors;
	while (a && !span_eq(a->name, name))
		a = a->next;
	if (!a) {
		fail(r, at, "an alias without its anchor");
		return;
	}
	r->arena->aliased += a->node->weight;
	if (r->arena->aliased > NODE_ALIAS_MAX || r->depth + a->node->height > NODE_DEPTH_MAX) {
		fail(r, at, "aliases expand to too much");
		return;
	}
	struct node *n = copy_tree(r->arena, a->node);
	if (n->kind == NODE_SCALAR)
		n->at = at;
	place(r, n);
}

/* true: go on */
static bool read_event(struct reader *r, const yaml_event_t *e)
{
	struct mark at = mark_of(r, e->start_mark);
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		read_scalar(r, e, at);
		break;
	case YAML_SEQUENCE_START_EVENT:
		open_level(r, NODE_LIST, at, e->data.sequence_start.anchor);
		break;
	case YAML_MAPPING_START_EVENT:
		open_level(r, NODE_MAP, at, e->data.mapping_start.anchor);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		close_level(r);
		break;
	case YAML_ALIAS_EVENT:
		read_alias(r, e, at);
		break;
	case YAML_DOCUMENT_START_EVENT:
		if (r->root)
			fail(r, at, "a second document; one is allowed");
		break;
	case YAML_STREAM_END_EVENT:
		return false;
	default:
		break;
	}
	return !r->failed;
}

static void syntax_error(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	struct mark at = mark_of(r, p->problem_mark);
	if (p->error == YAML_READER_ERROR) { /* it only knows the offset */
		at = mark_of(r, p->mark);
		errors_add(r->errors, at, NULL, "not valid text at byte %zu: %s", p->problem_offset,
			p->problem ? p->problem : "");
	} else {
		errors_add(r->errors, at, NULL, "not valid YAML: %s%s%s", p->problem ? p->problem : "syntax error",
			p->context ? ", " : "", p->context ? p->context : "");
	}
	r->failed = true;
}

struct node *yaml_read(struct arena *a, uint32_t file, struct span text, struct config_errors *errors)
{
	struct reader r = { .arena = a, .errors = errors, .file = file };
	if (!yaml_parser_initialize(&r.parser))
		abort();
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text.p, text.n);
	for (bool more = true; more;) {
		yaml_event_t e;
		if (!yaml_parser_parse(&r.parser, &e)) {
			syntax_error(&r);
			break;
		}
		more = read_event(&r, &e);
		yaml_event_delete(&e);
	}
	yaml_parser_delete(&r.parser);
	if (r.failed)
		return NULL;
	if (node_is_null(r.root)) /* nothing but comments, perhaps */
		return node_new(a, NODE_MAP, (struct mark){ file, 1, 1 });
	if (r.root->kind != NODE_MAP) {
		fail(&r, r.root->at, "a map of sections is expected");
		return NULL;
	}
	return r.root;
}
