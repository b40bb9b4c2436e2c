/* What tandemctl trace shows: copies of datagrams and a line per decision, pushed into the ring to control while a subscription is
 * active (sig.tracing, a bit for each). What does not fit there is dropped and counted, and the count goes along with the next.
 * Nobody waits for a trace and nothing of it survives this process: control subscribes again at its successor.
 *
 *	if (g->tracing)
 *		trace_note(g, "gateway %s is tried", id);
 *
 * An event is kept until its first datagram leaves, or until its end: only then is it known whose call it was. */
#ifndef TANDEM_SIGNALING_TRACE_H
#define TANDEM_SIGNALING_TRACE_H
#include "signaling/core.h"

#define TRACE_SPAN(s) (int)(s).n, (s).p /* for %.*s */

void trace_subscribe(struct sig *g, const struct message_trace_filter *f);
void trace_unsubscribe(struct sig *g, uint32_t number);
/* a datagram is going to be worked on; borrowed until trace_end() */
void trace_in(struct sig *g, const void *p, size_t n, const struct addr *source, uint16_t listen);
void trace_forget(struct sig *g);              /* it was handed over: its owner shows it */
void trace_call(struct sig *g, uint32_t slot); /* the event is this call's */
void trace_out(struct sig *g, const void *p, size_t n, uint16_t listen, const struct addr *to);
void trace_note(struct sig *g, const char *format, ...) __attribute__((format(printf, 2, 3)));
void trace_end(struct sig *g);
#endif
