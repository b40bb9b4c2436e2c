#include "media-proxy/packet.h"
#include "media-proxy/flow.h"
#include "media-proxy/latch.h"

/* a packet as it was read; `rtp` and `stats` only for RTP */
struct reading {
	bool second;	 /* came to the odd port of the pair */
	bool rtcp;	 /* by port or by packet type */
	bool bad;	 /* not what the leg's kind asks for */
	bool continuous; /* carries on the stream of the leg */
	struct rtp rtp;
	struct rtp_stats stats;
};

static void count_drop(const struct media_flow *f, const uint64_t *counter)
{
	flow_begin(f);
	stat_add(counter, 1);
	flow_end(f);
}

static void read_packet(const struct pair *p, const struct packet *k, struct reading *ret)
{
	*ret = (struct reading){ .second = k->port & 1 };
	if (p->want.kind != MEDIA_RTP) {
		ret->rtcp = ret->second;
		return;
	}
	flow_load(p->flow, &ret->stats);
	ret->stats.clock_rate = p->want.clock_rate ? p->want.clock_rate : 8000;
	ret->stats.bad_seq = p->bad_seq;
	ret->stats.timestamp = p->timestamp;
	ret->rtcp = ret->second || rtp_is_rtcp(k->data, k->n);
	if (ret->rtcp) {
		uint32_t ssrc;
		ret->bad = rtcp_parse(k->data, k->n, &ssrc) < 0;
		/* has no sequence: it may carry its own address along, not that of the media it shares a port with */
		ret->continuous = ret->second && !ret->bad && ret->stats.received && ssrc == ret->stats.ssrc;
	} else {
		ret->bad = rtp_parse(k->data, k->n, &ret->rtp) < 0;
		ret->continuous = !ret->bad && rtp_continues(&ret->stats, &ret->rtp);
	}
}

static uint64_t since(uint64_t now, uint64_t then)
{
	return now > then ? now - then : 0;
}

static enum latch_verdict judge(const struct pair *p, const struct packet *k, const struct reading *r)
{
	const struct media_flow *f = p->flow;
	struct latch l = {
		.signalled = r->second ? &p->want.remote_rtcp : &p->want.remote_rtp,
		.signal = &p->want.signal,
		.age_ms = since(k->now_ns / 1000000, r->second ? p->rtcp_latched_ms : f->latched_ms),
		.mode = p->want.latch,
		.behind_nat = p->want.behind_nat,
		.continuous = r->continuous,
	};
	if (r->second)
		l.latched = f->rtcp.family ? &f->rtcp : NULL;
	else
		l.latched = f->latched ? &f->rtp : NULL;
	return latch_decide(&l, &k->source);
}

static void take_source(struct pair *p, const struct packet *k, const struct reading *r, enum latch_verdict v)
{
	uint64_t ms = k->now_ns / 1000000;
	if (v == SOURCE_KNOWN)
		return;
	if (!r->second) {
		flow_latch(p->flow, &k->source, v == SOURCE_FIRST ? ms : 0);
		return;
	}
	flow_latch_rtcp(p->flow, &k->source);
	if (v == SOURCE_FIRST)
		p->rtcp_latched_ms = ms;
}

/* On hold the sequence goes on being followed, so that what is dropped is not taken for lost. */
static bool count_accepted(struct pair *p, const struct packet *k, struct reading *r)
{
	const struct media_flow *f = p->flow;
	bool held = !p->want.receive && !r->rtcp;
	uint64_t ms = k->now_ns / 1000000;
	flow_begin(f);
	if (r->rtcp) {
		stat_add(&f->rtcp_packets, 1);
	} else if (p->want.kind == MEDIA_RTP) {
		rtp_count(&r->stats, &r->rtp, k->now_ns);
		flow_store(f, &r->stats);
		commit_u32(&f->payload_type, r->rtp.payload_type);
		p->bad_seq = r->stats.bad_seq;
		p->timestamp = r->stats.timestamp;
	}
	if (held) {
		stat_add(&f->dropped_hold, 1);
	} else if (!r->rtcp) {
		if (!f->first_ms)
			stat_set(&f->first_ms, ms);
		stat_set(&f->last_ms, ms);
		stat_add(&f->packets, 1);
		stat_add(&f->bytes, k->n);
	}
	flow_end(f);
	return !held;
}

