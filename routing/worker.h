/* The routing process: compiles the configuration's routes into an image and hands it to the supervisor, which passes it
 * on to all. Runs again with every new configuration. */
#ifndef TANDEM_ROUTING_WORKER_H
#define TANDEM_ROUTING_WORKER_H
#include "shm/env.h"

int routing_main(struct env *e); /* runs in the forked process; returns its exit code */
#endif
