/* system.state_dir: the contacts of endpoints outlive the whole system. One file, "endpoints": a snapshot of the location tables
 * and behind it a line for every change since (endpoint_line.h), at most half a second behind; written anew, beside it and then put
 * in its place by rename, when the changes have become more than the snapshot, and at each start of this process.
 *
 * When the system starts, what the file says is given to the workers that own the accounts (MESSAGE_BINDING); only when they
 * have taken it all is the file written anew, so that a death in between loses nothing. All of this happens in small pieces, from
 * a timer of the loop: the process is never held up for long. */
#ifndef TANDEM_REGISTRAR_PERSIST_H
#define TANDEM_REGISTRAR_PERSIST_H
#include "shm/env.h"

/* Without state_dir nothing happens. 0 or -ENOMEM; trouble with the directory is logged and tried again. */
int persist_open(struct env *e);
void persist_close(void); /* what is not written yet is */
#endif
