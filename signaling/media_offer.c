#include "signaling/media_offer.h"
#include "signaling/codec.h"
#include "signaling/ingress.h"
#include "signaling/media_pool.h"
#include <errno.h>

#define BODY_BYTES 32768u

static struct sdp parsed;           /* large; one process works on one body at a time */
static char body_text[BODY_BYTES];

bool media_relayed(const struct work *w, const struct cfg_routing_gateway *gw)
{
	const struct config *c = w->g->c;
	uint32_t in = ingress_media(c, w->call->ingress);
	uint32_t mode = in > gw->media ? in : gw->media;
	if (mode != MEDIA_AUTO)
		return mode == MEDIA_MUST || mode == MEDIA_ON;
	return w->s.leg[LEG_CALLER].source.family != w->s.leg[LEG_CALLEE].target.family ||
	       (c->param[P_SS_MEDIA_PROXY_BEHIND_NAT] && (w->s.leg[LEG_CALLER].behind_nat || w->s.leg[LEG_CALLEE].behind_nat));
}

static const struct addr *media_address(const struct config *c, uint32_t i)
{
	return CFG_LIST(c, &c->media.addresses, struct addr) + (i < c->media.addresses.n ? i : 0);
}

static uint8_t address_of_family(const struct config *c, uint8_t family)
{
	for (uint32_t i = 0; i < c->media.addresses.n; i++)
		if (media_address(c, i)->family == family)
			return (uint8_t)i;
	return 0;
}

static uint32_t leg_latch(const struct work *w, enum call_leg_side leg)
{
	const struct config *c = w->g->c;
	if (leg == LEG_CALLER)
		return w->call->ingress < c->mapping_gateways.n ? cfg_mapping(c, w->call->ingress)->latch : c->media.latch;
	return w->s.gateway < c->routing_gateways.n ? cfg_routing(c, w->s.gateway)->latch : c->media.latch;
}

static uint32_t clock_rate(const struct sdp_media *m)
{
	uint32_t payload = 0;
	if (!m->n_formats)
		return 8000;
	for (size_t i = 0; i < m->format[0].n && m->format[0].p[i] >= '0' && m->format[0].p[i] <= '9'; i++)
		payload = payload * 10 + (uint32_t)(m->format[0].p[i] - '0');
	for (uint32_t i = 0; i < m->n_rtpmaps; i++)
		if (m->rtpmap[i].payload == payload && m->rtpmap[i].clock)
			return m->rtpmap[i].clock;
	return 8000;
}

/* what the relay must know of leg `from` after this m= line */
static void want_from(struct work *w, enum call_leg_side from, uint32_t stream, const struct sdp_media *m)
{
	struct media_want want = *media_wanted(w, from, stream);
	const struct call_leg *leg = &w->s.leg[from];
	bool known = want.remote_rtp.family != 0;
	want.signal = leg->source;
	want.signal.port = 0;
	want.latch = (uint8_t)leg_latch(w, from);
	want.kind = m->transport == SDP_PROTO_RTP || m->transport == SDP_PROTO_SRTP ? MEDIA_RTP : MEDIA_UDPTL;
	want.secure = m->transport == SDP_PROTO_SRTP;
	want.dscp = (uint8_t)w->g->c->param[P_SS_QOS_RTP];
	want.clock_rate = clock_rate(m);
	want.mux = m->rtcp_mux;
	want.send = want.receive = 1;
	if (m->hold_address) {
		want.send = 0; /* the address before the hold stays, for when it ends */
	} else if (m->address.family) {
		if (known && !addr_eq(&want.remote_rtp, &m->address))
			want.epoch++;
		want.remote_rtp = m->address;
		want.remote_rtcp = m->rtcp_mux ? m->address : m->rtcp;
		want.behind_nat = !addr_same_ip(&m->address, &leg->source);
		want.local = address_of_family(w->g->c, m->address.family);
	}
	media_want(w, from, stream, &want);
}

/* ports of stream `i` on both legs, taken when the line is first used */
static int stream_ports(struct work *w, enum call_leg_side to, uint32_t i)
{
	if (w->s.leg[to].media[i])
		return 0;
	int r = media_take(w, i);
	if (r < 0)
		return r;
	for (int leg = 0; leg < 2; leg++) {
		struct media_want want = *media_wanted(w, (enum call_leg_side)leg, i);
		want.local = address_of_family(w->g->c, w->s.leg[leg].target.family);
		want.signal = w->s.leg[leg].source;
		want.latch = (uint8_t)leg_latch(w, (enum call_leg_side)leg);
		want.send = want.receive = 1;
		media_want(w, (enum call_leg_side)leg, i, &want);
	}
	return 0;
}

/* media.advertise, where it fits, instead of one of ours */
static struct addr advertised(const struct config *c, const struct addr *own)
{
	struct addr a;
	bool fits = c->media.advertise.n && addr_parse(cfg_span(c, c->media.advertise), &a) == 0 && a.family == own->family;
	return fits ? a : *own;
}

