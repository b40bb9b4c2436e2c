#include "base/hash.h"
#include <criterion/criterion.h>
#include <stdio.h>

/* the first vectors of the reference implementation (vectors.h, SipHash-2-4, 64 bit): key 00..0f, input 00..n-1 */
Test(hash, siphash_reference_vectors)
{
	static const uint8_t expected[][8] = {
		{ 0x31, 0x0e, 0x0e, 0xdd, 0x47, 0xdb, 0x6f, 0x72 },
		{ 0xfd, 0x67, 0xdc, 0x93, 0xc5, 0x39, 0xf8, 0x74 },
		{ 0x5a, 0x4f, 0xa9, 0xd9, 0x09, 0x80, 0x6c, 0x0d },
		{ 0x2d, 0x7e, 0xfb, 0xd7, 0x96, 0x66, 0x67, 0x85 },
		{ 0xb7, 0x87, 0x71, 0x27, 0xe0, 0x94, 0x27, 0xcf },
		{ 0x8d, 0xa6, 0x99, 0xcd, 0x64, 0x55, 0x76, 0x18 },
		{ 0xce, 0xe3, 0xfe, 0x58, 0x6e, 0x46, 0xc9, 0xcb },
		{ 0x37, 0xd1, 0x01, 0x8b, 0xf5, 0x00, 0x02, 0xab },
		{ 0x62, 0x24, 0x93, 0x9a, 0x79, 0xf5, 0xf5, 0x93 },
		{ 0xb0, 0xe4, 0xa9, 0x0b, 0xdf, 0x82, 0x00, 0x9e },
		{ 0xf3, 0xb9, 0xdd, 0x94, 0xc5, 0xbb, 0x5d, 0x7a },
		{ 0xa7, 0xad, 0x6b, 0x22, 0x46, 0x2f, 0xb3, 0xf4 },
		{ 0xfb, 0xe5, 0x0e, 0x86, 0xbc, 0x8f, 0x1e, 0x75 },
	};
	const struct hash_key key = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	uint8_t data[64];
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	for (size_t n = 0; n < sizeof(expected) / sizeof(expected[0]); n++) {
		uint64_t want = 0;
		for (int i = 7; i >= 0; i--)
			want = want << 8 | expected[n][i];
		cr_expect_eq(hash_sip(&key, data, n), want, "length %zu", n);
	}
	/* appendix A of the paper: 15 bytes; and the last vector: 63 bytes */
	cr_expect_eq(hash_sip(&key, data, 15), 0xa129ca6149be45e5);
	cr_expect_eq(hash_sip(&key, data, 63), 0x958a324ceb064572);
}

Test(hash, unaligned_data)
{
	const struct hash_key key = { 1, 2 };
	char a[40], b[40];
	memset(a, 'x', sizeof(a));
	memset(b, 'x', sizeof(b));
	cr_expect_eq(hash_sip(&key, a, 21), hash_sip(&key, b + 3, 21));
	b[23] = 'y';
	cr_expect_neq(hash_sip(&key, a, 21), hash_sip(&key, b + 3, 21));
}

Test(hash, random_keys_differ)
{
	struct hash_key a = { 0 }, b = { 0 };
	hash_key_random(&a);
	hash_key_random(&b);
	cr_expect(a.k0 != b.k0 && a.k1 != b.k1 && a.k0 != a.k1);
}

Test(hash, steering_spreads_and_looks_at_the_first_64_bytes)
{
	static unsigned hits[STEER_PARTITIONS];
	char id[80];
	for (int i = 0; i < 102400; i++) {
		int n = snprintf(id, sizeof(id), "%d@192.0.2.1", i);
		uint32_t h = steer_hash(id, (size_t)n);
		cr_assert_lt(h, STEER_PARTITIONS);
		hits[h]++;
	}
	for (unsigned i = 0; i < STEER_PARTITIONS; i++)
		cr_expect(hits[i] > 40 && hits[i] < 180, "partition %u: %u of about 100", i, hits[i]);
	memset(id, 'a', sizeof(id));
	uint32_t h = steer_hash(id, sizeof(id));
	id[64] = 'b';
	cr_expect_eq(steer_hash(id, sizeof(id)), h);
	id[63] = 'b';
	cr_expect_neq(steer_hash(id, sizeof(id)), h);
}

/* other implementations of the steering hash, as the one in the kernel program, must give these */
Test(hash, steering_fixed_values)
{
	cr_expect_eq(steer_hash("", 0), 11);
	cr_expect_eq(steer_hash("\xff", 1), 541, "bytes count unsigned");
	cr_expect_eq(steer_hash("a84b4c76e66710@pc33.atlanta.com", 31), 285);
}
