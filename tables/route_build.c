/* Builds the route image. Prefixes are grouped by the hash table that the image will carry, so nothing is sorted but
 * the gateways: 1,000,000 prefixes take some tenths of a second. */
#include "tables/route_image.h"
#include <errno.h>
#include <stdlib.h>

struct builder {
	const struct config *c;
	const struct route_names *names; /* NULL: none */
	uint32_t *order; /* routing gateways as they shall stand in lists */
	uint32_t n_gateways;
	bool by_priority;
	/* prefixes */
	struct route_slot *slots;
	uint32_t slot_mask;
	struct route_prefix *prefixes;
	struct span *texts;
	uint32_t *pairs; /* prefix of each (gateway, prefix) pair, in the order of `order` */
	uint32_t *last;	 /* per prefix: gateway + 1 that was counted or listed last */
	uint32_t n_prefixes, n_pairs, n_lists, max_prefix;
	uint64_t text_bytes;
	uint64_t lengths[4];
	/* sources */
	struct route_source *sources;
	uint32_t n_sources;
	struct route_slot *source_slots;
	uint32_t source_mask;
	struct route_mask masks[33 + 129];
	uint32_t n_masks;
	uint32_t n_filters;
	uint64_t tech_bytes;
};

static uint32_t table_size(uint64_t n)
{
	uint64_t size = 16;
	while (size < 2 * n)
		size *= 2;
	return (uint32_t)size;
}

/* --- gateways -------------------------------------------------------------------------------------------------- */

static const struct config *sorting; /* qsort has no context; used within order_gateways() only */

static int by_id(const void *a, const void *b)
{
	uint32_t ia = *(const uint32_t *)a, ib = *(const uint32_t *)b;
	struct span x = cfg_span(sorting, cfg_routing(sorting, ia)->id),
		    y = cfg_span(sorting, cfg_routing(sorting, ib)->id);
	int d = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n);
	if (d == 0)
		d = (x.n > y.n) - (x.n < y.n);
	return d ? d : (ia > ib) - (ia < ib);
}

static int by_priority(const void *a, const void *b)
{
	uint32_t x = cfg_routing(sorting, *(const uint32_t *)a)->priority;
	uint32_t y = cfg_routing(sorting, *(const uint32_t *)b)->priority;
	return x != y ? (x > y) - (x < y) : by_id(a, b);
}

static void order_gateways(struct builder *b, uint32_t *ret_rank)
{
	for (uint32_t i = 0; i < b->n_gateways; i++)
		b->order[i] = i;
	sorting = b->c;
	qsort(b->order, b->n_gateways, sizeof(*b->order), by_id);
	for (uint32_t i = 0; i < b->n_gateways; i++)
		ret_rank[b->order[i]] = i;
	if (b->by_priority)
		qsort(b->order, b->n_gateways, sizeof(*b->order), by_priority);
	sorting = NULL;
}

static bool has_address(const struct config *c, const struct cfg_routing_gateway *g)
{
	/* a registration may come and go: whoever routes asks each time */
	return g->addresses.n != 0 || g->via_registration < c->registrations.n;
}

static uint8_t standing_verdict(const struct config *c, const struct cfg_routing_gateway *g)
{
	if (!g->enabled)
		return ROUTE_DISABLED;
	if (g->lock == LOCK_OUT || g->lock == LOCK_ALL)
		return ROUTE_LOCKED;
	return has_address(c, g) ? ROUTE_TAKEN : ROUTE_NO_ADDRESS;
}

static void fill_gateways(const struct builder *b, const uint32_t *rank, struct route_gateway *out)
{
	for (uint32_t i = 0; i < b->n_gateways; i++) {
		const struct cfg_routing_gateway *g = cfg_routing(b->c, i);
		out[i] = (struct route_gateway){ .priority = g->priority,
			.weight = g->weight ? g->weight : 1,
			.line_limit = g->line_limit,
			.rank = rank[i],
			.verdict = standing_verdict(b->c, g),
			.terminal = g->prefix_mode == PREFIX_TERMINAL,
			.protect = g->protect,
			.by_caller = g->caller_prefixes.allow.n || g->caller_prefixes.deny.n };
	}
}

/* --- prefixes -------------------------------------------------------------------------------------------------- */

