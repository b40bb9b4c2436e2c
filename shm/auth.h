/* What is remembered of those who asked for something and were not let through: attempts to authenticate, wrong passwords in a
 * row, suspensions; and of nonces that were used, how often. In the regions of the signalling workers, bounded, without a
 * pointer: a set of AUTH_WAYS places for each hash, so that every process finds a record without a lock.
 *
 *	AUTH_ATTEMPT   an account name, a source and a Call-ID; belongs to the worker that has the request
 *	AUTH_TERMINAL  an account name and a source; belongs to the worker that owns the name
 *	AUTH_SOURCE    a source address; belongs to the worker that owns the address
 *
 * A record goes when nothing is left to be remembered, or gives way in a full set: idle ones first, then attempts, then counts,
 * at last suspensions, the oldest of a kind. The hash is keyed: nobody can aim at a set. Times are clock_ms(). */
#ifndef TANDEM_SHM_AUTH_H
#define TANDEM_SHM_AUTH_H
#include "base/addr.h"
#include "base/hash.h"
#include "shm/region.h"

#define AUTH_WAYS        8u
#define AUTH_NAME_MAX    64u /* of a longer name the beginning is kept; the hash covers all of it */
#define AUTH_NAMES       5u
#define AUTH_SILENCE_MS  60000u /* ends an attempt, and the memory of unknown names */

enum auth_kind { AUTH_ATTEMPT = 1, AUTH_TERMINAL, AUTH_SOURCE };

/* X(enum, text) */
#define AUTH_REASONS(X)                                                       \
	X(AUTH_PASSWORDS, "wrong passwords")                                  \
	X(AUTH_REGISTRATIONS, "failed registrations")
enum auth_reason {
	AUTH_NO_REASON,
#define X(id, text) id,
	AUTH_REASONS(X)
#undef X
	AUTH_REASON_COUNT
};
const char *auth_reason_text(uint32_t reason); /* enum auth_reason */

enum auth_event { /* of MESSAGE_AUTH */
	AUTH_WRONG,
	AUTH_WRONG_REGISTER, /* a REGISTER with a wrong password: a wrong password and a failed registration */
	AUTH_FAILED_REGISTER,
	AUTH_RIGHT,
	AUTH_REGISTERED,
	AUTH_UNKNOWN_NAME,
	AUTH_RESTORED        /* a suspension from state_dir: message_auth.request is until when, .name why; the key is the receiver's affair */
};

struct auth_state {
	uint64_t last_ms;        /* of the last event */
	uint64_t request;        /* hash of the request that was counted last: a repetition is not counted again */
	union {
		struct { /* AUTH_ATTEMPT */
			uint64_t begun_ms;
			uint32_t challenges;
			uint8_t refused, over; /* the last answer was a refusal; the next request begins another attempt */
			uint8_t pad[2];
		};
		struct { /* AUTH_TERMINAL, AUTH_SOURCE */
			uint64_t until_ms;     /* suspended until then; 0: never was */
			uint64_t failed_request;
			uint64_t name;         /* hash of the account of the last wrong password (source) */
			uint32_t wrong, failed;/* passwords and registrations, in a row */
			uint32_t reason;       /* enum auth_reason */
			uint32_t several;      /* wrong passwords of more than one account (source) */
			uint64_t names[AUTH_NAMES], names_ms[AUTH_NAMES]; /* unknown ones (source): hash and time; hash 0: none */
		};
	};
};

struct auth_record {
	struct slot slot;
	uint64_t key;            /* W: owner; while FILLING, as are the next four */
	struct addr source;      /* port 0 */
	uint32_t kind;           /* enum auth_kind */
	uint32_t name_n, pad;
	char name[AUTH_NAME_MAX];
	struct auth_state copies[2]; /* W: owner */
};

struct auth_place { /* what a record is about */
	enum auth_kind kind;
	struct span name;    /* AUTH_SOURCE: n 0 */
	struct addr source;
	uint64_t key;        /* auth_key() */
};
/* never 0; `call_id` n 0: none; the port of `source` does not count */
uint64_t auth_key(const struct hash_key *key, enum auth_kind kind, struct span name, const struct addr *source, struct span call_id);

#define AUTH_WHO_MAX (AUTH_NAME_MAX + ADDR_TEXT_MAX + 2)
/* "1001@192.0.2.7" or "192.0.2.7", terminated; what does not belong into a line of text becomes '?'; returns the length */
size_t auth_who(struct span name, const struct addr *source, char ret_text[AUTH_WHO_MAX]);

/* Any process: 0 and a whole copy, or -ENOENT. */
int auth_look(const struct region *signaling, uint64_t key, struct auth_state *ret_state);
/* Any process, one by one: 0 with *ret_record (its state in copies[0]), -ENOENT, -EBUSY. */
int auth_read(const struct region *signaling, uint32_t i, struct auth_record *ret_record);

/* --- the owner's --- */
void auth_adopt(const struct region *own); /* what a dead predecessor left half-done is given back */
/* writes the state of that place from now on; all counts and times zero: the record goes (or is not made) */
void auth_put(const struct region *own, const struct auth_place *at, const struct auth_state *state, uint64_t now);
void auth_drop(const struct region *own, uint32_t i);
/* whether anything but `last_ms` and `request` says something at `now` */
bool auth_matters(enum auth_kind kind, const struct auth_state *state, uint64_t now);

/* --- nonces that were used --- */
/* One per nonce, by the worker that made it. The highest count used and a window of those before lie in one word, so that one
 * store makes a count used. Each nonce has one set where it can be; one that has to give way raises the set's floor first: the
 * set's nonces from before it count as expired, those of other sets do not. */
struct nonce_record {
	uint64_t id;    /* of the nonce, the deciseconds it was made at in the low half; 0: free */
	uint64_t used;  /* highest count << 32 | bit i: the count i + 1 below it was used */
};
#define NONCE_WAYS 7u
struct nonce_set {
	uint64_t floor;          /* deciseconds */
	uint64_t pad;
	struct nonce_record at[NONCE_WAYS];
};
#define NONCE_ONCE UINT32_MAX /* instead of a count: credentials without one, the nonce serves this once */
enum nonce_use { NONCE_FIRST, NONCE_AGAIN, NONCE_REPLAYED };
/* what using the count now would be; changes nothing */
enum nonce_use nonce_look(const struct region *own, const struct hash_key *key, uint64_t id, uint32_t count);
void nonce_use(const struct region *own, const struct hash_key *key, uint64_t id, uint32_t count);
uint32_t nonce_floor(const struct region *own, const struct hash_key *key, uint64_t id); /* of the set where `id` belongs */

uint64_t auth_records(const struct config *c);  /* for shm/layout.c: of AREA_AUTH */
uint64_t nonce_sets(const struct config *c);    /* of AREA_NONCES */
#endif
