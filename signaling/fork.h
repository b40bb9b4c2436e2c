/* Calls to accounts. An attempt calls all contacts of the account at once, at most FORK_BRANCHES, as a forking proxy would: INVITEs
 * of one dialog to be (the same Call-ID, From and CSeq), each with a branch and a Request-URI of its own, each a client transaction
 * of the call. So what the contacts say is what a forking gateway says; the first 2xx wins, and the others are cancelled. The
 * attempt has failed when all have; what it failed with is the best of the failures (RFC 3261 section 16.7). */
#ifndef TANDEM_SIGNALING_FORK_H
#define TANDEM_SIGNALING_FORK_H
#include "signaling/work.h"
#include "signaling/compose.h"

#define FORK_BRANCHES 5u

/* is the account registered now */
bool fork_registered(const struct sig *g, const struct cfg_account *a, uint64_t now);
/* Whom the attempt calls: settings of the gateway, or those that an account has; NULL: a reload has taken it away */
const struct cfg_routing_gateway *fork_settings(const struct work *w);

/* --- an attempt, in one event --- */
/* reads where the account is and points the callee's leg at its best contact; false: nowhere */
bool fork_begin(struct work *w);
/* INVITE to each contact; 0, -ENOMEM */
int fork_invite(struct work *w, struct body *body);

/* --- a branch --- */
/* a response came: what is learned from it belongs to the branch of `t` */
void fork_heard(struct work *w, const struct call_txn *t);
/* `t` is about to be freed: remembered until the event is over for fork_again() */
void fork_leave(struct work *w, const struct call_txn *t);
/* the INVITE once more to the contact that was left; 0, -ENOMEM */
int fork_again(struct work *w, struct body *body);
/* are there branches that may still answer */
bool fork_goes_on(const struct work *w);
/* A branch has failed, its transaction is gone: the attempt when it was the last, or the failure is the whole callee's (6xx).
 * For attempts at gateways it is attempt_failed(). */
void fork_failed(struct work *w, enum end_reason failure, uint16_t code);
/* rank of a failure, the smaller the better */
uint32_t fork_rank(uint16_t code);
#endif
