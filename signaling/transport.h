/* Datagrams in and out: batches by recvmmsg/sendmmsg. What is received lies in the region (shm/receive.h). */
#ifndef TANDEM_SIGNALING_TRANSPORT_H
#define TANDEM_SIGNALING_TRANSPORT_H
#include "signaling/core.h"

int transport_open(struct sig *g);     /* listens on this worker's own sockets; 0 or -errno */
void transport_configure(struct sig *g); /* addresses to put into Via and Contact, after a reload too */
/* works off what a dead predecessor had read but not finished */
void transport_replay(struct sig *g);
/* `p` must stay valid until transport_flush() */
void transport_queue(struct sig *g, const void *p, size_t n, uint16_t listen, const struct addr *to);
/* the same for a message nobody keeps: copied */
void transport_queue_copy(struct sig *g, const void *p, size_t n, uint16_t listen, const struct addr *to);
/* this call's messages of commit `commit` are in the queue: said in its slot when they have left */
void transport_touched(struct sig *g, uint32_t slot, uint32_t commit);
/* once a turn: how much comes decides how long the loop may sleep although there is something to read */
void transport_pace(struct sig *g);
/* New calls are to be refused: the loop is late, or it has not kept up with what comes for as long. The backlog in the kernel is
 * worked off in order, so what running calls send waits behind new ones; beyond three quarters of a buffer, where it would soon
 * be lost, new INVITEs are dropped unread (their senders repeat them) to let the others through. */
bool transport_overloaded(const struct sig *g);
void transport_flush(struct sig *g);   /* sends, marks the calls, settles the blocks */
/* the address the peer `to` can reach us at through this listener, as host[:port] */
void transport_host(struct sig *g, uint16_t listen, const struct addr *to, struct out *o);
/* listener to use towards `to`: `prefer` when its family fits, else the first that does */
uint16_t transport_listen_for(struct sig *g, const struct addr *to, uint16_t prefer);
#endif
