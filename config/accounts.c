/* Accounts by id: an open hash table in the image, at most half full, so that a look-up costs one or two cache lines
 * however many accounts there are. The ids are the operator's own: nobody can aim at one bucket. */
#include "config/schema.h"
#include <stdlib.h>

static uint32_t hash(struct span id)
{
	uint32_t h = 0x811c9dc5u; /* FNV-1a */
	for (size_t i = 0; i < id.n; i++)
		h = (h ^ (unsigned char)id.p[i]) * 0x01000193u;
	return h ^ h >> 15;
}

void accounts_table(struct compile *c)
{
	uint32_t n = c->config.accounts.n, buckets = 2;
	const struct cfg_account *a = image_at(&c->image, c->config.accounts);
	if (!n)
		return;
	while (buckets < 2 * n)
		buckets *= 2;
	uint32_t *table = malloc(buckets * sizeof(*table));
	if (!table)
		abort();
	memset(table, 0xff, buckets * sizeof(*table)); /* CONFIG_NONE */
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = hash(image_span(&c->image, a[i].id));
		while (table[at & (buckets - 1)] != CONFIG_NONE)
			at++;
		table[at & (buckets - 1)] = i;
	}
	c->config.account_table = image_list(&c->image, table, buckets, sizeof(*table));
	free(table);
}

uint32_t config_account(const struct config *c, struct span id)
{
	const uint32_t *table = CFG_LIST(c, &c->account_table, uint32_t);
	uint32_t n = c->account_table.n;
	if (!n || !id.n)
		return CONFIG_NONE;
	for (uint32_t at = hash(id);; at++) {
		uint32_t i = table[at & (n - 1)];
		if (i == CONFIG_NONE || span_eq(cfg_span(c, cfg_account(c, i)->id), id))
			return i;
	}
}

struct cfg_mapping_gateway config_account_settings(const struct config *c, uint32_t i)
{
	const struct cfg_account *a = cfg_account(c, i);
	struct cfg_mapping_gateway g = c->plain_mapping;
	g.id = a->id;
	g.enabled = a->enabled;
	g.lock = a->lock;
	g.line_limit = a->line_limit;
	g.callee_dial_plan = a->callee_dial_plan;
	g.caller_dial_plan = a->caller_dial_plan;
	g.callee_from = CALLEE_FROM_REQUEST_LINE; /* what its credentials cover; the To may be anything */
	g.media = a->media;
	return g;
}
