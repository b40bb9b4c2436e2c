/* The tables of shm/auth.h: found by everybody, bounded, the least worth giving way; counts of nonces. */
#include "shm/auth.h"
#include "shm/layout.h"
#include <criterion/criterion.h>
#include <stdlib.h>

static const struct hash_key key = { 1, 2 };
static struct region region;
static uint64_t now = 1000000;

/* as much of a region as these areas are */
static void make(uint32_t records, uint32_t nonces)
{
	size_t front = sizeof(struct region_head), auth = records * sizeof(struct auth_record);
	size_t size = front + auth + 64 + nonces * sizeof(struct nonce_set);
	struct region_head *h = aligned_alloc(64, (size + 63) / 64 * 64);
	memset(h, 0, size);
	h->area[AREA_AUTH].at = front;
	h->area[AREA_AUTH].n = records;
	h->area[AREA_NONCES].at = (front + auth + 63) / 64 * 64;
	h->area[AREA_NONCES].n = nonces;
	region = (struct region){ .head = h, .size = size, .writable = true };
}

static struct auth_place place(enum auth_kind kind, const char *name, unsigned host)
{
	struct auth_place at = { kind, span_of(name), { .ip = { 10, 0, (uint8_t)(host >> 8), (uint8_t)host }, .port = 5060, .family = 4 }, 0 };
	at.key = auth_key(&key, kind, at.name, &at.source, (struct span){ 0 });
	return at;
}

static void put(const struct auth_place *at, struct auth_state s)
{
	s.last_ms = now;
	auth_put(&region, at, &s, now);
}

static bool there(const struct auth_place *at)
{
	struct auth_state s;
	return auth_look(&region, at->key, &s) == 0;
}

static unsigned records(void)
{
	struct auth_record r;
	unsigned n = 0;
	for (uint32_t i = 0; i < region_count(&region, AREA_AUTH); i++)
		n += auth_read(&region, i, &r) == 0;
	return n;
}

Test(auth, written_found_changed_and_gone)
{
	make(64, 64);
	const struct auth_place at = place(AUTH_TERMINAL, "1001", 7);
	struct auth_state s;
	struct auth_record r;
	char who[AUTH_WHO_MAX];
	cr_expect_not(there(&at));
	put(&at, (struct auth_state){ .wrong = 3 });
	cr_assert_eq(auth_look(&region, at.key, &s), 0);
	cr_expect_eq(s.wrong, 3);
	put(&at, (struct auth_state){ .wrong = 4, .until_ms = now + 1 });
	cr_assert_eq(auth_look(&region, at.key, &s), 0);
	cr_expect_eq(s.wrong, 4);
	cr_assert_eq(records(), 1);
	for (uint32_t i = 0; i < 64; i++)
		if (auth_read(&region, i, &r) == 0) {
			auth_who((struct span){ r.name, r.name_n }, &r.source, who);
			cr_expect_str_eq(who, "1001@10.0.0.7");
			cr_expect_eq(r.kind, AUTH_TERMINAL);
			cr_expect_eq(r.copies[0].wrong, 4);
		}
	put(&at, (struct auth_state){ .until_ms = now });
	cr_expect_not(there(&at), "nothing left to remember");
	put(&at, (struct auth_state){ 0 });
	cr_expect_eq(records(), 0);
}

Test(auth, what_a_key_is_made_of)
{
	const struct auth_place a = place(AUTH_TERMINAL, "1001", 7);
	struct addr other_port = a.source;
	other_port.port = 1;
	cr_expect_eq(a.key, auth_key(&key, AUTH_TERMINAL, SPAN("1001"), &other_port, (struct span){ 0 }), "ports do not count");
	cr_expect_neq(a.key, place(AUTH_TERMINAL, "1001", 8).key);
	cr_expect_neq(a.key, place(AUTH_TERMINAL, "1002", 7).key);
	cr_expect_neq(a.key, place(AUTH_ATTEMPT, "1001", 7).key);
	cr_expect_neq(a.key, auth_key(&key, AUTH_TERMINAL, SPAN("1001"), &a.source, SPAN("call")));
}

Test(auth, who_is_one_line)
{
	char who[AUTH_WHO_MAX], name[100];
	const struct addr a = place(AUTH_TERMINAL, "", 1).source;
	cr_expect_eq(auth_who(SPAN("a\n\"b\\ \xff"), &a, who), 16);
	cr_expect_str_eq(who, "a??b???@10.0.0.1");
	memset(name, 'n', sizeof name);
	cr_expect_eq(auth_who((struct span){ name, sizeof name }, &a, who), AUTH_NAME_MAX + 9);
	cr_expect_eq(auth_who((struct span){ 0 }, &a, who), 8);
	cr_expect_str_eq(who, "10.0.0.1");
}

Test(auth, the_least_worth_gives_way)
{
	make(AUTH_WAYS, 64); /* one set */
	struct auth_place at[AUTH_WAYS], more = place(AUTH_TERMINAL, "more", 99);
	for (unsigned i = 0; i < AUTH_WAYS; i++) {
		at[i] = place(i == 2 || i == 5 ? AUTH_ATTEMPT : AUTH_TERMINAL, "x", i);
		now += 10;
		put(&at[i], i == 2 || i == 5 ? (struct auth_state){ .begun_ms = now } :
			    i == 0		 ? (struct auth_state){ .until_ms = now + 1000000 } :
						   (struct auth_state){ .wrong = 1 });
	}
	put(&more, (struct auth_state){ .wrong = 1 });
	cr_expect(!there(&at[2]) && there(&at[5]) && there(&more), "attempts first, the oldest of them");
	more = place(AUTH_TERMINAL, "more", 98);
	put(&more, (struct auth_state){ .wrong = 1 });
	cr_expect(!there(&at[5]));
	more = place(AUTH_TERMINAL, "more", 97);
	put(&more, (struct auth_state){ .wrong = 1 });
	cr_expect(there(&at[0]) && !there(&at[1]), "then counts, the oldest of them; suspensions last");
	for (unsigned i = 0; i < 50; i++) {
		now++;
		more = place(AUTH_TERMINAL, "more", 200 + i);
		put(&more, (struct auth_state){ .wrong = 1 });
	}
	cr_expect(there(&at[0]));
	now += 1000001;
	more = place(AUTH_TERMINAL, "more", 90);
	put(&more, (struct auth_state){ .wrong = 1 });
	cr_expect_not(there(&at[0]), "a suspension that is over is worth nothing");
	cr_expect_eq(records(), AUTH_WAYS);
}

