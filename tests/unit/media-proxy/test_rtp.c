#include "media-proxy/rtp.h"
#include "shm/media.h"
#include <criterion/criterion.h>

#define MS 1000000u

static struct rtp packet(uint16_t sequence, uint32_t timestamp, uint32_t ssrc)
{
	return (struct rtp){ .sequence = sequence, .timestamp = timestamp, .ssrc = ssrc };
}

static struct rtp_stats fresh(void)
{
	return (struct rtp_stats){ .clock_rate = 8000, .bad_seq = RTP_CYCLE + 1 };
}

/* packet `sequence` of a stream of 20 ms packets, arriving at `ms` */
static void count(struct rtp_stats *s, uint16_t sequence, uint64_t ms)
{
	struct rtp p = packet(sequence, sequence * 160u, 1);
	rtp_count(s, &p, ms * MS);
}

/* what a reader makes of the same figures */
static struct media_flow as_flow(const struct rtp_stats *s)
{
	return (struct media_flow){ .base_seq = s->base_seq,
		.max_seq = s->max_seq,
		.cycles = s->cycles,
		.received = s->received,
		.lost_before = s->lost_before,
		.jitter_q4 = s->jitter_q4,
		.clock_rate = s->clock_rate };
}

Test(rtp, header)
{
	uint8_t p[] = { 0x80, 0x88, 0x12, 0x34, 1, 2, 3, 4, 5, 6, 7, 8 };
	struct rtp r;
	cr_assert_eq(rtp_parse(p, sizeof(p), &r), 0);
	cr_assert(r.marker && r.payload_type == 8 && r.sequence == 0x1234 && r.timestamp == 0x01020304 &&
		  r.ssrc == 0x05060708);
	cr_assert_eq(rtp_parse(p, 11, &r), -EBADMSG);
	p[0] = 0x40;
	cr_assert_eq(rtp_parse(p, sizeof(p), &r), -EBADMSG);
}

Test(rtp, sources_and_extension_must_be_there)
{
	uint8_t p[32] = { 0x82 };
	struct rtp r;
	cr_assert_eq(rtp_parse(p, 19, &r), -EBADMSG);
	cr_assert_eq(rtp_parse(p, 20, &r), 0);
	p[0] = 0x92;
	p[23] = 2;
	cr_assert_eq(rtp_parse(p, 23, &r), -EBADMSG);
	cr_assert_eq(rtp_parse(p, 31, &r), -EBADMSG);
	cr_assert_eq(rtp_parse(p, 32, &r), 0);
	p[22] = 0xff;
	cr_assert_eq(rtp_parse(p, 32, &r), -EBADMSG);
}

Test(rtp, rtcp_header)
{
	uint8_t p[] = { 0x81, 200, 0, 2, 0, 0, 0, 9, 0, 0, 0, 0 };
	uint32_t ssrc = 0;
	cr_assert_eq(rtcp_parse(p, sizeof(p), &ssrc), 0);
	cr_assert_eq(ssrc, 9);
	cr_assert_eq(rtcp_parse(p, 8, &ssrc), -EBADMSG);
	cr_assert_eq(rtcp_parse(p, 7, &ssrc), -EBADMSG);
	p[1] = 100;
	cr_assert_eq(rtcp_parse(p, sizeof(p), &ssrc), -EBADMSG);
	p[1] = 200;
	p[0] = 0x01;
	cr_assert_eq(rtcp_parse(p, sizeof(p), &ssrc), -EBADMSG);
}

Test(rtp, rtcp_by_packet_type)
{
	for (unsigned t = 0; t < 256; t++) {
		uint8_t p[] = { 0x80, (uint8_t)t };
		cr_assert_eq(rtp_is_rtcp(p, 2), t >= 192 && t <= 223, "%u", t);
	}
	cr_assert_not(rtp_is_rtcp((const uint8_t *)"\x80", 1));
}

Test(rtp, loss_and_late_packets)
{
	static const uint16_t sequence[] = { 65533, 65534, 1, 0, 4, 4, 5 }; /* 65535, 2, 3 lost; 0 late; 4 twice */
	struct rtp_stats s = fresh();
	for (size_t i = 0; i < sizeof(sequence) / sizeof(sequence[0]); i++)
		count(&s, sequence[i], i * 20);
	cr_assert_eq(s.received, 7);
	cr_assert_eq(s.cycles, RTP_CYCLE);
	cr_assert_eq(s.max_seq, 5);
	cr_assert_eq(rtp_lost(&s), 9 - 7); /* expected 65533 .. 65541; the repetition hides one, as RFC 3550 says */
	struct media_flow f = as_flow(&s);
	cr_assert_eq(media_flow_lost(&f), 2);
}

Test(rtp, cycles_over_a_long_stream)
{
	struct rtp_stats s = fresh();
	for (uint32_t i = 0; i < 200000; i++)
		if (i % 1000 != 999)
			count(&s, (uint16_t)(i + 60000), i * 20ull);
	cr_assert_eq(s.received, 199800);
	cr_assert_eq(rtp_lost(&s), 199); /* the last one cannot be missed yet */
	cr_assert_eq(s.cycles, 3 * RTP_CYCLE);
}

