#include "media-proxy/flow.h"
#include "media-proxy/packet.h"
#include <criterion/criterion.h>
#include <stdlib.h>

/* Two legs in plain memory: pairs 0 and 2 of media worker 0 of 2; leg A is at 10.0.0.1:4000, leg B at 10.0.0.2:5000. */
static struct {
	struct config c;
	struct addr address[2];
} image;
static struct media_leg legs[16];
static struct media_flow flows[16];
static struct pair_table table;
static uint64_t now_ms;

static struct addr parse(const char *text)
{
	struct addr a;
	cr_assert_eq(addr_parse(span_of(text), &a), 0);
	return a;
}

static struct media_leg *leg(uint32_t pair)
{
	return &legs[pair_slot(&image.c, pair)];
}

static void change(uint32_t pair, const struct media_want *w)
{
	slot_commit(&leg(pair)->slot, leg(pair)->want, sizeof(*w), w);
}

static void allot(uint32_t pair, uint32_t peer, const char *remote, const char *control)
{
	struct media_want w = { .peer = peer,
		.remote_rtp = parse(remote),
		.remote_rtcp = parse(control),
		.signal = parse(remote),
		.latch = LATCH_AUTO,
		.send = 1,
		.receive = 1,
		.dscp = 0x88 };
	slot_claim(&leg(pair)->slot);
	change(pair, &w);
	slot_live(&leg(pair)->slot);
}

static void set_up(void)
{
	image.c.system.media = 2;
	image.c.system.signaling = 1;
	image.c.media.port_low = 10000;
	image.c.media.port_high = 10031;
	image.c.media.addresses.n = 2;
	image.c.media.addresses.at = (uint32_t)((char *)image.address - (char *)&image);
	image.address[0] = parse("192.0.2.1");
	image.address[1] = parse("2001:db8::1");
	const struct media_leg *areas[WORKERS_MAX] = { legs };
	cr_assert_eq(pair_table_init(&table, &image.c, 0, areas, flows), 0);
	now_ms = 1000000;
	allot(0, 2, "10.0.0.1:4000", "10.0.0.1:4001");
	allot(2, 0, "10.0.0.2:5000", "10.0.0.2:5001");
}

static void tear_down(void)
{
	pair_table_done(&table);
}

TestSuite(packet, .init = set_up, .fini = tear_down);

static struct departure out;

static bool route(const char *source, uint32_t port, const void *p, size_t n)
{
	/* on the heap in its exact size, so that a sanitizer sees any read beyond */
	uint8_t *data = malloc(n ? n : 1);
	memcpy(data, p, n);
	struct packet k = { .data = data, .n = n, .source = parse(source), .port = port, .now_ns = now_ms * 1000000 };
	bool sent = packet_route(&table, &k, &out);
	free(data);
	return sent;
}

static bool rtp(const char *source, uint32_t port, uint16_t sequence, uint8_t ssrc)
{
	uint8_t p[20] = { 0x80, 0, (uint8_t)(sequence >> 8), (uint8_t)sequence, [11] = ssrc };
	return route(source, port, p, sizeof(p));
}

static bool rtcp(const char *source, uint32_t port, uint8_t ssrc)
{
	uint8_t p[8] = { 0x80, 201, 0, 1, [7] = ssrc };
	return route(source, port, p, sizeof(p));
}

static void leaves(const char *from, const char *to)
{
	struct addr f = parse(from), t = parse(to);
	cr_assert(addr_eq(&out.from, &f) && addr_eq(&out.to, &t));
}

Test(packet, leaves_from_the_peers_port_for_the_peers_address)
{
	cr_assert(rtp("10.0.0.1:4000", 10000, 1, 1));
	leaves("192.0.2.1:10004", "10.0.0.2:5000");
	cr_assert_eq(out.dscp, 0x88);
	cr_assert(rtp("10.0.0.2:5000", 10004, 1, 2));
	leaves("192.0.2.1:10000", "10.0.0.1:4000");
	cr_assert(flows[0].packets == 1 && flows[0].bytes == 20 && flows[0].sent == 1 && flows[0].version % 2 == 0);
	cr_assert(flows[0].latched && flows[0].latched_ms == now_ms && flows[0].first_ms == now_ms &&
		  flows[0].last_ms == now_ms);
}

