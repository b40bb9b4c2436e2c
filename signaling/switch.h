/* Does a failed attempt go on to the next gateway? One pure function, the only place where the rule lives (behaviour:
 * switching to the next gateway). A test enumerates policy x what was seen x event. */
#ifndef TANDEM_SIGNALING_SWITCH_H
#define TANDEM_SIGNALING_SWITCH_H
#include "shm/call.h"
#include <stdbool.h>
#include <stdint.h>

struct switch_policy { /* the global values overridden by the gateway's */
	bool after_sdp, after_rtp_start, after_user_busy, after_invite_timeout, until_connect;
	const uint16_t *response_codes;
	uint32_t n_response_codes;
	uint32_t limit; /* gateways tried after the first; UINT32_MAX: none */
};
struct switch_seen {
	bool caller_gone, rtp, sdp;
	bool rang;             /* the attempt had reached 180 */
	uint32_t attempts;     /* made so far, this one included */
	bool more;             /* a candidate is left */
};
struct switch_event {
	enum end_reason failure; /* END_REJECTED: `code` was received; or one of the time-outs */
	uint16_t code;           /* final response of the gateway; 0 with a time-out */
};
enum switch_rule { /* which rule of the list decided; SWITCH_NEXT: none stopped it */
	SWITCH_NEXT, SWITCH_CALLER_GONE, SWITCH_CONNECTED, SWITCH_CODE_LISTED, SWITCH_BUSY, SWITCH_RTP, SWITCH_SDP,
	SWITCH_TIMEOUT, SWITCH_RANG, SWITCH_LIMIT, SWITCH_NO_CANDIDATE
};
struct switch_result {
	enum switch_rule rule;
	enum end_reason reason; /* of the call when it stops */
	uint16_t code;          /* for the caller when it stops, before the gateway's response_map */
};
struct switch_result switch_decide(const struct switch_policy *p, const struct switch_seen *seen, const struct switch_event *e);
const char *switch_rule_text(enum switch_rule r);
/* Q.850 cause of a SIP response code (RFC 3398 section 8.2.6.1) */
uint16_t cause_of(uint16_t code);
#endif