Test(auth, a_flood_stays_within_the_table)
{
	make(1024, 64);
	for (unsigned i = 0; i < 20000; i++) {
		const struct auth_place at = place(AUTH_ATTEMPT, "x", i);
		put(&at, (struct auth_state){ .begun_ms = now });
	}
	cr_expect_leq(records(), 1024);
	cr_expect_geq(records(), 1000);
}

Test(auth, half_done_ones_are_given_back)
{
	make(AUTH_WAYS, 64);
	const struct auth_record *all = region_area(&region, AREA_AUTH);
	slot_claim(&all[3].slot);
	auth_adopt(&region);
	cr_expect_eq(all[3].slot.state, SLOT_FREE);
	auth_drop(&region, 3);
	cr_expect_eq(all[3].slot.state, SLOT_FREE);
}

/* --- nonces --- */

static enum nonce_use uses(uint64_t id, uint32_t count)
{
	enum nonce_use u = nonce_look(&region, &key, id, count);
	if (u != NONCE_REPLAYED)
		nonce_use(&region, &key, id, count);
	return u;
}

Test(auth, each_count_once)
{
	make(8, 64);
	cr_expect_eq(uses(0x100000005, 1), NONCE_FIRST);
	cr_expect_eq(uses(0x100000005, 1), NONCE_REPLAYED);
	cr_expect_eq(uses(0x100000005, 2), NONCE_AGAIN);
	cr_expect_eq(uses(0x100000005, 5), NONCE_AGAIN);
	cr_expect_eq(uses(0x100000005, 4), NONCE_AGAIN, "the network may turn them round");
	cr_expect_eq(uses(0x100000005, 4), NONCE_REPLAYED);
	cr_expect_eq(uses(0x100000005, 2), NONCE_REPLAYED);
	cr_expect_eq(uses(0x100000005, 3), NONCE_AGAIN);
	cr_expect_eq(uses(0x100000005, 5), NONCE_REPLAYED);
	cr_expect_eq(uses(0x200000005, 1), NONCE_FIRST);
}

Test(auth, counts_far_apart)
{
	make(8, 64);
	uses(9, 1);
	cr_expect_eq(uses(9, 33), NONCE_AGAIN);
	cr_expect_eq(uses(9, 1), NONCE_REPLAYED, "the last of the window");
	cr_expect_eq(uses(9, 2), NONCE_AGAIN);
	cr_expect_eq(uses(9, 100), NONCE_AGAIN);
	cr_expect_eq(uses(9, 33), NONCE_REPLAYED, "too far behind: as if used");
	cr_expect_eq(uses(9, 67), NONCE_REPLAYED);
	cr_expect_eq(uses(9, 68), NONCE_AGAIN);
	cr_expect_eq(uses(9, 68), NONCE_REPLAYED);
	cr_expect_eq(uses(9, 99), NONCE_AGAIN);
	cr_expect_eq(uses(9, 4000000000u), NONCE_AGAIN);
	cr_expect_eq(uses(9, 100), NONCE_REPLAYED);
}

Test(auth, without_a_count_once)
{
	make(8, 64);
	cr_expect_eq(uses(7, NONCE_ONCE), NONCE_FIRST);
	cr_expect_eq(uses(7, NONCE_ONCE), NONCE_REPLAYED);
	cr_expect_eq(uses(7, 1), NONCE_REPLAYED);
	cr_expect_eq(uses(8, 1), NONCE_FIRST);
	cr_expect_eq(uses(8, NONCE_ONCE), NONCE_REPLAYED);
}

Test(auth, a_nonce_that_gives_way_is_stale)
{
	make(8, 1);
	for (uint32_t t = 1; t <= NONCE_WAYS; t++)
		uses(0xab00000000 | (10 + t), 1);
	cr_expect_eq(nonce_floor(&region, &key, 1), 0);
	uses(0xab00000100, 1);
	cr_expect_eq(nonce_floor(&region, &key, 1), 11, "what was forgotten cannot be used again");
	uses(0xab00000101, 1);
	cr_expect_eq(nonce_floor(&region, &key, 1), 12);
	cr_expect_eq(uses(0xab00000100, 1), NONCE_REPLAYED);
}

Test(auth, a_full_set_makes_no_other_stale)
{
	uint64_t first = 0xab00000010, other = first + 1;
	make(8, 64);
	uses(first, 1);
	for (uint64_t id = first + 1; !nonce_floor(&region, &key, first); id++) {
		uses(id, 1);
		cr_assert_lt(id, first + 100000, "it never gives way");
	}
	uint32_t full = 0;
	for (uint32_t i = 0; i < 64; i++)
		full += ((const struct nonce_set *)region_area(&region, AREA_NONCES))[i].floor > 0;
	cr_expect_lt(full, 64, "%u of 64 sets have a floor", full);
	while (nonce_floor(&region, &key, other))
		other++;
	cr_expect_eq(nonce_look(&region, &key, other, 2), NONCE_AGAIN);
}
