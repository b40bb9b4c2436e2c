#include "base/hash.h"
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void hash_key_random(struct hash_key *ret_key)
{
	ssize_t n;
	do
		n = getrandom(ret_key, sizeof(*ret_key), 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(*ret_key))
		abort(); /* a key that can be guessed is worse than no process */
}

struct sip_state {
	uint64_t a, b, c, d;
};

static inline uint64_t rotate_left(uint64_t v, int by)
{
	return v << by | v >> (64 - by);
}

static inline void sip_round(struct sip_state *s)
{
	s->a += s->b;
	s->b = rotate_left(s->b, 13) ^ s->a;
	s->a = rotate_left(s->a, 32);
	s->c += s->d;
	s->d = rotate_left(s->d, 16) ^ s->c;
	s->a += s->d;
	s->d = rotate_left(s->d, 21) ^ s->a;
	s->c += s->b;
	s->b = rotate_left(s->b, 17) ^ s->c;
	s->c = rotate_left(s->c, 32);
}

static inline void sip_word(struct sip_state *s, uint64_t word)
{
	s->d ^= word;
	sip_round(s);
	sip_round(s);
	s->a ^= word;
}

uint64_t hash_sip(const struct hash_key *key, const void *data, size_t n)
{
	const unsigned char *p = data;
	struct sip_state s = {
		key->k0 ^ 0x736f6d6570736575u,
		key->k1 ^ 0x646f72616e646f6du,
		key->k0 ^ 0x6c7967656e657261u,
		key->k1 ^ 0x7465646279746573u,
	};
	uint64_t word, last = (uint64_t)n << 56;
	size_t whole = n / 8 * 8;
	for (size_t i = 0; i < whole; i += 8) {
		memcpy(&word, p + i, 8);
		sip_word(&s, le64toh(word));
	}
	for (size_t i = whole; i < n; i++)
		last |= (uint64_t)p[i] << 8 * (i - whole);
	sip_word(&s, last);
	s.c ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(&s);
	return s.a ^ s.b ^ s.c ^ s.d;
}
