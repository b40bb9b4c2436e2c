#include "media-proxy/rtp.h"
#include <errno.h>

#define HEADER	     12u
#define NO_BAD_SEQ   (RTP_CYCLE + 1u)
#define JUMP_SECONDS 10 /* a transit that differs by more is another time base, not jitter */

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}
static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

int rtp_parse(const uint8_t *p, size_t n, struct rtp *ret_rtp)
{
	if (n < HEADER || p[0] >> 6 != 2)
		return -EBADMSG;
	size_t need = HEADER + 4u * (p[0] & 15u);
	if (p[0] & 0x10) {
		if (n < need + 4)
			return -EBADMSG;
		need += 4 + 4u * get16(p + need + 2);
	}
	if (n < need)
		return -EBADMSG;
	*ret_rtp = (struct rtp){
		.timestamp = get32(p + 4),
		.ssrc = get32(p + 8),
		.sequence = get16(p + 2),
		.payload_type = p[1] & 0x7f,
		.marker = p[1] >> 7,
	};
	return 0;
}

int rtcp_parse(const uint8_t *p, size_t n, uint32_t *ret_ssrc)
{
	if (n < 8 || p[0] >> 6 != 2 || !rtp_is_rtcp(p, n) || n < 4 * (get16(p + 2) + 1u))
		return -EBADMSG;
	*ret_ssrc = get32(p + 4);
	return 0;
}

#define RTCP_SDES 202
enum { SDES_END, SDES_CNAME, SDES_PRIV = 8 };

static size_t packet_size(const uint8_t *p)
{
	return 4 * (get16(p + 2) + 1u);
}

static bool is_compound(const uint8_t *p, size_t n)
{
	size_t at = 0;
	while (at < n) {
		if (n - at < 4 || p[at] >> 6 != 2 || !rtp_is_rtcp(p + at, n - at) || packet_size(p + at) > n - at)
			return false;
		at += packet_size(p + at);
	}
	return true;
}

static void hide_item(uint8_t type, uint8_t *text, size_t n, uint64_t seed)
{
	for (size_t i = 0; i < n; i++)
		text[i] = type == SDES_CNAME ? (uint8_t)"0123456789abcdef"[seed >> 4 * (i % 16) & 15] : ' ';
	if (type == SDES_PRIV && n) /* the length of its prefix */
		text[0] = 0;
}

static void hide_chunks(uint8_t *p, size_t n, uint64_t seed)
{
	size_t at = 4;
	for (unsigned chunk = 0; chunk < (p[0] & 31u) && n - at >= 4; chunk++) {
		for (at += 4; at < n && p[at] != SDES_END; at += 2u + p[at + 1]) {
			if (n - at < 2 || n - at - 2 < p[at + 1])
				return;
			hide_item(p[at], p + at + 2, p[at + 1], seed);
		}
		at = (at / 4 + 1) * 4; /* one null byte or more, up to the next word */
		if (at > n)
			return;
	}
}

void rtcp_hide_names(uint8_t *p, size_t n, uint64_t seed)
{
	if (!is_compound(p, n))
		return;
	for (size_t at = 0; at < n; at += packet_size(p + at))
		if (p[at + 1] == RTCP_SDES)
			hide_chunks(p + at, packet_size(p + at), seed);
}

bool rtp_is_rtcp(const uint8_t *p, size_t n)
{
	return n >= 2 && p[1] >= 192 && p[1] <= 223;
}

bool rtp_continues(const struct rtp_stats *s, const struct rtp *p)
{
	int step = (int16_t)(p->sequence - (uint16_t)s->max_seq);
	return s->received && p->ssrc == s->ssrc && step > 0 && step < RTP_DROPOUT;
}

uint64_t rtp_lost(const struct rtp_stats *s)
{
	uint64_t expected = s->received ? (uint64_t)s->cycles + s->max_seq - s->base_seq + 1 : 0;
	return s->lost_before + (expected > s->received ? expected - s->received : 0);
}

/* a stream begins, or goes on with numbers that have nothing to do with those before */
static void begin(struct rtp_stats *s, const struct rtp *p)
{
	s->lost_before = rtp_lost(s);
	s->ssrc = p->ssrc;
	s->base_seq = s->max_seq = p->sequence;
	s->cycles = s->received = 0;
	s->bad_seq = NO_BAD_SEQ;
}

/* RFC 3550 A.1 without probation: a relay does not choose what it relays. False: a stray that counts nowhere. */
static bool count_sequence(struct rtp_stats *s, const struct rtp *p)
{
	int step = (int16_t)(p->sequence - (uint16_t)s->max_seq);
	if (step > 0 && step < RTP_DROPOUT) {
		if (p->sequence < s->max_seq)
			s->cycles += RTP_CYCLE;
		s->max_seq = p->sequence;
	} else if (step >= RTP_DROPOUT || step < -RTP_MISORDER) {
		if (p->sequence != s->bad_seq) {
			s->bad_seq = (p->sequence + 1u) % RTP_CYCLE;
			return false;
		}
		begin(s, p); /* two in a row: the sender started again */
	}
	s->received++;
	return true;
}

/* RFC 3550 A.8. Packets that share a timestamp (events of RFC 4733, slices of a picture) say nothing about transit. */
static void count_jitter(struct rtp_stats *s, const struct rtp *p, uint64_t now_ns)
{
	uint64_t arrival = now_ns / 1000000000u * s->clock_rate + now_ns % 1000000000u * s->clock_rate / 1000000000u;
	uint32_t transit = (uint32_t)arrival - p->timestamp;
	int64_t d = (int32_t)(transit - (uint32_t)s->transit);
	if (d < 0)
		d = -d;
	if (s->received > 1 && p->timestamp != s->timestamp && d < (int64_t)JUMP_SECONDS * s->clock_rate)
		s->jitter_q4 += (uint32_t)d - ((s->jitter_q4 + 8) >> 4);
	if (s->received <= 1 || p->timestamp != s->timestamp)
		s->transit = transit;
	s->timestamp = p->timestamp;
}

void rtp_count(struct rtp_stats *s, const struct rtp *p, uint64_t now_ns)
{
	if (!s->received) {
		begin(s, p);
	} else if (p->ssrc != s->ssrc) {
		s->ssrc_changes++;
		begin(s, p);
	}
	if (count_sequence(s, p))
		count_jitter(s, p, now_ns);
}
