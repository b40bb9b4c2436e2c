/* One event on one call: opened on a private copy of the call's state, committed by a single store, then sent.
 *
 *	struct work w;
 *	work_open(&w, g, slot, now);
 *	... read w.call and w.s, change w.s, compose messages ...
 *	work_commit(&w);      // or nothing: then nothing has happened
 *
 * A call whose transactions are over and that is decided (CALL_ENDING) is freed by work_commit(). */
#ifndef TANDEM_SIGNALING_WORK_H
#define TANDEM_SIGNALING_WORK_H
#include "signaling/core.h"

#define WORK_RETIRE 64u
#define WORK_LOOSE  8u

struct work {
	struct sig *g;
	uint32_t slot;
	const struct call *call;
	struct call_state s;
	uint64_t now;
	uint32_t text_fresh;             /* text block made in this event; BLOCK_NONE: the committed one */
	uint32_t retire[WORK_RETIRE], n_retire; /* given back when the commit is done */
	uint32_t media_given[4 * CALL_STREAMS], n_media_given; /* port pairs (slots of AREA_MEDIA_LEGS), likewise */
	uint32_t send;                   /* bit i: transaction i's message goes out */
	struct datagram_out loose[WORK_LOOSE]; /* messages of no transaction; bytes in the arena or AREA_DONE */
	uint32_t n_loose;
	struct span reason, lines;       /* of the CANCEL or BYE being worked on: value of Reason, header lines for the other leg; borrowed */
	struct span route;               /* value of Route in the INVITE being composed: the Path of a contact; borrowed */
	uint16_t cause_heard;            /* Q.850 cause in the failure being worked on; 0: none */
	bool no_codec;                   /* a candidate was left out for want of a common codec */
	bool full;                       /* out of blocks: the caller gives up on the event; what does not is ended by work_commit() */
};

/* -ENFILE: no free slot. The slot is FILLING and becomes LIVE with its first commit. */
int work_new(struct work *w, struct sig *g, uint64_t now);
void work_open(struct work *w, struct sig *g, uint32_t slot, uint64_t now);
void work_commit(struct work *w);
void work_abandon(struct work *w); /* gives back what a never committed (FILLING) call took */

struct span work_text(const struct work *w, enum call_text_id id);
/* copies; an empty span clears */
void work_put(struct work *w, enum call_text_id id, struct span text);
/* a call that has been set up gives back the room that only its set-up needed */
void work_compact(struct work *w);

/* --- transactions of the call (RFC 3261 section 17) --- */
/* a free one, zeroed; an abandoned attempt, a CANCEL or an acknowledged re-INVITE gives way when all are used; NULL when none can */
struct call_txn *txn_new(struct work *w, bool server, enum txn_method method, enum call_leg_side leg);
void txn_free(struct work *w, struct call_txn *t);
struct call_txn *txn_find(struct work *w, bool server, enum txn_method method, enum call_leg_side leg); /* first live one */
/* client: by the number in our branch; a CANCEL has its INVITE's */
struct call_txn *txn_by_number(struct work *w, uint32_t number, enum txn_method method);
struct call_txn *txn_by_key(struct work *w, uint64_t key);                 /* server */
static inline uint8_t txn_number(const struct work *w, const struct call_txn *t) { return (uint8_t)(t - w->s.txn); }
static inline struct call_txn *txn_paired(struct work *w, const struct call_txn *t) { return t->pair ? &w->s.txn[t->pair - 1] : NULL; }
/* keeps the composed message as the transaction's last one and sends it with the commit; without a block for it what ends
 * something is sent once, anything else makes the event `full` */
void txn_message(struct work *w, struct call_txn *t, const struct out *composed);
/* starts a client transaction's resends and its end: by the gateway's list or the global one */
void txn_start_client(struct work *w, struct call_txn *t);
const struct cfg_resend *txn_resend_list(const struct work *w, const struct call_txn *t);
/* keeps a final response going until `end`: spacing of the list, its last value repeated */
void txn_start_server_final(struct work *w, struct call_txn *t);

/* --- what is left of transactions that are over --- */
/* remembers `message` for TXN_LIFE_MS; returns where it lies now (NULL when too long to be kept) */
const char *done_add(struct sig *g, enum done_kind kind, uint64_t key, struct span message, uint16_t listen, const struct addr *to, uint64_t now);
/* the same as a part of the event `w`: it counts when the event is committed, and not before */
const char *done_add_in(struct work *w, enum done_kind kind, uint64_t key, struct span message, uint16_t listen, const struct addr *to);
/* first of all in a new worker: what the dead one had written of an event that it did not commit is forgotten */
void done_forget_uncommitted(struct sig *g);
const struct done *done_find(struct sig *g, uint64_t key, uint64_t now);

/* sends bytes that belong to no transaction after the commit; copied */
void work_send(struct work *w, struct span message, uint16_t listen, const struct addr *to);

/* Keys of transactions. Server: what RFC 3261 section 17.2.3 compares; ACK and CANCEL find the INVITE's with `method`. */
uint64_t key_server(const struct sig *g, const struct msg *m, enum txn_method method);
uint64_t key_branch(const struct sig *g, struct span branch);
uint64_t key_merge(const struct sig *g, struct span call_id, struct span from_tag, uint32_t cseq);
#endif