Test(rtp, a_stray_number_counts_nowhere_and_two_in_a_row_are_a_new_start)
{
	struct rtp_stats s = fresh();
	count(&s, 100, 0);
	count(&s, 102, 40);
	count(&s, 30000, 60);
	cr_assert(s.received == 2 && s.max_seq == 102 && rtp_lost(&s) == 1);
	count(&s, 103, 80);
	cr_assert_eq(s.received, 3);
	count(&s, 30000, 100);
	count(&s, 30001, 120);
	cr_assert(s.received == 1 && s.base_seq == 30001 && s.lost_before == 1 && rtp_lost(&s) == 1);
	count(&s, 30003, 160);
	cr_assert_eq(rtp_lost(&s), 2);
	struct media_flow f = as_flow(&s);
	cr_assert_eq(media_flow_lost(&f), 2);
	cr_assert_eq(s.ssrc_changes, 0);
}

Test(rtp, new_source_keeps_earlier_losses)
{
	struct rtp_stats s = fresh();
	count(&s, 1, 0);
	count(&s, 5, 80);
	struct rtp p = packet(900, 5, 2);
	rtp_count(&s, &p, 100 * MS);
	cr_assert(s.ssrc == 2 && s.ssrc_changes == 1 && s.received == 1 && rtp_lost(&s) == 3);
	p.sequence = 902;
	rtp_count(&s, &p, 120 * MS);
	cr_assert_eq(rtp_lost(&s), 4);
}

Test(rtp, jitter_of_an_even_stream_is_zero_at_any_time_of_day)
{
	struct rtp_stats s = fresh();
	for (uint32_t i = 0; i < 100; i++)
		count(&s, (uint16_t)i, 86400000ull * 400 + i * 20);
	cr_assert_eq(s.jitter_q4, 0);
}

/* J += (|D| - J) / 16 with D = 80 units (10 ms) each time, by RFC 3550 A.8 with integers */
Test(rtp, jitter_of_a_known_sequence)
{
	struct rtp_stats s = fresh();
	uint32_t expected = 0;
	for (uint32_t i = 0; i < 200; i++) {
		count(&s, (uint16_t)i, i * 20 + i % 2 * 10);
		if (i)
			expected += 80 - ((expected + 8) >> 4);
		cr_assert_eq(s.jitter_q4, expected, "packet %u", i);
	}
	struct media_flow f = as_flow(&s);
	cr_assert(media_flow_jitter_us(&f) > 9900 && media_flow_jitter_us(&f) <= 10000);
}

Test(rtp, packets_of_one_timestamp_and_jumps_of_the_clock_are_no_jitter)
{
	struct rtp_stats s = fresh();
	for (uint16_t i = 0; i < 10; i++) {
		struct rtp p = packet(i, 1000, 1); /* an event of RFC 4733 */
		rtp_count(&s, &p, i * 20ull * MS);
	}
	struct rtp p = packet(10, 1000 + 1600, 1);
	rtp_count(&s, &p, 200 * MS);
	cr_assert_eq(s.jitter_q4, 0);
	p = packet(11, 3000000000u, 1);
	rtp_count(&s, &p, 220 * MS);
	p = packet(12, 3000000160u, 1);
	rtp_count(&s, &p, 240 * MS);
	cr_assert_eq(s.jitter_q4, 0);
}

Test(rtp, continuation)
{
	struct rtp_stats s = fresh();
	struct rtp p = packet(10, 0, 1);
	cr_assert_not(rtp_continues(&s, &p)); /* nothing received yet */
	count(&s, 65530, 0);
	cr_assert(rtp_continues(&s, &p));
	p.sequence = 65530;
	cr_assert_not(rtp_continues(&s, &p));
	p.sequence = 65529;
	cr_assert_not(rtp_continues(&s, &p));
	p.sequence = (uint16_t)(65530 + RTP_DROPOUT - 1);
	cr_assert(rtp_continues(&s, &p));
	p.sequence++;
	cr_assert_not(rtp_continues(&s, &p));
	p = packet(65531, 0, 2);
	cr_assert_not(rtp_continues(&s, &p));
}

/* RR, then SDES of two chunks: CNAME and TOOL; CNAME alone */
static const uint8_t compound[] = { 0x80, 201, 0, 1, 1, 2, 3, 4, 0x82, 202, 0, 7, 1, 2, 3, 4, 1, 5, 'a', '@', 'h', 'o', 's', 6, 2, 'x', 'y', 0, 5, 6, 7, 8,
	1, 4, '1', '0', '.', '9', 0, 0 };

Test(rtp, names_are_hidden)
{
	uint8_t p[sizeof compound];
	memcpy(p, compound, sizeof p);
	rtcp_hide_names(p, sizeof p, 0x1234567890abcdefull);
	cr_expect_eq(memcmp(p, compound, 18), 0);
	cr_expect_eq(memcmp(p + 18, "fedcb\6\2  \0", 10), 0);
	cr_expect_eq(memcmp(p + 28, compound + 28, 6), 0);
	cr_expect_eq(memcmp(p + 34, "fedc\0", 6), 0);
}

Test(rtp, what_is_no_compound_stays)
{
	uint8_t p[sizeof compound + 4] = { 0 };
	for (size_t n = 0; n < sizeof p; n++) { /* cut short, or something behind it, as in SRTCP */
		if (n == sizeof compound || n == 8)
			continue;
		memcpy(p, compound, sizeof compound);
		rtcp_hide_names(p, n, 7);
		cr_expect_eq(memcmp(p, compound, sizeof compound), 0, "%zu bytes", n);
	}
	for (size_t i = 0; i < sizeof compound; i++) /* any byte may be anything: nothing outside is touched */
		for (unsigned v = 0; v < 256; v++) {
			uint8_t *q = malloc(sizeof compound);
			memcpy(q, compound, sizeof compound);
			q[i] = (uint8_t)v;
			rtcp_hide_names(q, sizeof compound, 7);
			free(q);
		}
}
