/* RTP and RTCP headers as far as a relay looks at them (RFC 3550, RFC 5761), and the statistics of a received stream by
 * RFC 3550 appendix A.1, A.3 and A.8. Only what stays in the clear under SRTP and SRTCP is read, so padding is not. */
#ifndef TANDEM_MEDIA_PROXY_RTP_H
#define TANDEM_MEDIA_PROXY_RTP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RTP_CYCLE    65536u
#define RTP_DROPOUT  3000 /* a step forward below this is loss, not another stream */
#define RTP_MISORDER 100  /* a step back up to this is a late packet */

struct rtp {
	uint32_t timestamp, ssrc;
	uint16_t sequence;
	uint8_t payload_type;
	bool marker;
};

/* 0 or -EBADMSG */
int rtp_parse(const uint8_t *p, size_t n, struct rtp *ret_rtp);
/* the first packet of a compound: 0 or -EBADMSG */
int rtcp_parse(const uint8_t *p, size_t n, uint32_t *ret_ssrc);
/* packet types 192-223, which are RTP payload types 64-95 with the marker: RTCP wherever they arrive (RFC 5761 section 4) */
bool rtp_is_rtcp(const uint8_t *p, size_t n);

/* SDES items name whoever sent them (RFC 3550 section 6.5): a CNAME becomes another of the same length, made from `seed`, the
 * others become blanks. Nothing happens to what is not a compound of whole packets from end to end, as SRTCP is not. */
void rtcp_hide_names(uint8_t *p, size_t n, uint64_t seed);

/* What media_flow keeps of a stream, and two values only the running process needs: losing them costs one sample. */
struct rtp_stats {
	uint32_t ssrc, ssrc_changes;
	uint32_t base_seq, max_seq, cycles; /* cycles: multiples of RTP_CYCLE */
	uint32_t received;                  /* since base_seq; 0: no packet yet */
	uint64_t lost_before;               /* lost before base_seq */
	uint32_t jitter_q4, clock_rate;
	int64_t transit;                    /* modulo 2^32 */
	uint32_t bad_seq;                   /* expected after a jump, RTP_CYCLE + 1: none; private */
	uint32_t timestamp;                 /* of the last packet; private */
};

/* the packet goes on where the stream is: same SSRC and a sequence number neither far ahead nor before */
bool rtp_continues(const struct rtp_stats *s, const struct rtp *p);
void rtp_count(struct rtp_stats *s, const struct rtp *p, uint64_t now_ns);
uint64_t rtp_lost(const struct rtp_stats *s); /* expected less received, and lost_before */
#endif