static uint64_t hash_of(struct span text)
{
	uint64_t h = ROUTE_HASH_START;
	for (size_t i = 0; i < text.n; i++)
		h = route_hash_add(h, text.p[i]);
	return route_hash_end(h);
}

/* number of the prefix, made when it is new */
static uint32_t prefix_number(struct builder *b, struct span text)
{
	uint64_t h = hash_of(text);
	uint32_t i = (uint32_t)h & b->slot_mask;
	for (; b->slots[i].entry; i = (i + 1) & b->slot_mask) {
		uint32_t e = b->slots[i].entry - 1;
		if (b->slots[i].check == (uint32_t)(h >> 32) && span_eq(b->texts[e], text))
			return e;
	}
	uint32_t e = b->n_prefixes++;
	b->slots[i] = (struct route_slot){ (uint32_t)(h >> 32), e + 1 };
	b->texts[e] = text;
	b->prefixes[e] = (struct route_prefix){ .text_n = (uint8_t)text.n, .parent = ROUTE_NONE };
	b->text_bytes += text.n;
	b->lengths[text.n / 64] |= 1ull << text.n % 64;
	if (text.n > b->max_prefix)
		b->max_prefix = (uint32_t)text.n;
	return e;
}

static int collect_prefixes(struct builder *b)
{
	for (uint32_t k = 0; k < b->n_gateways; k++) {
		const struct cfg_routing_gateway *g = cfg_routing(b->c, b->order[k]);
		const struct cfg_text *texts = CFG_LIST(b->c, &g->prefixes, struct cfg_text);
		for (uint32_t i = 0; i < g->prefixes.n; i++) {
			if (texts[i].n > ROUTE_PREFIX_MAX)
				return -E2BIG;
			uint32_t e = prefix_number(b, cfg_span(b->c, texts[i]));
			b->pairs[b->n_pairs++] = e;
			if (b->last[e] == k + 1)
				continue; /* written twice */
			b->last[e] = k + 1;
			b->prefixes[e].list_n++;
			b->n_lists++;
		}
	}
	uint32_t at = 0, text_at = 0;
	for (uint32_t e = 0; e < b->n_prefixes; e++) {
		b->prefixes[e].list_at = at;
		b->prefixes[e].text_at = text_at;
		at += b->prefixes[e].list_n;
		text_at += b->prefixes[e].text_n;
		b->last[e] = 0;
	}
	return 0;
}

static void fill_lists(struct builder *b, uint16_t *out)
{
	uint32_t pair = 0;
	for (uint32_t e = 0; e < b->n_prefixes; e++)
		b->prefixes[e].list_n = 0;
	for (uint32_t k = 0; k < b->n_gateways; k++) {
		uint32_t n = cfg_routing(b->c, b->order[k])->prefixes.n;
		for (uint32_t i = 0; i < n; i++) {
			uint32_t e = b->pairs[pair++];
			if (b->last[e] == k + 1)
				continue;
			b->last[e] = k + 1;
			out[b->prefixes[e].list_at + b->prefixes[e].list_n++] = (uint16_t)b->order[k];
		}
	}
}

static void fill_parents(struct route_prefix *out, const struct routes *r, const struct builder *b)
{
	for (uint32_t e = 0; e < b->n_prefixes; e++) {
		uint64_t h = ROUTE_HASH_START;
		struct span text = b->texts[e];
		for (size_t n = 0; n < text.n; n++) {
			if (b->lengths[n / 64] >> n % 64 & 1) {
				uint32_t parent = route_prefix_at(r, (struct span){ text.p, n }, route_hash_end(h));
				if (parent != ROUTE_NONE)
					out[e].parent = parent;
			}
			h = route_hash_add(h, text.p[n]);
		}
	}
}

/* --- sources --------------------------------------------------------------------------------------------------- */

static void add_mask(struct builder *b, uint8_t family, uint8_t bits)
{
	for (uint32_t i = 0; i < b->n_masks; i++)
		if (b->masks[i].family == family && b->masks[i].bits == bits)
			return;
	uint32_t at = b->n_masks++;
	while (at > 0 && b->masks[at - 1].bits < bits) { /* longest first */
		b->masks[at] = b->masks[at - 1];
		at--;
	}
	b->masks[at] = (struct route_mask){ family, bits };
}

