/* The roster: who runs. In the supervisor's region, W: supervisor; everybody reads. */
#ifndef TANDEM_SHM_ROSTER_H
#define TANDEM_SHM_ROSTER_H
#include "base/hash.h"
#include "shm/region.h"

enum system_state { SYSTEM_STARTING, SYSTEM_RUNNING, SYSTEM_DRAINING };
enum seat_state { SEAT_EMPTY, SEAT_STARTING, SEAT_RUNNING, SEAT_DEAD, SEAT_DELAYED };
enum steering { STEERING_RING, STEERING_KERNEL };
enum relay_kind { RELAY_SOCKETS, RELAY_SK_LOOKUP };

struct roster_seat {
	uint32_t state, pid;    /* enum seat_state */
	uint64_t started_ms;    /* clock_ms() */
	uint32_t restarts, last_signal, last_code, quick_deaths;
	uint64_t upgrade;       /* roster.upgrade when it was started */
	uint32_t own_fault;     /* 1: the last one died by its own fault: SEGV, BUS, ILL, FPE, ABRT, or it hung */
	uint32_t pad;
};
struct roster {
	uint64_t started_ms, started_wall_ms;
	uint32_t state;         /* enum system_state */
	uint32_t steering;      /* enum steering */
	uint32_t relay;         /* enum relay_kind */
	uint32_t supervisor_pid;
	uint64_t program;       /* of the supervisor: program_id() */
	uint64_t upgrade, upgraded; /* ordered, and done: they differ while processes are being replaced by those of another program */
	uint32_t foreign, pad;  /* foreign: those that are still to be replaced cannot read images of this program */
	uint32_t stage, now;    /* how far starting or stopping is, and whether it is in a hurry: the supervisor's own, for the one after it */
	uint64_t config_generation, route_generation; /* newest published */
	struct hash_key token_key;   /* RO; authenticates the ids we make */
	char instance[8];            /* RO; four base32 characters: marks our Call-IDs (token.h) */
	uint8_t partition[STEER_PARTITIONS]; /* signalling worker of each Call-ID partition */
	struct roster_seat seat[SEATS_MAX];
};
#endif
