/* `trace` on control's side: subscriptions, told to the signalling workers by ring and told again to their successors, and what
 * comes back as events for the one client that asked. */
#ifndef TANDEM_CTL_TRACE_H
#define TANDEM_CTL_TRACE_H
#include "ctl/control.h"

void trace_start(struct control *k);   /* subscriptions of a dead predecessor are over */
void trace_look(struct control *k);    /* tells workers that have been replaced */
void trace_message(struct control *k, uint32_t seat, const struct ring_message *m);
void trace_closed(struct control *k, const struct client *c);
#endif
