#include "signaling/sdp.h"
#include <errno.h>

/* ---- lines and words ---- */

static struct span skip(struct span s, size_t n)
{
	return (struct span){ s.p + n, s.n - n };
}

static struct span trim(struct span s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = skip(s, 1);
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

/* Takes the next word and the blanks after it off `*rest`; n 0: none left. */
static struct span take_word(struct span *rest)
{
	struct span s = trim(*rest), word;
	size_t n = 0;
	while (n < s.n && s.p[n] != ' ' && s.p[n] != '\t')
		n++;
	word = (struct span){ s.p, n };
	*rest = trim(skip(s, n));
	return word;
}

static int number_of(struct span s, uint32_t max, uint32_t *ret_number)
{
	uint64_t v = 0;
	if (s.n == 0 || s.n > 10)
		return -EBADMSG;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -EBADMSG;
		v = v * 10 + (unsigned)(s.p[i] - '0');
	}
	if (v > max)
		return -EBADMSG;
	*ret_number = (uint32_t)v;
	return 0;
}

/* "name" or "name:value" */
static bool attribute(struct span text, struct span name, struct span *ret_value)
{
	if (text.n < name.n || strncasecmp(text.p, name.p, name.n) != 0)
		return false;
	if (text.n == name.n) {
		*ret_value = skip(text, text.n);
		return true;
	}
	if (text.p[name.n] != ':')
		return false;
	*ret_value = trim(skip(text, name.n + 1));
	return true;
}

/* "IN IP4 192.0.2.1/127"; a name is no error, but has no address */
static int read_connection(struct span value, struct addr *ret_addr)
{
	struct span net = take_word(&value), type = take_word(&value), text = take_word(&value);
	struct addr a = { 0 };
	bool six = span_ieq(type, SPAN("IP6"));
	if (!span_ieq(net, SPAN("IN")) || (!six && !span_ieq(type, SPAN("IP4"))) || text.n == 0)
		return -EBADMSG;
	const char *slash = memchr(text.p, '/', text.n);
	if (slash)
		text.n = (size_t)(slash - text.p);
	if (text.n && text.p[0] != '[' && addr_parse(text, &a) == 0) {
		if (six != (memchr(text.p, ':', text.n) != NULL) || a.port)
			return -EBADMSG;
		*ret_addr = a;
	} else {
		*ret_addr = (struct addr){ 0 };
	}
	return 0;
}

/* ---- reading ---- */

static int read_origin(struct sdp *s, struct span value)
{
	struct addr unused;
	if (s->origin.n)
		return -EBADMSG;
	s->origin = value;
	s->origin_user = take_word(&value);
	s->origin_id = take_word(&value);
	s->origin_version = take_word(&value);
	if (read_connection(value, &unused) < 0)
		return -EBADMSG;
	take_word(&value);
	take_word(&value);
	s->origin_address = take_word(&value);
	return 0;
}

static enum sdp_kind kind_of(struct span media)
{
	if (span_ieq(media, SPAN("audio")))
		return SDP_KIND_AUDIO;
	if (span_ieq(media, SPAN("video")))
		return SDP_KIND_VIDEO;
	return span_ieq(media, SPAN("image")) ? SDP_KIND_IMAGE : SDP_KIND_OTHER;
}

static enum sdp_proto proto_of(struct span proto)
{
	if (span_ieq(proto, SPAN("RTP/AVP")) || span_ieq(proto, SPAN("RTP/AVPF")))
		return SDP_PROTO_RTP;
	if (span_ieq(proto, SPAN("RTP/SAVP")) || span_ieq(proto, SPAN("RTP/SAVPF")) ||
		span_ieq(proto, SPAN("UDP/TLS/RTP/SAVP")) || span_ieq(proto, SPAN("UDP/TLS/RTP/SAVPF")))
		return SDP_PROTO_SRTP;
	return span_ieq(proto, SPAN("udptl")) ? SDP_PROTO_UDPTL : SDP_PROTO_OTHER;
}

/* "port" or "port/count" */
static int read_port(struct sdp_media *m, struct span text)
{
	const char *slash = memchr(text.p, '/', text.n);
	size_t n = slash ? (size_t)(slash - text.p) : text.n;
	uint32_t port, count = 1;
	if (number_of((struct span){ text.p, n }, 65535, &port) < 0)
		return -EBADMSG;
	if (slash && number_of(skip(text, n + 1), 65535, &count) < 0)
		return -EBADMSG;
	m->port = (uint16_t)port;
	m->port_count = (uint16_t)count;
	return 0;
}

