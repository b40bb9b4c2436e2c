/* The port pairs a media worker serves. Each has a leg (the signalling worker's record, read-only) and a flow (this worker's
 * record). A private copy of what the leg wants is kept and read again only when the leg's counters have moved. */
#ifndef TANDEM_MEDIA_PROXY_PAIR_H
#define TANDEM_MEDIA_PROXY_PAIR_H
#include "media-proxy/rtp.h"
#include "shm/media.h"

#define PAIR_NONE UINT32_MAX

struct pair {
	const struct media_leg *leg;   /* NULL: its owner has no region */
	const struct media_flow *flow;
	bool live;                     /* the rest is valid */
	struct slot seen;              /* the leg's counters when `want` was copied */
	struct media_want want;
	uint64_t rtcp_latched_ms;      /* not kept over a death: the latch is then taken for an old one */
	uint32_t bad_seq, timestamp;   /* struct rtp_stats */
};

#define PAIR_SHUN 8u
struct pair_table {
	uint32_t low, high;            /* ports */
	uint32_t pairs, workers, index;/* pair % workers == index are ours */
	uint32_t n_addresses;
	struct addr *address;          /* ours, media.addresses; port 0 */
	struct pair *pair;             /* by pair / workers */
	struct {                       /* legs that have killed their worker twice: as if not live (shm/poison.h) */
		uint32_t number, generation;
	} shun[PAIR_SHUN];
	uint32_t n_shun;
};

/* `legs[owner]` and `flows` are the areas of the regions. Copies what it needs from `c`. 0 or -ENOMEM. */
int pair_table_init(struct pair_table *t, const struct config *c, uint32_t index,
	const struct media_leg *const *legs, const struct media_flow *flows);
void pair_table_done(struct pair_table *t);

/* the live pair of that number, or NULL; its flow belongs to the leg's present life and epoch */
struct pair *pair_get(struct pair_table *t, uint32_t number);
/* from now on that life of the pair's leg is not served */
void pair_shun(struct pair_table *t, uint32_t number, uint32_t generation);
static inline uint32_t pair_of_port(const struct pair_table *t, uint32_t port)
{
	return port < t->low || port > t->high ? PAIR_NONE : (port - t->low) / 2;
}
#endif
