/* A SIP message, read from one datagram (RFC 3261 sections 7, 18.3 and 25) into a plain struct.
 *
 * Spans point into the datagram or into the parser's arena: both must outlive the struct's use, and the arena is
 * overwritten by the next msg_parse() of the same parser. Nothing is allocated per message and nothing has to be freed.
 * Whoever keeps something copies it. Every function is bounded in time by the length of its input (no quadratic cost).
 *
 * Example:
 *	struct msg_parser *p = msg_parser_new(&limits);
 *	const char *error;
 *	int r = msg_parse(p, datagram, n, &m, &error);
 *	if (r == -EBADMSG && m.request && m.answerable) ... answer 400 with `error` as reason phrase ... */
#ifndef TANDEM_SIP_MSG_H
#define TANDEM_SIP_MSG_H
#include "base/addr.h"
#include "base/span.h"
#include "shm/call.h"
#include <stdbool.h>
#include <stdint.h>

#define MSG_VIAS        70u
#define MSG_ROUTES      32u
#define MSG_CONTACTS    11u /* more are left out: one more than an account can have */
#define MSG_OPTIONS     32u /* more are left out; of Require and Proxy-Require: -EMSGSIZE */
#define MSG_DIVERSIONS  8u  /* more are left out */
#define MSG_IDENTITIES  2u  /* more are left out */
#define MSG_OTHERS      128u
#define MSG_USER_BYTES  96u  /* user part, unescaped */
#define MSG_VALUE_BYTES 2048u /* of a header value that is read as Via, address or URI */

struct msg_limits { /* sip.limits; 0: the default shown */
	uint32_t message; /* bytes of a datagram: 65535 */
	uint32_t headers; /* header lines: 128 */
	uint32_t uri;     /* bytes of the Request-URI, Contact, From and To URI: 1024 */
};

enum msg_scheme { MSG_SCHEME_OTHER, MSG_SCHEME_SIP, MSG_SCHEME_SIPS, MSG_SCHEME_TEL };
enum msg_transport { MSG_TRANSPORT_NONE, MSG_TRANSPORT_UDP, MSG_TRANSPORT_TCP, MSG_TRANSPORT_TLS, MSG_TRANSPORT_OTHER };

/* RFC 3261 section 19.1, RFC 3966. `user` is unescaped and, for tel, the number without visual separators;
 * taken by uri_user(). A user that is longer than fits is no number: it stays empty and is flagged. */
struct msg_uri {
	enum msg_scheme scheme;
	bool has_user;
	bool user_too_long;
	bool lr;
	uint16_t port;           /* 0: not given */
	enum msg_transport transport;
	struct span text;        /* the URI as written, without angle brackets */
	struct span user_raw;    /* as written, without parameters of the user and password */
	struct span host;        /* brackets of IPv6 kept */
	struct span params;      /* after the first ';', without it */
	struct span headers;     /* after '?', without it */
	uint16_t user_n;
	char user_text[MSG_USER_BYTES]; /* not terminated */
};
/* as a Request-URI may be (RFC 3261 section 19.1.1) */
static inline struct span uri_without_headers(const struct msg_uri *u)
{
	return u->headers.n ? (struct span){ u->text.p, (size_t)(u->headers.p - u->text.p) - 1 } : u->text;
}
static inline struct span uri_user(const struct msg_uri *u) { return (struct span){ u->user_text, u->user_n }; }

struct msg_address { /* name-addr / addr-spec with header parameters */
	struct span value;       /* the whole header value */
	struct span display;     /* as written, without the quotes around it */
	struct span uri;         /* without angle brackets */
	struct span tag;         /* n 0: none */
	struct span params;      /* header parameters after the first ';', without it */
	bool star;               /* Contact: * */
	struct msg_uri u;
};

struct msg_via {             /* RFC 3261 section 20.42, RFC 3581 */
	struct span value;       /* the whole Via value */
	enum msg_transport transport;
	struct span host;        /* sent-by; brackets of IPv6 kept */
	uint16_t port;           /* 0: not given */
	struct span branch, received, maddr;
	bool has_rport;          /* `rport` with or without a value */
	uint16_t rport;          /* 0: without */
};

struct msg_header {
	struct span name, value; /* name as written (may be the compact form) */
};
struct msg_options {         /* comma-separated tokens of one or more headers */
	uint32_t n;
	struct span v[MSG_OPTIONS];
};

