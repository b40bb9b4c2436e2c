/* What the supervisor hands to a process it forks, and the little they say to each other afterwards: SOCK_SEQPACKET, one
 * struct notice a packet, images as a descriptor (SCM_RIGHTS). */
#ifndef TANDEM_SHM_ENV_H
#define TANDEM_SHM_ENV_H
#include "base/loop.h"
#include "shm/region.h"
#include "shm/ring.h"
#include "shm/roster.h"

#define LISTEN_MAX 16u
#define MEDIA_ADDRESSES_MAX 8u
#define ENV_OLD_IMAGES 4u /* of each kind */

struct notice;
struct image { /* a sealed memfd, mapped read-only */
	const void *p;
	size_t size;
	int fd;
	uint64_t generation; /* config: of the image itself; routes: value of the notice it came with */
};

struct env {
	enum role role;
	uint32_t index, seat;
	struct region region[SEATS_MAX]; /* own: writable; others: read-only; unused and damaged ones: head NULL (unused before env_start: fd <= 0) */
	const struct roster *roster;
	int doorbell[SEATS_MAX];         /* eventfd (non-blocking) of each seat; -1: no such seat */
	int supervisor;                  /* SOCK_SEQPACKET to the supervisor, non-blocking */
	struct image config, routes;     /* routes.p NULL until the first is published */
	/* sockets, all opened by the supervisor: sip[listen][signalling worker] (every process has them all) */
	int sip[LISTEN_MAX][WORKERS_MAX];
	uint32_t n_listen;
	/* media: one receive socket per media worker and address (sk_lookup), or port_socket[] = one per port and address */
	int relay[MEDIA_ADDRESSES_MAX][WORKERS_MAX];
	int raw4, raw6;                  /* raw sockets for sending with any source port; -1: none */
	int *port_socket;                /* [address * ports + port - low], NULL with sk_lookup */
	int status_socket, http_socket;  /* listening; served by control alone */
	/* What only a later supervisor needs; every process holds it, so that any one can hand it over (handover.h). 0: none */
	int post[SEATS_MAX], desk[SEATS_MAX]; /* of each seat, for ever: the supervisor's and the process's end of its socket */
	int lock;                        /* RUN_DIR/lock, flocked as long as anybody lives; byte SEAT is locked by the process there */
	int door;                        /* RUN_DIR/adopt.sock, listening */
	int relay_link;                  /* what holds the relay's kernel program */
	uint32_t n_port_sockets;
	uint64_t images;                 /* program_layout().images of the program that runs here */
	uint32_t owner;                  /* uid that may ask for all this, besides root */
	/* how a process is served: set by the process itself before env_run() */
	struct loop loop;
	void (*on_ring)(struct env *e, uint32_t from_seat, const struct ring_message *m);
	void (*on_config)(struct env *e);  /* env->config has changed */
	void (*on_routes)(struct env *e);
	void (*on_drain)(struct env *e);   /* no new calls from now on */
	void (*on_stop)(struct env *e, bool now); /* finish and loop_stop(); default: loop_stop(0) */
	void (*on_turn)(struct env *e);    /* end of each loop turn, before doorbells are rung */
	void (*on_notice)(struct env *e, const struct notice *n); /* notices env.c has no use for: RESULT, EVENT */
	void *context;                     /* the process's own */
	uint64_t died_at;                  /* region_head.working_on of a predecessor that died by its own fault, poison.h; 0: none */
	uint32_t poisoned;                 /* datagrams that are known to kill */
	/* private to env.c */
	struct ring_end in[SEATS_MAX], out[SEATS_MAX];
	bool rung[SEATS_MAX];              /* something was pushed this turn */
	struct loop_source bell, boss, visitors;
	struct image old_config[ENV_OLD_IMAGES], old_routes[ENV_OLD_IMAGES]; /* newest first, still mapped */
};

enum notice_type {
	NOTICE_READY,    /* process -> supervisor: in service */
	NOTICE_CONFIG,   /* -> process, with a descriptor */
	NOTICE_ROUTES,   /* routing -> supervisor -> all, with a descriptor */
	NOTICE_DRAIN,    /* -> process: no new calls */
	NOTICE_STOP,     /* -> process: value 1: now */
	NOTICE_RELOAD,   /* control -> supervisor; answered by NOTICE_RESULT */
	NOTICE_RESTART,  /* control -> supervisor: value = seat */
	NOTICE_SHUTDOWN, /* control -> supervisor: value 1: now */
	NOTICE_DRAIN_ALL,/* control -> supervisor */
	NOTICE_LOG,      /* control -> supervisor -> all: value = enum log_level */
	NOTICE_RESULT,   /* supervisor -> control: value 0 or -errno, text says why; serial as in the request, 0: to all that wait */
	NOTICE_EVENT,    /* supervisor -> control: text is a JSON object for subscribers (worker.died, reload, alarm) */
	NOTICE_POISON,   /* -> supervisor: something was left out, with a capture of it in a descriptor (poison.h) */
	NOTICE_LEAVE,    /* -> process: end with the end of this turn; a successor carries on */
	NOTICE_UPGRADE   /* control -> supervisor */
};
#define NOTICE_TEXT 8000
struct notice {
	uint32_t type;
	uint32_t serial;
	int64_t value;
	char text[NOTICE_TEXT]; /* zero-terminated; only as much as needed is sent */
};

/* Called by a process after fork: maps its own region read-write and those of the others read-only, starts the loop, heartbeat,
 * doorbell and the supervisor's socket. 0 or -errno. */
int env_start(struct env *e);
void env_ready(struct env *e);             /* tells the supervisor, stores head.ready */
int env_run(struct env *e);                /* loop_run; returns the exit code */
void env_done(struct env *e);
/* push to another seat's ring; the doorbell is rung once at the end of the turn */
int env_push(struct env *e, uint32_t seat, uint32_t type, const void *a, size_t na, const void *b, size_t nb);
/* The configuration of that generation while it is mapped: the current one or one of the ENV_OLD_IMAGES before; else NULL.
 * What is found stays valid until ENV_OLD_IMAGES more have come. */
const struct config *env_config(const struct env *e, uint64_t generation);
const void *env_routes(const struct env *e, uint64_t generation); /* likewise */
/* looks at the incoming rings with the next turn, for messages whose sender rings no bell (events nobody waits for) */
void env_look(struct env *e);
int env_notify(struct env *e, const struct notice *n, int fd); /* to the supervisor; fd -1: none */
int notice_send(int sock, const struct notice *n, int fd);     /* 0, -EAGAIN, -errno */
int notice_receive(int sock, struct notice *ret_notice, int *ret_fd); /* 0, -EAGAIN, -ECONNRESET at the end, -errno; fd -1: none */

/* images: sealed memfds */
int image_make(const char *name, const void *p, size_t size, int *ret_fd); /* copies, seals */
int image_map(int fd, struct image *ret_image);    /* refuses one that is not sealed; takes fd */
void image_unmap(struct image *i);
#endif
