/* Port pairs of this worker's share: allotted to the legs of its calls by writing their records (shm/media.h). */
#ifndef TANDEM_SIGNALING_MEDIA_POOL_H
#define TANDEM_SIGNALING_MEDIA_POOL_H
#include "signaling/work.h"

int media_pool_init(struct sig *g); /* private memory; 0 or -ENOMEM */
/* puts every pair that no live call refers to into the pool, freeing what a dead predecessor left half made;
 * `used[slot]` says what the live calls refer to. 0 or -ENOMEM */
int media_pool_adopt(struct sig *g, const uint8_t *used);
/* two pairs of one media worker for stream `stream` of both legs; -EAGAIN when none is free */
int media_take(struct work *w, uint32_t stream);
/* the leg's record of that stream; NULL when it has none */
const struct media_leg *media_leg_of(const struct work *w, enum call_leg_side leg, uint32_t stream);
uint16_t media_port(const struct work *w, enum call_leg_side leg, uint32_t stream);
/* commits the leg's wish (copied) */
void media_want(const struct work *w, enum call_leg_side leg, uint32_t stream, const struct media_want *want);
const struct media_want *media_wanted(const struct work *w, enum call_leg_side leg, uint32_t stream);
void media_give(struct work *w); /* all pairs of the call: its state no longer refers to them */
void media_free_given(struct work *w); /* part of work_commit(): nothing committed refers to them any more */
/* what the relay has seen of a leg's stream; 0, -ENOENT, -EBUSY */
int media_seen(const struct work *w, enum call_leg_side leg, uint32_t stream, struct media_flow *ret_flow);
uint32_t media_pool_free(const struct sig *g);
#endif
