#include "sample.h"
#include "shm/location.h"
#include "shm/layout.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct region region;
static struct location l;

static int make(uint32_t endpoints)
{
	struct config c = sample_config();
	struct region_head head;
	c.system.signaling = 1;
	c.system.calls = 1;
	c.system.endpoints = endpoints;
	int r = region_plan(&c, ROLE_SIGNALING, 0, &head);
	return r ? r : region_make(&head, &region);
}
static void setup(void)
{
	cr_assert_eq(make(36), 0);
	cr_assert_eq(location_open(&l, &region), 0);
}
static void teardown(void)
{
	location_done(&l);
	sample_done(&region);
}
TestSuite(location, .init = setup, .fini = teardown);

static void add(struct location_set *set, const char *uri, uint16_t q, uint64_t expires)
{
	uint32_t i = set->n++;
	memset(&set->at[i], 0, sizeof set->at[i]);
	set->at[i].b = (struct location_binding){ .expires_ms = expires, .registered_ms = 100 + i, .first_ms = i, .q = q, .cseq = 7, .listen = 1,
		.behind_nat = 1, .source = { { 10, 1, 2, 3 }, 5060, 4, 0 }, .target = { { 10, 1, 2, 4 }, 5070, 4, 0 } };
	set->at[i].text[LOCATION_URI] = span_of(uri);
	set->at[i].text[LOCATION_USER_AGENT] = SPAN("phone");
}

static int put(const char *account, const struct location_set *set)
{
	uint32_t record;
	return location_put(&l, span_of(account), set, &record);
}

static uint32_t register_one(const char *account, const char *uri, uint64_t expires)
{
	struct location_set set = { 0 };
	uint32_t record;
	add(&set, uri, 1000, expires);
	cr_assert_eq(location_put(&l, span_of(account), &set, &record), 0);
	return record;
}

static uint32_t units_in_use(void)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i <= l.n_units / 64; i++)
		n += (uint32_t)__builtin_popcountll(l.used[i]);
	return n;
}

static struct location_contact at[LOCATION_CONTACTS];

static uint32_t lookup(const char *account, uint64_t now)
{
	return location_lookup_in(&region, span_of(account), now, at, LOCATION_CONTACTS);
}

static void expect_text(struct span s, const char *text)
{
	cr_expect(span_eq(s, span_of(text)), "%.*s instead of %s", (int)s.n, s.p, text);
}

Test(location, what_was_put_is_found)
{
	struct location_set set = { 0 };
	add(&set, "sip:a@b", 500, 1000);
	set.at[0].text[LOCATION_PATH] = SPAN("<sip:edge;lr>");
	set.at[0].text[LOCATION_INSTANCE] = SPAN("<urn:uuid:1>");
	set.at[0].b.reg_id = 3;
	cr_assert_eq(put("1001", &set), 0);
	cr_assert_eq(lookup("1001", 999), 1);
	expect_text(at[0].account, "1001");
	expect_text(at[0].uri, "sip:a@b");
	expect_text(at[0].path, "<sip:edge;lr>");
	expect_text(at[0].instance, "<urn:uuid:1>");
	expect_text(at[0].user_agent, "phone");
	cr_expect_eq(at[0].q, 500);
	cr_expect_eq(at[0].reg_id, 3);
	cr_expect_eq(at[0].cseq, 7);
	cr_expect_eq(at[0].listen, 1);
	cr_expect_eq(at[0].behind_nat, 1);
	cr_expect_eq(at[0].expires_ms, 1000);
	cr_expect_eq(at[0].source.port, 5060);
	cr_expect_eq(at[0].target.port, 5070);
	cr_expect_eq(lookup("1001", 1000), 0, "expired to the millisecond");
	cr_expect_eq(lookup("1002", 0), 0);
	cr_expect_eq(lookup("", 0), 0);
	cr_expect_eq(location_count(&region), 1);
}

Test(location, the_best_come_first)
{
	struct location_set set = { 0 };
	add(&set, "sip:low", 100, 1000);
	add(&set, "sip:old", 900, 1000);
	add(&set, "sip:gone", 1000, 10);
	add(&set, "sip:new", 900, 1000);
	cr_assert_eq(put("1001", &set), 0);
	cr_assert_eq(lookup("1001", 500), 3);
	expect_text(at[0].uri, "sip:new");
	expect_text(at[1].uri, "sip:old");
	expect_text(at[2].uri, "sip:low");
	cr_assert_eq(location_lookup_in(&region, SPAN("1001"), 500, at, 1), 1);
	expect_text(at[0].uri, "sip:new");
}