static int fill_relayed(struct work *w, enum call_leg_side from, struct sdp_rewrite *r, bool apply)
{
	enum call_leg_side to = from == LEG_CALLER ? LEG_CALLEE : LEG_CALLER;
	r->relayed = true;
	for (uint32_t i = 0; i < parsed.n_media && i < CALL_STREAMS; i++) {
		if (!parsed.media[i].port)
			continue;
		int e = stream_ports(w, to, i);
		if (e < 0)
			return e;
		if (apply)
			want_from(w, from, i, &parsed.media[i]);
		r->port[i] = media_port(w, to, i);
		r->address = *media_address(w->g->c, media_wanted(w, to, i)->local);
	}
	if (!r->address.family)
		r->address = *media_address(w->g->c, address_of_family(w->g->c, w->s.leg[to].target.family));
	r->address = advertised(w->g->c, &r->address);
	return 0;
}

static uint64_t session_id(const struct work *w, enum call_leg_side to)
{
	return hash_sip(&w->g->private_key, &w->call->id, sizeof w->call->id) % 1000000000u * 2 + to;
}

static enum call_text_id sent_to(enum call_leg_side leg)
{
	return leg == LEG_CALLER ? TEXT_SDP_TO_CALLER : TEXT_SDP_TO_CALLEE;
}

static int write_body(struct work *w, enum call_leg_side to, struct sdp_rewrite *r, struct body *ret_body)
{
	enum call_text_id last_id = sent_to(to);
	struct span last = work_text(w, last_id);
	struct call_leg *leg = &w->s.leg[to];
	for (int again = 0; again < 2; again++) { /* a changed body gets the next version (RFC 3264 section 8) */
		struct out o = out_init(body_text, sizeof body_text);
		r->version = leg->sdp_version;
		int e = sdp_write(&parsed, r, &o);
		if (e < 0)
			return e;
		*ret_body = (struct body){ SPAN("application/sdp"), out_done(&o) };
		if (!last.n || span_eq(last, ret_body->text))
			break;
		if (!again)
			leg->sdp_version++;
	}
	work_put(w, last_id, ret_body->text);
	return 0;
}

int media_own_answer(struct work *w, uint32_t stream, struct span lines, struct body *ret_body)
{
	struct span last = work_text(w, TEXT_SDP_TO_CALLER);
	struct call_leg *leg = &w->s.leg[LEG_CALLER];
	struct addr own = advertised(w->g->c, media_address(w->g->c, media_wanted(w, LEG_CALLER, stream)->local));
	struct span family = own.family == 6 ? SPAN("IN IP6 ") : SPAN("IN IP4 ");
	for (int again = 0; again < 2; again++) {
		struct out o = out_init(body_text, sizeof body_text);
		out_lit(&o, "v=0\r\no=- ");
		out_u64(&o, session_id(w, LEG_CALLER));
		out_char(&o, ' ');
		out_u64(&o, leg->sdp_version);
		out_char(&o, ' ');
		out_span(&o, family);
		out_ip(&o, &own);
		out_lit(&o, "\r\ns=-\r\nc=");
		out_span(&o, family);
		out_ip(&o, &own);
		out_lit(&o, "\r\nt=0 0\r\n");
		out_span(&o, lines);
		if (o.full)
			return -EMSGSIZE;
		*ret_body = (struct body){ SPAN("application/sdp"), out_done(&o) };
		if (!last.n || span_eq(last, ret_body->text))
			break;
		if (!again)
			leg->sdp_version++;
	}
	work_put(w, TEXT_SDP_TO_CALLER, ret_body->text);
	return 0;
}

static int read_body(const struct work *w, struct span sdp)
{
	const struct config *c = w->g->c;
	if (sdp.n > c->sip.max_sdp)
		return -E2BIG;
	int e = sdp_read(sdp, &parsed);
	return e == 0 && parsed.n_media > c->sip.max_media_lines ? -E2BIG : e;
}

static uint64_t body_hash(const struct work *w, struct span sdp)
{
	uint64_t h = hash_sip(&w->g->private_key, sdp.p, sdp.n);
	return h ? h : 1;
}

/* `parsed`, read from `sdp`, is what leg `from` says from now on */
static void counts(struct work *w, enum call_leg_side from, struct span sdp)
{
	struct call_leg *leg = &w->s.leg[from];
	bool held = leg->on_hold;
	leg->streams = (uint8_t)parsed.n_media;
	leg->on_hold = sdp_on_hold(&parsed);
	leg->sdp_hash = body_hash(w, sdp);
	if (!held || leg->on_hold)
		return;
	w->s.media_from = w->now; /* the silence of the hold is none */
	if (w->s.media_at)
		w->s.media_at = w->now + w->g->c->media.timeout;
}

/* `*sdp` as the gateway's list of codecs leaves it: the original, or in a buffer of its own */
static int filter(const struct work *w, const struct cfg_routing_gateway *gw, struct span *sdp)
{
	static char text[BODY_BYTES];
	struct span names[CODECS_MAX];
	uint32_t n = gw->codecs.n < CODECS_MAX ? gw->codecs.n : CODECS_MAX;
	const struct cfg_text *t = CFG_LIST(w->g->c, &gw->codecs, struct cfg_text);
	struct out o = out_init(text, sizeof text);
	if (!n)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		names[i] = cfg_span(w->g->c, t[i]);
	int r = codec_filter(*sdp, names, n, &o);
	if (r == 0)
		*sdp = out_done(&o);
	return r;
}

