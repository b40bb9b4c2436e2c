/* A media worker with regions and sockets around it, as the supervisor would make them, and the signalling worker's side of its
 * legs. For tests and benchmarks; everything exits on failure. */
#ifndef TANDEM_TESTS_RIG_H
#define TANDEM_TESTS_RIG_H
#include "shm/env.h"
#include "shm/media.h"
#include <sys/types.h>

struct rig_plan {
	const char *addresses[MEDIA_ADDRESSES_MAX]; /* of the relay; NULL ends them */
	uint32_t low, high;                         /* ports */
	uint32_t signaling, media;                  /* workers */
};
struct rig {
	struct env env; /* the supervisor's */
	const struct config *config;
	int kind; /* enum relay_kind */
	pid_t pid[WORKERS_MAX];
};

void rig_open(struct rig *r, const struct rig_plan *plan);
void rig_close(struct rig *r); /* kills the workers */
/* forks media worker `index` and waits until it is in service */
void rig_start(struct rig *r, uint32_t index);
void rig_kill(struct rig *r, uint32_t index); /* SIGKILL, and waits for its end */
/* a new network namespace with `lo` up and its MTU set; false when that is not permitted */
bool rig_namespace(uint32_t mtu);

const struct media_leg *rig_leg(const struct rig *r, uint32_t pair);
void rig_allot(const struct rig *r, uint32_t pair, const struct media_want *want);  /* a new life */
void rig_change(const struct rig *r, uint32_t pair, const struct media_want *want); /* the same life */
void rig_free(const struct rig *r, uint32_t pair);
/* the figures of the pair's present life; zero when it has none yet */
struct media_flow rig_flow(const struct rig *r, uint32_t pair);
struct addr rig_addr(const char *text);
#endif
