/* A call, by what happens to it. Every function opens the call's record, works on its copy, commits and sends. */
#ifndef TANDEM_SIGNALING_CALL_H
#define TANDEM_SIGNALING_CALL_H
#include "signaling/compose.h"
#include "signaling/switch.h"

/* --- call_setup.c: a new INVITE --- */
void call_invite(struct sig *g, const struct event *ev);
void call_cancel(struct sig *g, const struct event *ev);
/* answers a request that gets no call; remembered, so that repetitions get the same and are recorded once; ingress CONFIG_NONE: no
 * record */
void call_refuse(struct sig *g, const struct event *ev, uint32_t ingress, uint32_t account, enum end_reason reason, struct span extra);

/* --- call_attempt.c: one candidate after the other --- */
/* the next candidate with free capacity, which is taken; false: none left */
bool attempt_reserve(struct work *w);
void attempt_give(struct work *w);       /* gives back the lines of the attempt under way */
int attempt_start(struct work *w);       /* INVITE to s.gateway or s.to_account; 0, -EBADMSG (offer), -EAGAIN (no port), -ENOMEM, -ENOENT (not registered) */
/* the same; where it cannot be, to the next candidate with free capacity. s.gateway's capacity is taken, whatever comes of it */
int attempt_start_any(struct work *w);
/* the same INVITE once more to the same gateway, after a refusal that says what to change; no attempt of its own */
bool attempt_repeat(struct work *w);
/* the INVITE of the attempt goes to `to` with this Request-URI: a Contact of a 3xx */
bool attempt_elsewhere(struct work *w, struct span uri, const struct addr *to);
/* the attempt under way is over: its INVITEs are cancelled, or left to AREA_DONE when nothing came back yet */
void attempt_drop(struct work *w);
void attempt_drop_others(struct work *w, const struct call_txn *but); /* all branches but the one that has answered */
/* it failed: next gateway, or the final answer to the caller. `code` 0: time-out */
void attempt_failed(struct work *w, enum end_reason failure, uint16_t code);
void call_abandon_to_done(struct work *w, struct call_txn *t);

/* --- call_response.c --- */
void call_response(struct sig *g, uint32_t slot, uint32_t number, const struct event *ev);
/* the caller gets its 2xx: the call counts as answered from here on */
void call_answer(struct work *w, struct call_txn *caller, uint16_t code, struct span lines, const struct body *body);
void learn_dialog(struct work *w, enum call_leg_side leg, const struct event *ev); /* target, route set, To with tag */
void learn_target(struct work *w, enum call_leg_side leg, const struct event *ev); /* target refresh */

/* --- stray.c: responses that nobody waits for --- */
/* to an INVITE or CANCEL of ours that is over */
void stray_response(struct sig *g, const struct event *ev);
/* a 2xx: ACK and BYE; in the call `w` (NULL: it is gone) */
void end_unwanted(struct sig *g, struct work *w, const struct event *ev);

/* what such a request is found by; `half`: upper half of its transaction's key */
static inline uint64_t stray_key(uint32_t half) { return UINT64_C(0x5eed0000) << 32 | half; }

/* --- call_request.c: requests inside a dialog --- */
void call_request(struct sig *g, uint32_t slot, const struct token *t, const struct event *ev);

/* --- call_end.c --- */
/* final answer to a caller that is still waiting, and the end */
void call_fail(struct work *w, enum end_reason reason, enum journal_ended_by by, uint16_t code, uint16_t cause);
/* an answered call: BYE on each leg but `by`'s, and the end */
void call_hang_up(struct work *w, enum end_reason reason, enum journal_ended_by by);
void call_release_bye(struct work *w); /* the caller's 2xx is acknowledged, or its time is over: a BYE that waited goes out */
void call_drop_bye(struct work *w);    /* or is not needed any more: the caller has said it */
/* whichever of the two fits */
void call_terminate(struct work *w, enum end_reason reason);
/* a request of ours inside the dialog of `leg`; NULL: no transaction free */
struct call_txn *call_send(struct work *w, enum call_leg_side leg, enum txn_method method, struct span extra, const struct body *b);
void call_event(struct work *w, uint32_t type);

/* --- record.c: the journal --- */
bool journal_has_room(const struct sig *g, uint32_t more); /* beyond what running calls have reserved */
void record_attempt(struct work *w, bool final);  /* the attempt under way (or none) into the journal, at the next commit */
/* written, not published: what remembers the refusal names it, so that it is recorded once. Sequence + 1; 0: no record */
uint64_t record_refused(struct sig *g, const struct event *ev, uint32_t ingress, uint32_t account, enum end_reason reason);
void call_journal_publish(struct work *w);        /* part of work_commit() */

/* --- call_timer.c --- */
void call_timer_expired(struct sig *g, uint32_t slot, uint64_t now);
void call_hangup_order(struct sig *g, uint32_t slot, uint32_t generation, enum end_reason reason);
/* a request of ours inside a dialog that gets no answer: whoever asked for it hears `code` */
void call_unanswered(struct work *w, struct call_txn *t, uint16_t code);

/* --- adopt.c --- */
int adopt(struct sig *g); /* builds all private state from the region; 0 or -ENOMEM */
void adopt_resend(struct sig *g); /* what the dead predecessor had committed but not sent */
void adopt_renumber(struct sig *g); /* after a reload: gateways of running calls by their names */
#endif
