/* The session timers of a running call (RFC 4028) and the longest time it may last. Each leg has its own terms, in
 * call_leg.session; the arithmetic is in session_timer.h.
 *
 *	request of a peer:  session_learn() -> our 2xx has session_out_answer() -> session_answered(): in force
 *	request of ours:    session_out_request() -> 2xx: session_agreed(): in force
 *	time:               session_due() refreshes, session_over() ends the call
 *
 * A leg without terms costs a branch. */
#ifndef TANDEM_SIGNALING_SESSION_H
#define TANDEM_SIGNALING_SESSION_H
#include "signaling/compose.h"

/* a new call: the limits of the configuration it starts with, and what its caller asks for */
void session_begin(struct work *w, const struct msg *m);
/* a new attempt: the gateway is offered a session timer when the caller's side has one */
void session_next_attempt(struct work *w);
/* lines of a 422 */
extern const struct span session_min_se_line;

/* the INVITE or UPDATE of a peer: what its 2xx will say */
void session_learn(struct work *w, enum call_leg_side leg, const struct msg *m);
/* any message of a peer that may tell which methods it takes */
void session_learn_allow(struct work *w, enum call_leg_side leg, const struct msg *m);
void session_out_answer(const struct work *w, struct out *o, const struct call_txn *t);
void session_answered(struct work *w, enum call_leg_side leg);

void session_out_request(const struct work *w, struct out *o, const struct call_txn *t);
void session_agreed(struct work *w, enum call_leg_side leg, const struct msg *m);
/* 422 to a request of ours: true when the same with a longer interval may do */
bool session_raise(struct work *w, enum call_leg_side leg, const struct msg *m);
/* any final response to a refresh of ours whose transaction is closed already; 408 and 481 are the caller's business */
void session_refreshed(struct work *w, enum call_leg_side leg, enum txn_method method, const struct msg *m);

/* the limit of an answered call starts */
void session_start_limit(struct work *w);
uint64_t session_deadline(const struct call_state *s); /* 0: none */
void session_due(struct work *w);                      /* part of call_timer_expired() */
void session_stop(struct call_state *s);
#endif
