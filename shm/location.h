/* The location table (RFC 3261 section 10): where the accounts that registered with us are. In the regions of the
 * signalling workers: an account belongs to the worker roster->partition[steer_hash(account id)], which alone writes; every
 * process reads, without a lock.
 *
 * One record per account, with all of its contacts: a REGISTER writes them into fresh room that nothing refers to yet, and
 * a single store makes them the account's. So several contacts change together or not at all, and a worker that dies at
 * any instruction leaves what was before or what is after. Rooms have no persistent state: one is in use if a live
 * record refers to it. Records of a hash value form a chain; a chain may hold dead records, which readers pass over
 * and location_open() takes out.
 *
 * Times are clock_ms(). A Call-ID is kept as its hash: it is only ever compared.
 *
 * Reading:
 *	struct location_contact at[5];
 *	uint32_t n = location_lookup(e, SPAN("1001"), now, at, 5); // the best first */
#ifndef TANDEM_SHM_LOCATION_H
#define TANDEM_SHM_LOCATION_H
#include "base/addr.h"
#include "shm/env.h"

#define LOCATION_CONTACTS    10u /* of an account: the most that max_contacts can be */
#define LOCATION_SET         (2 * LOCATION_CONTACTS + 1)
#define LOCATION_ACCOUNT_MAX 64u
#define LOCATION_NONE        UINT32_MAX
#define LOCATION_UNIT        64u
#define LOCATION_LOG         8192u

enum location_text_id { LOCATION_URI, LOCATION_PATH, LOCATION_INSTANCE, LOCATION_USER_AGENT, LOCATION_TEXTS };
#define LOCATION_URI_MAX        1024u
#define LOCATION_PATH_MAX       1024u
#define LOCATION_INSTANCE_MAX   256u
#define LOCATION_USER_AGENT_MAX 128u /* longer ones are cut */
#define LOCATION_TEXT_MAX       (LOCATION_URI_MAX + LOCATION_PATH_MAX + LOCATION_INSTANCE_MAX + LOCATION_USER_AGENT_MAX)

/* --- what lies in the region --- */

/* One contact, at a multiple of eight bytes in the record's room; its texts follow, in the order of enum location_text_id. */
struct location_binding {
	uint64_t expires_ms;
	uint64_t registered_ms;  /* the REGISTER that granted it, the last one */
	uint64_t first_ms;       /* when the contact came: tells the oldest */
	uint64_t call_id;        /* location_hash() of the Call-ID */
	uint32_t cseq;
	uint32_t reg_id;         /* RFC 5626; 0: none */
	uint16_t q;              /* thousandths */
	uint16_t listen;         /* index of the listening address it came in on */
	uint16_t n[LOCATION_TEXTS];
	uint8_t behind_nat;
	uint8_t pad[3];
	struct addr source;      /* of the datagram */
	struct addr target;      /* where requests go: behind NAT the source, else what Path or the URI say */
};
/* what its texts take up */
static inline uint32_t location_text_room(const struct location_binding *b)
{
	return ((uint32_t)b->n[0] + b->n[1] + b->n[2] + b->n[3] + 7) / 8 * 8;
}
struct location_state {
	uint32_t unit, bytes;    /* its room in AREA_BINDING_TEXTS */
	uint32_t contacts;
	uint32_t pad;
};
struct location_record {
	struct slot slot;        /* FREE, FILLING, LIVE */
	uint64_t hash;           /* W: owner; of the account, while FILLING */
	uint32_t next;           /* W: owner; number + 1 of the next record of the chain, 0: the last */
	uint32_t account_n;      /* W: owner; while FILLING */
	struct location_state copies[2];
	char account[LOCATION_ACCOUNT_MAX]; /* W: owner; while FILLING */
};
struct location_head {
	uint32_t first;          /* W: owner; number + 1 of the chain's first record */
	uint32_t changes;        /* W: owner; counts records taken out: a reader that found nothing looks whether it may have been led astray */
};
struct location_front {          /* in front of AREA_BINDINGS */
	uint32_t bindings;       /* W: owner; contacts in all records, expired ones too until they are taken out */
	uint32_t accounts;       /* W: owner; live records */
	uint32_t pad[12];        /* records begin at a cache line */
	uint64_t changes;        /* W: owner; entries of `changed` ever written; grows by more than LOCATION_LOG when some may be missing */
	uint32_t changed[LOCATION_LOG]; /* W: owner; records that were committed or freed, a circle */
};
/* for shm/layout.c: contacts that a worker has room for, and the areas' sizes */
uint64_t location_share(const struct config *c);
uint64_t location_heads(uint64_t share);
uint64_t location_units(uint64_t share);

