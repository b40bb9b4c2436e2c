/* Hashes: a keyed one for what peers choose or must not forge, and the one that spreads Call-IDs over workers. */
#ifndef TANDEM_BASE_HASH_H
#define TANDEM_BASE_HASH_H
#include "base/span.h"
#include <stdint.h>

struct hash_key {
	uint64_t k0, k1;
};

void hash_key_random(struct hash_key *ret_key); /* getrandom */
/* SipHash-2-4 */
uint64_t hash_sip(const struct hash_key *key, const void *data, size_t n);

/* Which of STEER_PARTITIONS a foreign Call-ID belongs to. The kernel program signaling/steer.bpf.c computes the same:
 * FNV-1a (32 bit) over the first STEER_HASH_BYTES bytes, then the MurmurHash3 finaliser. */
#define STEER_PARTITIONS 1024u
#define STEER_HASH_BYTES 64u
static inline uint32_t steer_hash(const char *call_id, size_t n)
{
	uint32_t h = 2166136261u;
	if (n > STEER_HASH_BYTES)
		n = STEER_HASH_BYTES;
	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)call_id[i]) * 16777619u;
	h ^= h >> 16;
	h *= 0x85ebca6bu;
	h ^= h >> 13;
	h *= 0xc2b2ae35u;
	h ^= h >> 16;
	return h & (STEER_PARTITIONS - 1);
}
#endif
