/* Session timers, RFC 4028: what the two ends of one leg agree on, and when something is due. Pure functions: no state, no
 * clock; a test enumerates them. Intervals are seconds, points in time clock_ms().
 *
 * A peer supports the extension when its request has `Supported: timer` or a Session-Expires. */
#ifndef TANDEM_SIGNALING_SESSION_TIMER_H
#define TANDEM_SIGNALING_SESSION_TIMER_H
#include "sip/msg.h"

#define SESSION_MIN_SE 90u /* RFC 4028 section 4: nobody has to accept less */

struct session_asked {		 /* of a request or a 2xx */
	int32_t expires, min_se; /* -1: absent */
	uint8_t refresher;	 /* MSG_REFRESHER_*: uac is who sent the request */
	bool tag;		 /* `timer` is in Supported or Require */
};
struct session_terms {
	uint32_t interval; /* 0: no session timer */
	enum session_role role;
};

struct session_asked session_timer_asked(const struct msg *m);
static inline bool session_timer_supported(const struct session_asked *a)
{
	return a->tag || a->expires >= 0;
}
/* to be refused with 422 */
static inline bool session_timer_too_small(const struct session_asked *a)
{
	return a->expires >= 0 && (uint32_t)a->expires < SESSION_MIN_SE;
}
/* The answer to a peer's INVITE, re-INVITE or UPDATE (sections 8.2, 9): `now` is what is in force, `ttl` our longest interval.
 * A request of a peer that does not support it leaves alone what we do, and ends the watch over what the peer did. */
struct session_terms session_timer_accept(const struct session_asked *a, uint32_t ttl, struct session_terms now);
/* What a 2xx to our request means (section 7.2): `min_se` is what our request said, 0: nothing. */
struct session_terms session_timer_agreed(
	const struct session_asked *a, uint32_t ttl, uint32_t min_se, struct session_terms now);
/* the interval of a first request of ours */
uint32_t session_timer_offer(uint32_t ttl, uint32_t min_se);

struct session_schedule {
	uint64_t refresh_at; /* 0: nothing to send */
	uint64_t expires_at; /* 0: no session timer */
};
/* when a session confirmed at `now` is due: `segment` refreshes an interval, `grace` seconds more after it */
struct session_schedule session_timer_start(struct session_terms t, uint32_t segment, uint32_t grace, uint64_t now);
/* the next try after the one at `refresh_at` came to nothing; 0: the interval is over before */
uint64_t session_timer_next(
	struct session_terms t, uint32_t segment, uint64_t refresh_at, uint64_t now, uint64_t interval_ends);
#endif
