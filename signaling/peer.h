/* Where a peer is sent answers and requests: `reply_address` and `request_address` of its gateway. `auto` is what the RFCs say
 * (RFC 3261 sections 12.2.1.1 and 18.2.2, RFC 3581); the others are for peers behind something that makes that wrong. */
#ifndef TANDEM_SIGNALING_PEER_H
#define TANDEM_SIGNALING_PEER_H
#include "signaling/work.h"

/* enum cfg_reply_address: of the gateway at the other end of `leg`, and of the gateway that has the event's source */
uint32_t peer_reply_mode(const struct work *w, enum call_leg_side leg);
uint32_t peer_reply_mode_of(const struct sig *g, const struct event *ev);
/* Where the response to a request goes, by ev->reply: `socket` the packet's source; `via-port` its address with the port of the
 * Via; `via` what the Via says was the sender (a name: as via-port). */
void reply_address(const struct event *ev, struct addr *ret_to);

/* Called after the leg's target was set as for `auto`: another when its gateway has `request_address: socket` (where the peer's
 * last packet came from), `contact-port` (that address, port of the Contact) or `contact` (the Contact, NAT or not, when it is a
 * literal address) */
void peer_aim(struct work *w, enum call_leg_side leg, const struct event *ev);
/* a packet of the peer has come: remembers its source, and follows it where the gateway asks for that */
void peer_heard(struct work *w, enum call_leg_side leg, const struct event *ev);
#endif
