#include "signaling/codec.h"
#include <errno.h>

static struct sdp described; /* large; one body at a time */

struct kept { /* formats of the current m= line that stay */
	bool all, refused;
	uint32_t n;
	struct span format[SDP_FORMATS];
};

static void keep(const struct sdp_media *m, const struct span *names, size_t n, struct kept *k)
{
	*k = (struct kept){ .all = m->kind != SDP_KIND_AUDIO || !m->port };
	if (k->all || (m->transport != SDP_PROTO_RTP && m->transport != SDP_PROTO_SRTP)) {
		k->all = true;
		return;
	}
	for (size_t c = 0; c < n; c++)
		for (uint32_t i = 0; i < m->n_formats; i++)
			if (span_ieq(sdp_encoding(m, m->format[i]), names[c]) && k->n < SDP_FORMATS)
				k->format[k->n++] = m->format[i];
	k->refused = k->n == 0;
	for (uint32_t i = 0; !k->refused && i < m->n_formats; i++) {
		bool there = false;
		for (uint32_t f = 0; f < k->n; f++)
			there |= k->format[f].p == m->format[i].p;
		if (!there && span_ieq(sdp_encoding(m, m->format[i]), SPAN("telephone-event")) && k->n < SDP_FORMATS)
			k->format[k->n++] = m->format[i];
	}
}

/* "a=rtpmap:8 PCMA/8000", fmtp, rtcp-fb of a format that goes */
static bool describes_dropped(const struct kept *k, struct span line)
{
	static const struct span names[] = { SPAN("a=rtpmap:"), SPAN("a=fmtp:"), SPAN("a=rtcp-fb:") };
	for (size_t i = 0; !k->all && !k->refused && i < sizeof names / sizeof *names; i++) {
		if (!span_starts(line, names[i]))
			continue;
		struct span format = { line.p + names[i].n, line.n - names[i].n };
		while (format.n && format.p[0] == ' ')
			format = (struct span){ format.p + 1, format.n - 1 };
		const char *blank = memchr(format.p, ' ', format.n);
		format.n = blank ? (size_t)(blank - format.p) : format.n;
		for (uint32_t f = 0; f < k->n; f++)
			if (span_eq(k->format[f], format))
				return false;
		return !span_eq(format, SPAN("*"));
	}
	return false;
}

static void out_media(struct out *o, const struct sdp_media *m, const struct kept *k)
{
	if (k->all) {
		out_span(o, m->line);
		return;
	}
	out_lit(o, "m=");
	out_span(o, m->media);
	out_char(o, ' ');
	out_u64(o, k->refused ? 0 : m->port);
	if (m->port_count > 1 && !k->refused) {
		out_char(o, '/');
		out_u64(o, m->port_count);
	}
	out_char(o, ' ');
	out_span(o, m->proto);
	if (k->refused) {
		out_char(o, ' ');
		out_span(o, m->formats);
	}
	for (uint32_t i = 0; i < k->n; i++) {
		out_char(o, ' ');
		out_span(o, k->format[i]);
	}
}

int codec_filter(struct span sdp, const struct span *names, size_t n, struct out *o)
{
	struct span rest = sdp;
	struct kept k = { .all = true };
	uint32_t media = 0, with = 0, without = 0;
	int r = sdp_read(sdp, &described);
	if (r < 0)
		return r;
	while (rest.n) {
		struct span line = span_line(&rest);
		if (!line.n || describes_dropped(&k, line))
			continue;
		if (line.p[0] == 'm' && media < described.n_media) {
			keep(&described.media[media], names, n, &k);
			out_media(o, &described.media[media++], &k);
			with += !k.all && !k.refused;
			without += k.refused;
		} else {
			out_span(o, line);
		}
		out_lit(o, "\r\n");
	}
	if (without && !with)
		return -ENOTSUP;
	return o->full ? -EMSGSIZE : 0;
}
