/* Receiving and sending of the relay, in batches: recvmmsg, packet_route() for each packet, sendmmsg. Nothing is allotted
 * and the clock is read once per batch. */
#ifndef TANDEM_MEDIA_PROXY_RELAY_H
#define TANDEM_MEDIA_PROXY_RELAY_H
#include "media-proxy/packet.h"
#include "shm/env.h"

struct relay;

/* Takes the sockets and regions of `e`, adds them to its loop; e->context and e->on_turn are set. 0 or -errno. */
int relay_new(struct env *e, struct relay **ret_relay);
struct relay *relay_free(struct relay *r);
#endif
