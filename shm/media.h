/* The two halves of a relayed stream's end: what signalling wants (media_leg, in the signalling worker's region) and
 * what the relay has seen (media_flow, in the media worker's region). Both are indexed by port pair, so neither side ever
 * sends the other a message, and either may die without the other noticing.
 *
 * Port pair p (0 .. pairs-1) has RTP port ports.low + 2p and RTCP port + 1. Media worker p % M serves it; signalling
 * worker (p / M) % N may allot it: pair_media(), pair_owner(), pair_slot(). Both legs of a stream use the same media worker. */
#ifndef TANDEM_SHM_MEDIA_H
#define TANDEM_SHM_MEDIA_H
#include "base/addr.h"
#include "shm/region.h"

#define MEDIA_REUSE_MS 10000u /* a freed port is not used again before that */
#define MEDIA_LATCH_MS 2000u  /* after the first packet the signalled address still takes precedence for so long */

static inline uint32_t media_pairs(const struct config *c) { return (c->media.port_high - c->media.port_low + 1) / 2; }
static inline uint32_t pair_media(const struct config *c, uint32_t pair) { return pair % c->system.media; }
static inline uint32_t pair_owner(const struct config *c, uint32_t pair) { return pair / c->system.media % c->system.signaling; }
/* index of the pair in its owner's AREA_MEDIA_LEGS, and back */
static inline uint32_t pair_slot(const struct config *c, uint32_t pair)
{
	return pair / c->system.media / c->system.signaling * c->system.media + pair % c->system.media;
}
static inline uint32_t slot_pair(const struct config *c, uint32_t owner, uint32_t slot)
{
	return (slot / c->system.media * c->system.signaling + owner) * c->system.media + slot % c->system.media;
}
static inline uint16_t pair_port(const struct config *c, uint32_t pair) { return (uint16_t)(c->media.port_low + 2 * pair); }

enum media_tone { MEDIA_TONE_NONE, MEDIA_TONE_ALAW, MEDIA_TONE_ULAW }; /* ring-back tone, by the law it is coded in */

enum media_kind { MEDIA_RTP, MEDIA_UDPTL }; /* UDPTL and unknown protocols: no RTP checks, no statistics but counts */

struct media_want {                /* the changing part, two copies */
	uint32_t peer;             /* pair of the other leg; packets from this leg's remote leave from there */
	uint32_t epoch;            /* +1 opens the latch again (an offer/answer changed the address) */
	struct addr remote_rtp;    /* from the peer's SDP; family 0: none yet */
	struct addr remote_rtcp;   /* a=rtcp or RTP port + 1; equal to remote_rtp with rtcp-mux */
	struct addr signal;        /* where this leg's signalling comes from (port unused) */
	uint8_t latch;             /* enum cfg_latch */
	uint8_t behind_nat;        /* the SDP's address differs from `signal` */
	uint8_t send, receive;     /* towards/from this leg's remote: hold sets them 0; packets are dropped, not counted as lost */
	uint8_t mux, kind, dscp;   /* rtcp-mux agreed; enum media_kind; DSCP byte to set */
	uint8_t local;             /* index into media.addresses */
	uint32_t clock_rate;       /* of the first codec, for jitter; 0: 8000 */
	uint8_t tone;              /* enum media_tone: the relay plays the ring-back tone to this leg's remote; nothing else is sent there */
	uint8_t tone_payload;      /* RTP payload type of its packets */
	uint8_t secure;            /* SRTP: nothing behind the first header of a packet can be read */
	uint8_t pad[5];
	uint64_t tone_ms;          /* clock_ms() of its start */
};
struct media_leg {
	struct slot slot;          /* `generation` names this life of the pair */
	uint64_t freed_ms;         /* W: owner; when it was given back */
	uint32_t call_slot, call_generation; /* W: owner while FILLING */
	struct media_want want[2];
};

/* All in the media worker's region; W: media. A flow belongs to one life of its leg: `generation` says which; when it
 * differs from the leg's the relay starts the flow anew. Readers: copy, then compare `version` (even, unchanged). */
struct media_flow {
	uint32_t version;                  /* odd while being written: statistics may tear, nothing else depends on it */
	uint32_t generation;               /* of the media_leg these figures belong to */
	uint32_t epoch;                    /* of the want that was latched */
	uint32_t latched;                  /* 0 open, 1 latched; the address below counts only when 1 */
	struct addr rtp, rtcp;             /* where this leg's packets really come from, and ours go to */
	uint64_t latched_ms;
	uint64_t first_ms, last_ms;        /* first and last accepted packet (RTP only), CLOCK_MONOTONIC */
	uint64_t packets, bytes;           /* accepted RTP from this leg's remote; bytes of RTP packets, without IP and UDP */
	uint64_t rtcp_packets;
	uint64_t sent;                     /* packets sent to this leg's remote */
	uint64_t dropped_source, dropped_bad, dropped_hold, dropped_unready;
	uint32_t ssrc, ssrc_changes;
	uint32_t base_seq, max_seq, cycles, received_prior; /* RFC 3550 appendix A.1, of the current SSRC */
	uint64_t lost_before;              /* lost with earlier SSRCs */
	uint32_t received;                 /* with the current SSRC */
	uint32_t jitter_q4;                /* jitter in timestamp units * 16 */
	int64_t transit;
	uint32_t clock_rate;
	uint32_t payload_type;             /* of the last packet */
};
/* consistent copy of statistics; 0, -ENOENT (generation differs: nothing received in this life), -EBUSY */
int media_flow_read(const struct media_flow *f, uint32_t generation, struct media_flow *ret_flow);
uint64_t media_flow_lost(const struct media_flow *f);      /* expected less received, never negative */
uint32_t media_flow_jitter_us(const struct media_flow *f);
#endif
