/* Stores into media_flow, all in this worker's own region. A reader copies and compares `version`; a successor finds each
 * record as the last completed store left it: an address counts only once its flag (latched, rtcp.family) was stored. */
#ifndef TANDEM_MEDIA_PROXY_FLOW_H
#define TANDEM_MEDIA_PROXY_FLOW_H
#include "media-proxy/rtp.h"
#include "shm/media.h"

/* brackets around any stores of statistics: version odd, then even */
void flow_begin(const struct media_flow *f);
void flow_end(const struct media_flow *f);
void flow_repair(const struct media_flow *f); /* after a death: version even again */

void flow_start(const struct media_flow *f, uint32_t generation, uint32_t epoch); /* a new life of the leg: all zero, open */
void flow_open(const struct media_flow *f, uint32_t epoch);                        /* opens the latch, keeps the figures */
void flow_latch(const struct media_flow *f, const struct addr *source, uint64_t now_ms); /* 0: keep the time of the first */
void flow_latch_rtcp(const struct media_flow *f, const struct addr *source);

static inline void flow_load(const struct media_flow *f, struct rtp_stats *s)
{
	s->ssrc = f->ssrc;
	s->ssrc_changes = f->ssrc_changes;
	s->base_seq = f->base_seq;
	s->max_seq = f->max_seq;
	s->cycles = f->cycles;
	s->received = f->received;
	s->lost_before = f->lost_before;
	s->jitter_q4 = f->jitter_q4;
	s->transit = f->transit;
}
void flow_store(const struct media_flow *f, const struct rtp_stats *s);
#endif
