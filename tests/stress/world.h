/* A small world to die in: one signalling worker's region with calls, texts, messages, a journal, a capacity cell and a
 * ring to the control process. The writer lives calls through; everything it stores carries a checksum, so that an
 * outsider can tell at any moment whether what it sees is whole; an adopter finishes what a dead writer left. */
#ifndef TANDEM_TESTS_STRESS_WORLD_H
#define TANDEM_TESTS_STRESS_WORLD_H
#include "shm/block.h"
#include "shm/call.h"
#include "shm/capacity.h"
#include "shm/journal.h"
#include "shm/ring.h"
#include <stdio.h>
#include <stdlib.h>

#define WORLD_CALLS 4u

#define CHECK(condition, ...)                                                                                          \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                                \
			fprintf(stderr, __VA_ARGS__);                                                                  \
			fprintf(stderr, " [%s]\n", #condition);                                                        \
			exit(1);                                                                                       \
		}                                                                                                      \
	} while (0)

/* what the test itself must remember across deaths; not part of what is tested */
struct memory {
	uint64_t next_id;	/* of calls; raised before one is begun */
	uint64_t next_sequence; /* of ring messages; raised before one is pushed */
	uint64_t consumed;	/* last sequence the consumer has worked off */
	uint64_t repeats;	/* messages the consumer got again after its death */
	uint64_t gaps;		/* sequences given out and not pushed when their writer died */
	uint64_t acked;		/* journal entries the test has looked at */
	uint64_t reads, busy;	/* of the outsider */
	uint64_t records;	/* journal entries checked */
};

struct world {
	struct region worker, control; /* mapped writable here: each process uses its own end only */
	struct region view;	       /* the worker's, read-only */
	struct memory *memory;
	const struct call *calls;
	const struct journal *journal;
	const struct capacity_cell *cell;
	struct ring_end ring;
	struct blocks blocks;		      /* of the writer */
	struct call_state state[WORLD_CALLS]; /* of the writer: private copies of what it committed */
};

struct order { /* the ring's messages; payload: a block's bytes */
	uint64_t sequence, id, step, sum;
};

void world_make(struct world *w);

/* --- the writer; each returns with all blocks settled ------------------------------------------------------------ */
void world_adopt(struct world *w);  /* takes over from whoever wrote before */
void world_forget(struct world *w); /* frees the private part */
void world_begin(struct world *w, uint32_t i);
void world_step(struct world *w, uint32_t i);
void world_end(struct world *w, uint32_t i); /* also one that its dead writer had begun to end */
bool world_live(const struct world *w, uint32_t i);

/* --- the others -------------------------------------------------------------------------------------------------- */
/* all records through read-only memory; `still`: nobody writes, so being busy is an error */
void world_look(struct world *w, bool still);
/* works off up to `most` messages, checking order and wholeness */
uint32_t world_consume(struct world *w, uint32_t most);
/* reads new journal entries and acknowledges them; *ret_ids: ids of calls they are about */
uint32_t world_read_journal(struct world *w, uint64_t *ret_ids, uint32_t most);
/* no call, all blocks free, no capacity taken */
void world_must_be_empty(struct world *w);
#endif
