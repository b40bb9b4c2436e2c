/* Who may: requests of accounts, by digest (RFC 3261 section 22, RFC 7616, RFC 8760), and what happens to those who guess.
 *
 * A terminal is an account name together with a source address. What is counted of it lies in AREA_AUTH of the worker that owns
 * the name (shm/auth.h); other workers tell that one by MESSAGE_AUTH and read its table without a lock. Names that no account has
 * are treated as if one had them: the same table, the same work, the same answers.
 *
 * Answers are stateless: nothing is remembered of a refused request but the counts, so that strangers push out nothing. A repeated
 * request is not counted twice and gets the same kind of answer. A request that is let through has used up its nonce-count: its
 * answer must be remembered by the caller (done_add, or the call's transaction), as its repetition would not pass again. */
#ifndef TANDEM_SIGNALING_AUTH_H
#define TANDEM_SIGNALING_AUTH_H
#include "signaling/core.h"

enum auth_result {
	AUTH_OK,
	AUTH_ANSWERED, /* a challenge or a refusal is queued */
	AUTH_IGNORED   /* nothing is sent, nothing must be */
};
struct auth {
	uint32_t account; /* index into config.accounts */
};

/* A REGISTER (the account is the To's user; called by the worker that owns it) or any other request out of a dialog (the account
 * is the user name of the credentials, without them the From's user) must show credentials. AUTH_OK: they are right, the account is
 * enabled, and *ret_auth is filled in. */
enum auth_result auth_check(struct sig *g, const struct event *ev, struct auth *ret_auth);
/* A request that needs no credentials (OPTIONS, an unknown method), of a source that is no gateway: AUTH_OK unless the terminal is
 * suspended, or SS_REPLY_UNAUTHORIZED is off and it names no account. */
enum auth_result auth_stranger(struct sig *g, const struct event *ev);
/* whether a request that belongs to nothing may be answered at all: not those of strangers that name no account when
 * SS_REPLY_UNAUTHORIZED is off */
bool auth_answers(const struct sig *g, const struct event *ev);

/* How the registration of `account` (its name) that auth_check() let through ended: refused (SS_ENDPOINT_REGISTER_RETRY), or not */
void auth_register_failed(struct sig *g, const struct event *ev, struct span account);
void auth_register_good(struct sig *g, const struct event *ev, struct span account);

/* the worker that owns what is known of an account of this name: its location and its suspensions */
uint32_t auth_owner(const struct sig *g, struct span account);

void auth_open(struct sig *g); /* at the worker's start */
/* MESSAGE_AUTH: another worker's counts; MESSAGE_UNSUSPEND: whom an operator lets off, each worker its own records */
void auth_message(struct sig *g, const struct message_auth *m);
void auth_unsuspend(struct sig *g, const struct message_unsuspend *m);
#endif