Test(packet, follows_the_latched_source_but_not_with_latch_off)
{
	cr_assert(rtp("10.0.0.1:4444", 10000, 1, 1));
	cr_assert(rtp("10.0.0.2:5000", 10004, 1, 2));
	leaves("192.0.2.1:10000", "10.0.0.1:4444");
	struct media_want w = leg(0)->want[leg(0)->slot.commit & 1];
	w.latch = LATCH_OFF;
	change(0, &w);
	cr_assert(rtp("10.0.0.2:5000", 10004, 2, 2));
	leaves("192.0.2.1:10000", "10.0.0.1:4000");
}

Test(packet, strangers_are_counted_and_dropped)
{
	cr_assert_not(rtp("10.0.0.9:4000", 10000, 1, 1));
	cr_assert(rtp("10.0.0.1:4000", 10000, 1, 1));
	cr_assert_not(rtp("10.0.0.9:4000", 10000, 2, 1));
	cr_assert_not(rtp("10.0.0.1:4002", 10000, 2, 9));
	cr_assert(flows[0].dropped_source == 3 && flows[0].packets == 1);
	cr_assert_not(route("10.0.0.9:4000", 10000, "x", 1)); /* a wrong source stays one, whatever it sends */
	cr_assert(flows[0].dropped_source == 4 && flows[0].dropped_bad == 0);
	cr_assert_not(route("10.0.0.1:4000", 10000, "", 0));
	cr_assert_eq(flows[0].dropped_bad, 1);
}

Test(packet, what_is_not_rtp_latches_nothing)
{
	cr_assert_not(route("10.0.0.1:4000", 10000, "\0\1\0\0\x21\x12\xa4\x42", 8));
	cr_assert(flows[0].latched == 0 && flows[0].dropped_bad == 1);
	cr_assert_not(route("10.0.0.1:4001", 10001, "\x80\xc9\0\7\0\0\0\1", 8));
	cr_assert(flows[0].rtcp.family == 0 && flows[0].dropped_bad == 2);
}

Test(packet, moves_to_another_port_with_the_stream)
{
	for (uint16_t i = 0; i < 5; i++)
		cr_assert(rtp("10.0.0.1:4000", 10000, (uint16_t)(65533 + i), 1));
	uint64_t first = flows[0].latched_ms;
	now_ms += 5000;
	cr_assert(rtp("10.0.0.1:6000", 10000, 3, 1));
	cr_assert(flows[0].rtp.port == 6000 && flows[0].latched_ms == first);
	cr_assert_not(rtp("10.0.0.1:4000", 10000, 3, 1)); /* not ahead: a copy from the old port */
	cr_assert_not(rtp("10.0.0.1:7000", 10000, 4000, 1));
	cr_assert_eq(media_flow_lost(&flows[0]), 1); /* 2 */
}

Test(packet, rtcp_has_a_latch_of_its_own)
{
	cr_assert(rtp("10.0.0.1:4000", 10000, 1, 1));
	cr_assert(rtcp("10.0.0.1:4001", 10001, 1));
	leaves("192.0.2.1:10005", "10.0.0.2:5001");
	cr_assert(flows[0].rtcp_packets == 1 && flows[0].rtcp.port == 4001 && flows[0].packets == 1);
	now_ms += 5000;
	cr_assert_not(rtcp("10.0.0.1:4003", 10001, 9));
	cr_assert(rtcp("10.0.0.1:4003", 10001, 1)); /* the same stream */
	cr_assert(rtcp("10.0.0.2:5001", 10005, 2));
	leaves("192.0.2.1:10001", "10.0.0.1:4003");
	cr_assert_not(rtp("10.0.0.9:1", 10001, 1, 1));
}

