/* What kills its worker is left out the second time. A process notes what it is at work on (region_head.working_on): the
 * event (a datagram of its batch, a message of a ring, a journal's record) and, once that is known, the call. Who finds that its
 * predecessor died by its own fault (roster_seat.own_fault: SEGV, BUS, ILL, FPE, ABRT, a hang; never SIGKILL by somebody else)
 * blames that; what is blamed for POISON_DEATHS deaths is left out. The noted value is cleared where events end, not where
 * they are worked on, so no way through can leave it set.
 *
 *	high half: event << 24 | the producer's seat, if it is a ring's message; low half: call slot + 1
 *
 * Only its owner writes a region's suspects. The supervisor takes the bytes of what was left out and keeps them. */
#ifndef TANDEM_SHM_POISON_H
#define TANDEM_SHM_POISON_H
#include "base/pcap.h"
#include "shm/env.h"

#define POISON_DEATHS 2u
#define POISON_BYTES  (1u << 20) /* of one capture */
#define POISON_FILES  16u        /* kept in RUN_DIR: poison-0.pcap .. poison-15.pcap, the oldest gives way */

enum working { WORKING_NONE, WORKING_DATAGRAM, WORKING_RING, WORKING_RECORD };
enum suspect_kind { SUSPECT_NONE, SUSPECT_CALL, SUSPECT_BYTES, SUSPECT_RECORD };

static inline void working_event(const struct region_head *head, enum working event, uint32_t seat)
{
	stat_set(&head->working_on, (uint64_t)event << 56 | (uint64_t)seat << 32);
}
static inline void working_call(const struct region_head *head, uint32_t slot)
{
	stat_set(&head->working_on, (head->working_on & ~0xffffffffull) | (slot + 1));
}
static inline void working_call_done(const struct region_head *head)
{
	stat_set(&head->working_on, head->working_on & ~0xffffffffull);
}
static inline void working_done(const struct region_head *head) { stat_set(&head->working_on, 0); }
/* of a noted value */
static inline enum working working_what(uint64_t noted) { return (enum working)(noted >> 56); }
static inline uint32_t working_seat(uint64_t noted) { return noted >> 32 & 0xffffff; }
static inline uint32_t working_slot(uint64_t noted) { return (uint32_t)noted - 1; } /* UINT32_MAX: none */

static inline uint64_t suspect_call(uint32_t slot, uint32_t generation) { return (uint64_t)generation << 32 | slot; }

/* one more death of it; returns how many there are now */
uint32_t poison_blame(struct env *e, enum suspect_kind kind, uint64_t id);
uint32_t poison_deaths(const struct env *e, enum suspect_kind kind, uint64_t id);
uint64_t poison_hash(const struct env *e, const void *p, size_t n);
/* these bytes are left out: a peer may send them again */
static inline bool poison_known(const struct env *e, const void *p, size_t n)
{
	return e->poisoned && poison_deaths(e, SUSPECT_BYTES, poison_hash(e, p, n)) >= POISON_DEATHS;
}

/* A capture of what is left out. poison_add() may be called any number of times; what is too much is cut. poison_tell() sends it
 * to the supervisor, counts, and logs; `what` says what it is. Addresses that are not of one family are replaced. */
struct poison_capture {
	FILE *f;
	int fd;
	size_t n;
};
void poison_begin(struct poison_capture *c);
void poison_add(struct poison_capture *c, const struct addr *from, const struct addr *to, const void *p, size_t n);
void poison_tell(struct env *e, struct poison_capture *c, const char *what);

/* env_start(): reads how the predecessor ended, and leaves out a ring's message that has killed often enough */
void poison_start(struct env *e);
#endif
