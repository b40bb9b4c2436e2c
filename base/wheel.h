/* Hierarchical timer wheel: 1 ms ticks, four levels of 256 slots (49 days). Add and delete are O(1) and touch two
 * neighbours; advancing costs what expires. Timers are embedded in their owners, nothing is allocated.
 *
 *	static void ring(struct wheel_timer *t, uint64_t now_ms);
 *	wheel_init(&w, clock_ms());
 *	wheel_add(&w, &t, now + 500, ring);     // re-adding an armed timer moves it
 *	wheel_advance(&w, clock_ms());          // calls what is due, in order of deadline within 1 ms
 */
#ifndef TANDEM_BASE_WHEEL_H
#define TANDEM_BASE_WHEEL_H
#include <stdbool.h>
#include <stdint.h>

struct wheel_timer {
	struct wheel_timer *next, *prev; /* NULL when not armed */
	uint64_t deadline;               /* ms, CLOCK_MONOTONIC */
	void (*expired)(struct wheel_timer *t, uint64_t now_ms);
};

#define WHEEL_LEVELS 4
#define WHEEL_SLOTS 256
struct wheel {
	uint64_t now; /* ms: everything up to here has been called */
	uint64_t armed;
	struct wheel_timer slots[WHEEL_LEVELS][WHEEL_SLOTS]; /* list heads */
	uint64_t used[WHEEL_LEVELS][WHEEL_SLOTS / 64];       /* bit: the slot may hold timers */
};

void wheel_init(struct wheel *w, uint64_t now_ms); /* a wheel may not be moved or copied afterwards */
/* a deadline that has passed is called in the next millisecond, never in the same one */
void wheel_add(struct wheel *w, struct wheel_timer *t, uint64_t deadline_ms, void (*expired)(struct wheel_timer *, uint64_t));
void wheel_del(struct wheel *w, struct wheel_timer *t); /* nothing to do when not armed */
void wheel_advance(struct wheel *w, uint64_t now_ms);
/* earliest moment at which wheel_advance has something to do (may be early, never late); UINT64_MAX: nothing armed */
uint64_t wheel_next(const struct wheel *w);
#endif
