/* RUN_DIR: the lock that says whether anybody lives here, the pid file, and the making of directories. */
#ifndef TANDEM_SUPERVISOR_RUNDIR_H
#define TANDEM_SUPERVISOR_RUNDIR_H
#include "supervisor/privilege.h"
#include <stddef.h>
#include <sys/types.h>

/* makes the directory and its parents; one that is made gets the mode and, the last, the owner. 0 or -errno */
int directory_make(const char *path, mode_t mode, const struct identity *owner);

/* flock on RUN_DIR/lock. The workers inherit it: it stays held as long as any of them lives. 0 with the descriptor;
 * -EBUSY held: *ret_holder is the supervisor's pid, 0 when only workers are left; -errno */
int rundir_lock(const char *run_dir, int *ret_fd, pid_t *ret_holder);
int rundir_write_pid(const char *run_dir); /* RUN_DIR/tandem.pid, by rename; 0 or -errno */
/* RUN_DIR/NAME into buf; -ENAMETOOLONG */
int rundir_path(const char *run_dir, const char *name, char *buf, size_t cap);
/* a copy of at most `most` bytes of the file fd as RUN_DIR/NAME; 0 or -errno */
int rundir_keep(const char *run_dir, const char *name, int fd, size_t most);
void rundir_clean(const char *run_dir); /* socket, pid file, lock; the descriptor of the lock is still held */
#endif
