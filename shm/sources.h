/* Flood protection (behaviour section 11) as the signalling workers share it: which source addresses are ignored, and how many
 * bad requests each sent in this second. Each worker writes its own; all honour all.
 *
 * Bans are a log: an event is written in its place, then counted, so a half-written one is not there. The event with number i
 * (from 0) lies at i % SOURCES_LOG; of more than SOURCES_LOG the oldest are forgotten. The last event of an address decides. */
#ifndef TANDEM_SHM_SOURCES_H
#define TANDEM_SHM_SOURCES_H
#include "base/addr.h"
#include "shm/region.h"

#define SOURCES_LOG  16384u
#define SOURCES_SETS 4096u /* of counts; a power of two */
#define SOURCES_WAYS 4u

/* X(enum, text) */
#define BAN_REASONS(X)                                                                                 \
	X(BAN_GARBAGE, "messages that could not be read")                                              \
	X(BAN_UNAUTHORISED, "unauthorised requests")                                                   \
	X(BAN_CHALLENGED, "requests that were challenged and never authenticated")                     \
	X(BAN_NAMES, "unknown account names")
enum ban_reason {
	BAN_NONE,
#define X(id, text) id,
	BAN_REASONS(X)
#undef X
	BAN_REASON_COUNT
};
const char *ban_reason_text(enum ban_reason r);

struct source_event {
	struct addr addr;  /* port 0 */
	uint32_t reason;   /* enum ban_reason; BAN_NONE: the ban is lifted */
	uint64_t until_ms; /* clock_ms() */
};
struct source_count {
	uint64_t key;      /* keyed hash of the address and what is counted, 0: free */
	uint64_t counted;  /* clock_ms() / 1000 << 32 | number in that second */
};
struct sources {
	uint64_t events;   /* W: owner; how many there ever were */
	struct source_event event[SOURCES_LOG];               /* W: owner */
	struct source_count count[SOURCES_SETS][SOURCES_WAYS]; /* W: owner; statistics */
};

/* the owner's: appends */
void sources_append(const struct sources *s, const struct addr *source, enum ban_reason reason, uint64_t until_ms);
/* Goes through the events in order: start with *next = 0 (or where one stopped); false when there is none left. Those that were
 * overwritten meanwhile are left out. */
bool sources_next(const struct sources *s, uint64_t *next, struct source_event *ret_event);
#endif