Test(location, slots_and_records_show_each_once)
{
	struct location_set set = { 0 };
	uint32_t seen = 0;
	add(&set, "sip:1", 1000, 1000);
	add(&set, "sip:2", 1000, 10);
	add(&set, "sip:3", 1000, 1000);
	cr_assert_eq(put("a", &set), 0);
	uint32_t b = register_one("b", "sip:4", 1000);
	for (uint32_t i = 0; i < location_slots(&region); i++) {
		int r = location_read(&region, i, 500, at);
		if (r == 0)
			seen |= 1u << (at[0].uri.p[4] - '0');
		else
			cr_assert_eq(r, -ENOENT);
	}
	cr_expect_eq(seen, 1u << 1 | 1u << 3 | 1u << 4);
	cr_expect_eq(location_read(&region, location_slots(&region), 0, at), -ENOENT);
	cr_expect_eq(location_read_record(&region, b, 500, at, LOCATION_CONTACTS), 1);
	cr_expect_eq(location_read_record(&region, location_records(&region), 0, at, 1), -ENOENT);
}

Test(location, what_is_changed_keeps_the_rest)
{
	struct location_set set = { 0 };
	add(&set, "sip:1", 1000, 1000);
	add(&set, "sip:2", 1000, 2000);
	cr_assert_eq(put("a", &set), 0);
	uint32_t record = location_find(&l, SPAN("a"));
	cr_assert_neq(record, LOCATION_NONE);
	cr_expect_eq(location_expiry(&l, record), 1000);
	struct location_set again;
	location_get(&l, record, &again);
	cr_assert_eq(again.n, 2);
	add(&again, "sip:3", 1000, 3000);
	cr_assert_eq(put("a", &again), 0);
	cr_assert_eq(lookup("a", 0), 3);
	cr_expect_eq(location_count(&region), 3);
	location_get(&l, record, &again);
	again.at[0] = again.at[2];
	again.n = 1;
	cr_assert_eq(put("a", &again), 0);
	cr_assert_eq(lookup("a", 0), 1);
	expect_text(at[0].uri, "sip:3");
	again.n = 0;
	cr_assert_eq(put("a", &again), 0);
	cr_expect_eq(lookup("a", 0), 0);
	cr_expect_eq(location_count(&region), 0);
	cr_expect_eq(location_expiry(&l, record), 0);
	cr_expect_eq(units_in_use(), 0);
}

Test(location, a_full_table_refuses_and_stays_as_it_is)
{
	char name[16];
	uint32_t n = location_records(&region);
	cr_assert_eq(n, 36 * 5 / 4 + 64);
	for (uint32_t i = 0; i < n; i++) {
		snprintf(name, sizeof name, "n%u", i);
		register_one(name, "sip:x", 1000);
	}
	struct location_set set = { 0 };
	add(&set, "sip:y", 1000, 1000);
	cr_expect_eq(put("one-more", &set), -ENOSPC);
	cr_expect_eq(put("n0", &set), 0, "a refresh needs no further place");
	add(&set, "sip:z", 1000, 1000);
	cr_expect_eq(put("n0", &set), -ENOSPC, "a second contact would be one more");
	cr_expect_eq(lookup("n0", 0), 1);
	expect_text(at[0].uri, "sip:y");
	for (uint32_t i = 0; i < n; i++) {
		snprintf(name, sizeof name, "n%u", i);
		cr_assert_eq(lookup(name, 0), 1);
	}
	set.n = 0;
	cr_assert_eq(put("n1", &set), 0);
	register_one("one-more", "sip:y", 1000);
	cr_expect_eq(lookup("one-more", 0), 1);
}

Test(location, texts_have_their_maximum)
{
	static char text[LOCATION_URI_MAX + 2];
	struct location_set set = { 0 };
	memset(text, 'x', sizeof text - 1);
	add(&set, text, 1000, 1000);
	cr_expect_eq(put("a", &set), -EMSGSIZE);
	text[LOCATION_URI_MAX] = 0;
	set.at[0].text[LOCATION_URI] = span_of(text);
	set.at[0].text[LOCATION_PATH] = (struct span){ text, LOCATION_PATH_MAX };
	set.at[0].text[LOCATION_INSTANCE] = (struct span){ text, LOCATION_INSTANCE_MAX };
	set.at[0].text[LOCATION_USER_AGENT] = (struct span){ text, LOCATION_USER_AGENT_MAX };
	for (uint32_t i = 1; i < LOCATION_CONTACTS; i++)
		set.at[i] = set.at[0];
	set.n = LOCATION_CONTACTS;
	cr_expect_eq(put("a", &set), 0);
	cr_expect_eq(lookup("a", 0), LOCATION_CONTACTS);
	cr_expect_eq(at[9].user_agent.n, LOCATION_USER_AGENT_MAX);
	cr_expect_eq(put("", &set), -EMSGSIZE);
	set.n++;
	cr_expect_eq(put("b", &set), -EMSGSIZE);
}

