/* What the registrar process remembers of its work for the endpoints, so that a successor goes on where it was. */
#ifndef TANDEM_SHM_UPKEEP_H
#define TANDEM_SHM_UPKEEP_H
#include "shm/region.h"

struct upkeep {
	uint32_t restored;       /* W: registrar; 1: what state_dir held has been given to the owners */
	/* the keep-alive pass under way */
	uint32_t worker, slot;   /* W: registrar; where it goes on: slot of location_read(), location_slots() and above: it is over */
	uint32_t missed;         /* W: registrar; of the pass before: endpoints it did not get to */
	uint64_t pass_ms;        /* W: registrar; when it began; 0: none yet */
	uint64_t batch_ms;       /* W: registrar; when its last batch was sent; 0: none */
};
#endif
