/* Regions: one memfd per process seat, size sealed, all pages allotted when it is made so that no store can fault later.
 * The owner maps it read-write, everybody else read-only. A region consists of areas: arrays of equal records. */
#ifndef TANDEM_SHM_REGION_H
#define TANDEM_SHM_REGION_H
#include "config/config.h"
#include "shm/slot.h"

#define REGION_MAGIC 0x4e4f494745524454ull /* "TDREGION" */
#define REGION_LAYOUT 1u                   /* raise with any change of a shared record */

enum role { ROLE_SUPERVISOR, ROLE_CONTROL, ROLE_CDR, ROLE_ROUTING, ROLE_REGISTRAR, ROLE_SIGNALING, ROLE_MEDIA, ROLE_COUNT };
const char *role_name(enum role r); /* supervisor control cdr routing registrar signaling media */
int role_parse(struct span text, enum role *ret_role); /* 0 or -EINVAL */

/* A seat is a process's place, the same for all its incarnations. */
#define WORKERS_MAX 64u
#define SEATS_MAX   (5u + 2u * WORKERS_MAX)
static inline uint32_t seat_of(enum role r, uint32_t index)
{
	return r < ROLE_SIGNALING ? (uint32_t)r : r == ROLE_SIGNALING ? 5 + index : 5 + WORKERS_MAX + index;
}
static inline enum role seat_role(uint32_t seat)
{
	return seat < 5 ? (enum role)seat : seat < 5 + WORKERS_MAX ? ROLE_SIGNALING : ROLE_MEDIA;
}
static inline uint32_t seat_index(uint32_t seat)
{
	return seat < 5 ? 0 : (seat - 5) % WORKERS_MAX;
}

enum area {
	AREA_CALLS,      /* struct call                signaling */
	AREA_BLOCKS,     /* bytes, see block.h         signaling */
	AREA_DONE,       /* struct done                signaling: last responses kept for repeated requests */
	AREA_MEDIA_LEGS, /* struct media_leg           signaling, one per port pair of its share */
	AREA_CAPACITY,   /* struct capacity_cell       signaling, see capacity.h */
	AREA_JOURNAL,    /* struct journal, then entries  signaling */
	AREA_RECEIVE,    /* struct receive_batch       signaling */
	AREA_FLOWS,      /* struct media_flow          media, one per port pair of the whole range */
	AREA_ACKS,       /* struct journal_ack         cdr, one per signalling worker */
	AREA_ROSTER,     /* struct roster              supervisor */
	AREA_RINGS,      /* bytes: rings to other seats */
	AREA_REGISTRATIONS, /* struct registration     registrar */
	AREA_NAMES,      /* struct name                routing, see names.h */
	AREA_SOURCES,    /* struct sources             signaling, see sources.h */
	AREA_BINDINGS,      /* struct location_front, then struct location_record  signaling, see location.h */
	AREA_BINDING_HEADS, /* struct location_head    signaling: hash of the accounts */
	AREA_BINDING_TEXTS, /* bytes: rooms of the records above */
	AREA_UPKEEP,        /* struct upkeep           registrar, see upkeep.h */
	AREA_AUTH,          /* struct auth_record      signaling, see auth.h */
	AREA_NONCES,        /* struct nonce_set  signaling, see auth.h */
	AREA_ACCOUNTS,      /* struct account_cell        signaling, one per account, see capacity.h */
	AREA_COUNT
};

#define SUSPECTS 16u
struct suspect { /* what processes on this seat have died of, poison.h */
	uint32_t kind;   /* enum suspect_kind */
	uint32_t deaths; /* by their own fault while at work on it */
	uint64_t id;     /* of a call: generation and slot; of a datagram or a ring's message: hash of its bytes */
	uint64_t last;   /* incarnation that found the last one: the oldest gives way */
};

#define REGION_COUNTERS 64
struct region_head {
	uint64_t magic;          /* RO */
	uint32_t layout, role;   /* RO */
	uint32_t index, seat;    /* RO */
	uint64_t size;           /* RO */
	uint64_t layout_hash;    /* RO; of sizeof() of all shared records: upgrade and adoption check it */
	struct {
		uint64_t at;     /* RO; bytes from the start of the region, 64-byte aligned; 0: no such area */
		uint32_t n, size;/* RO; records and bytes each */
	} area[AREA_COUNT];
	uint64_t ring_at[SEATS_MAX];   /* RO; ring to that seat, 0: none */
	uint64_t ring_head[SEATS_MAX]; /* W: owner as consumer of the ring from that seat (ring.h) */
	uint64_t heartbeat_ms;         /* W: owner; clock_ms() each turn of its loop */
	uint64_t incarnation;          /* W: owner; counts its starts */
	uint64_t ready;                /* W: owner; incarnation that is in service */
	uint64_t working_on;           /* W: owner; what it is at work on, as poison.h says; 0: nothing in particular */
	uint64_t config_generation, route_generation; /* W: owner; images in use */
	uint64_t counter[REGION_COUNTERS];            /* W: owner; meanings in shm/counters.h */
	struct suspect suspect[SUSPECTS];             /* W: owner; poison.h */
};

struct region {
	const struct region_head *head; /* NULL: not mapped */
	size_t size;
	int fd;
	bool writable;
};

/* Size and areas of the region of that seat under this configuration; fills *ret_head (magic .. ring_at). */
int region_plan(const struct config *c, enum role role, uint32_t index, struct region_head *ret_head);
/* Makes, fills in the header, allots all pages. 0, -ENOMEM, -errno. */
int region_make(const struct region_head *plan, struct region *ret_region);
/* Maps an existing one; checks magic, layout, sizes. 0, -EPROTO when it does not fit, -errno. */
int region_map(int fd, bool writable, struct region *ret_region);
void region_unmap(struct region *r); /* keeps the descriptor */

static inline const void *region_area(const struct region *r, enum area a)
{
	return r->head && r->head->area[a].at ? (const char *)r->head + r->head->area[a].at : NULL;
}
static inline uint32_t region_count(const struct region *r, enum area a)
{
	return r->head ? r->head->area[a].n : 0;
}
#endif
