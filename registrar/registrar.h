/* The registrar's own view: its region, its private index and the event it is working on. Everything private is derived from the
 * region; nothing here survives the process. Single-threaded. All times are clock_ms(), handed in by the caller. */
#ifndef TANDEM_REGISTRAR_REGISTRAR_H
#define TANDEM_REGISTRAR_REGISTRAR_H
#include "base/index.h"
#include "base/out.h"
#include "shm/counters.h"
#include "shm/env.h"
#include "shm/messages.h"
#include "shm/registration.h"
#include "sip/msg.h"
#include "sip/token.h"

struct registrar;
struct registration_timer { /* one per slot: its nearest deadline */
	struct wheel_timer t;
	struct registrar *g;
};

struct registrar {
	struct env *env;
	const struct config *c;
	const struct region_head *head;
	const struct registration *all;
	uint32_t n;
	struct index ids;            /* hash of the id -> slot; of those in use */
	struct registration_timer *timer;
	uint32_t *free_slot, n_free; /* stack */
	uint32_t leaving;            /* entries that are being taken back */
	uint32_t wanting;            /* entries of the configuration that have no slot yet */
	uint64_t start_us, leave_us; /* clock of the last first registration, and of the last that is taken back, planned so far */
	bool stopping;
	struct msg_parser *parser;
	struct hash_key private_key; /* of cnonces */
};

/* One event on one entry: opened on a private copy of its state, committed as a whole, then sent.
 *	struct job j;
 *	job_open(&j, g, slot, now);
 *	... read and change j.s ...
 *	job_commit(&j); */
struct job {
	struct registrar *g;
	uint32_t slot;
	const struct registration *r;
	struct registration_state s;
	uint64_t now;
	bool send;      /* s.message goes out with the commit */
	bool gone;      /* the slot is given back instead */
	uint32_t event; /* enum event_type told with the commit; 0: none */
};

/* --- job.c --- */
void job_open(struct job *j, struct registrar *g, uint32_t slot, uint64_t now);
/* a new entry, waiting; -ENFILE: no free slot */
int job_new(struct job *j, struct registrar *g, struct span id, uint64_t now);
void job_commit(struct job *j);
/* takes over what lies in the region; `now`: what was committed and not sent goes out. 0 or -ENOMEM */
int job_adopt(struct registrar *g, uint64_t now);
void job_close(struct registrar *g); /* frees what is private */
static inline struct span job_text(const struct job *j, enum registration_text t) { return registration_text(&j->s.account, t); }
static inline bool job_leaving(const struct registration_state *s) { return s->leave && s->phase != REGISTRATION_UNREGISTERED; }

/* --- registration.c: what happens to an entry --- */
void registration_due(struct registrar *g, uint32_t slot, uint64_t now); /* its deadline has come */
void registration_answered(struct registrar *g, uint32_t slot, uint32_t number, const struct msg *m, uint64_t now);
void registration_order(struct registrar *g, uint32_t slot, bool on, uint64_t now); /* an operator's register, unregister */
void registration_leave(struct job *j, enum registration_leave why); /* begins to take it back; the caller commits */

/* --- compose.c --- */
/* the REGISTER of j->s.request with its CSeq and branch into j->s.message; 0, -E2BIG */
int compose_register(struct job *j);
/* our Contact's URI, without brackets */
void compose_contact(const struct job *j, struct out *o);
/* the listening address to send from to `to`; -EADDRNOTAVAIL: none has the family and the port */
int compose_listen(const struct config *c, const struct addr *to, uint32_t port, uint16_t *ret_listen);

/* --- challenge.c --- */
/* a 401 or 407: kept for the next request. false: it cannot be answered, and why in *ret_error */
bool challenge_keep(struct job *j, const struct msg *m, const char **ret_error);
void challenge_out(struct job *j, struct out *o, struct span uri); /* the lines with credentials; counts the nonces */

/* --- account.c --- */
void account_fill(const struct config *c, const struct cfg_registration *r, struct registration_account *ret_account);
/* the upstream knows it under the same names and addresses, whatever else has changed */
bool account_same_identity(const struct registration_account *a, const struct registration_account *b);
bool account_equal(const struct registration_account *a, const struct registration_account *b);

/* --- schedule.c: when --- */
uint64_t schedule_first(struct registrar *g, uint64_t now); /* registration.rate */
uint64_t schedule_leave(struct registrar *g, uint64_t now); /* all at once, but for what a socket's buffer holds */
/* the configuration has changed or a slot has become free: entries come, change and go */
void schedule_settle(struct registrar *g, uint64_t now);

/* --- worker.c --- */
int registrar_open(struct registrar *g, struct env *e); /* all but what lies in the region: job_adopt(). 0 or -ENOMEM */
void registrar_close(struct registrar *g);
void registrar_datagram(struct registrar *g, const char *data, size_t n, uint64_t now); /* a response to a REGISTER */
void registrar_leave(struct registrar *g, uint64_t now);                                /* everything is taken back */
void registrar_maybe_stop(struct registrar *g);
#endif
