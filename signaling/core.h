/* The signalling worker's own view: its region, its private indexes and the event it is working on. Everything private is
 * derived from the region and rebuilt by adopt.c; nothing here survives the process. Single-threaded. */
#ifndef TANDEM_SIGNALING_CORE_H
#define TANDEM_SIGNALING_CORE_H
#include "base/clock.h"
#include "base/index.h"
#include "base/out.h"
#include "shm/block.h"
#include "shm/call.h"
#include "shm/capacity.h"
#include "shm/counters.h"
#include "shm/env.h"
#include "shm/journal.h"
#include "shm/location.h"
#include "shm/media.h"
#include "shm/messages.h"
#include "shm/poison.h"
#include "shm/receive.h"
#include "sip/msg.h"
#include "sip/token.h"
#include "tables/route.h"

#define T1_MS         500u
#define TXN_LIFE_MS   (64 * T1_MS)
#define SEND_BATCH    64u
#define ARENA_BYTES   (1u << 20)
#define SCRATCH_BYTES 70000u

struct datagram_out { /* queued until the end of the batch; `p` stays valid until then */
	const void *p;
	uint32_t n;
	uint16_t listen;
	struct addr to;
};

struct protect;
struct sig;
struct call_timer {
	struct wheel_timer t;
	struct sig *g;
};
struct sig_listen {           /* one listening address */
	struct loop_source source;
	struct sig *g;
	uint16_t number;
	uint32_t backlog;     /* percent of the socket's receive buffer in use when it was left; 0: it was emptied */
	bool any;             /* 0.0.0.0 or :: : what we call ourselves depends on the peer */
	struct addr addr;
	char host[280];       /* host[:port] for Via and Contact unless `any` */
	uint32_t host_n;
};

struct media_pool { /* free port pairs of one media worker, oldest first: a circle */
	uint32_t *slot;
	uint32_t head, n, cap;
};

struct sig {
	struct env *env;
	const struct config *c;
	const struct routes *routes; /* NULL until the first is published */
	const struct region_head *head;
	const struct call *calls;
	const struct done *done;
	const struct media_leg *legs;
	const struct capacity_cell *cells;
	const struct journal *journal;
	const struct receive_batch *receive;
	uint32_t n_calls, n_done, n_legs, n_cells;
	bool draining, stopping;
	uint64_t behind_ms;           /* clock_ms() since when half of a receive buffer or more has been in use; 0: it is not */
	bool behind_said;             /* that it is for so long that new calls are refused */
	uint32_t n_banned;            /* sources that are ignored, signaling/protect.h */
	struct protect *protect;      /* private to protect.c */
	uint32_t tracing;             /* bit i: subscription i of tandemctl trace, signaling/trace.h */

	struct blocks blocks;
	uint32_t *free_call;          /* stack of free call slots */
	uint32_t n_free_call, live;   /* live: slots in use */
	uint32_t reserved;            /* calls not yet in the journal: each has a place reserved there */
	struct call_timer *timer;     /* one per call slot: its nearest deadline */
	struct index txns;            /* server transactions: key -> slot * CALL_TXNS + transaction */
	struct index merges;          /* Call-ID, From tag and CSeq of INVITEs being set up -> slot (RFC 3261 section 8.2.2.2) */
	struct index dones;           /* key -> entry of AREA_DONE */
	uint32_t next_done;
	uint64_t unnamed;             /* journal entry (sequence + 1) that is written and that the next done_add() names; 0: none */
	struct location location;     /* contacts of the accounts that are ours, bindings.h */
	struct bindings_timer *binding_timer; /* one per record */
	struct media_pool pool[WORKERS_MAX];
	uint32_t next_pool;

	struct msg_parser *parser;
	struct datagram_out out[SEND_BATCH];
	uint32_t n_out;
	struct { uint32_t slot, commit; } touched[SEND_BATCH];
	uint32_t n_touched;
	char *arena;                  /* messages of no transaction, until the batch is sent */
	uint32_t arena_used;
	bool arena_held;              /* an event's messages lie there and are not queued yet: sending must not empty it */
	char *scratch;                /* where a message is composed before it goes into a block of its size */
	struct hash_key private_key;  /* of the indexes: derived from the roster's, the same for all incarnations */
	struct sig_listen listen[LISTEN_MAX];
	uint32_t n_listen;
};

#define REPLY_STRANGER UINT32_MAX /* nobody we know: as REPLY_AUTO, but never to where Via's maddr points */

/* The datagram being worked on. */
struct event {
	const char *data;
	size_t n;
	struct addr source;
	uint16_t listen;
	uint8_t hops;
	uint64_t now; /* clock_ms() */
	const struct msg *m;
	uint32_t reply; /* enum cfg_reply_address of whoever sent it, once that is known (peer.h); else REPLY_STRANGER */
};

/* --- worker.c --- */
void sig_datagram(struct sig *g, const char *data, size_t n, const struct addr *source, uint16_t listen, uint32_t hops);
void sig_maybe_stop(struct sig *g);
#endif
