/* Names that other places of the configuration refer to: collected before anything is read, so that the order of the
 * sections does not matter. An index is the position in the section. */
#include "config/schema.h"
#include <stdlib.h>

static const struct {
	const char *section, *noun;
	bool list; /* of maps with an `id`; else a map by name */
} tables[REF_TABLES] = {
	[REF_MAPPING_GATEWAY] = { "mapping_gateways", "mapping gateway", true },
	[REF_ROUTING_GATEWAY] = { "routing_gateways", "routing gateway", true },
	[REF_GROUP] = { "gateway_groups", "gateway group", true },
	[REF_ACCOUNT] = { "accounts", "account", true },
	[REF_REGISTRATION] = { "registrations", "registration", true },
	[REF_DIAL_PLAN] = { "dial_plans", "dial plan", false },
	[REF_NUMBER_LIST] = { "number_lists", "number list", false },
	[REF_RATE_TABLE] = { "rate_tables", "rate table", false },
	[REF_LRN_SOURCE] = { "lrn_sources", "LRN source", false },
};

static int compare(const void *a, const void *b)
{
	const struct ref_name *x = a, *y = b;
	int r = memcmp(x->name.p, y->name.p, x->name.n < y->name.n ? x->name.n : y->name.n);
	if (r)
		return r;
	if (x->name.n != y->name.n)
		return x->name.n < y->name.n ? -1 : 1;
	return x->index < y->index ? -1 : 1;
}

static void say_twice(struct compile *c, enum ref_table t, const struct ref_name *first, const struct ref_name *again)
{
	char shown[SHOWN_MAX];
	struct place section = { NULL, span_of(tables[t].section), 0, false };
	struct place item = { &section, again->name, again->index, true }, id = { &item, SPAN("id"), 0, false };
	errors_add(c->errors, again->at, &id, "%s is used twice, first at %s:%u", errors_shown(again->name, shown),
		errors_file_name(c->errors, first->at.file), first->at.line);
}

static void collect(struct compile *c, enum ref_table t, const struct node *section)
{
	struct ref_names *names = &c->refs[t];
	uint32_t i = 0;
	names->list = calloc(section->count ? section->count : 1, sizeof(*names->list));
	if (!names->list)
		abort();
	for (const struct node *n = section->first; n; n = n->next, i++) {
		const struct node *name = tables[t].list ? node_get(n, "id") : n->key;
		if (name && name->kind == NODE_SCALAR && name->text.n)
			names->list[names->n++] = (struct ref_name){ name->text, name->at, i };
	}
	qsort(names->list, names->n, sizeof(*names->list), compare);
	for (uint32_t first = 0, k = 1; k < names->n; k++) {
		if (span_eq(names->list[first].name, names->list[k].name))
			say_twice(c, t, &names->list[first], &names->list[k]);
		else
			first = k;
	}
}

void refs_collect(struct compile *c, const struct node *root)
{
	for (enum ref_table t = 0; t < REF_TABLES; t++) {
		const struct node *section = node_get(root, tables[t].section);
		if (section && section->kind == (tables[t].list ? NODE_LIST : NODE_MAP))
			collect(c, t, section);
	}
}

void refs_free(struct compile *c)
{
	for (enum ref_table t = 0; t < REF_TABLES; t++) {
		free(c->refs[t].list);
		c->refs[t] = (struct ref_names){ 0 };
	}
}

uint32_t refs_find(const struct compile *c, enum ref_table t, struct span name)
{
	const struct ref_names *names = &c->refs[t];
	uint32_t low = 0, high = names->n;
	struct ref_name wanted = { .name = name, .index = 0 };
	while (low < high) { /* the first that is not below the name */
		uint32_t middle = low + (high - low) / 2;
		if (compare(&names->list[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < names->n && span_eq(names->list[low].name, name) ? names->list[low].index : CONFIG_NONE;
}

const char *refs_noun(enum ref_table t)
{
	return tables[t].noun;
}
