/* The signalling worker: SIP transactions, dialogs, calls. One process of N; see ARCHITECTURE.md. */
#ifndef TANDEM_SIGNALING_WORKER_H
#define TANDEM_SIGNALING_WORKER_H
#include "signaling/steer.h" /* for the supervisor, which attaches it before it forks */

struct env;
/* the process after fork, until it is stopped; returns its exit code */
int signaling_main(struct env *e);
#endif
