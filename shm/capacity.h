/* Concurrent-call and calls-per-second limits: one padded cell per worker and limited thing, written by its worker only.
 * Reserve, then verify: raise the own cell, sum all workers' cells, give back if the sum is over. A worker's cells are
 * recomputed from its calls when it is adopted, so no counter can drift.
 *
 * Cells by number: 0 the whole system, then mapping gateways, routing gateways, groups in the order of the configuration,
 * then dial plan rules with `poll`, whose `attempts` count their uses. */
#ifndef TANDEM_SHM_CAPACITY_H
#define TANDEM_SHM_CAPACITY_H
#include "shm/region.h"

struct capacity_cell {
	uint32_t calls;        /* W: owner */
	uint32_t second;       /* W: owner; clock_ms() / 1000 the next two belong to */
	uint32_t in_second;    /* W: owner; calls begun in it */
	uint32_t last_hour;    /* W: owner; calls routed, see routing.md `history` (decays) */
	uint64_t attempts, answers; /* W: owner; since start */
	uint64_t pdd_ms, duration_ms; /* W: owner; sums over attempts that rang / calls that ended */
	uint64_t progressed, ended;   /* W: owner; number of summands of the two above */
};
/* Lines of accounts, by index into config.accounts: there may be so many that a cell of the above for each would be too much.
 * Counted and recomputed in the same way; a call from one account to another has a line of both. */
struct account_cell {
	uint32_t calls;        /* W: owner */
};
uint32_t account_cells(const struct config *c); /* places in AREA_ACCOUNTS, with room for what a reload may add */
static inline uint32_t cell_system(void) { return 0; }
static inline uint32_t cell_mapping(const struct config *c, uint32_t i) { (void)c; return 1 + i; }
static inline uint32_t cell_routing(const struct config *c, uint32_t i) { return 1 + c->mapping_gateways.n + i; }
static inline uint32_t cell_group(const struct config *c, uint32_t i) { return 1 + c->mapping_gateways.n + c->routing_gateways.n + i; }
static inline uint32_t cell_turn(const struct config *c, uint32_t i) { return cell_group(c, c->groups.n) + i; }
static inline uint32_t cell_count(const struct config *c) { return cell_turn(c, c->dial_turns); }
#endif
