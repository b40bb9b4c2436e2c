/* The engine: reads a tree by a schema. Goes on after every error, so that all of them are said in one run. */
#include "config/schema.h"
#include <stdio.h>
#include <stdlib.h>

#define VALUE_SIZE_MAX 48 /* of a scalar as stored */

static void unknown_key(struct compile *c, const struct key *keys, const struct node *value, const struct place *up)
{
	char hint[SHOWN_MAX * 4];
	struct suggest suggest = { .wanted = value->key->text };
	struct place place = { up, value->key->text, 0, false };
	for (const struct key *k = keys; k->name; k++)
		suggest_offer(&suggest, span_of(k->name));
	errors_add(c->errors, value->key->at, &place, "unknown key%s", suggest_text(&suggest, hint, sizeof(hint)));
}

void schema_known(struct compile *c, const struct key *keys, const struct node *map, const struct place *place)
{
	for (const struct node *n = map->first; n; n = n->next) {
		const struct key *k = keys;
		while (k->name && !span_eq(n->key->text, span_of(k->name)))
			k++;
		if (!k->name)
			unknown_key(c, keys, n, place);
	}
}

/* --- scalars -------------------------------------------------------------------------------------------------- */

/* {file: PATH} or {env: NAME} */
static bool read_secret(struct compile *c, const struct node *n, const struct place *place, struct span *ret_text)
{
	const struct node *file = node_get(n, "file"), *env = node_get(n, "env"), *from = file ? file : env;
	if (n->count != 1 || !from || from->kind != NODE_SCALAR) {
		errors_add(c->errors, n->at, place, "a secret is a text, {file: PATH} or {env: NAME}");
		return false;
	}
	if (file) {
		int error;
		struct span path = files_resolve(c, from->at, from->text);
		*ret_text = files_text(c, path.p, 4096, &error);
		if (!ret_text->p)
			errors_add(c->errors, from->at, place, "cannot read %s: %s", path.p, strerror(error));
		while (ret_text->n && (ret_text->p[ret_text->n - 1] == '\n' || ret_text->p[ret_text->n - 1] == '\r'))
			ret_text->n--;
	} else {
		char shown[SHOWN_MAX];
		const char *value = c->sealed ? NULL : getenv(env->text.p);
		*ret_text = (struct span){ value, value ? strlen(value) : 0 };
		if (!value)
			errors_add(c->errors, from->at, place, "%s is not in the environment",
				errors_shown(env->text, shown));
	}
	return ret_text->p;
}

bool schema_scalar(struct compile *c, const struct type *t, const struct node *n, const struct place *place,
	struct input *ret_in, bool *ret_null)
{
	int64_t ignored;
	*ret_in = (struct input){ c, n->at, place, n->text, t->secret };
	*ret_null = false;
	if (t->secret && n->kind == NODE_MAP)
		return read_secret(c, n, place, &ret_in->text);
	if (n->kind != NODE_SCALAR) {
		errors_add(c->errors, n->at, place, "a single value is expected, not a %s",
			n->kind == NODE_LIST ? "list" : "map");
		return false;
	}
	if (!node_is_null(n))
		return true;
	if (value_choice(t->choices, SPAN("none"), &ignored)) { /* null is another word for none */
		ret_in->text = SPAN("none");
		return true;
	}
	*ret_null = t->null;
	if (!t->null)
		errors_add(c->errors, n->at, place, "has no value%s%s", t->allowed ? ", allowed: " : "",
			t->allowed ? t->allowed : "");
	return false;
}

static void store_null(const struct type *t, void *out)
{
	memset(out, 0, t->size);
	if (t->read == read_ref)
		value_store(out, t->size, CONFIG_NONE);
}

static bool same_value(struct compile *c, const struct type *t, const void *a, const void *b)
{
	if (!t->text)
		return memcmp(a, b, t->size) == 0;
	struct cfg_text x, y;
	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return span_eq(image_span(&c->image, x), image_span(&c->image, y));
}

static void read_value(
	struct compile *c, const struct key *k, const struct node *n, const struct place *place, void *out)
{
	char before[VALUE_SIZE_MAX], spare[VALUE_SIZE_MAX] = { 0 };
	struct input in;
	bool null;
	void *to = out ? out : spare;
	memcpy(before, to, k->type->size);
	if (!schema_scalar(c, k->type, n, place, &in, &null)) {
		if (null)
			store_null(k->type, to);
		return;
	}
	if (!k->type->read(&in, k->type, to))
		return;
	if (!same_value(c, k->type, before, to))
		built_check(c, place, n->at, in.text, 1);
}

/* --- lists ---------------------------------------------------------------------------------------------------- */

