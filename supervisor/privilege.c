#include "supervisor/privilege.h"
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

int identity_find(const char *user, struct identity *ret_identity)
{
	struct identity id = { .uid = geteuid(), .gid = getegid() };
	if (user[0]) {
		if (strlen(user) >= sizeof(id.user))
			return -ENAMETOOLONG;
		const struct passwd *p = getpwnam(user);
		if (!p)
			return -ENOENT;
		if (geteuid() != 0 && p->pw_uid != geteuid())
			return -EPERM;
		id.change = geteuid() == 0 && p->pw_uid != 0;
		snprintf(id.user, sizeof(id.user), "%s", user);
		id.uid = p->pw_uid;
		id.gid = p->pw_gid;
	}
	*ret_identity = id;
	return 0;
}

int identity_own(const struct identity *id, const char *path)
{
	if (!id->change)
		return 0;
	return chown(path, id->uid, id->gid) < 0 ? -errno : 0;
}

static int drop_capabilities(bool keep_files)
{
	static const cap_value_t files[] = { CAP_DAC_OVERRIDE };
	cap_t c = cap_init();
	if (!c)
		return -ENOMEM;
	int r = 0;
	if (keep_files && (cap_set_flag(c, CAP_PERMITTED, 1, files, CAP_SET) < 0 ||
				  cap_set_flag(c, CAP_EFFECTIVE, 1, files, CAP_SET) < 0))
		r = -errno;
	if (r == 0 && cap_set_proc(c) < 0)
		r = -errno;
	cap_free(c);
	return r;
}

static void drop_bounding_set(void)
{
	for (cap_value_t c = 0; c <= CAP_LAST_CAP; c++)
		cap_drop_bound(c); /* one the kernel does not know fails: it cannot be gained either */
}

int identity_become(const struct identity *id, bool files)
{
	if (geteuid() == 0) {
		cap_value_t held = CAP_DAC_OVERRIDE;
		cap_t now = cap_get_proc();
		cap_flag_value_t has = CAP_CLEAR;
		if (now) {
			cap_get_flag(now, held, CAP_PERMITTED, &has);
			cap_free(now);
		}
		drop_bounding_set();
		if (id->change && (initgroups(id->user, id->gid) < 0 || setresgid(id->gid, id->gid, id->gid) < 0 ||
					  setresuid(id->uid, id->uid, id->uid) < 0))
			return -errno;
		int r = drop_capabilities(files && !id->change && has == CAP_SET);
		if (r)
			return r;
	}
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}