/* --- reading, by any process --- */

struct location_contact {
	struct span account, uri, path, instance, user_agent; /* into `text`; path: values of Path joined by ", "; the others n 0: none */
	struct addr source, target;
	uint64_t expires_ms, registered_ms;
	uint32_t reg_id, cseq;
	uint32_t generation;     /* of the record: another when the account was gone in between */
	uint32_t commit;         /* of the record: another after each REGISTER that changed something */
	uint16_t q, listen;
	uint8_t behind_nat;
	struct location_binding binding; /* all of it, for those who pass it on */
	char text[LOCATION_ACCOUNT_MAX + LOCATION_TEXT_MAX];
};

/* the seat that owns the account; SEATS_MAX: no such worker */
uint32_t location_seat(const struct env *e, struct span account);
/* live contacts of an account, highest q first, among equals the one that registered last; at most `cap`; 0: not registered */
uint32_t location_lookup(const struct env *e, struct span account, uint64_t now, struct location_contact *ret, uint32_t cap);
/* the same in one worker's region */
uint32_t location_lookup_in(const struct region *signaling, struct span account, uint64_t now, struct location_contact *ret, uint32_t cap);

/* Going through all of them: slots 0 … location_slots()-1 hold at most one contact each. 0, -ENOENT (none, or expired),
 * -EBUSY (it changed again and again while being read: try later). */
uint32_t location_slots(const struct region *signaling);
int location_read(const struct region *signaling, uint32_t slot, uint64_t now, struct location_contact *ret);
/* Or account by account: records 0 … location_records()-1. How many contacts were read (in the order they came), -ENOENT, -EBUSY. */
uint32_t location_records(const struct region *signaling);
int location_read_record(const struct region *signaling, uint32_t record, uint64_t now, struct location_contact *ret, uint32_t cap);
uint32_t location_count(const struct region *signaling); /* contacts */
/* What changed since `*position` (0 at first): the next record that did, or LOCATION_NONE; *ret_missed: the log was
 * overrun, everything has to be looked at; position is then up to date. */
uint32_t location_changed(const struct region *signaling, uint64_t *position, bool *ret_missed);

uint64_t location_hash(struct span text);

/* --- the owner --- */

struct location { /* private, derived from the region by location_open() */
	const struct region *own;
	const struct location_front *front;
	const struct location_record *records;
	const struct location_head *heads;
	const char *texts;
	uint32_t n_records, mask, n_units;
	uint64_t *used;          /* bit per unit */
	uint32_t rover;          /* unit where the next search begins */
	uint32_t *free_record;   /* stack */
	uint32_t n_free;
	uint32_t bindings;       /* contacts in all records */
};

struct location_set { /* an account's contacts, being changed: while they are, there may be more than it can have */
	uint32_t n;
	struct {
		struct location_binding b; /* b.n[] is set by location_put() */
		struct span text[LOCATION_TEXTS];
	} at[LOCATION_SET];
};

/* Takes over what lies in the region, empty or left by a dead predecessor. 0 or -ENOMEM. */
int location_open(struct location *l, const struct region *own);
void location_done(struct location *l);
uint32_t location_find(const struct location *l, struct span account); /* record or LOCATION_NONE */
struct span location_account(const struct location *l, uint32_t record);
/* the spans point into the record's room: valid until the next location_put() of whatever account */
void location_get(const struct location *l, uint32_t record, struct location_set *ret_set);
/* All contacts of the account from now on; n 0: it is not registered. Spans may come from location_get(). One store decides.
 * 0, -ENOSPC (no record, no room, or more than the worker's share: nothing has changed), -EMSGSIZE (a text is longer than its
 * maximum). *ret_record: LOCATION_NONE when n is 0. */
int location_put(struct location *l, struct span account, const struct location_set *set, uint32_t *ret_record);
uint64_t location_expiry(const struct location *l, uint32_t record); /* of the contact that expires first; 0: no live record */
#endif