static struct span trimmed(struct span s)
{
	while (s.n && (*s.p == ' ' || *s.p == '\t')) {
		s.p++;
		s.n--;
	}
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

static uint32_t each_piece(
	const struct input *whole, const struct place *place, void (*each)(const struct input *, void *), void *context)
{
	struct span rest = whole->text;
	for (uint32_t i = 0;; i++) {
		const char *comma = memchr(rest.p, ',', rest.n);
		size_t n = comma ? (size_t)(comma - rest.p) : rest.n;
		struct place item = { place, { 0 }, i, true };
		struct span piece = arena_text(&whole->c->arena, trimmed((struct span){ rest.p, n }));
		struct input in = { whole->c, whole->at, &item, piece, false };
		each(&in, context);
		if (!comma)
			return i + 1;
		rest.p += n + 1;
		rest.n -= n + 1;
	}
}

uint32_t schema_each(struct compile *c, const struct node *n, const struct place *place,
	void (*each)(const struct input *in, void *context), void *context)
{
	if (n->kind == NODE_SCALAR) {
		struct input whole = { c, n->at, place, n->text, false };
		return node_is_null(n) ? 0 : each_piece(&whole, place, each, context);
	}
	if (n->kind == NODE_MAP) {
		errors_add(c->errors, n->at, place, "a list is expected");
		return 0;
	}
	uint32_t i = 0;
	for (const struct node *element = n->first; element; element = element->next, i++) {
		struct place item = { place, { 0 }, i, true };
		struct input in = { c, element->at, &item, element->text, false };
		if (element->kind != NODE_SCALAR)
			errors_add(c->errors, element->at, &item, "a single value is expected, not a %s",
				element->kind == NODE_LIST ? "list" : "map");
		else if (node_is_null(element))
			errors_add(c->errors, element->at, &item, "has no value");
		else
			each(&in, context);
	}
	return i;
}

struct growing { /* a list that is being read */
	const struct type *type;
	char *elements;
	uint32_t n, cap;
	bool failed;
};

static void add_element(const struct input *in, void *context)
{
	struct growing *g = context;
	char value[VALUE_SIZE_MAX] = { 0 };
	if (!g->type->read(in, g->type, value)) {
		g->failed = true;
		return;
	}
	if (g->n == g->cap) {
		g->cap = g->cap ? 2 * g->cap : 8;
		char *more = realloc(g->elements, (size_t)g->cap * g->type->size);
		if (!more)
			abort();
		g->elements = more;
	}
	memcpy(g->elements + (size_t)g->n++ * g->type->size, value, g->type->size);
}

/* an empty text is no element, but for those whose element may be empty ("" matches all) */
static bool is_empty_list(const struct type *t, const struct node *n)
{
	return n->kind == NODE_SCALAR && n->text.n == 0 && !(t->text && t->min == 0);
}

bool schema_list(struct compile *c, const struct type *t, const struct node *n, const struct place *place,
	struct cfg_list *ret_list)
{
	struct type element = *t;
	struct growing g = { .type = &element };
	element.null = false; /* "none" is no element */
	size_t errors = config_errors_count(c->errors);
	if (!is_empty_list(t, n))
		schema_each(c, n, place, add_element, &g);
	*ret_list = image_list(&c->image, g.elements, g.n, t->size);
	free(g.elements);
	return !g.failed && config_errors_count(c->errors) == errors;
}

static bool same_list(struct compile *c, const struct type *t, struct cfg_list a, struct cfg_list b)
{
	if (a.n != b.n)
		return false;
	const char *x = image_at(&c->image, a), *y = image_at(&c->image, b);
	for (uint32_t i = 0; i < a.n; i++)
		if (!same_value(c, t, x + (size_t)i * t->size, y + (size_t)i * t->size))
			return false;
	return true;
}

struct checking { /* the elements of a list that is not the default */
	struct compile *c;
	const struct place *place;
	uint32_t count;
};

static void check_element(const struct input *in, void *context)
{
	const struct checking *k = context;
	built_check(k->c, k->place, in->at, in->text, k->count);
}

static void read_list(
	struct compile *c, const struct key *k, const struct node *n, const struct place *place, void *out)
{
	struct cfg_list before, after;
	memcpy(&before, out, sizeof(before));
	if (!schema_list(c, k->type, n, place, &after))
		return;
	memcpy(out, &after, sizeof(after));
	if (k->required && !after.n)
		errors_add(c->errors, n->at, place, "is empty");
	if (!built_concerns(place) || same_list(c, k->type, before, after))
		return;
	struct checking checking = { c, place, after.n };
	if (!after.n)
		built_check(c, place, n->at, (struct span){ "", 0 }, 0);
	else
		schema_each(c, n, place, check_element, &checking);
}

/* --- maps ----------------------------------------------------------------------------------------------------- */

static void read_items(
	struct compile *c, const struct key *k, const struct node *n, const struct place *place, void *out)
{
	const struct schema *s = k->schema;
	enum node_kind expected = k->kind == KEY_NAMED ? NODE_MAP : NODE_LIST;
	if (n->kind != expected) {
		errors_add(c->errors, n->at, place,
			expected == NODE_MAP ? "a map by name is expected" : "a list is expected, one map each");
		return;
	}
	bool said = n->count && built_check(c, place, n->key->at, (struct span){ "", 0 }, n->count);
	char *templ = calloc(1, s->size), *items = calloc(n->count ? n->count : 1, s->size);
	if (!templ || !items)
		abort();
	schema_defaults(c, s, templ);
	uint32_t i = 0;
	c->muted += said;
	for (const struct node *e = n->first; e; e = e->next, i++) {
		struct place item =
			k->kind == KEY_NAMED ? (struct place){ place, e->key->text, i, true } : node_item(place, e, i);
		char *to = items + (size_t)i * s->size;
		memcpy(to, templ, s->size);
		if (k->kind == KEY_NAMED) {
			struct input in = { c, e->key->at, &item, e->key->text, false };
			type_id.read(&in, &type_id, to);
		}
		schema_read(c, s, e, &item, to);
	}
	c->muted -= said;
	struct cfg_list list = image_list(&c->image, items, n->count, s->size);
	memcpy(out, &list, sizeof(list));
	free(items);
	free(templ);
}

static void read_map(struct compile *c, const struct key *k, const struct node *n, const struct place *place, void *out)
{
	bool said = false;
	if (k->schema->prepare)
		k->schema->prepare(c, out);
	if (node_is_null(n))
		return;
	if (k->present) {
		memcpy(out, &(bool){ true }, sizeof(bool));
		said = built_check(c, place, n->key->at, (struct span){ "", 0 }, 1);
	}
	c->muted += said;
	schema_read(c, k->schema, n, place, out);
	c->muted -= said;
}

static void read_param(
	struct compile *c, const struct key *k, const struct node *n, const struct place *place, void *out)
{
	struct input in;
	bool null;
	int64_t v;
	if (!schema_scalar(c, parameters_type(k->param), n, place, &in, &null) || !parameters_value(&in, k->param, &v))
		return;
	bool changed = v != c->config.param[k->param];
	value_store(out, k->size, v);
	if (changed)
		built_check(c, place, n->at, in.text, 1);
}

static void read_key(struct compile *c, const struct key *k, const struct node *n, const struct place *up, char *base)
{
	struct place place = { up, span_of(k->name), 0, false };
	void *out = k->offset == UINT32_MAX ? NULL : base + k->offset;
	switch (k->kind) {
	case KEY_VALUE:
		read_value(c, k, n, &place, out);
		break;
	case KEY_LIST:
		read_list(c, k, n, &place, out);
		break;
	case KEY_PARAM:
		read_param(c, k, n, &place, out);
		break;
	case KEY_MAP:
		read_map(c, k, n, &place, out ? out : base);
		break;
	case KEY_ITEMS:
	case KEY_NAMED:
		if (!node_is_null(n))
			read_items(c, k, n, &place, out);
		break;
	case KEY_CUSTOM:
		if (k->custom(c, n, &place, out ? out : base))
			built_check(c, &place, n->at, n->text, 1);
		break;
	}
}

void schema_read(
	struct compile *c, const struct schema *s, const struct node *map, const struct place *place, void *out)
{
	if (map->kind != NODE_MAP) {
		errors_add(c->errors, map->at, place, "a map of keys is expected");
		return;
	}
	schema_known(c, s->keys, map, place);
	for (const struct key *k = s->keys; k->name; k++) {
		const struct node *n = node_get(map, k->name);
		struct place missing = { place, span_of(k->name), 0, false };
		if (n)
			read_key(c, k, n, place, out);
		else if (k->required)
			errors_add(c->errors, map->at, &missing, "is missing");
		else if (k->kind == KEY_MAP && k->schema->prepare)
			k->schema->prepare(c, (char *)out + (k->offset == UINT32_MAX ? 0 : k->offset));
	}
	if (s->finish)
		s->finish(c, map, place, out);
}

/* --- defaults ------------------------------------------------------------------------------------------------- */

static void default_value(struct compile *c, const struct key *k, char *out)
{
	struct place place = { NULL, span_of(k->name), 0, false };
	struct node fallback = { .kind = NODE_SCALAR, .text = span_of(k->fallback), .quoted = true };
	if (k->kind == KEY_LIST) {
		struct cfg_list list;
		schema_list(c, k->type, &fallback, &place, &list);
		memcpy(out, &list, sizeof(list));
		return;
	}
	struct input in = { c, { 0 }, &place, fallback.text, false };
	k->type->read(&in, k->type, out);
}

void schema_defaults(struct compile *c, const struct schema *s, void *to)
{
	for (const struct key *k = s->keys; k->name; k++) {
		if (k->kind == KEY_MAP)
			schema_defaults(c, k->schema, (char *)to + (k->offset == UINT32_MAX ? 0 : k->offset));
		if (k->offset == UINT32_MAX)
			continue;
		char *out = (char *)to + k->offset;
		if (k->kind == KEY_PARAM)
			value_store(out, k->size, c->config.param[k->param]);
		else if (k->fallback)
			default_value(c, k, out);
		else if (k->kind == KEY_VALUE)
			store_null(k->type, out);
	}
	if (s->prepare)
		s->prepare(c, to);
}
