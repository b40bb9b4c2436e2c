/* Who the workers run as. */
#ifndef TANDEM_SUPERVISOR_PRIVILEGE_H
#define TANDEM_SUPERVISOR_PRIVILEGE_H
#include <stdbool.h>
#include <sys/types.h>

struct identity {
	bool change; /* false: stays who it is */
	char user[64];
	uid_t uid;
	gid_t gid;
};
/* system.user; "" stays who it is. 0, -ENOENT no such user, -EPERM not started as root and not that user, -ENAMETOOLONG */
int identity_find(const char *user, struct identity *ret_identity);
/* gives a file to the workers (uid (uid_t)-1: to their group only); nothing to do when they stay who we are. 0 or -errno */
int identity_own(const struct identity *id, const char *path);
/* Becomes that user, without any capability and unable to gain one. `files`: a process that stays root keeps access to
 * files whoever owns them, as the configuration may name any directory. 0 or -errno; does nothing when not root. */
int identity_become(const struct identity *id, bool files);
#endif
