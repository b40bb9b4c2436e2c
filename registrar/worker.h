/* The registrar process: what concerns registrations and is no call. */
#ifndef TANDEM_REGISTRAR_WORKER_H
#define TANDEM_REGISTRAR_WORKER_H
#include "shm/env.h"

int registrar_main(struct env *e); /* runs in the forked process; returns its exit code */
#endif