Test(location, changes_are_logged_and_an_overrun_is_noticed)
{
	uint64_t position = 0;
	bool missed;
	while (location_changed(&region, &position, &missed) != LOCATION_NONE || missed)
		continue;
	uint32_t a = register_one("a", "sip:1", 1000), b = register_one("b", "sip:1", 1000);
	cr_expect_eq(location_changed(&region, &position, &missed), a);
	cr_expect_eq(location_changed(&region, &position, &missed), b);
	cr_expect_eq(location_changed(&region, &position, &missed), LOCATION_NONE);
	cr_expect_not(missed);
	for (uint32_t i = 0; i <= LOCATION_LOG; i++)
		register_one("a", "sip:1", 1000 + i);
	cr_expect_eq(location_changed(&region, &position, &missed), LOCATION_NONE);
	cr_expect(missed);
	cr_expect_eq(location_changed(&region, &position, &missed), LOCATION_NONE);
	cr_expect_not(missed);
	location_done(&l);
	cr_assert_eq(location_open(&l, &region), 0);
	cr_expect_eq(location_changed(&region, &position, &missed), LOCATION_NONE);
	cr_expect(missed, "a successor does not know what its predecessor logged");
}

Test(location, a_successor_finds_everything)
{
	register_one("a", "sip:1", 1000);
	register_one("b", "sip:2", 1000);
	struct location_set none = { 0 };
	put("a", &none);
	register_one("c", "sip:3", 1000);
	uint32_t used = units_in_use(), n_free = l.n_free;
	location_done(&l);
	cr_assert_eq(location_open(&l, &region), 0);
	cr_expect_eq(units_in_use(), used);
	cr_expect_eq(l.n_free, n_free);
	cr_expect_eq(l.bindings, 2);
	cr_expect_eq(lookup("a", 0), 0);
	cr_expect_eq(lookup("b", 0), 1);
	cr_expect_eq(lookup("c", 0), 1);
}

/* a record that says nonsense costs its account its contacts, not the worker its life */
Test(location, damage_is_given_up)
{
	uint32_t record = register_one("a", "sip:1", 1000), other = register_one("b", "sip:2", 1000);
	struct location_record *r = (struct location_record *)(uintptr_t)&l.records[record];
	r->copies[r->slot.commit & 1].unit = UINT32_MAX - 2;
	cr_expect_eq(lookup("a", 0), 0);
	r->next = record + 1; /* a circle */
	struct location_head *heads = (struct location_head *)(uintptr_t)l.heads;
	heads[0].first = UINT32_MAX;
	location_done(&l);
	cr_assert_eq(location_open(&l, &region), 0);
	cr_expect_eq(lookup("a", 0), 0);
	cr_expect_eq(l.bindings, 1);
	cr_expect_eq(location_read_record(&region, other, 0, at, 1), 1);
	register_one("a", "sip:1", 1000);
	cr_expect_eq(lookup("a", 0), 1);
	cr_expect_eq(lookup("b", 0), 1);
}

Test(location, rooms_of_all_sizes_do_not_overlap)
{
	static char text[LOCATION_URI_MAX + 1];
	struct {
		size_t n;
		char c;
	} want[24] = { { 0 } };
	memset(text, 'x', sizeof text - 1);
	srand(1);
	for (int i = 0; i < 20000; i++) {
		uint32_t k = (uint32_t)rand() % 24;
		char name[8];
		struct location_set set = { 0 };
		snprintf(name, sizeof name, "%u", k);
		want[k].n = rand() % 4 ? 1 + (size_t)rand() % LOCATION_URI_MAX : 0;
		want[k].c = (char)('a' + rand() % 26);
		memset(text, want[k].c, want[k].n);
		if (want[k].n) {
			add(&set, "", 1000, 1000);
			set.at[0].text[LOCATION_URI] = (struct span){ text, want[k].n };
		}
		cr_assert_eq(put(name, &set), 0);
		uint32_t other = (uint32_t)rand() % 24;
		snprintf(name, sizeof name, "%u", other);
		cr_assert_eq(lookup(name, 0), want[other].n ? 1 : 0);
		if (!want[other].n)
			continue;
		cr_assert_eq(at[0].uri.n, want[other].n);
		for (size_t p = 0; p < at[0].uri.n; p++)
			cr_assert_eq(at[0].uri.p[p], want[other].c);
	}
}

Test(location, no_endpoints_no_table, .init = NULL, .fini = NULL)
{
	struct location_set set = { 0 };
	cr_assert_eq(make(0), 0);
	cr_assert_eq(location_open(&l, &region), 0);
	cr_expect_eq(location_find(&l, SPAN("a")), LOCATION_NONE);
	add(&set, "sip:1", 1000, 1000);
	cr_expect_eq(put("a", &set), -ENOSPC);
	cr_expect_eq(lookup("a", 0), 0);
	cr_expect_eq(location_slots(&region), 0);
	cr_expect_eq(location_count(&region), 0);
	teardown();
}

Test(location, memory_is_bounded, .init = NULL, .fini = NULL)
{
	struct config c = sample_config();
	struct region_head with, without;
	c.system.signaling = 1;
	cr_assert_eq(region_plan(&c, ROLE_SIGNALING, 0, &without), 0);
	c.system.endpoints = 100000;
	cr_assert_eq(region_plan(&c, ROLE_SIGNALING, 0, &with), 0);
	cr_expect_leq(with.size - without.size, 120000000ull);
}
