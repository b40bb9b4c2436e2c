/* The reader and rewriter of session descriptions against any text. The first byte chooses how it is rewritten. Beyond "no
 * crash": what is written can be read, says what was asked for, names no candidate, and does not change when it is
 * rewritten once more. */
#include "signaling/sdp.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define RELAYED	   1u
#define KEEP_PORTS 2u
#define SIX	   4u
#define RTCP	   8u
#define REFUSE	   16u

static struct sdp first, second;
static char once[1 << 17], twice[1 << 18];

static void require(bool fact)
{
	if (!fact)
		abort();
}

static struct sdp_rewrite choose(uint8_t how)
{
	struct sdp_rewrite r = {
		.session_id = 77, .version = how, .relayed = how & RELAYED, .keep_ports = how & KEEP_PORTS
	};
	require(addr_parse(how & SIX ? SPAN("2001:db8::77") : SPAN("198.51.100.77"), &r.address) == 0);
	for (unsigned i = 0; i < SDP_MEDIA; i++) {
		r.port[i] = (uint16_t)(how & REFUSE && i % 2 ? 0 : 20000 + 2 * i);
		r.rtcp_port[i] = (uint16_t)(how & RTCP ? 30000 + i : 0);
	}
	return r;
}

static void ask(const struct sdp *s)
{
	struct span codec = sdp_codec(s);
	require(s->n_media <= SDP_MEDIA && codec.n <= s->body.n + 8);
	(void)sdp_on_hold(s);
	for (uint32_t i = 0; i < s->n_media; i++) {
		const struct sdp_media *m = &s->media[i];
		require(m->n_formats >= 1 && m->n_formats <= SDP_FORMATS && m->n_rtpmaps <= SDP_RTPMAPS);
		for (uint32_t k = 0; k < m->n_formats; k++)
			(void)sdp_encoding(m, m->format[k]);
	}
}

static void compare(const struct sdp_rewrite *r)
{
	require(first.n_media == second.n_media);
	for (uint32_t i = 0; i < first.n_media; i++) {
		const struct sdp_media *a = &first.media[i], *b = &second.media[i];
		require(span_eq(a->media, b->media) && span_eq(a->formats, b->formats) && a->direction == b->direction);
		if (!r->relayed)
			continue;
		require(!b->ice && b->port == (a->port && r->port[i] ? r->port[i] : 0));
		require(b->hold_address || addr_same_ip(&b->address, &r->address));
		if (b->port && r->rtcp_port[i])
			require(b->rtcp.port == r->rtcp_port[i] && addr_same_ip(&b->rtcp, &r->address));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n == 0 || n > 65535)
		return 0;
	const struct sdp_rewrite r = choose(data[0]);
	memset(&first, 0xa5, sizeof(first));
	memset(&second, 0xa5, sizeof(second));
	if (sdp_read((struct span){ (const char *)data + 1, n - 1 }, &first) < 0) {
		require(first.error_line > 0);
		return 0;
	}
	ask(&first);
	struct out o = out_init(once, data[0] & 128 ? n / 2 : sizeof(once)), o2 = out_init(twice, sizeof(twice));
	if (sdp_write(&first, &r, &o) < 0) {
		require(data[0] & 128 || n > 16384);
		return 0;
	}
	require(sdp_read(out_done(&o), &second) == 0);
	compare(&r);
	require(sdp_write(&second, &r, &o2) == 0 && span_eq(out_done(&o), out_done(&o2)));
	return 0;
}
