/* Time. Durations and deadlines are CLOCK_MONOTONIC; wall time is for records only. */
#ifndef TANDEM_BASE_CLOCK_H
#define TANDEM_BASE_CLOCK_H
#include <stdint.h>
#include <time.h>

static inline uint64_t clock_read_ns(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
static inline uint64_t clock_ns(void) { return clock_read_ns(CLOCK_MONOTONIC); }
static inline uint64_t clock_us(void) { return clock_ns() / 1000u; }
static inline uint64_t clock_ms(void) { return clock_ns() / 1000000u; }
/* milliseconds since 1970, UTC */
static inline uint64_t clock_wall_ms(void) { return clock_read_ns(CLOCK_REALTIME) / 1000000u; }
#endif
