/* Nonces: whose they are, how long they are good, and that nobody makes one up. */
#include "signaling/nonce.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

static struct env env = { .index = 3, .seat = 0 };
static struct roster roster = { .token_key = { 5, 6 } };
static struct sig g = { .env = &env };
static uint64_t now = 100000000;

static void setup(void)
{
	size_t at = (sizeof(struct region_head) + 63) / 64 * 64, size = at + sizeof(struct nonce_set);
	struct region_head *h = aligned_alloc(64, (size + 63) / 64 * 64);
	memset(h, 0, size);
	h->area[AREA_NONCES].at = at;
	h->area[AREA_NONCES].n = 1;
	env.region[0] = (struct region){ .head = h, .size = size, .writable = true };
	env.roster = &roster;
}

TestSuite(nonce, .init = setup);

static int reads(const char *text, size_t n, struct nonce *ret)
{
	return nonce_read(&g, (struct span){ text, n }, now, ret);
}

Test(nonce, good_for_its_life)
{
	char text[TOKEN_TEXT];
	struct nonce n;
	nonce_make(&g, now, text);
	cr_expect_eq(reads(text, sizeof text, &n), 0);
	cr_expect_eq(n.age_ms, 0);
	cr_expect_eq((uint32_t)n.id, now / 100);
	now += NONCE_LIFE_MS;
	cr_expect_eq(reads(text, sizeof text, &n), 0);
	cr_expect_eq(n.age_ms, NONCE_LIFE_MS);
	now += 100;
	cr_expect_eq(reads(text, sizeof text, &n), -ESTALE);
	now -= NONCE_LIFE_MS + 200;
	cr_expect_eq(reads(text, sizeof text, &n), -ESTALE, "made in the future");
}

Test(nonce, no_two_are_the_same)
{
	char a[TOKEN_TEXT], b[TOKEN_TEXT];
	struct nonce of_a, of_b;
	nonce_make(&g, now, a);
	nonce_make(&g, now, b);
	cr_expect(memcmp(a, b, sizeof a) != 0);
	cr_assert_eq(reads(a, sizeof a, &of_a), 0);
	cr_assert_eq(reads(b, sizeof b, &of_b), 0);
	cr_expect_neq(of_a.id, of_b.id);
}

Test(nonce, of_another)
{
	char text[TOKEN_TEXT];
	struct nonce n;
	nonce_make(&g, now, text);
	env.index = 2;
	cr_expect_eq(reads(text, sizeof text, &n), -ESTALE, "another worker's");
	env.index = 3;
	roster.token_key.k0++;
	cr_expect_eq(reads(text, sizeof text, &n), -ESTALE, "another system's");
	roster.token_key.k0--;
	cr_expect_eq(reads(text, sizeof text, &n), 0);
	cr_expect_eq(reads(text, sizeof text - 1, &n), -ESTALE);
	cr_expect_eq(reads("", 0, &n), -ESTALE);
	for (size_t i = 0; i < sizeof text; i++) {
		char was = text[i];
		text[i] = was == 'a' ? 'b' : 'a';
		cr_expect_eq(reads(text, sizeof text, &n), -ESTALE, "character %zu changed", i);
		text[i] = was;
	}
}

Test(nonce, from_before_the_floor)
{
	char old[TOKEN_TEXT], young[TOKEN_TEXT];
	struct nonce n;
	const struct nonce_set *set = region_area(&env.region[0], AREA_NONCES);
	nonce_make(&g, now, old);
	nonce_make(&g, now + 100, young);
	commit_release_u64(&set->floor, now / 100);
	now += 200;
	cr_expect_eq(reads(old, sizeof old, &n), -ESTALE);
	cr_expect_eq(reads(young, sizeof young, &n), 0);
}
