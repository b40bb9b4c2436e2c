/* Whose address is it: gateways by the source of a datagram. One hash table for all levels: the exact address and port,
 * the address, and a network of each mask length there is. */
#include "tables/route_image.h"

uint64_t route_source_hash(const struct addr *key)
{
	uint64_t a, b;
	memcpy(&a, key->ip, sizeof(a));
	memcpy(&b, key->ip + 8, sizeof(b));
	uint64_t h = (a ^ ROUTE_HASH_START) * 0xd6e8feb86659fd93ull;
	h = (h ^ h >> 32 ^ b) * 0xd6e8feb86659fd93ull;
	return route_hash_end(h ^ ((uint64_t)key->port << 16 | (uint64_t)key->family << 8 | key->bits));
}

struct addr route_source_key(const struct addr *a, unsigned bits)
{
	struct addr key = { .family = a->family, .bits = (uint8_t)bits };
	for (unsigned i = 0; i < sizeof(key.ip) && 8 * i < bits; i++) {
		unsigned left = bits - 8 * i;
		unsigned mask = left >= 8 ? 0xff : 0xff00u >> left;
		key.ip[i] = (uint8_t)(a->ip[i] & mask);
	}
	return key;
}

static const struct route_source *source_at(const struct routes *r, uint32_t e)
{
	return e < r->sources.n ? ROUTE_PART(r, sources, struct route_source) + e : NULL;
}

/* the chain of entries with that key; NULL: none */
static const struct route_source *source_first(const struct routes *r, const struct addr *key)
{
	const struct route_slot *slots = ROUTE_PART(r, source_slots, struct route_slot);
	uint64_t hash = route_source_hash(key);
	uint32_t i = (uint32_t)hash & r->source_mask;
	for (uint32_t tries = 0; slots[i].entry && tries <= r->source_mask; i = (i + 1) & r->source_mask, tries++) {
		const struct route_source *s = source_at(r, slots[i].entry - 1);
		if (s && slots[i].check == (uint32_t)(hash >> 32) && memcmp(&s->key, key, sizeof(*key)) == 0)
			return s;
	}
	return NULL;
}

static const struct route_source *source_next(const struct routes *r, const struct route_source *s)
{
	const struct route_source *next = source_at(r, s->next);
	return next > s ? next : NULL; /* chains go upwards: a damaged one cannot run in a circle */
}

static unsigned host_bits(const struct addr *a)
{
	return a->family == 4 ? 32 : 128;
}

/* the best of a chain: longest tech_prefix of the callee, then smallest priority, then first in the configuration */
static uint32_t best_mapping(const struct routes *r, const struct addr *key, uint16_t port, struct span callee)
{
	const struct route_mapping *mappings = ROUTE_PART(r, mappings, struct route_mapping), *best = NULL;
	for (const struct route_source *s = source_first(r, key); s; s = source_next(r, s)) {
		if (s->kind != SOURCE_MAPPING || s->known_only || s->gateway >= r->mappings.n ||
			(s->port && s->port != port))
			continue;
		const struct route_mapping *m = mappings + s->gateway;
		if (m->tech_at > r->text.n || m->tech_n > r->text.n - m->tech_at ||
			!span_starts(callee, (struct span){ ROUTE_PART(r, text, char) + m->tech_at, m->tech_n }))
			continue;
		if (!best || m->tech_n > best->tech_n || (m->tech_n == best->tech_n && m->priority < best->priority))
			best = m;
	}
	return best ? (uint32_t)(best - mappings) : CONFIG_NONE;
}

uint32_t routes_ingress(const struct routes *r, const struct config *c, const struct addr *source, struct span callee)
{
	(void)c; /* the image has it all */
	if (source->family != 4 && source->family != 6)
		return CONFIG_NONE;
	struct addr key = route_source_key(source, host_bits(source)), exact = key;
	exact.port = source->port;
	uint32_t found = source->port ? best_mapping(r, &exact, source->port, callee) : CONFIG_NONE;
	if (found == CONFIG_NONE)
		found = best_mapping(r, &key, source->port, callee);
	const struct route_mask *masks = ROUTE_PART(r, masks, struct route_mask);
	for (uint32_t i = 0; found == CONFIG_NONE && i < r->masks.n; i++) {
		if (masks[i].family != source->family)
			continue;
		key = route_source_key(source, masks[i].bits);
		found = best_mapping(r, &key, source->port, callee);
	}
	return found;
}

/* a network whose calls have to show credentials says nothing of who is in it */
static bool says_who(const struct routes *r, const struct config *c, const struct route_source *s)
{
	for (; s; s = source_next(r, s))
		if (s->kind != SOURCE_MAPPING || s->gateway >= c->mapping_gateways.n || cfg_mapping(c, s->gateway)->authentication != AUTH_DIGEST)
			return true;
	return false;
}

bool routes_known_source(const struct routes *r, const struct config *c, const struct addr *source)
{
	if (source->family != 4 && source->family != 6)
		return false;
	struct addr key = route_source_key(source, host_bits(source));
	if (source_first(r, &key))
		return true;
	const struct route_mask *masks = ROUTE_PART(r, masks, struct route_mask);
	for (uint32_t i = 0; i < r->masks.n; i++) {
		if (masks[i].family != source->family)
			continue;
		key = route_source_key(source, masks[i].bits);
		if (says_who(r, c, source_first(r, &key)))
			return true;
	}
	return false;
}

uint32_t routes_gateway_at(const struct routes *r, const struct config *c, const struct addr *source)
{
	(void)c;
	if (source->family != 4 && source->family != 6)
		return CONFIG_NONE;
	struct addr key = route_source_key(source, host_bits(source)), exact = key;
	exact.port = source->port;
	for (const struct route_source *s = source->port ? source_first(r, &exact) : NULL; s; s = source_next(r, s))
		if (s->kind == SOURCE_ROUTING && s->gateway < r->gateways.n)
			return s->gateway;
	for (const struct route_source *s = source_first(r, &key); s; s = source_next(r, s))
		if (s->kind == SOURCE_ROUTING && s->gateway < r->gateways.n)
			return s->gateway;
	return CONFIG_NONE;
}
