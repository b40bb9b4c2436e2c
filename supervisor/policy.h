/* When a dead process is started again, and when a silent one counts as hung. Pure functions. */
#ifndef TANDEM_SUPERVISOR_POLICY_H
#define TANDEM_SUPERVISOR_POLICY_H
#include "shm/region.h"

#define POLICY_QUICK_MS    1000u /* a death within this time of coming into service is a quick one */
#define POLICY_QUICK_LIMIT 5u    /* so many in a row delay the restart */
#define POLICY_DELAY_MS    1000u /* the first delay; each further quick death adds as much ... */
#define POLICY_DELAY_MAX   5000u /* ... up to here */

struct policy_death {
	bool wanted;          /* killed by an order of ours: does not count */
	bool ready;           /* had come into service */
	uint64_t service_ms;  /* how long it was in service */
	uint32_t quick_deaths;/* in a row before this one */
};
struct policy_restart {
	uint32_t quick_deaths; /* now */
	uint32_t delay_ms;     /* 0: at once */
	bool alarm;
};
struct policy_restart policy_restart(const struct policy_death *d);

/* A signal by which a process dies of what it does itself: what it was at work on is to blame (shm/poison.h). */
bool policy_own_fault(int signal);

/* The processes write a heartbeat each turn of their loop, at least every 500 ms. All times clock_ms(). */
struct policy_pulse {
	enum role role;
	uint64_t now, heartbeat;
	uint64_t started;    /* the process was forked */
	uint64_t trusted;    /* since when the supervisor's own ticks were on time: before, the whole machine stood still */
	bool ready;
};
bool policy_hung(const struct policy_pulse *p);
/* silence allowed to a process of that role, ms */
uint32_t policy_silence_ms(enum role r);

/* the supervisor's tick came `late_ms` late: too late to judge others by it */
#define POLICY_TICK_MS 100u
#define POLICY_LATE_MS 250u
#endif
