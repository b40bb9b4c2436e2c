/* What surviving a death costs, measured: with -Dcommits=twice each event does it a second time, on a shadow of the calls that
 * nobody reads. Copying the state in and out and storing the commit is all that a call pays for it; what is kept of messages
 * a softswitch keeps anyway, to repeat them. The shadow's memory is as cold as the record's. tests/bench/run --only price */
#ifndef TANDEM_SIGNALING_TWICE_H
#define TANDEM_SIGNALING_TWICE_H
#include "signaling/work.h"
#include <stdlib.h>

#ifdef TANDEM_COMMITS_TWICE
static struct call *twice_calls;
static struct call_state twice_state; /* where it is copied to, as to struct work */

static inline void twice_open(const struct sig *g, uint32_t slot)
{
	if (!twice_calls) {
		twice_calls = malloc(g->n_calls * sizeof *twice_calls);
		if (!twice_calls)
			abort();
		memset(twice_calls, 0, g->n_calls * sizeof *twice_calls); /* no page of it faults later */
	}
	const struct call *c = &twice_calls[slot];
	memcpy(&twice_state, slot_now(&c->slot, c->copies, sizeof twice_state), sizeof twice_state);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}
static inline void twice_commit(const struct sig *g, uint32_t slot, const struct call_state *s)
{
	if (!twice_calls)
		twice_open(g, slot);
	const struct call *c = &twice_calls[slot];
	slot_commit(&c->slot, c->copies, sizeof *s, s);
	if (g->calls[slot].slot.state == SLOT_FILLING) {
		slot_claim(&c->slot);
		commit_zero(c->copies, sizeof c->copies);
		slot_live(&c->slot);
	}
	commit_u32(&c->slot.sent, c->slot.commit);
}
#else
#define twice_open(g, slot)	 ((void)0)
#define twice_commit(g, slot, s) ((void)0)
#endif
#endif
