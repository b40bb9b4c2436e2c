/* Limits on concurrent calls and new calls per second over all workers (shm/capacity.h): reserve, then verify. */
#ifndef TANDEM_SIGNALING_CAPACITY_H
#define TANDEM_SIGNALING_CAPACITY_H
#include "signaling/core.h"

/* limits: CONFIG_NONE is none. True when the call is counted in; false: over the limit, nothing is counted. */
bool capacity_take_line(struct sig *g, uint32_t cell, uint32_t limit);
bool capacity_take_rate(struct sig *g, uint32_t cell, uint32_t limit, uint64_t now_ms);
void capacity_give_line(struct sig *g, uint32_t cell);
uint32_t capacity_calls(const struct sig *g, uint32_t cell); /* over all workers */
uint32_t capacity_last_hour(const struct sig *g, uint32_t cell);
void capacity_routed(struct sig *g, uint32_t cell);          /* for `history` in the sort chain */
uint64_t capacity_turn(struct sig *g, uint32_t cell);        /* uses so far, by all workers; counts one more */
bool capacity_take_account(struct sig *g, uint32_t account, uint32_t limit); /* as a line; index into config.accounts */
void capacity_give_account(struct sig *g, uint32_t account);                 /* nothing when it is none */
uint32_t capacity_account_calls(const struct sig *g, uint32_t account);
void capacity_decay(struct sig *g);                          /* once a minute */
void capacity_clear(struct sig *g);                          /* before an adopter counts again */
#endif