struct msg {
	struct span raw;
	bool request;
	bool answerable;             /* Via, From, To, Call-ID and CSeq can go into a response */
	enum txn_method method;      /* responses: that of the CSeq */
	struct span method_text;
	uint16_t status;             /* 0: a request */
	struct span status_reason;   /* reason phrase of a response */
	struct span uri;             /* Request-URI as written */
	struct msg_uri ruri;

	struct span call_id;
	uint32_t cseq;
	struct span cseq_method, cseq_value; /* cseq_value: the whole header value */
	struct msg_address from, to;
	struct msg_via via;          /* the topmost one */
	uint32_t n_vias;             /* every Via value in order; one value each, however they were spread over lines */
	struct span vias[MSG_VIAS];
	uint32_t n_record_routes, n_routes;
	struct span record_routes[MSG_ROUTES], routes[MSG_ROUTES];
	uint32_t n_contacts;
	struct msg_address contacts[MSG_CONTACTS];
	int32_t max_forwards;        /* -1: absent */
	int32_t expires;             /* -1: absent */
	int64_t retry_after;         /* seconds; -1: absent */

	struct span content_type;    /* media type only: "application/sdp"; n 0: absent */
	struct span content_type_value; /* with its parameters */
	struct span body;

	struct msg_options supported, require, proxy_require, allow;
	bool has_allow, has_supported;
	int32_t session_expires;     /* -1: absent. RFC 4028 */
	enum { MSG_REFRESHER_NONE, MSG_REFRESHER_UAC, MSG_REFRESHER_UAS } refresher;
	int32_t min_se;              /* -1: absent */
	int64_t rseq;                /* -1: absent. RFC 3262 */
	int64_t rack_rseq, rack_cseq;
	enum txn_method rack_method;

	struct span reason;          /* first Reason header value, RFC 3326 */
	struct span privacy;         /* RFC 3323 */
	uint32_t n_identities;       /* P-Asserted-Identity, RFC 3325 */
	struct msg_address identities[MSG_IDENTITIES];
	bool has_remote_party_id;
	struct msg_address remote_party_id;
	uint32_t n_diversions;       /* RFC 5806 */
	struct span diversions[MSG_DIVERSIONS];

	uint32_t n_others;           /* every header that has no field above, in order */
	struct msg_header others[MSG_OTHERS];
};

struct msg_parser;
/* copies `limits`; NULL when out of memory */
struct msg_parser *msg_parser_new(const struct msg_limits *limits);
struct msg_parser *msg_parser_free(struct msg_parser *p); /* returns NULL */

/* 0          *ret_msg is complete
 * -ENODATA   a keep-alive (only white space, or at most four bytes): to be ignored. *ret_msg is not touched
 * -EBADMSG   not SIP, or malformed; *ret_error is a static text; what could be read is in *ret_msg
 * -EMSGSIZE  over a limit; the same; answer 513 (414 when `uri` is over its limit: *ret_msg.uri.n tells)
 * -EPROTONOSUPPORT  a request of another SIP version; answer 505
 * The error that came first is told. A response with any of them is to be dropped; so that this is rare, what is wrong in
 * a response's optional headers is passed over, as if the header were absent. */
int msg_parse(struct msg_parser *p, const char *data, size_t n, struct msg *ret_msg, const char **ret_error);

/* a SIP, SIPS or tel URI; other schemes are read as far as the scheme. 0 or -EBADMSG */
int uri_parse(struct span text, struct msg_uri *ret_uri);
/* where a URI points when its host is a literal IP: port or its default (5060, 5061 for sips/tls). 0 or -ENXIO (a name, tel) */
int uri_addr(const struct msg_uri *uri, struct addr *ret_addr);
/* the URI of a name-addr or addr-spec ("\"A\" <sip:a@b>;tag=1"), parsed. 0 or -EBADMSG */
int address_parse(struct span value, struct msg_address *ret_address);

bool msg_has_option(const struct msg_options *list, struct span option); /* any case */
bool msg_type_is(const struct msg *m, struct span media_type);           /* any case: SPAN("application/sdp") */
/* first value in `others` of the header with this name (any case; the long form also finds the compact one); n 0: none */
struct span msg_other(const struct msg *m, struct span name);
/* value of a parameter in "a=1;b;c=\"x\"", quotes taken off; false when absent */
bool msg_param(struct span params, struct span name, struct span *ret_value);
/* the tag of a From or To as it was received; n 0: none */
struct span msg_tag(struct span value);
/* splits the first element off a comma-separated header value (commas in quotes and <> do not count);
 * false when `*list` is used up */
bool msg_next_value(struct span *list, struct span *ret_value);
enum txn_method msg_method(struct span text); /* case-sensitive, as methods are */
const char *msg_method_text(enum txn_method m);
#endif