static int read_media(struct sdp *s, struct span line)
{
	if (s->n_media == SDP_MEDIA)
		return -E2BIG;
	struct sdp_media *m = &s->media[s->n_media];
	struct span value = skip(line, 2), port, formats;
	memset(m, 0, offsetof(struct sdp_media, format)); /* the lists are counted */
	m->line = line;
	m->direction = s->direction;
	m->media = take_word(&value);
	port = take_word(&value);
	m->proto = take_word(&value);
	m->formats = formats = value;
	m->kind = kind_of(m->media);
	m->transport = proto_of(m->proto);
	if (m->formats.n == 0 || read_port(m, port) < 0)
		return -EBADMSG;
	while (m->n_formats < SDP_FORMATS && formats.n)
		m->format[m->n_formats++] = take_word(&formats);
	s->n_media++;
	return 0;
}

static bool read_direction(struct span text, enum sdp_direction *ret_direction)
{
	static const struct span name[] = { [SDP_SENDRECV] = SPAN("sendrecv"),
		[SDP_SENDONLY] = SPAN("sendonly"),
		[SDP_RECVONLY] = SPAN("recvonly"),
		[SDP_INACTIVE] = SPAN("inactive") };
	for (unsigned i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
		if (span_ieq(text, name[i])) {
			*ret_direction = (enum sdp_direction)i;
			return true;
		}
	}
	return false;
}

/* "8 PCMA/8000/1"; what cannot be read is not listed */
static void read_rtpmap(struct sdp_media *m, struct span value)
{
	uint32_t payload, clock = 0;
	struct span number = take_word(&value);
	if (m->n_rtpmaps == SDP_RTPMAPS || number_of(number, 127, &payload) < 0 || value.n == 0)
		return;
	const char *slash = memchr(value.p, '/', value.n);
	size_t n = slash ? (size_t)(slash - value.p) : value.n;
	if (slash) {
		struct span rate = skip(value, n + 1);
		const char *channels = memchr(rate.p, '/', rate.n);
		if (channels)
			rate.n = (size_t)(channels - rate.p);
		if (number_of(rate, UINT32_MAX, &clock) < 0)
			return;
	}
	m->rtpmap[m->n_rtpmaps++] = (struct sdp_rtpmap){ (uint8_t)payload, clock, { value.p, n } };
}

/* "53020" or "53020 IN IP4 192.0.2.1", RFC 3605 */
static int read_rtcp(struct sdp_media *m, struct span value)
{
	uint32_t port;
	if (number_of(take_word(&value), 65535, &port) < 0)
		return -EBADMSG;
	if (value.n && read_connection(value, &m->rtcp) < 0)
		return -EBADMSG;
	m->rtcp.port = (uint16_t)port;
	return 0;
}

static int read_attribute(struct sdp *s, struct sdp_media *m, struct span text)
{
	struct span value;
	uint32_t number;
	if (read_direction(text, m ? &m->direction : &s->direction) || !m)
		return 0;
	if (attribute(text, SPAN("rtpmap"), &value))
		read_rtpmap(m, value);
	else if (attribute(text, SPAN("ptime"), &value) && number_of(value, 65535, &number) == 0)
		m->ptime = (uint16_t)number;
	else if (attribute(text, SPAN("rtcp"), &value))
		return read_rtcp(m, value);
	else if (attribute(text, SPAN("rtcp-mux"), &value))
		m->rtcp_mux = true;
	else if (attribute(text, SPAN("candidate"), &value) || attribute(text, SPAN("ice-ufrag"), &value))
		m->ice = true;
	return 0;
}

static int read_line(struct sdp *s, struct span line)
{
	struct sdp_media *m = s->n_media ? &s->media[s->n_media - 1] : NULL;
	struct span value;
	if (line.n < 2 || line.p[1] != '=' || memchr(line.p, 0, line.n) || memchr(line.p, '\r', line.n))
		return -EBADMSG;
	value = trim(skip(line, 2));
	switch (line.p[0]) {
	case 'o':
		return m ? -EBADMSG : read_origin(s, value);
	case 's':
		s->session_name = value;
		return 0;
	case 'c':
		if (!m) {
			s->has_connection = true;
			return read_connection(value, &s->connection);
		}
		if (m->has_connection)
			return 0; /* several: a range of multicast addresses */
		m->has_connection = true;
		return read_connection(value, &m->address);
	case 'm':
		return read_media(s, line);
	case 'a':
		return read_attribute(s, m, value);
	default:
		return 0;
	}
}

