/* The supervisor: what its files share. One object, made by supervisor_run(); children inherit it and throw it away.
 *
 *	STAGE_BASE       cdr, routing and media start; on when all are in service and routes were published
 *	STAGE_SIGNALING  on when all are in service
 *	STAGE_CONTROL    on when it is in service
 *	STAGE_RUNNING    until an order to stop
 *	STAGE_STOP_REGISTRAR registrations are taken back; no new calls from here on
 *	STAGE_STOP_CALLS signaling refuses new calls until none of it has any left, then ends; after drain_timeout it is told to end them
 *	STAGE_STOP_MEDIA, STAGE_STOP_CONTROL, STAGE_STOP_CDR
 *	STAGE_OVER
 * A process that dies before its stage of stopping is started again whatever the stage. */
#ifndef TANDEM_SUPERVISOR_SUPERVISOR_H
#define TANDEM_SUPERVISOR_SUPERVISOR_H
#include "shm/env.h"
#include "supervisor/compiler.h"
#include "supervisor/options.h"
#include "supervisor/privilege.h"
#include <limits.h>
#include <stddef.h>

enum stage {
	STAGE_BASE, STAGE_SIGNALING, STAGE_CONTROL, STAGE_RUNNING, STAGE_STOP_REGISTRAR, STAGE_STOP_CALLS, STAGE_STOP_MEDIA, STAGE_STOP_CONTROL,
	STAGE_STOP_CDR, STAGE_OVER
};

/* the object that has `at` as its member */
#define OWNER(at, type, member) ((type *)(void *)((char *)(at)-offsetof(type, member)))

struct supervisor;
struct child { /* a seat and, while pid is not 0, the process on it */
	struct supervisor *s;      /* NULL: seat not used */
	uint32_t seat;
	pid_t pid;
	struct loop_source end;    /* its pidfd */
	struct loop_source notices;/* our end of its socket; fd -1: closed */
	struct wheel_timer delay;  /* armed: waits to be started again */
	uint64_t started_ms, ready_ms; /* ready_ms 0: not in service */
	uint32_t quick_deaths;
	uint64_t config_sent, routes_sent; /* generations it has */
	bool wanted;               /* its death is our order */
	uint64_t leave_ms;         /* until when, when it was told to make place */
	bool foreign;              /* of a program that cannot read our images: it keeps those it has */
	bool done;                 /* not to be started again */
	bool hung;                 /* its death is our order because it gave no sign of life */
	uint32_t restart_serial;   /* order of control to answer when it is in service again; 0: none */
};

struct probe { /* a question to the new program */
	pid_t pid;
	struct loop_source source; /* its output */
	struct wheel_timer deadline;
	bool file;                 /* whether it takes the configuration; else for its layout */
	size_t n;
	char text[4000];
};

struct supervisor {
	struct loop loop;
	struct loop_source signals;
	struct wheel_timer tick, deadline; /* deadline: of the stage of stopping */
	uint64_t tick_due, trusted_ms;
	enum stage stage;
	bool now, failed; /* now: calls are ended; failed: exit code 1 */
	bool calls_over;  /* while calls are stopped: there are none any more */
	char *file;
	char *run_dir;
	int lock_fd;               /* ours; env.lock is the inherited one, which a first supervisor has in common */
	bool adopted;              /* took over running processes */
	struct identity identity;
	struct env env;            /* as handed to children; regions are mapped read-only but our own */
	const struct roster *roster;
	struct child child[SEATS_MAX];
	/* reload in progress */
	struct compiler compiler;  /* pid 0: none */
	struct loop_source compiled;
	struct wheel_timer reload_deadline;
	uint64_t generation;       /* last handed out */
	bool reloading;            /* from the order until the routes of the new configuration are published */
	uint32_t reload_serial;    /* 0: ordered by signal */
	bool reload_again;
	uint32_t poisons;          /* captures kept */
	/* upgrade */
	struct probe probe;
	char program[PATH_MAX];    /* where this program was; "" not known */
	uint32_t upgrade_serial;   /* order to answer */
};

static inline const struct config *config_now(const struct supervisor *s)
{
	return s->env.config.p;
}

/* supervisor.c: the whole life. Returns the exit code */
int supervisor_run(const struct options *o);
void supervisor_state(struct supervisor *s, enum system_state state);

/* memory.c */
int memory_make(struct supervisor *s); /* logs; 0 or -errno */
/* regions of a dead supervisor's processes, whose descriptors are in env; as above */
int memory_adopt(struct supervisor *s);
bool memory_seat_used(const struct config *c, uint32_t seat);

/* adopt.c: what a dead supervisor left. 0; -ESRCH: nobody is left, start afresh; else logged */
int adopt_take(struct supervisor *s);
void adopt_children(struct supervisor *s); /* those that live are watched from now on; the loop is there */

/* children.c: one process */
int child_watch(struct supervisor *s, struct child *c, int pidfd); /* takes pidfd; 0 or -errno */
int child_start(struct supervisor *s, struct child *c); /* 0 or -errno; logs */
void child_kill(struct child *c, int signal);
void child_closed(struct supervisor *s, struct child *c); /* after its death */
int child_tell(struct child *c, uint32_t type, int64_t value);
void child_seat_state(struct supervisor *s, struct child *c, enum seat_state state);

/* watch.c: deaths and hangs */
void watch_ended(struct loop_source *source, uint32_t events);
void watch_start(struct supervisor *s, struct child *c); /* starts it, or tries again a little later */
void watch_tick(struct wheel_timer *t, uint64_t now);

/* stages.c: starting and stopping in order */
void stages_begin(struct supervisor *s);
void stages_adopt(struct supervisor *s); /* instead of it, where the roster says */
void stages_advance(struct supervisor *s); /* after anything that may complete a stage */
void stages_stop(struct supervisor *s, bool now);
void stages_tell(struct supervisor *s, struct child *c); /* a fresh process: what the others have been told */
void stages_tick(struct supervisor *s);
/* a process ended, `well`: as it should; true: it has done its part and is not started again */
bool stages_ended(const struct supervisor *s, const struct child *c, bool well);

/* orders.c: what processes say and what control asks for */
void orders_ready(struct loop_source *source, uint32_t events);
void orders_event(struct supervisor *s, const char *format, ...) __attribute__((format(printf, 2, 3))); /* a JSON object */
void orders_result(struct supervisor *s, uint32_t serial, int value, const char *text); /* serial 0: nobody asked */
void orders_forsake(struct supervisor *s); /* orders that a former supervisor had accepted */
void orders_alarm(struct supervisor *s, const char *format, ...) __attribute__((format(printf, 2, 3))); /* logs too */

/* upgrade.c */
void upgrade_order(struct supervisor *s, uint32_t serial);
bool upgrade_running(const struct supervisor *s);
void upgrade_tick(struct supervisor *s, uint64_t now);

/* publish.c: images and reload */
void publish_reload(struct supervisor *s, uint32_t serial);
void publish_routes(struct supervisor *s, int fd, uint64_t generation); /* takes fd */
void publish_owed(struct supervisor *s, struct child *c); /* sends what it does not have yet */
#endif
