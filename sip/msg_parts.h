/* Private to the message reader: pieces of header values (RFC 3261 section 25.1). All are linear in their input. */
#ifndef TANDEM_SIP_MSG_PARTS_H
#define TANDEM_SIP_MSG_PARTS_H
#include "sip/msg.h"

/* grouped by who reads them, see put_header() in msg.c */
enum part_header {
	HEADER_OTHER,
	HEADER_VIA, HEADER_FROM, HEADER_TO, HEADER_CALL_ID, HEADER_CSEQ, HEADER_CONTACT, HEADER_ROUTE, HEADER_RECORD_ROUTE,
	HEADER_MAX_FORWARDS, HEADER_CONTENT_LENGTH, HEADER_CONTENT_TYPE, HEADER_EXPIRES, HEADER_SESSION_EXPIRES, HEADER_MIN_SE,
	HEADER_RETRY_AFTER, HEADER_RSEQ, HEADER_RACK,
	HEADER_SUPPORTED, HEADER_REQUIRE, HEADER_PROXY_REQUIRE, HEADER_ALLOW, HEADER_REASON, HEADER_PRIVACY, HEADER_IDENTITY,
	HEADER_REMOTE_PARTY, HEADER_DIVERSION,
};
#define HEADER_LAST_DIALOG HEADER_RECORD_ROUTE
#define HEADER_LAST_PLAIN  HEADER_RACK

enum part_header part_header(struct span name); /* long or compact form, any case */
bool part_header_is_single(enum part_header id);

static inline bool part_is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
struct span part_trim(struct span s);
bool part_is_token(struct span s);
/* takes the next run without white space off `*rest`, and the white space around it; n 0: none left */
struct span part_token(struct span *rest);
/* cuts `*value` before its first ';' outside quotes and <>, trims it and returns what follows */
struct span part_params(struct span *value);
/* decimal digits only; 0, or -EBADMSG when there are none, others, or more than `max` */
int part_number(struct span s, uint64_t max, int64_t *ret_number);
/* *ret_address need not be cleared before */
int part_address(struct span value, struct msg_address *ret_address);
#endif