static void add_source(struct builder *b, struct addr key, struct route_source s)
{
	uint64_t h = route_source_hash(&key);
	uint32_t e = b->n_sources++, i = (uint32_t)h & b->source_mask;
	s.key = key;
	s.next = ROUTE_NONE;
	b->sources[e] = s;
	for (; b->source_slots[i].entry; i = (i + 1) & b->source_mask) {
		uint32_t at = b->source_slots[i].entry - 1;
		if (memcmp(&b->sources[at].key, &key, sizeof(key)) != 0)
			continue;
		while (b->sources[at].next != ROUTE_NONE)
			at = b->sources[at].next;
		b->sources[at].next = e;
		return;
	}
	b->source_slots[i] = (struct route_slot){ (uint32_t)(h >> 32), e + 1 };
}

/* An address may be found on two levels: with its port, and without. `authentication: ip` demands the IP only, a port
 * then merely comes first; `ip-port` demands an address that names the port. */
static void add_address(struct builder *b, const struct addr *a, uint8_t kind, uint32_t gateway, bool port_counts)
{
	unsigned host = a->family == 4 ? 32 : 128, bits = a->bits ? a->bits : addr_is_any(a) ? 0 : host;
	if ((a->family != 4 && a->family != 6) || bits > host)
		return;
	struct route_source s = { .gateway = gateway, .kind = kind, .port = port_counts ? a->port : 0 };
	struct addr key = route_source_key(a, bits);
	if (a->port && bits == host) {
		struct addr exact = key;
		exact.port = a->port;
		add_source(b, exact, s);
	}
	s.known_only = port_counts && (a->port == 0 || bits == host);
	add_source(b, key, s);
	if (bits != host)
		add_mask(b, a->family, (uint8_t)bits);
}

static bool may_be_named(const struct cfg_routing_gateway *g)
{
	return g->hosts.n || g->via_registration != CONFIG_NONE;
}

static void collect_named(struct builder *b, uint32_t gateway)
{
	struct addr named[ROUTE_NAMED_MAX];
	if (!b->names || !may_be_named(cfg_routing(b->c, gateway)))
		return;
	uint32_t n = b->names->addresses(b->names->context, gateway, named, ROUTE_NAMED_MAX);
	for (uint32_t i = 0; i < n && i < ROUTE_NAMED_MAX; i++)
		add_address(b, &named[i], SOURCE_ROUTING, gateway, false);
}

static void collect_sources(struct builder *b)
{
	const struct config *c = b->c;
	for (uint32_t i = 0; i < c->mapping_gateways.n; i++) {
		const struct cfg_mapping_gateway *g = cfg_mapping(c, i);
		for (uint32_t k = 0; g->enabled && k < g->addresses.n; k++)
			add_address(b, CFG_LIST(c, &g->addresses, struct addr) + k, SOURCE_MAPPING, i,
				g->authentication == AUTH_IP_PORT);
	}
	for (uint32_t i = 0; i < b->n_gateways; i++) {
		const struct cfg_routing_gateway *g = cfg_routing(c, i);
		for (uint32_t k = 0; k < g->addresses.n; k++)
			add_address(b, CFG_LIST(c, &g->addresses, struct addr) + k, SOURCE_ROUTING, i, false);
		if (g->via_registration != CONFIG_NONE && g->via_registration < c->registrations.n)
			add_address(b,
				&CFG_LIST(c, &c->registrations, struct cfg_registration)[g->via_registration].proxy,
				SOURCE_ROUTING, i, false);
		collect_named(b, i);
	}
}

static void fill_mappings(const struct builder *b, struct route_mapping *out, char *text, uint32_t text_at)
{
	uint32_t filter = 0;
	for (uint32_t i = 0; i < b->c->mapping_gateways.n; i++) {
		const struct cfg_mapping_gateway *g = cfg_mapping(b->c, i);
		struct span tech = cfg_span(b->c, g->tech_prefix);
		out[i] = (struct route_mapping){ .tech_at = text_at,
			.tech_n = (uint32_t)tech.n,
			.priority = g->priority,
			.filter = g->routes_allow.n || g->routes_deny.n ? filter++ : ROUTE_NONE };
		if (tech.n)
			memcpy(text + text_at, tech.p, tech.n);
		text_at += (uint32_t)tech.n;
	}
}

