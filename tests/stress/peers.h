/* Scripted callers and gateways that keep to RFC 3261: requests are resent until answered, final answers to INVITE until
 * acknowledged, repetitions are answered again. Many calls at once, driven by peers_turn(). A call that does not come to its end,
 * an answer that differs from the one before, a second INVITE to the same gateway: each ends the test. */
#ifndef TANDEM_TESTS_STRESS_PEERS_H
#define TANDEM_TESTS_STRESS_PEERS_H
#include "harness.h"

/* What happens once the call is answered, in this order: r re-INVITE of the caller, R of the callee, i INFO of the caller,
 * u UPDATE of the callee, b the caller hangs up, B the callee. */
struct script {
	const char *name, *number; /* number: prefix of the callee's */
	const char *steps;         /* NULL: not answered */
	bool first_fails;          /* gw-a answers 503 */
	bool first_silent;         /* gw-a says nothing until its time is over, then 180 until it is cancelled */
	bool forked;               /* gw-a and gw-b are both called: gw-a rings until it is cancelled */
	bool cancel;               /* the caller cancels when it rings */
	bool delayed;              /* no offer in the INVITE */
	unsigned code;             /* of the final record */
	unsigned records;          /* in all */
};

struct peers;
struct peers *peers_new(void); /* opens the sockets */
const struct addr *peers_caller(const struct peers *p);
const struct addr *peers_gateway(const struct peers *p, unsigned i); /* 0, 1 */
/* `burst`: the gateway sends its responses at once, else with pauses */
void peers_call(struct peers *p, const struct addr *to, const struct script *script, bool burst);
unsigned peers_running(const struct peers *p);
void peers_turn(struct peers *p, int ms); /* waits at most so long, then does what is due */
/* takes the records there are; each must be of a call of ours. `all`: every call that is over must have its records */
void peers_records(struct peers *p, struct harness *h, bool all);
uint64_t peers_calls(const struct peers *p);
#endif