static void finish_media(const struct sdp *s, struct sdp_media *m)
{
	if (!m->has_connection)
		m->address = s->connection;
	m->hold_address = m->address.family && addr_is_any(&m->address);
	m->address.port = m->port;
	uint16_t rtcp = m->rtcp.port;
	if (!rtcp && m->port)
		rtcp = m->rtcp_mux || m->port == 65535 ? m->port : (uint16_t)(m->port + 1);
	if (!m->rtcp.family)
		m->rtcp = m->address;
	m->rtcp.port = rtcp;
}

int sdp_read(struct span body, struct sdp *ret_sdp)
{
	struct sdp *s = ret_sdp;
	struct span rest = body;
	uint32_t number = 0;
	memset(s, 0, offsetof(struct sdp, media));
	s->error_line = 0;
	s->body = body;
	while (rest.n) {
		struct span line = span_line(&rest);
		int r = 0;
		number++;
		if (number == 1)
			r = span_eq(trim(line), SPAN("v=0")) ? 0 : -EBADMSG;
		else if (line.n)
			r = read_line(s, line);
		if (r < 0) {
			s->error_line = number;
			return r;
		}
	}
	if (s->origin.n == 0) {
		s->error_line = number + 1;
		return -EBADMSG;
	}
	for (uint32_t i = 0; i < s->n_media; i++)
		finish_media(s, &s->media[i]);
	return 0;
}

/* ---- writing ---- */

static void put_line(struct out *o, struct span line)
{
	out_span(o, line);
	out_lit(o, "\r\n");
}

static void put_address(struct out *o, const struct addr *a)
{
	if (a->family == 6)
		out_lit(o, "IN IP6 ");
	else
		out_lit(o, "IN IP4 ");
	out_ip(o, a);
}

static void put_connection(struct out *o, const struct addr *a)
{
	out_lit(o, "c=");
	put_address(o, a);
	out_lit(o, "\r\n");
}

static void put_origin(const struct sdp_rewrite *r, struct out *o)
{
	out_lit(o, "o=");
	out_span(o, r->origin_user.n ? r->origin_user : SPAN("-"));
	out_char(o, ' ');
	out_u64(o, r->session_id);
	out_char(o, ' ');
	out_u64(o, r->version);
	out_char(o, ' ');
	put_address(o, &r->address);
	out_lit(o, "\r\n");
}

static bool is_refused(const struct sdp *s, const struct sdp_rewrite *r, uint32_t i)
{
	return s->media[i].port == 0 || r->port[i] == 0;
}

static void put_media(const struct sdp *s, const struct sdp_rewrite *r, uint32_t i, struct out *o)
{
	const struct sdp_media *m = &s->media[i];
	out_lit(o, "m=");
	out_span(o, m->media);
	out_char(o, ' ');
	out_u64(o, is_refused(s, r, i) ? 0 : r->port[i]);
	out_char(o, ' ');
	out_span(o, m->proto);
	out_char(o, ' ');
	put_line(o, m->formats);
}

/* what may only follow the c= and b= lines: goes to the end of the section */
static void end_media(const struct sdp *s, const struct sdp_rewrite *r, uint32_t i, struct out *o)
{
	if (is_refused(s, r, i) || r->rtcp_port[i] == 0)
		return;
	out_lit(o, "a=rtcp:");
	out_u64(o, r->rtcp_port[i]);
	out_char(o, ' ');
	put_address(o, &r->address);
	out_lit(o, "\r\n");
}

/* Attributes that name an address of the peer, or that cannot hold through a relay. */
static bool is_dropped(struct span text)
{
	static const struct span names[] = { SPAN("rtcp"), SPAN("candidate"), SPAN("remote-candidates"),
		SPAN("end-of-candidates"), SPAN("source-filter"), SPAN("alt"), SPAN("tool") };
	struct span value;
	if (text.n >= 4 && strncasecmp(text.p, "ice-", 4) == 0)
		return true;
	if (attribute(text, SPAN("ssrc"), &value)) { /* its cname is user@host or a host's address (RFC 5576 6.1) */
		(void)take_word(&value);
		return value.n >= 5 && strncasecmp(value.p, "cname", 5) == 0;
	}
	if (attribute(text, SPAN("group"), &value)) /* one port for several lines: the relay has a port for each */
		return span_ieq(take_word(&value), SPAN("BUNDLE"));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (attribute(text, names[i], &value))
			return true;
	return false;
}

