/* Messages as we write them (RFC 3261 sections 8, 12, 20): bounded composer, from stored fields, nothing of the other
 * side's topology. All functions write into `o` and leave the check for "did not fit" (o->full) to txn_message(). */
#ifndef TANDEM_SIGNALING_COMPOSE_H
#define TANDEM_SIGNALING_COMPOSE_H
#include "signaling/work.h"

/* a fresh composer over the worker's scratch memory; one message at a time */
struct out compose_begin(struct sig *g);
const char *reason_phrase(uint16_t code);

struct body {
	struct span type, text; /* n 0: none */
};

/* --- ids that we make --- */
void compose_local_tag(const struct work *w, enum call_leg_side leg, char ret_tag[32], size_t *ret_n);
size_t compose_call_id(const struct work *w, char *ret_text, size_t cap); /* of the callee leg, current attempt */
void out_branch(const struct work *w, struct out *o, uint32_t number);

/* --- requests --- */
/* The INVITE of the current attempt: TEXT_OUT_URI, TEXT_OUT_FROM, TEXT_OUT_TO and leg[LEG_CALLEE] are set. */
void compose_invite(const struct work *w, struct out *o, const struct call_txn *t, const struct body *b);
/* A request inside the dialog of t->leg (also ACK for a 2xx, with the INVITE's CSeq number). `extra`: header lines. */
void compose_in_dialog(const struct work *w, struct out *o, const struct call_txn *t, struct span extra, const struct body *b);
/* CANCEL of, or ACK for a failure of, an INVITE we sent; from the bytes of that INVITE (RFC 3261 sections 9.1, 17.1.1.3).
 * `to`: value of the To header of the response (ACK) or of the INVITE (CANCEL). 0 or -EBADMSG. */
int compose_from_invite(struct out *o, struct span invite, struct span method, struct span to, struct span extra);

/* --- responses --- */
/* what a server transaction keeps of its request for its responses: a block; BLOCK_NONE: out of memory */
int compose_keep_request(struct work *w, struct call_txn *t, const struct event *ev);
/* `tag`: written after To when the request's had none */
void compose_response(const struct work *w, struct out *o, const struct call_txn *t, uint16_t code, struct span extra, const struct body *b);
/* response to a request that has no call; `tag` n 0: none is added */
void compose_reply(struct sig *g, struct out *o, const struct event *ev, uint16_t code, struct span phrase, struct span extra);

/* header lines */
void out_reason(struct out *o, uint16_t cause); /* Reason: Q.850 */
/* "Unsupported: ..." with the tags of Require that we do not know; false: there is none, nothing is written */
bool out_unsupported(struct out *o, const struct msg *m);
void out_body(struct out *o, const struct body *b); /* Content-Type, Content-Length, empty line, body */
extern const struct span allow_line; /* "Allow: ...\r\n" */
#endif
