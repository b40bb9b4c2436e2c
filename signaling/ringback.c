#include "signaling/ringback.h"
#include "signaling/media_offer.h"
#include "signaling/media_pool.h"

static struct sdp offer;         /* large; one process works on one body at a time */
static char answer_text[4096];

struct choice {
	uint32_t stream;
	struct span format; /* as the offer numbers it */
	uint8_t payload;
	uint8_t tone;       /* enum media_tone */
};

static uint8_t tone_of(const struct sdp_media *m, struct span format)
{
	struct span name = sdp_encoding(m, format);
	for (uint32_t i = 0; i < m->n_rtpmaps; i++) /* G.711 at another rate is another codec */
		if (span_eq(m->rtpmap[i].encoding, name) && m->rtpmap[i].clock && m->rtpmap[i].clock != 8000)
			return MEDIA_TONE_NONE;
	if (span_ieq(name, SPAN("PCMA")))
		return MEDIA_TONE_ALAW;
	return span_ieq(name, SPAN("PCMU")) ? MEDIA_TONE_ULAW : MEDIA_TONE_NONE;
}

static uint8_t payload_of(struct span format)
{
	uint32_t v = 0;
	for (size_t i = 0; i < format.n; i++)
		v = v * 10 + (uint32_t)(format.p[i] - '0');
	return (uint8_t)v; /* sdp_encoding() knew it: 0 to 127 */
}

/* the first line of the offer that can hear a tone, and its first law */
static bool choose(const struct work *w, struct choice *ret_choice)
{
	for (uint32_t i = 0; i < offer.n_media && i < CALL_STREAMS; i++) {
		const struct sdp_media *m = &offer.media[i];
		bool hears = m->direction == SDP_SENDRECV || m->direction == SDP_RECVONLY;
		if (m->kind != SDP_KIND_AUDIO || m->transport != SDP_PROTO_RTP || !m->port || m->hold_address || !hears ||
		    !media_port(w, LEG_CALLER, i))
			continue;
		for (uint32_t k = 0; k < m->n_formats; k++) {
			uint8_t tone = tone_of(m, m->format[k]);
			if (tone == MEDIA_TONE_NONE)
				continue;
			*ret_choice = (struct choice){ i, m->format[k], payload_of(m->format[k]), tone };
			return true;
		}
	}
	return false;
}

static void write_chosen(struct out *o, const struct sdp_media *m, const struct choice *c)
{
	out_lit(o, "a=rtpmap:");
	out_span(o, c->format);
	out_span(o, c->tone == MEDIA_TONE_ALAW ? SPAN(" PCMA/8000\r\n") : SPAN(" PCMU/8000\r\n"));
	out_lit(o, "a=ptime:20\r\n");
	out_span(o, m->direction == SDP_RECVONLY ? SPAN("a=sendonly\r\n") : SPAN("a=sendrecv\r\n"));
}

/* the answer as lines behind t=: every line of the offer, all but the chosen one refused (RFC 3264 section 6) */
static void write_media(const struct work *w, struct out *o, const struct choice *c)
{
	for (uint32_t i = 0; i < offer.n_media; i++) {
		const struct sdp_media *m = &offer.media[i];
		bool chosen = i == c->stream;
		out_lit(o, "m=");
		out_span(o, m->media);
		out_char(o, ' ');
		out_u64(o, chosen ? media_port(w, LEG_CALLER, i) : 0);
		out_char(o, ' ');
		out_span(o, m->proto);
		out_char(o, ' ');
		out_span(o, chosen ? c->format : m->n_formats ? m->format[0] : SPAN("0"));
		out_lit(o, "\r\n");
		if (chosen)
			write_chosen(o, m, c);
	}
}

static void play(struct work *w, const struct choice *c)
{
	struct media_want want = *media_wanted(w, LEG_CALLER, c->stream);
	const struct message_tone m = { .pair = w->s.leg[LEG_CALLER].media[c->stream] - 1 };
	if (want.tone != c->tone || want.tone_payload != c->payload) {
		want.tone = c->tone;
		want.tone_payload = c->payload;
		want.tone_ms = w->now;
	}
	media_want(w, LEG_CALLER, c->stream, &want);
	w->s.ringback = (uint8_t)(c->stream + 1);
	/* only a hint: what is to be played is in the want. Lost with a full ring, the caller hears nothing, as without ring-back. */
	env_push(w->g->env, seat_of(ROLE_MEDIA, pair_media(w->g->c, m.pair)), MESSAGE_TONE, &m, sizeof m, NULL, 0);
}

/* an answer of our own; false: nothing in the offer can hear the tone */
static bool answer(struct work *w, struct body *ret_body)
{
	struct choice c;
	struct span text = media_offer_left(w); /* what the gateway will not answer with is no tone's codec either */
	if (!w->s.relayed || !text.n || sdp_read(text, &offer) < 0 || !choose(w, &c))
		return false;
	struct out o = out_init(answer_text, sizeof answer_text);
	write_media(w, &o, &c);
	bool had = work_text(w, TEXT_SDP_TO_CALLER).n > 0;
	uint32_t version = w->s.leg[LEG_CALLER].sdp_version;
	if (o.full || media_own_answer(w, c.stream, out_done(&o), ret_body) < 0)
		return false;
	if (had && w->s.leg[LEG_CALLER].sdp_version != version)
		w->s.early++; /* a second answer needs a dialog of its own */
	play(w, &c);
	return true;
}

bool ringback_provisional(struct work *w, uint16_t *code, struct body *body)
{
	const struct config *c = w->g->c;
	uint32_t mode = w->s.gateway < c->routing_gateways.n ? cfg_routing(c, w->s.gateway)->ringback_mode : RINGBACK_PASSTHROUGH;
	bool own = !body->text.n;
	if (mode == RINGBACK_PASSTHROUGH || (*code != 180 && *code != 183) || w->s.offer_pending)
		return false;
	if (own && (w->s.sdp_seen || w->s.ringback))
		*body = (struct body){ SPAN("application/sdp"), work_text(w, TEXT_SDP_TO_CALLER) };
	else if (own && !answer(w, body))
		return false;
	if (body->text.n)
		*code = mode == RINGBACK_183_SDP ? 183 : 180;
	return own;
}

void ringback_stop(struct work *w)
{
	uint32_t stream = w->s.ringback - 1u;
	if (!w->s.ringback)
		return;
	w->s.ringback = 0;
	const struct media_want *now = media_wanted(w, LEG_CALLER, stream);
	if (!now)
		return;
	struct media_want want = *now;
	want.tone = MEDIA_TONE_NONE;
	media_want(w, LEG_CALLER, stream, &want);
}