Test(packet, rtcp_of_muxed_and_plain_legs)
{
	struct media_want w = leg(2)->want[leg(2)->slot.commit & 1];
	w.mux = 1;
	w.remote_rtcp = w.remote_rtp;
	change(2, &w);
	cr_assert(rtcp("10.0.0.1:4001", 10001, 1));
	leaves("192.0.2.1:10004", "10.0.0.2:5000");
	cr_assert(rtcp("10.0.0.2:5000", 10004, 2));
	leaves("192.0.2.1:10001", "10.0.0.1:4001");
	cr_assert(flows[2].rtcp_packets == 1 && flows[2].packets == 0 && flows[2].first_ms == 0 && flows[2].latched);
	cr_assert(rtp("10.0.0.2:5000", 10004, 1, 2));
	now_ms += 5000;
	cr_assert_not(rtcp("10.0.0.2:5002", 10004, 2)); /* RTCP alone does not take the media along */
}

Test(packet, hold_drops_and_loses_nothing)
{
	struct media_want w = leg(0)->want[leg(0)->slot.commit & 1];
	cr_assert(rtp("10.0.0.1:4000", 10000, 1, 1));
	w.receive = 0;
	change(0, &w);
	cr_assert_not(rtp("10.0.0.1:4000", 10000, 2, 1));
	cr_assert(rtcp("10.0.0.1:4001", 10001, 1));
	w.receive = 1;
	w.send = 0;
	change(0, &w);
	cr_assert(rtp("10.0.0.1:4000", 10000, 3, 1));
	cr_assert_not(rtp("10.0.0.2:5000", 10004, 1, 2));
	cr_assert(flows[0].dropped_hold == 1 && flows[0].packets == 2 && flows[2].dropped_hold == 1 &&
		  flows[0].sent == 0);
	cr_assert_eq(media_flow_lost(&flows[0]), 0);
}

Test(packet, needs_a_peer_that_means_this_leg_and_has_an_address)
{
	struct media_want w = leg(2)->want[leg(2)->slot.commit & 1], good = w;
	w.peer = 4;
	change(2, &w);
	cr_assert_not(rtp("10.0.0.1:4000", 10000, 1, 1));
	w = good;
	w.remote_rtp = (struct addr){ 0 };
	w.epoch++;
	change(2, &w);
	cr_assert_not(rtp("10.0.0.1:4000", 10000, 2, 1));
	w.remote_rtp = parse("[2001:db8::9]:5000"); /* a family that our address is not of */
	change(2, &w);
	cr_assert_not(rtp("10.0.0.1:4000", 10000, 3, 1));
	w.remote_rtp = parse("0.0.0.0:5000");
	change(2, &w);
	cr_assert_not(rtp("10.0.0.1:4000", 10000, 4, 1));
	slot_free(&leg(2)->slot);
	cr_assert_not(rtp("10.0.0.1:4000", 10000, 5, 1));
	cr_assert(flows[0].dropped_unready == 5 && flows[0].packets == 5 && flows[2].sent == 0);
}

Test(packet, no_circle_through_our_own_ports)
{
	struct media_want a = leg(0)->want[leg(0)->slot.commit & 1], b = leg(2)->want[leg(2)->slot.commit & 1];
	b.remote_rtp = parse("192.0.2.1:10012"); /* another call of ours */
	change(2, &b);
	cr_assert(rtp("10.0.0.1:4000", 10000, 1, 1));
	a.remote_rtp = parse("192.0.2.1:10004");
	a.epoch++;
	change(0, &a);
	b.remote_rtp = parse("10.0.0.2:5000");
	change(2, &b);
	cr_assert(rtp("192.0.2.1:10004", 10000, 2, 1)); /* from one of our calls to somebody outside */
	b.remote_rtp = parse("192.0.2.1:10000");
	change(2, &b);
	cr_assert_not(rtp("192.0.2.1:10004", 10000, 3, 1));
	cr_assert(flows[0].dropped_source == 1 && flows[2].sent == 2);
}

Test(packet, from_one_family_to_the_other)
{
	struct media_want w = leg(2)->want[leg(2)->slot.commit & 1];
	w.local = 1;
	w.remote_rtp = w.remote_rtcp = parse("[2001:db8::9]:5000");
	change(2, &w);
	cr_assert(rtp("10.0.0.1:4000", 10000, 1, 1));
	leaves("[2001:db8::1]:10004", "[2001:db8::9]:5000");
	cr_assert_eq(out.address, 1);
	cr_assert_not(rtp("10.0.0.2:5000", 10004, 1, 1)); /* came to the address that is not the leg's */
	cr_assert_eq(flows[2].dropped_source, 0);
}