static void fill_filters(const struct builder *b, uint64_t *out)
{
	uint32_t words = route_filter_words(b->n_gateways);
	for (uint32_t i = 0; i < b->c->mapping_gateways.n; i++) {
		const struct cfg_mapping_gateway *g = cfg_mapping(b->c, i);
		const uint32_t *allow = CFG_LIST(b->c, &g->routes_allow, uint32_t);
		const uint32_t *deny = CFG_LIST(b->c, &g->routes_deny, uint32_t);
		if (!g->routes_allow.n && !g->routes_deny.n)
			continue;
		if (g->routes_allow.n)
			memset(out, 0xff, words * sizeof(*out));
		for (uint32_t k = 0; k < g->routes_allow.n; k++)
			if (allow[k] < b->n_gateways)
				out[allow[k] / 64] &= ~(1ull << allow[k] % 64);
		out += words;
		for (uint32_t k = 0; k < g->routes_deny.n; k++)
			if (deny[k] < b->n_gateways)
				out[deny[k] / 64] |= 1ull << deny[k] % 64;
		out += words;
	}
}

/* --- the image ------------------------------------------------------------------------------------------------- */

/* room for what the configuration can at most need */
static int builder_init(struct builder *b, const struct config *c, const struct route_names *names)
{
	uint64_t pairs = 0, sources = 0;
	*b = (struct builder){ .c = c, .names = names, .n_gateways = c->routing_gateways.n };
	for (uint32_t i = 0; i < c->routing.sort.n; i++)
		b->by_priority |= CFG_LIST(c, &c->routing.sort, uint32_t)[i] == SORT_PRIORITY;
	if (b->n_gateways > UINT16_MAX)
		return -E2BIG;
	for (uint32_t i = 0; i < b->n_gateways; i++) {
		pairs += cfg_routing(c, i)->prefixes.n;
		sources += 2ull * cfg_routing(c, i)->addresses.n + 2 + (b->names && may_be_named(cfg_routing(c, i)) ? 2 * ROUTE_NAMED_MAX : 0);
	}
	for (uint32_t i = 0; i < c->mapping_gateways.n; i++) {
		const struct cfg_mapping_gateway *g = cfg_mapping(c, i);
		sources += 2ull * g->addresses.n;
		b->tech_bytes += g->tech_prefix.n;
		b->n_filters += g->routes_allow.n || g->routes_deny.n;
	}
	if (pairs > 1u << 28 || sources > 1u << 28)
		return -E2BIG;
	b->slot_mask = table_size(pairs) - 1;
	b->source_mask = table_size(sources) - 1;
	b->order = calloc(b->n_gateways + 1u, sizeof(*b->order));
	b->slots = calloc(b->slot_mask + 1u, sizeof(*b->slots));
	b->prefixes = calloc(pairs + 1, sizeof(*b->prefixes));
	b->texts = calloc(pairs + 1, sizeof(*b->texts));
	b->pairs = calloc(pairs + 1, sizeof(*b->pairs));
	b->last = calloc(pairs + 1, sizeof(*b->last));
	b->sources = calloc(sources + 1, sizeof(*b->sources));
	b->source_slots = calloc(b->source_mask + 1u, sizeof(*b->source_slots));
	bool all =
		b->order && b->slots && b->prefixes && b->texts && b->pairs && b->last && b->sources && b->source_slots;
	return all ? 0 : -ENOMEM;
}

static void builder_done(struct builder *b)
{
	free(b->order);
	free(b->slots);
	free(b->prefixes);
	free(b->texts);
	free(b->pairs);
	free(b->last);
	free(b->sources);
	free(b->source_slots);
}

static void place(uint64_t *size, struct route_part *part, uint64_t n, size_t each)
{
	*part = (struct route_part){ (uint32_t)*size, (uint32_t)n };
	*size = (*size + n * each + 63) / 64 * 64;
}

