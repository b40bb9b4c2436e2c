/* When an attempt to authenticate is refused and a terminal suspended: SS_SIP_AUTHENTICATION_*, SS_AUTHENTICATION_*,
 * SS_ENDPOINT_REGISTER_*. Pure functions on what is remembered (shm/auth.h). */
#ifndef TANDEM_SIGNALING_AUTH_RULES_H
#define TANDEM_SIGNALING_AUTH_RULES_H
#include "shm/auth.h"

struct auth_limits { /* times in ms; counts 0: never, but for `challenges` */
	uint32_t challenges;
	uint64_t timeout;
	uint32_t wrong, failed;
	uint64_t wrong_suspend, failed_suspend;
};
struct auth_limits auth_limits(const struct config *c);

/* --- one attempt: from its first challenge to success, time-out or AUTH_SILENCE_MS of silence --- */
enum auth_shown { /* what the request had to show */
	SHOWN_NOTHING, /* or credentials of another realm or algorithm */
	SHOWN_STALE,   /* a nonce that is not good any more, or a count that was used */
	SHOWN_WRONG,
	SHOWN_RIGHT
};
enum auth_verdict { VERDICT_PASS, VERDICT_CHALLENGE, VERDICT_REFUSE };
bool auth_under_way(const struct auth_state *attempt, uint64_t now);
/* `request`: hash that a repetition shares. Stale ones count for nothing. Right credentials pass however many challenges it took,
 * but not after the time-out; that refusal ends the attempt. */
enum auth_verdict auth_attempt(struct auth_state *attempt, const struct auth_limits *l, enum auth_shown shown, uint64_t request, uint64_t now);

/* --- a terminal or a source --- */
struct auth_counted {
	enum auth_event event;
	uint64_t request; /* as above */
	uint64_t name;    /* hash of the account */
	uint64_t now;
};
static inline bool auth_suspended(const struct auth_state *s, uint64_t now) { return s->until_ms > now; }
/* true: this suspends it. A source is suspended by wrong passwords of more than one account only: those of one suspend the terminal,
 * and others behind the same NAT need not suffer for it. */
bool auth_count(struct auth_state *s, enum auth_kind kind, const struct auth_limits *l, const struct auth_counted *what);
/* true: this was the last of AUTH_NAMES different unknown names within AUTH_SILENCE_MS; they are forgotten then */
bool auth_count_name(struct auth_state *source, const struct auth_counted *what);
#endif
