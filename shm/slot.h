/* A record with a life: FREE -> FILLING -> LIVE -> (CLOSING ->) FREE, and two copies of its changing part.
 *
 *	FREE     the owner's private free list may hand it out
 *	FILLING  claimed; the part that never changes and the first copy are being written; readers skip it
 *	LIVE     copies[commit & 1] is the state
 *	CLOSING  as LIVE, its last records are being written; found by an adopter it is finished and freed
 *
 * Death between any two stores leaves the last commit. An adopter turns FILLING into FREE.
 * Readers in other processes copy, then check generation and commit counter; after SLOT_TRIES changes: -EBUSY. */
#ifndef TANDEM_SHM_SLOT_H
#define TANDEM_SHM_SLOT_H
#include "shm/commit.h"
#include <errno.h>
#include <stdbool.h>

enum slot_state { SLOT_FREE, SLOT_FILLING, SLOT_LIVE, SLOT_CLOSING };
#define SLOT_TRIES 8

struct slot {
	uint32_t state;      /* W: owner; enum slot_state */
	uint32_t generation; /* W: owner; +1 at each claim: handles to earlier lives fail */
	uint32_t commit;     /* W: owner; counts commits, lowest bit: the copy that counts */
	uint32_t sent;       /* W: owner; commit up to which all messages have left the process */
};

static inline void slot_claim(const struct slot *s)
{
	commit_release_u32(&s->generation, s->generation + 1); /* not before the FREE of the life before */
	commit_release_u32(&s->state, SLOT_FILLING);
}
/* `copies` is the first of two adjacent copies of `size` bytes */
static inline void slot_commit(const struct slot *s, const void *copies, size_t size, const void *from)
{
	cmm_smp_wmb(); /* who sees any of it also sees that the other copy counts by now */
	commit_bytes((const char *)copies + size * ((s->commit + 1) & 1), from, size);
	commit_release_u32(&s->commit, s->commit + 1);
}
static inline void slot_live(const struct slot *s) { commit_release_u32(&s->state, SLOT_LIVE); }
static inline void slot_closing(const struct slot *s) { commit_release_u32(&s->state, SLOT_CLOSING); }
static inline void slot_free(const struct slot *s) { commit_release_u32(&s->state, SLOT_FREE); }
/* the owner's own view */
static inline const void *slot_now(const struct slot *s, const void *copies, size_t size)
{
	return (const char *)copies + size * (s->commit & 1);
}
/* Another process's view: copies the current copy to `to`. *generation: 0 accepts any and returns the one read.
 * 0, -ENOENT (not live, or another generation) or -EBUSY. */
int slot_read(const struct slot *s, const void *copies, size_t size, uint32_t *generation, void *to);
/* For readers that go on to blocks: as slot_read() (seen->generation in and out), and tells which state it read; what was
 * copied out of its blocks afterwards is whole if the slot is still unchanged then. */
int slot_read_seen(const struct slot *s, const void *copies, size_t size, struct slot *seen, void *to);
bool slot_unchanged(const struct slot *s, const struct slot *seen);
#endif