bool media_has_codec(const struct work *w, const struct cfg_routing_gateway *gw)
{
	struct span offer = work_text(w, TEXT_OFFER);
	return !gw->codecs.n || !offer.n || filter(w, gw, &offer) != -ENOTSUP;
}

struct span media_offer_left(const struct work *w)
{
	struct span offer = work_text(w, TEXT_OFFER);
	if (offer.n && w->s.gateway < w->g->c->routing_gateways.n && filter(w, cfg_routing(w->g->c, w->s.gateway), &offer) < 0)
		return (struct span){ 0 };
	return offer;
}

static int carry(struct work *w, enum call_leg_side from, struct span sdp, struct body *ret_body, bool apply)
{
	enum call_leg_side to = from == LEG_CALLER ? LEG_CALLEE : LEG_CALLER;
	struct span came = sdp;
	int e = w->s.gateway < w->g->c->routing_gateways.n ? filter(w, cfg_routing(w->g->c, w->s.gateway), &sdp) : 0;
	if (e == 0)
		e = read_body(w, sdp);
	if (e < 0)
		return e;
	struct sdp_rewrite r = { .session_id = session_id(w, to), .keep_ports = true };
	if (w->s.relayed) {
		e = fill_relayed(w, from, &r, apply);
		if (e < 0)
			return e;
	} else {
		const struct addr *own = &w->g->listen[w->s.leg[to].listen].addr;
		r.address = addr_is_any(own) ? *media_address(w->g->c, address_of_family(w->g->c, own->family)) : *own;
	}
	if (apply)
		counts(w, from, came);
	if (from == LEG_CALLEE && !work_text(w, TEXT_CODEC).n)
		work_put(w, TEXT_CODEC, sdp_codec(&parsed));
	return write_body(w, to, &r, ret_body);
}

int media_carry(struct work *w, enum call_leg_side from, struct span sdp, struct body *ret_body)
{
	return carry(w, from, sdp, ret_body, true);
}

int media_carry_offer(struct work *w, enum call_leg_side from, struct span sdp, struct body *ret_body)
{
	enum call_leg_side to = from == LEG_CALLER ? LEG_CALLEE : LEG_CALLER;
	work_put(w, TEXT_REOFFER, sdp);
	work_put(w, TEXT_SDP_BEFORE, work_text(w, sent_to(to)));
	return carry(w, from, sdp, ret_body, false);
}

/* the relay learns what leg `from` said in `sdp` */
static void apply(struct work *w, enum call_leg_side from, struct span sdp)
{
	if (!sdp.n || read_body(w, sdp) < 0)
		return;
	counts(w, from, sdp);
	for (uint32_t i = 0; w->s.relayed && i < parsed.n_media && i < CALL_STREAMS; i++)
		if (parsed.media[i].port && media_wanted(w, from, i))
			want_from(w, from, i, &parsed.media[i]);
}

void media_accept(struct work *w, enum call_leg_side offerer)
{
	apply(w, offerer, work_text(w, TEXT_REOFFER));
	work_put(w, TEXT_REOFFER, (struct span){ 0 });
	work_put(w, TEXT_SDP_BEFORE, (struct span){ 0 });
}

void media_refuse(struct work *w, enum call_leg_side to)
{
	if (work_text(w, TEXT_SDP_BEFORE).n)
		work_put(w, sent_to(to), work_text(w, TEXT_SDP_BEFORE));
	work_put(w, TEXT_REOFFER, (struct span){ 0 });
	work_put(w, TEXT_SDP_BEFORE, (struct span){ 0 });
}

bool media_unchanged(const struct work *w, enum call_leg_side from, struct span sdp)
{
	return sdp.n && w->s.leg[from].sdp_hash == body_hash(w, sdp);
}

void media_refreshed(struct work *w, enum call_leg_side from, struct span sdp)
{
	if (!media_unchanged(w, from, sdp))
		apply(w, from, sdp);
}

void media_next_attempt(struct work *w)
{
	for (uint32_t i = 0; i < CALL_STREAMS; i++) {
		if (!w->s.leg[LEG_CALLEE].media[i])
			continue;
		struct media_want want = *media_wanted(w, LEG_CALLEE, i);
		want.epoch++;
		want.remote_rtp = want.remote_rtcp = (struct addr){ 0 };
		want.behind_nat = 0;
		want.latch = (uint8_t)leg_latch(w, LEG_CALLEE);
		want.signal = w->s.leg[LEG_CALLEE].target;
		media_want(w, LEG_CALLEE, i, &want);
	}
	work_put(w, TEXT_CODEC, (struct span){ 0 });
}

bool media_heard(const struct work *w, enum call_leg_side leg)
{
	struct media_flow f;
	for (uint32_t i = 0; i < CALL_STREAMS; i++)
		if (media_seen(w, leg, i, &f) == 0 && f.packets && f.epoch == media_wanted(w, leg, i)->epoch)
			return true;
	return false;
}
