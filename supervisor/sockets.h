/* The sockets that outlive every worker: SIP and status. */
#ifndef TANDEM_SUPERVISOR_SOCKETS_H
#define TANDEM_SUPERVISOR_SOCKETS_H
#include "shm/env.h"
#include "supervisor/privilege.h"

/* Receive buffer of one SIP socket: 300 ms of the rated load. Rated: every call of limits.calls ends after a minute, each
 * with 8 datagrams to us, each charged by the kernel with 2304 bytes; at least 4 MiB. */
uint32_t sockets_receive_bytes(const struct config *c);
/* One UDP socket per listening address and signalling worker, in env->sip; other transports: -1. Logs what is wrong.
 * 0 or -errno */
int sockets_open_sip(const struct config *c, struct env *e);
void sockets_set_tos(const struct config *c, const struct env *e); /* again after a reload */
/* Kernel steering for all listening addresses, or the hand-off ring for all of them ($TANDEM_STEERING=ring: always). */
enum steering sockets_steer(const struct config *c, const struct env *e);
/* RUN_DIR/status.sock; logs what is wrong. 0 or -errno */
int sockets_open_status(const char *run_dir, const struct identity *owner, int *ret_fd);
/* raises RLIMIT_NOFILE to its hard limit; returns it */
uint64_t sockets_raise_limit(void);
#endif
