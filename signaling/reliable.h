/* Reliable provisional responses (RFC 3262), each leg for itself. Towards the gateway 100rel is offered when the caller does it, or
 * when the gateway answered 421. Towards the caller a response is reliable when the caller insists, or does it and the gateway's
 * was; its PRACK is passed on if it acknowledges a reliable one of the gateway's, else answered here, and the gateway gets one
 * of ours. One response at a time is unacknowledged: what comes meanwhile is held, the latest wins. It is resent by the list of
 * resends for 64*T1; then the call is over. */
#ifndef TANDEM_SIGNALING_RELIABLE_H
#define TANDEM_SIGNALING_RELIABLE_H
#include "signaling/compose.h"

void reliable_begin(struct work *w, const struct msg *m); /* the caller's INVITE */
void reliable_next_attempt(struct work *w);
/* a 421 of the gateway: true when its INVITE may be repeated with 100rel, which is then in it */
bool reliable_insisted(struct work *w, const struct msg *m);
void reliable_out_request(const struct work *w, struct out *o); /* Supported */

/* A provisional response of the gateway, before anything is learnt from it: false when it is a reliable one that came before or
 * out of order. */
bool reliable_in_order(struct work *w, const struct msg *m);
/* it is carried to the caller (`server`, still unanswered) as `code` with `lines` and `b` */
void reliable_pass(struct work *w, struct call_txn *server, const struct msg *m, uint16_t code, struct span lines, const struct body *b);

/* a response with a session description is unacknowledged: the 2xx waits until the caller has it (RFC 3262 section 3) */
bool reliable_holds_answer(const struct work *w);
void reliable_hold_answer(struct work *w, uint16_t code, struct span lines, const struct body *b);

enum reliable_ack { RELIABLE_UNKNOWN, RELIABLE_OURS, RELIABLE_PASSES };
/* the caller's PRACK; RELIABLE_PASSES: *rack is the RAck line for the gateway */
enum reliable_ack reliable_acknowledged(struct work *w, const struct msg *m, struct out *rack);
void reliable_next(struct work *w); /* what was held goes out */
#endif
