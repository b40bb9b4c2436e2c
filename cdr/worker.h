/* The cdr process: reads the journals of all signalling workers, appends the records to files and acknowledges them once
 * they are on disk. Every record is written exactly once, whenever this process or another is killed: see worker.c. */
#ifndef TANDEM_CDR_WORKER_H
#define TANDEM_CDR_WORKER_H
#include "shm/env.h"

int cdr_main(struct env *e); /* runs in the forked process; returns its exit code */
#endif
