/* Layout of the route image: a header and arrays, offsets instead of pointers, nothing in it ever changes. Private to
 * tables/. Readers trust the header after routes_verify() and check every index they read from an array, so that a
 * damaged image gives wrong answers at worst. */
#ifndef TANDEM_TABLES_ROUTE_IMAGE_H
#define TANDEM_TABLES_ROUTE_IMAGE_H
#include "base/addr.h"
#include "tables/route.h"

#define ROUTES_MAGIC	 0x3153455455524454ull /* "TDRUTES1" */
#define ROUTE_NONE	 UINT32_MAX
#define ROUTE_PREFIX_MAX 255u
#define ROUTE_SORT_MAX	 8u

struct route_part {	/* an array of the image */
	uint32_t at, n; /* bytes from its start; elements */
};

struct route_gateway { /* what a decision needs of a routing gateway */
	uint32_t priority, weight, line_limit;
	uint32_t rank;			      /* place in the order of ids */
	uint8_t verdict;		      /* ROUTE_TAKEN, or why it is never taken under this configuration */
	uint8_t terminal, protect, by_caller; /* by_caller: it has caller prefixes */
};
struct route_mapping { /* what the choice of the ingress needs of a mapping gateway */
	uint32_t tech_at, tech_n, priority;
	uint32_t filter; /* number of its row in `filters`; ROUTE_NONE: every routing gateway is allowed */
};

/* A prefix that at least one gateway has. `parent` is the longest shorter prefix of it in the table: who has found the
 * longest match of a number finds all the others by following it. */
struct route_prefix {
	uint32_t text_at;
	uint32_t parent; /* ROUTE_NONE: no shorter one */
	uint32_t list_at;
	uint16_t list_n; /* gateways, in the order: priority (when the sort chain asks for it), id */
	uint8_t text_n;
	uint8_t pad;
};
/* Open addressing, linear probing, at most half full. */
struct route_slot {
	uint32_t check; /* upper half of the hash: saves looking at most texts that differ */
	uint32_t entry; /* number + 1; 0: free */
};

/* A source address of a gateway, found by `key`: the masked address, its mask in `bits` (32 or 128 for a host, 0 for
 * any address), the port when it counts at this level, else 0. Entries with one key are chained, upwards. */
enum route_source_kind { SOURCE_MAPPING = 1, SOURCE_ROUTING };
struct route_source {
	struct addr key;
	uint32_t gateway;
	uint32_t next;	    /* ROUTE_NONE: last */
	uint16_t port;	    /* the source's port must be this; 0: any */
	uint8_t kind;	    /* enum route_source_kind */
	uint8_t known_only; /* only says whose address it is, selects nobody */
};
struct route_mask {
	uint8_t family, bits;
};

struct routes {
	uint64_t magic, size;
	uint64_t generation, config_generation;
	uint32_t max_prefix;		 /* length of the longest */
	uint32_t slot_mask, source_mask; /* sizes of the two hash tables - 1 */
	uint32_t n_sort;
	uint8_t sort[ROUTE_SORT_MAX]; /* enum cfg_sort */
	uint64_t lengths[4];	      /* bit: there are prefixes of that length */
	struct route_part gateways, mappings, prefixes, slots, lists, text, filters, sources, source_slots, masks;
};

static inline const void *route_part(const struct routes *r, const struct route_part *p)
{
	return (const char *)r + p->at;
}
#define ROUTE_PART(r, part, type) ((const type *)route_part((r), &(r)->part))

/* hash of a prefix, made character by character; route_hash_end() before use */
#define ROUTE_HASH_START 0x9e3779b97f4a7c15ull
static inline uint64_t route_hash_add(uint64_t h, char c)
{
	return (h ^ (unsigned char)c) * 0x100000001b3ull;
}
static inline uint64_t route_hash_end(uint64_t h)
{
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93ull;
	return h ^ h >> 32;
}
uint64_t route_source_hash(const struct addr *key);
/* the first `bits` bits of the address without port; bits as in route_source.key */
struct addr route_source_key(const struct addr *a, unsigned bits);
/* number of the prefix with exactly that text and finished hash, ROUTE_NONE: there is none */
uint32_t route_prefix_at(const struct routes *r, struct span text, uint64_t hash);
/* row of words, one bit per routing gateway: those not on the allow list, then those on the deny list */
static inline uint32_t route_filter_words(uint32_t gateways)
{
	return (gateways + 63) / 64;
}
#endif
