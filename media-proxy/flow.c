#include "media-proxy/flow.h"

void flow_begin(const struct media_flow *f)
{
	commit_u32(&f->version, f->version + 1);
	cmm_smp_wmb(); /* no figure is stored before the version is odd */
}

void flow_end(const struct media_flow *f)
{
	commit_release_u32(&f->version, f->version + 1);
}

void flow_repair(const struct media_flow *f)
{
	if (f->version & 1)
		flow_end(f);
}

/* the generation goes last: until then the record belongs to no life, and a successor starts it again */
void flow_start(const struct media_flow *f, uint32_t generation, uint32_t epoch)
{
	size_t from = offsetof(struct media_flow, epoch);
	flow_begin(f);
	commit_release_u32(&f->generation, 0);
	commit_zero((const char *)f + from, sizeof(*f) - from);
	commit_u32(&f->epoch, epoch);
	commit_release_u32(&f->generation, generation);
	flow_end(f);
}

/* the epoch goes last: until then a successor opens the latch again */
void flow_open(const struct media_flow *f, uint32_t epoch)
{
	flow_begin(f);
	commit_release_u32(&f->latched, 0);
	commit_u8(&f->rtcp.family, 0);
	commit_release_u32(&f->epoch, epoch);
	flow_end(f);
}

void flow_latch(const struct media_flow *f, const struct addr *source, uint64_t now_ms)
{
	flow_begin(f);
	commit_release_u32(&f->latched, 0);
	commit_bytes(&f->rtp, source, sizeof(*source));
	if (now_ms)
		commit_u64(&f->latched_ms, now_ms);
	commit_release_u32(&f->latched, 1);
	flow_end(f);
}

void flow_latch_rtcp(const struct media_flow *f, const struct addr *source)
{
	flow_begin(f);
	commit_u8(&f->rtcp.family, 0);
	cmm_smp_wmb();
	commit_bytes(f->rtcp.ip, source->ip, sizeof(source->ip));
	commit_bytes(&f->rtcp.port, &source->port, sizeof(source->port));
	cmm_smp_wmb();
	commit_u8(&f->rtcp.family, source->family);
	flow_end(f);
}

/* between flow_begin() and flow_end(); what only changes with a new stream is compared first, to spare the stores */
void flow_store(const struct media_flow *f, const struct rtp_stats *s)
{
	if (s->received <= 1 || f->ssrc != s->ssrc) {
		commit_u32(&f->ssrc, s->ssrc);
		commit_u32(&f->ssrc_changes, s->ssrc_changes);
		commit_u32(&f->base_seq, s->base_seq);
		stat_set(&f->lost_before, s->lost_before);
	}
	commit_u32(&f->max_seq, s->max_seq);
	commit_u32(&f->cycles, s->cycles);
	commit_u32(&f->received, s->received);
	commit_u32(&f->jitter_q4, s->jitter_q4);
	commit_u64((const uint64_t *)&f->transit, (uint64_t)s->transit);
	commit_u32(&f->clock_rate, s->clock_rate);
}