static uint64_t plan(const struct builder *b, struct routes *head)
{
	uint64_t size = (sizeof(*head) + 63) / 64 * 64;
	place(&size, &head->gateways, b->n_gateways, sizeof(struct route_gateway));
	place(&size, &head->mappings, b->c->mapping_gateways.n, sizeof(struct route_mapping));
	place(&size, &head->prefixes, b->n_prefixes, sizeof(struct route_prefix));
	place(&size, &head->slots, b->slot_mask + 1ull, sizeof(struct route_slot));
	place(&size, &head->lists, b->n_lists, sizeof(uint16_t));
	place(&size, &head->text, b->text_bytes + b->tech_bytes, 1);
	place(&size, &head->filters, 2ull * b->n_filters * route_filter_words(b->n_gateways), sizeof(uint64_t));
	place(&size, &head->sources, b->n_sources, sizeof(struct route_source));
	place(&size, &head->source_slots, b->source_mask + 1ull, sizeof(struct route_slot));
	place(&size, &head->masks, b->n_masks, sizeof(struct route_mask));
	return size;
}

static void fill_head(const struct builder *b, uint64_t generation, uint64_t size, struct routes *head)
{
	head->magic = ROUTES_MAGIC;
	head->size = size;
	head->generation = generation;
	head->config_generation = b->c->generation;
	head->max_prefix = b->max_prefix;
	head->slot_mask = b->slot_mask;
	head->source_mask = b->source_mask;
	memcpy(head->lengths, b->lengths, sizeof(head->lengths));
	for (uint32_t i = 0; i < b->c->routing.sort.n && head->n_sort < ROUTE_SORT_MAX; i++)
		head->sort[head->n_sort++] = (uint8_t)CFG_LIST(b->c, &b->c->routing.sort, uint32_t)[i];
}

#define PLACE_OF(image, part) ((void *)((char *)(image) + (image)->part.at))

static void put(void *to, const void *from, size_t n)
{
	if (n)
		memcpy(to, from, n);
}

static void fill_image(struct builder *b, const uint32_t *rank, struct routes *image)
{
	char *text = PLACE_OF(image, text);
	fill_gateways(b, rank, PLACE_OF(image, gateways));
	fill_lists(b, PLACE_OF(image, lists));
	put(PLACE_OF(image, prefixes), b->prefixes, b->n_prefixes * sizeof(*b->prefixes));
	put(PLACE_OF(image, slots), b->slots, (b->slot_mask + 1ull) * sizeof(*b->slots));
	for (uint32_t e = 0; e < b->n_prefixes; e++)
		put(text + b->prefixes[e].text_at, b->texts[e].p, b->texts[e].n);
	fill_parents(PLACE_OF(image, prefixes), image, b);
	fill_mappings(b, PLACE_OF(image, mappings), text, (uint32_t)b->text_bytes);
	fill_filters(b, PLACE_OF(image, filters));
	put(PLACE_OF(image, sources), b->sources, b->n_sources * sizeof(*b->sources));
	put(PLACE_OF(image, source_slots), b->source_slots, (b->source_mask + 1ull) * sizeof(*b->source_slots));
	put(PLACE_OF(image, masks), b->masks, b->n_masks * sizeof(*b->masks));
}

int routes_build(const struct config *c, uint64_t generation, struct routes **ret_routes, size_t *ret_size)
{
	return routes_build_named(c, generation, NULL, ret_routes, ret_size);
}

int routes_build_named(const struct config *c, uint64_t generation, const struct route_names *names, struct routes **ret_routes, size_t *ret_size)
{
	struct builder b;
	struct routes head = { 0 }, *image = NULL;
	uint32_t *rank = NULL;
	int rc = builder_init(&b, c, names);
	if (rc < 0)
		goto out;
	rc = -ENOMEM;
	rank = calloc(b.n_gateways + 1u, sizeof(*rank));
	if (!rank)
		goto out;
	order_gateways(&b, rank);
	rc = collect_prefixes(&b);
	if (rc < 0)
		goto out;
	collect_sources(&b);
	uint64_t size = plan(&b, &head);
	rc = -E2BIG;
	if (size > UINT32_MAX)
		goto out;
	rc = -ENOMEM;
	image = calloc(1, size);
	if (!image)
		goto out;
	fill_head(&b, generation, size, &head);
	*image = head;
	fill_image(&b, rank, image);
	*ret_routes = image;
	*ret_size = size;
	rc = 0;
out:
	free(rank);
	builder_done(&b);
	return rc;
}