Test(packet, ports_that_are_nobodys)
{
	cr_assert_not(rtp("10.0.0.1:4000", 9999, 1, 1));
	cr_assert_not(rtp("10.0.0.1:4000", 10032, 1, 1));
	cr_assert_not(rtp("10.0.0.1:4000", 10002, 1, 1)); /* the other worker's */
	cr_assert_not(rtp("10.0.0.1:4000", 10008, 1, 1)); /* no leg */
	slot_free(&leg(0)->slot);
	cr_assert_not(rtp("10.0.0.1:4000", 10000, 1, 1));
}

Test(packet, udptl_is_relayed_as_it_is)
{
	struct media_want w = leg(0)->want[leg(0)->slot.commit & 1];
	w.kind = MEDIA_UDPTL;
	change(0, &w);
	cr_assert(route("10.0.0.1:4000", 10000, "fax", 3));
	cr_assert(flows[0].packets == 1 && flows[0].bytes == 3 && flows[0].received == 0 && flows[0].ssrc == 0);
}

Test(packet, another_epoch_opens_the_latch)
{
	struct media_want w = leg(0)->want[leg(0)->slot.commit & 1];
	cr_assert(rtp("10.0.0.1:4444", 10000, 1, 1));
	cr_assert(rtcp("10.0.0.1:4445", 10001, 1));
	w.remote_rtp = parse("10.0.0.3:4000");
	w.epoch++;
	change(0, &w);
	cr_assert(rtp("10.0.0.2:5000", 10004, 1, 2));
	leaves("192.0.2.1:10000", "10.0.0.3:4000"); /* before anything came from there */
	cr_assert(flows[0].latched == 0 && flows[0].rtcp.family == 0 && flows[0].packets == 1);
	cr_assert_not(rtp("10.0.0.1:4444", 10000, 2, 1));
	cr_assert(rtp("10.0.0.3:4006", 10000, 9, 1));
	cr_assert_eq(flows[0].epoch, w.epoch);
}

Test(packet, another_life_starts_the_flow_anew)
{
	cr_assert(rtp("10.0.0.1:4000", 10000, 1, 1));
	slot_free(&leg(0)->slot);
	allot(0, 2, "10.0.0.5:4000", "10.0.0.5:4001");
	cr_assert(rtp("10.0.0.5:4000", 10000, 77, 3));
	cr_assert(flows[0].generation == 2 && flows[0].packets == 1 && flows[0].ssrc_changes == 0 &&
		  flows[0].base_seq == 77);
	struct media_flow f;
	cr_assert_eq(media_flow_read(&flows[0], 1, &f), -ENOENT);
	cr_assert_eq(media_flow_read(&flows[0], 2, &f), 0);
}

Test(packet, a_successor_carries_on)
{
	cr_assert(rtp("10.0.0.1:4444", 10000, 1, 1));
	cr_assert(rtp("10.0.0.1:4444", 10000, 2, 1));
	flows[0].version++; /* died in the middle of a store */
	pair_table_done(&table);
	const struct media_leg *areas[WORKERS_MAX] = { legs };
	cr_assert_eq(pair_table_init(&table, &image.c, 0, areas, flows), 0);
	cr_assert_eq(flows[0].version % 2, 0);
	cr_assert(rtp("10.0.0.1:4444", 10000, 3, 1));
	cr_assert(rtp("10.0.0.2:5000", 10004, 1, 2));
	leaves("192.0.2.1:10000", "10.0.0.1:4444");
	cr_assert(flows[0].packets == 3 && flows[0].received == 3 && media_flow_lost(&flows[0]) == 0);
}

/* whatever store was the last one: an address counts only with its flag */
Test(packet, a_latch_half_stored_is_open)
{
	struct addr a = parse("10.0.0.1:4444");
	flow_start(&flows[0], leg(0)->slot.generation, 0);
	flows[0].rtp = a;
	cr_assert(rtp("10.0.0.2:5000", 10004, 1, 2));
	leaves("192.0.2.1:10000", "10.0.0.1:4000");
}
