#include "supervisor/rundir.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_one(const char *path, mode_t mode, const struct identity *owner)
{
	if (mkdir(path, mode) < 0)
		return errno == EEXIST ? 0 : -errno;
	if (chmod(path, mode) < 0) /* whatever the umask */
		return -errno;
	return owner ? identity_own(owner, path) : 0;
}

int directory_make(const char *path, mode_t mode, const struct identity *owner)
{
	char part[PATH_MAX];
	struct stat st;
	size_t n = strlen(path);
	if (n == 0 || n >= sizeof(part))
		return n ? -ENAMETOOLONG : -ENOENT;
	memcpy(part, path, n + 1);
	for (char *p = part + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		int r = stat(part, &st) == 0 ? 0 : make_one(part, 0755, NULL);
		if (r)
			return r;
		*p = '/';
	}
	int r = make_one(part, mode, owner);
	if (r)
		return r;
	if (stat(part, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int rundir_path(const char *run_dir, const char *name, char *buf, size_t cap)
{
	int n = snprintf(buf, cap, "%s/%s", run_dir, name);
	return n < 0 || (size_t)n >= cap ? -ENAMETOOLONG : 0;
}

static struct flock byte_of(uint32_t seat)
{
	return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)seat, .l_len = 1 };
}

int rundir_sit(int fd, uint32_t seat)
{
	struct flock l = byte_of(seat);
	if (fcntl(fd, F_SETLK, &l) == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

pid_t rundir_sitting(int fd, uint32_t seat)
{
	struct flock l = byte_of(seat);
	return fcntl(fd, F_GETLK, &l) < 0 || l.l_type == F_UNLCK ? 0 : l.l_pid;
}

/* the one who unlinks the lock still holds it: a lock on a file without a name guards nothing */
static bool has_name(int fd, const char *path)
{
	struct stat a, b;
	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int rundir_lock(const char *run_dir, int *ret_fd, pid_t *ret_holder)
{
	char path[PATH_MAX];
	int r = rundir_path(run_dir, "lock", path, sizeof(path));
	while (r == 0) {
		int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			r = errno == EWOULDBLOCK ? -EBUSY : -errno;
			if (r == -EBUSY)
				*ret_holder = rundir_sitting(fd, RUNDIR_SUPERVISOR);
			close(fd);
			return r;
		}
		if (has_name(fd, path) && (r = rundir_sit(fd, RUNDIR_SUPERVISOR)) == 0) {
			*ret_fd = fd;
			return 0;
		}
		close(fd);
	}
	return r;
}

int rundir_join(const char *run_dir, int *ret_fd)
{
	char path[PATH_MAX];
	int r = rundir_path(run_dir, "lock", path, sizeof(path));
	if (r)
		return r;
	int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = rundir_sit(fd, RUNDIR_SUPERVISOR);
	if (r)
		close(fd);
	else
		*ret_fd = fd;
	return r;
}

int rundir_write_pid(const char *run_dir)
{
	char path[PATH_MAX], fresh[PATH_MAX], text[32];
	int r = rundir_path(run_dir, "tandem.pid", path, sizeof(path));
	if (r == 0)
		r = rundir_path(run_dir, "tandem.pid.new", fresh, sizeof(fresh));
	if (r)
		return r;
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	unlink(fresh);
	int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	if (write(fd, text, (size_t)n) != n || rename(fresh, path) < 0)
		r = errno ? -errno : -EIO;
	close(fd);
	return r;
}

int rundir_keep(const char *run_dir, const char *name, int fd, size_t most)
{
	char path[PATH_MAX], buf[4096];
	int r = rundir_path(run_dir, name, path, sizeof(path));
	if (r)
		return r;
	unlink(path);
	int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (to < 0)
		return -errno;
	for (size_t at = 0; r == 0 && at < most;) {
		size_t wanted = most - at < sizeof(buf) ? most - at : sizeof(buf);
		ssize_t n = pread(fd, buf, wanted, (off_t)at);
		if (n <= 0)
			break;
		at += (size_t)n;
		r = write(to, buf, (size_t)n) == n ? 0 : -EIO;
	}
	close(to);
	return r;
}

void rundir_clean(const char *run_dir)
{
	static const char *const names[] = { "status.sock", "adopt.sock", "tandem.pid", "lock" };
	char path[PATH_MAX];
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (rundir_path(run_dir, names[i], path, sizeof(path)) == 0)
			unlink(path);
}