static void write_connection(struct span line, bool repeated, const struct sdp_rewrite *r, struct out *o)
{
	struct addr a;
	if (repeated)
		return;
	if (read_connection(trim(skip(line, 2)), &a) == 0 && a.family && addr_is_any(&a))
		put_line(o, line);
	else
		put_connection(o, &r->address);
}

static void write_relayed(const struct sdp *s, const struct sdp_rewrite *r, struct out *o)
{
	struct span rest = s->body;
	uint32_t media = 0; /* lines so far */
	bool connection = false;
	while (rest.n) {
		struct span line = span_line(&rest);
		if (line.n == 0)
			continue;
		switch (line.p[0]) {
		case 'o':
			put_origin(r, o);
			break;
		case 'c':
			write_connection(line, connection, r, o);
			connection = true;
			break;
		case 'm':
			if (media)
				end_media(s, r, media - 1, o);
			put_media(s, r, media, o);
			connection = false;
			if (!s->has_connection && !s->media[media].has_connection)
				put_connection(o, &r->address);
			media++;
			break;
		case 's': /* may name whoever made it, as a=tool does */
			out_lit(o, "s=-\r\n");
			break;
		case 'u': /* a page, an address, a number of the caller's: of no use to the stream */
		case 'e':
		case 'p':
			break;
		case 'a':
			if (!is_dropped(trim(skip(line, 2))))
				put_line(o, line);
			break;
		default:
			put_line(o, line);
		}
	}
	if (media)
		end_media(s, r, media - 1, o);
}

static void write_through(const struct sdp *s, const struct sdp_rewrite *r, struct out *o)
{
	struct span rest = s->body;
	uint32_t media = 0;
	while (rest.n) {
		struct span line = span_line(&rest);
		if (line.n == 0)
			continue;
		uint32_t i = line.p[0] == 'm' ? media++ : 0;
		if (line.p[0] == 'o')
			put_origin(r, o);
		else if (line.p[0] == 'm' && !r->keep_ports && is_refused(s, r, i))
			put_media(s, r, i, o);
		else
			put_line(o, line);
	}
}

int sdp_write(const struct sdp *s, const struct sdp_rewrite *r, struct out *o)
{
	if (r->relayed)
		write_relayed(s, r, o);
	else
		write_through(s, r, o);
	return o->full ? -EMSGSIZE : 0;
}

/* ---- questions ---- */

/* RFC 3551 tables 4 and 5 */
/* clang-format off */
static const char *const static_payload[] = {
	[0] = "PCMU", [3] = "GSM", [4] = "G723", [5] = "DVI4", [6] = "DVI4", [7] = "LPC", [8] = "PCMA", [9] = "G722",
	[10] = "L16", [11] = "L16", [12] = "QCELP", [13] = "CN", [14] = "MPA", [15] = "G728", [16] = "DVI4", [17] = "DVI4",
	[18] = "G729", [25] = "CelB", [26] = "JPEG", [28] = "nv", [31] = "H261", [32] = "MPV", [33] = "MP2T", [34] = "H263",
};
/* clang-format on */

struct span sdp_encoding(const struct sdp_media *m, struct span format)
{
	uint32_t payload;
	if (number_of(format, 127, &payload) < 0)
		return (struct span){ "", 0 };
	for (uint32_t i = 0; i < m->n_rtpmaps; i++)
		if (m->rtpmap[i].payload == payload)
			return m->rtpmap[i].encoding;
	if (payload >= sizeof(static_payload) / sizeof(static_payload[0]))
		return (struct span){ "", 0 };
	return span_of(static_payload[payload]);
}

struct span sdp_codec(const struct sdp *s)
{
	for (uint32_t i = 0; i < s->n_media; i++) {
		const struct sdp_media *m = &s->media[i];
		if (m->kind == SDP_KIND_AUDIO && m->port && m->n_formats)
			return sdp_encoding(m, m->format[0]);
	}
	return (struct span){ "", 0 };
}

bool sdp_on_hold(const struct sdp *s)
{
	bool active = false;
	for (uint32_t i = 0; i < s->n_media; i++) {
		const struct sdp_media *m = &s->media[i];
		if (m->port == 0)
			continue;
		active = true;
		if (!m->hold_address && m->direction != SDP_SENDONLY && m->direction != SDP_INACTIVE)
			return false;
	}
	return active;
}
