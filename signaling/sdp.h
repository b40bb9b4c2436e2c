/* Session descriptions (RFC 8866): a bounded reader and a line-by-line rewriter that keeps what it does not know.
 * Spans point into the body that was read, which must outlive them. Time is linear in the body. No allocation.
 *
 * Example: relay the first stream, keep the rest
 *	struct sdp s;
 *	if (sdp_read(body, &s) < 0) ... 488 or 400 ...
 *	struct sdp_rewrite r = { .origin_user = SPAN("-"), .session_id = id, .version = v, .address = ours, .relayed = true };
 *	r.port[0] = 20000;
 *	sdp_write(&s, &r, &o); */
#ifndef TANDEM_SIGNALING_SDP_H
#define TANDEM_SIGNALING_SDP_H
#include "base/addr.h"
#include "base/out.h"
#include <stdint.h>

#define SDP_MEDIA   16u /* most m= lines that are read (sip.limits.media_lines may be lower) */
#define SDP_RTPMAPS 32u /* per m= line; more are passed on but not listed */
#define SDP_FORMATS 32u /* the same */

enum sdp_direction { SDP_SENDRECV, SDP_SENDONLY, SDP_RECVONLY, SDP_INACTIVE };
enum sdp_kind { SDP_KIND_OTHER, SDP_KIND_AUDIO, SDP_KIND_VIDEO, SDP_KIND_IMAGE };
enum sdp_proto { SDP_PROTO_OTHER, SDP_PROTO_RTP, SDP_PROTO_SRTP, SDP_PROTO_UDPTL };

struct sdp_rtpmap {
	uint8_t payload;
	uint32_t clock;
	struct span encoding;  /* "PCMA" */
};
struct sdp_media {
	struct span line;      /* the m= line without its end */
	struct span media, proto, formats; /* as written; formats: all of them, separated by blanks */
	enum sdp_kind kind;
	enum sdp_proto transport; /* RTP/AVP, AVPF; RTP/SAVP, SAVPF; udptl */
	uint16_t port;         /* 0: refused */
	uint16_t port_count;   /* of "port/count"; 1 */
	bool has_connection;   /* a c= of its own */
	struct addr address;   /* effective (its own c= or the session's) with the RTP port; family 0: a name, or none */
	struct addr rtcp;      /* from a=rtcp, else address and port + 1; port 0 with port 0 */
	bool rtcp_mux;
	bool ice;              /* candidates or ice-ufrag present */
	enum sdp_direction direction; /* of its own, else the session's; sendrecv */
	bool hold_address;     /* c= 0.0.0.0 (RFC 2543 hold) */
	uint16_t ptime;        /* ms; 0: not given */
	uint32_t n_formats, n_rtpmaps;
	struct span format[SDP_FORMATS];
	struct sdp_rtpmap rtpmap[SDP_RTPMAPS];
};
struct sdp {
	struct span body;
	struct span origin;    /* value of o= */
	struct span origin_user, origin_id, origin_version, origin_address;
	struct span session_name;
	bool has_connection;
	struct addr connection; /* session level; family 0: a name, or none */
	enum sdp_direction direction;
	uint32_t n_media;
	struct sdp_media media[SDP_MEDIA];
	uint32_t error_line;   /* after -EBADMSG or -E2BIG: counted from 1 */
};

struct sdp_rewrite {
	struct span origin_user; /* n 0: "-" */
	uint64_t session_id;
	uint64_t version;
	struct addr address;   /* ours, into o= and, when relayed, c=; port not used */
	bool relayed;          /* c=, m= ports and a=rtcp become ours, s= becomes "-", ICE, a=tool, u=, e= and p= go; else o= alone is ours and the rest stays.
	                        * c= 0.0.0.0 stays in any case: it means hold, not an address */
	bool keep_ports;       /* not relayed: `port` does not matter, no line is refused */
	uint16_t port[SDP_MEDIA];      /* of each m= line; 0: the line is refused (its port becomes 0). A line whose port is 0
	                                * already stays so. Not relayed: others than 0 leave the line as it is */
	uint16_t rtcp_port[SDP_MEDIA]; /* 0: port + 1, needs no a=rtcp line */
};

/* 0; -EBADMSG: malformed; -E2BIG: more than SDP_MEDIA m= lines. *ret_sdp.error_line tells where. */
int sdp_read(struct span body, struct sdp *ret_sdp);
/* 0, or -EMSGSIZE when it does not fit into `o` */
int sdp_write(const struct sdp *s, const struct sdp_rewrite *r, struct out *o);
/* encoding name of the first format of the first audio line that is not refused: "PCMA"; n 0: none or unknown */
struct span sdp_codec(const struct sdp *s);
/* encoding name of a format of a line: its rtpmap, else the static table of RFC 3551; n 0: unknown */
struct span sdp_encoding(const struct sdp_media *m, struct span format);
/* the session has an active stream, and all of them are held: address 0.0.0.0, sendonly or inactive */
bool sdp_on_hold(const struct sdp *s);
#endif
