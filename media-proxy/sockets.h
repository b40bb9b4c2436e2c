/* The relay's sockets. The supervisor opens them before it forks and keeps them, and every process inherits them: a worker's
 * death closes none, so no sender ever sees an ICMP error, and what arrives meanwhile waits in the kernel.
 *
 *	RELAY_SK_LOOKUP  a kernel program steers the whole port range to one socket per media worker and address family (e->relay
 *	                 holds it for each address); sending is through raw sockets. Needs CAP_NET_ADMIN, CAP_BPF, CAP_NET_RAW.
 *	RELAY_SOCKETS    one socket for every port and address; works everywhere.
 * The environment variable TANDEM_RELAY=sockets asks for the second kind. */
#ifndef TANDEM_MEDIA_PROXY_SOCKETS_H
#define TANDEM_MEDIA_PROXY_SOCKETS_H
#include "shm/env.h"

/* Fills in e->relay, raw4, raw6 and port_socket. enum relay_kind or -errno; says why in the log. */
int relay_sockets_open(const struct config *c, struct env *e);
/* closes them and takes the kernel program away; for the last process that has them */
void relay_sockets_close(const struct config *c, struct env *e);
/* the lowest address that has the same socket of worker `w` as address `a` */
uint32_t relay_socket_first(const struct env *e, uint32_t a, uint32_t w);
#endif
