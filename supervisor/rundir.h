/* RUN_DIR: the lock that says whether anybody lives here, the pid file, and the making of directories. */
#ifndef TANDEM_SUPERVISOR_RUNDIR_H
#define TANDEM_SUPERVISOR_RUNDIR_H
#include "supervisor/privilege.h"
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* makes the directory and its parents; one that is made gets the mode and, the last, the owner. 0 or -errno */
int directory_make(const char *path, mode_t mode, const struct identity *owner);

/* RUN_DIR/lock says who lives here, in two ways. flock: somebody; it is inherited and stays held as long as any process of ours
 * lives. A POSIX lock on the byte of a seat's number: the process of that seat, by its pid; it is not inherited, ends with its
 * process whatever that dies of, and cannot be mistaken for another process that got the same pid later.
 * A process loses all its byte locks when it closes any descriptor of the file: it opens it once. */
#define RUNDIR_SUPERVISOR 0u /* seat */
/* As the first: 0 with the descriptor, flocked and sat; -EBUSY held: *ret_holder is the supervisor's pid, 0 when only workers are
 * left; -errno */
int rundir_lock(const char *run_dir, int *ret_fd, pid_t *ret_holder);
/* As the supervisor of the workers that are left: 0 with the descriptor, sat; -EBUSY: there is one, -errno */
int rundir_join(const char *run_dir, int *ret_fd);
int rundir_sit(int fd, uint32_t seat);       /* 0, -EBUSY, -errno */
pid_t rundir_sitting(int fd, uint32_t seat); /* somebody else than this process; 0: nobody */
int rundir_write_pid(const char *run_dir); /* RUN_DIR/tandem.pid, by rename; 0 or -errno */
/* RUN_DIR/NAME into buf; -ENAMETOOLONG */
int rundir_path(const char *run_dir, const char *name, char *buf, size_t cap);
/* a copy of at most `most` bytes of the file fd as RUN_DIR/NAME; 0 or -errno */
int rundir_keep(const char *run_dir, const char *name, int fd, size_t most);
void rundir_clean(const char *run_dir); /* socket, pid file, lock; the descriptor of the lock is still held */
#endif