bool packet_depart(const struct pair_table *t, uint32_t number, const struct pair *p, bool rtcp, struct departure *ret_departure)
{
	const struct media_want *w = &p->want;
	const struct media_flow *f = p->flow;
	bool second = rtcp && !w->mux, latched = second ? f->rtcp.family != 0 : f->latched != 0;
	if (latched && w->latch != LATCH_OFF)
		ret_departure->to = second ? f->rtcp : f->rtp;
	else
		ret_departure->to = second ? w->remote_rtcp : w->remote_rtp;
	ret_departure->address = w->local;
	ret_departure->from = t->address[w->local];
	ret_departure->from.port = (uint16_t)(t->low + 2 * number + second);
	ret_departure->dscp = w->dscp;
	return ret_departure->to.family == ret_departure->from.family && ret_departure->to.port && !addr_is_any(&ret_departure->to);
}

static bool is_ours(const struct pair_table *t, const struct addr *a)
{
	if (pair_of_port(t, a->port) == PAIR_NONE)
		return false;
	for (uint32_t i = 0; i < t->n_addresses; i++)
		if (addr_same_ip(a, &t->address[i]))
			return true;
	return false;
}

/* the same for all streams of a call, so that sound and picture stay together */
static uint64_t names_of(const struct media_leg *l)
{
	uint64_t seed = ((uint64_t)l->call_generation << 32 | l->call_slot) * 0x9e3779b97f4a7c15ull;
	return (seed ^ seed >> 29) | 1;
}

static bool forward(
	struct pair_table *t, uint32_t number, const struct packet *k, bool rtcp, struct departure *ret_departure)
{
	const struct pair *p = &t->pair[number / t->workers];
	/* the other leg must mean us too: a leg that was given up may still name a pair that has another call by now */
	struct pair *peer = pair_get(t, p->want.peer);
	if (!peer || peer->want.peer != number || !packet_depart(t, p->want.peer, peer, rtcp, ret_departure)) {
		count_drop(p->flow, &p->flow->dropped_unready);
		return false;
	}
	/* Two calls of ours may be joined outside, but what came from ourselves does not go to ourselves: SDPs that name our own
	 * ports could make a circle in which a packet runs for ever. */
	if (is_ours(t, &k->source) && is_ours(t, &ret_departure->to)) {
		count_drop(p->flow, &p->flow->dropped_source);
		return false;
	}
	ret_departure->names = rtcp && p->want.kind == MEDIA_RTP && !p->want.secure ? names_of(p->leg) : 0;
	if (rtcp)
		return true;
	if (!peer->want.send || peer->want.tone) { /* held, or hears the tone until the callee's answer is there */
		count_drop(p->flow, peer->want.send ? &p->flow->dropped_unready : &p->flow->dropped_hold);
		return false;
	}
	flow_begin(peer->flow);
	stat_add(&peer->flow->sent, 1);
	flow_end(peer->flow);
	return true;
}

bool packet_route(struct pair_table *t, const struct packet *k, struct departure *ret_departure)
{
	uint32_t number = pair_of_port(t, k->port);
	struct pair *p = pair_get(t, number);
	if (!p || p->want.local != k->address)
		return false;
	struct reading r;
	CRASHMARK("packet", k->data, k->n);
	read_packet(p, k, &r);
	enum latch_verdict v = judge(p, k, &r);
	if (v == SOURCE_REFUSED || r.bad) {
		count_drop(p->flow, v == SOURCE_REFUSED ? &p->flow->dropped_source : &p->flow->dropped_bad);
		return false;
	}
	take_source(p, k, &r, v);
	return count_accepted(p, k, &r) && forward(t, number, k, r.rtcp, ret_departure);
}
