/* What is remembered of terminals and sources, wherever it lies: read without a lock, written by its owner (shm/auth.h). */
#ifndef TANDEM_SIGNALING_AUTH_BOOK_H
#define TANDEM_SIGNALING_AUTH_BOOK_H
#include "shm/auth.h"
#include "signaling/auth_rules.h"
#include "signaling/core.h"

struct auth_asker { /* who asks */
	struct span name;   /* the account it names; n 0: none */
	struct addr source;
	uint64_t request;   /* hash of the request that a repetition shares */
	uint64_t now;
};

uint32_t auth_owner(const struct sig *g, struct span account); /* signaling/auth.h */
/* the name's terminal or the source is suspended */
bool book_suspended(const struct sig *g, const struct auth_asker *a);
/* counts for the terminal and, when it is about passwords, the source; true: now or already suspended */
bool book_count(struct sig *g, const struct auth_asker *a, enum auth_event event);
/* an unknown account was named: the fifth bans the source (protect.h) */
void book_unknown(struct sig *g, const struct auth_asker *a);

/* the attempt that the request belongs to: zeroes when there is none */
void book_attempt(const struct sig *g, const struct auth_asker *a, struct span call_id, struct auth_state *ret_state);
void book_attempt_put(struct sig *g, const struct auth_asker *a, struct span call_id, const struct auth_state *state);
#endif
