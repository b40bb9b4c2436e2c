/* The table of host names: found whatever the case, read whole, drawn by weight; and the log of ignored sources. */
#include "sample.h"
#include "shm/names.h"
#include "shm/sources.h"
#include <criterion/criterion.h>
#include <stdio.h>

static struct env e;
static const struct region *own;

static void set_up(void)
{
	cr_assert_eq(sample_region(ROLE_ROUTING, 0, &e.region[seat_of(ROLE_ROUTING, 0)]), 0);
	own = &e.region[seat_of(ROLE_ROUTING, 0)];
}
static void tear_down(void)
{
	sample_done(&e.region[seat_of(ROLE_ROUTING, 0)]);
}
TestSuite(names, .init = set_up, .fini = tear_down);

static struct name_key key(const char *host, uint16_t port)
{
	return (struct name_key){ span_of(host), port, TRANSPORT_UDP };
}

static struct name_address at(const char *text, uint16_t priority, uint16_t weight)
{
	struct name_address a = { .priority = priority, .weight = weight };
	cr_assert_eq(addr_parse(span_of(text), &a.addr), 0);
	return a;
}

static int lookup(const char *host, uint16_t port, struct addr *ret, uint32_t cap)
{
	return names_lookup(&e, span_of(host), port, TRANSPORT_UDP, ret, cap);
}

Test(names, found_by_host_port_and_transport)
{
	struct addr a[4];
	struct name_key k = key("GW.Example.", 5080), other = key("gw.example", 0), tcp = { SPAN("gw.example"), 5080, TRANSPORT_TCP };
	cr_assert_eq(lookup("gw.example", 5080, a, 4), -ENOENT);
	uint32_t i = names_add(own, &k);
	cr_assert_neq(i, NAME_NOWHERE);
	cr_assert_eq(lookup("gw.example", 5080, a, 4), 0);
	cr_expect_str_eq(names_reason(&e, SPAN("gw.example"), 5080, TRANSPORT_UDP), "name not resolved yet");
	struct name_state s = { .status = NAME_RESOLVED, .n = 2, .at = { at("1.2.3.4:5080", 0, 0), at("1.2.3.5:5080", 0, 0) } };
	names_put(own, i, &s);
	cr_assert_eq(lookup("gW.eXAMPLE", 5080, a, 4), 2);
	cr_expect(addr_eq(&a[0], &s.at[0].addr) && addr_eq(&a[1], &s.at[1].addr));
	cr_expect_str_eq(names_reason(&e, SPAN("gw.example"), 5080, TRANSPORT_UDP), "");
	cr_expect_eq(lookup("gw.example", 5080, a, 1), 1);
	cr_expect_eq(lookup("gw.example", 0, a, 4), -ENOENT);
	cr_expect_eq(names_find(own, &tcp), NAME_NOWHERE);
	cr_expect_eq(names_add(own, &k), i, "once");
	uint32_t second = names_add(own, &other);
	cr_expect(second != i && second != NAME_NOWHERE);
	names_remove(own, i);
	cr_expect_eq(lookup("gw.example", 5080, a, 4), -ENOENT);
	cr_expect_eq(lookup("gw.example", 0, a, 4), 0);
}

Test(names, reasons)
{
	struct name_key k = key("x.example", 0);
	uint32_t i = names_add(own, &k);
	names_put(own, i, &(struct name_state){ .status = NAME_NONE });
	cr_expect_str_eq(names_reason(&e, k.host, 0, TRANSPORT_UDP), "no such name");
	names_put(own, i, &(struct name_state){ .status = NAME_FAILED });
	cr_expect_str_eq(names_reason(&e, k.host, 0, TRANSPORT_UDP), "name not resolved: no answer");
	names_put(own, i, &(struct name_state){ .status = NAME_FAILED, .n = 1, .at = { at("1.2.3.4:5060", 0, 0) } });
	cr_expect_str_eq(names_reason(&e, k.host, 0, TRANSPORT_UDP), "");
}

/* RFC 2782: the priority first, then each with its share; all of them, none twice */
Test(names, drawn_by_weight)
{
	struct name_key k = key("srv.example", 0);
	struct name_state s = { .status = NAME_RESOLVED, .n = 4,
		.at = { at("1.1.1.1:5060", 10, 3), at("1.1.1.2:5060", 10, 1), at("1.1.1.3:5060", 10, 0), at("2.2.2.2:5060", 20, 9) } };
	uint32_t first[4] = { 0 };
	names_put(own, names_add(own, &k), &s);
	for (int i = 0; i < 8000; i++) {
		struct addr a[NAME_ADDRESSES];
		cr_assert_eq(lookup("srv.example", 0, a, NAME_ADDRESSES), 4);
		cr_assert(addr_eq(&a[3], &s.at[3].addr), "the larger priority value comes last");
		cr_assert(!addr_eq(&a[0], &a[1]) && !addr_eq(&a[1], &a[2]) && !addr_eq(&a[0], &a[2]));
		for (uint32_t n = 0; n < 4; n++)
			first[n] += addr_eq(&a[0], &s.at[n].addr);
	}
	cr_expect(first[0] > 5700 && first[0] < 6300, "%u of 8000 for a weight of 3 of 4", first[0]);
	cr_expect(first[1] > 1700 && first[1] < 2300, "%u of 8000 for a weight of 1 of 4", first[1]);
	cr_expect_eq(first[2] + first[3], 0);
}

Test(names, full)
{
	uint32_t room = region_count(own, AREA_NAMES), n = 0;
	cr_assert_geq(room, 1024);
	for (uint32_t i = 0; i < 2 * room; i++) {
		char host[32];
		snprintf(host, sizeof host, "h%u.example", i);
		struct name_key k = key(host, 5060);
		n += names_add(own, &k) != NAME_NOWHERE;
	}
	cr_expect_leq(n, room);
	cr_expect_gt(n, room / 2);
	struct name_key none = key("", 0), dot = key(".", 0);
	cr_expect(names_add(own, &none) == NAME_NOWHERE && names_add(own, &dot) == NAME_NOWHERE);
}

/* --- sources --- */

Test(sources, the_log_goes_round)
{
	static struct sources s;
	struct source_event got;
	uint64_t next = 0;
	struct addr a;
	addr_parse(SPAN("1.2.3.4:5060"), &a);
	cr_assert(!sources_next(&s, &next, &got));
	sources_append(&s, &a, BAN_GARBAGE, 7);
	cr_assert(sources_next(&s, &next, &got));
	cr_expect(addr_same_ip(&got.addr, &a) && got.addr.port == 0 && got.reason == BAN_GARBAGE && got.until_ms == 7);
	cr_assert(!sources_next(&s, &next, &got));
	for (uint64_t i = 0; i < 3 * SOURCES_LOG; i++)
		sources_append(&s, &a, BAN_NAMES, 100 + i);
	uint64_t n = 0, last = 0;
	while (sources_next(&s, &next, &got)) {
		cr_assert(got.until_ms > last, "in order");
		last = got.until_ms;
		n++;
	}
	cr_expect_eq(n, SOURCES_LOG - 1);
	cr_expect_eq(last, 100 + 3 * SOURCES_LOG - 1);
	cr_expect_str_eq(ban_reason_text(BAN_NAMES), "unknown account names");
	cr_expect_str_eq(ban_reason_text(BAN_REASON_COUNT), "");
}
