#include "cdr/cdr_file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SCAN_CHUNK (256u * 1024u)

/* --- directory --------------------------------------------------------------------------------------------------- */

/* makes all parts of the path that are missing */
static int make_directory(const char *dir)
{
	char path[4096];
	size_t n = strlen(dir);
	if (n == 0 || n >= sizeof(path))
		return n ? -ENAMETOOLONG : -EINVAL;
	memcpy(path, dir, n + 1);
	for (size_t i = 1; i <= n; i++) {
		if (path[i] != '/' && path[i] != 0)
			continue;
		char c = path[i];
		path[i] = 0;
		if (mkdir(path, 0750) < 0 && errno != EEXIST)
			return -errno;
		path[i] = c;
	}
	return 0;
}

/* the serial of "cdr-TIME-SERIAL.jsonl"; 0: another name */
static uint64_t serial_of(const char *name)
{
	if (strncmp(name, "cdr-", 4) != 0)
		return 0;
	const char *dash = strrchr(name, '-');
	char *end;
	if (dash[1] < '0' || dash[1] > '9')
		return 0;
	uint64_t serial = strtoull(dash + 1, &end, 10);
	return strcmp(end, ".jsonl") == 0 && serial < UINT64_MAX / 2 ? serial : 0;
}

static int highest_serial(int dir, uint64_t *ret_serial)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	DIR *d = fdopendir(fd);
	if (!d) {
		int error = -errno;
		close(fd);
		return error;
	}
	uint64_t highest = 0;
	for (const struct dirent *entry = readdir(d); entry; entry = readdir(d))
		if (serial_of(entry->d_name) > highest)
			highest = serial_of(entry->d_name);
	closedir(d);
	*ret_serial = highest;
	return 0;
}

/* --- active file ------------------------------------------------------------------------------------------------- */

static int read_at(int fd, char *p, size_t n, uint64_t at)
{
	while (n) {
		ssize_t got = pread(fd, p, n, (off_t)at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EIO;
		p += got;
		n -= (size_t)got;
		at += (uint64_t)got;
	}
	return 0;
}

/* bytes up to and with the last newline */
static int whole_lines(int fd, uint64_t size, uint64_t *ret_size)
{
	char chunk[4096];
	while (size) {
		size_t n = size < sizeof(chunk) ? (size_t)size : sizeof(chunk);
		int error = read_at(fd, chunk, n, size - n);
		if (error)
			return error;
		const char *newline = memrchr(chunk, '\n', n);
		if (newline) {
			*ret_size = size - n + (size_t)(newline - chunk) + 1;
			return 0;
		}
		size -= n;
	}
	*ret_size = 0;
	return 0;
}

static uint64_t birth_ms(int fd)
{
	struct statx s;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME | STATX_MTIME, &s) < 0)
		return 1;
	const struct statx_timestamp *t = s.stx_mask & STATX_BTIME ? &s.stx_btime : &s.stx_mtime;
	return (uint64_t)t->tv_sec * 1000 + t->tv_nsec / 1000000;
}

int cdr_file_begin(struct cdr_file *f)
{
	int fd = openat(f->dir, CDR_FILE_ACTIVE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	int error = 0;
	struct stat st;
	uint64_t size = 0;
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		error = -errno;
	else if (!S_ISREG(st.st_mode))
		error = -EINVAL;
	if (!error)
		error = whole_lines(fd, (uint64_t)st.st_size, &size);
	if (!error && size != (uint64_t)st.st_size && ftruncate(fd, (off_t)size) < 0)
		error = -errno;
	/* what is in the file may still be on its way to the disk, and so may its name */
	if (!error && ((size && fdatasync(fd) < 0) || fsync(f->dir) < 0))
		error = -errno;
	if (error) {
		close(fd);
		return error;
	}
	f->fd = fd;
	f->size = f->synced = size;
	f->torn = false;
	f->born_ms = size ? birth_ms(fd) : 0;
	return 0;
}

int cdr_file_open(struct cdr_file *f, const char *dir, uint64_t serial)
{
	uint64_t highest = 0;
	*f = CDR_FILE_NONE;
	int error = make_directory(dir);
	if (error)
		return error;
	f->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dir < 0)
		return -errno;
	if (flock(f->dir, LOCK_EX | LOCK_NB) < 0)
		error = -errno;
	if (!error)
		error = highest_serial(f->dir, &highest);
	f->serial = highest >= serial ? highest + 1 : serial;
	if (!error)
		error = cdr_file_begin(f);
	if (error)
		cdr_file_close(f);
	return error;
}

void cdr_file_close(struct cdr_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	if (f->dir >= 0)
		close(f->dir);
	*f = CDR_FILE_NONE;
}

int cdr_file_scan(const struct cdr_file *f, uint64_t from, void (*line)(void *context, struct span text), void *context)
{
	size_t cap = SCAN_CHUNK, kept = 0; /* kept: bytes of an unfinished line at the start of the buffer */
	char *buffer = malloc(cap);
	int error = buffer ? 0 : -ENOMEM;
	for (uint64_t at = from <= f->size ? from : 0; !error && at < f->size;) {
		if (kept == cap) {
			char *larger = realloc(buffer, 2 * cap);
			if (!larger) {
				error = -ENOMEM;
				break;
			}
			buffer = larger;
			cap *= 2;
		}
		size_t n = f->size - at < cap - kept ? (size_t)(f->size - at) : cap - kept;
		error = read_at(f->fd, buffer + kept, n, at);
		if (error)
			break;
		at += n;
		n += kept;
		const char *p = buffer, *end = buffer + n;
		for (const char *newline; (newline = memchr(p, '\n', (size_t)(end - p))); p = newline + 1)
			line(context, (struct span){ p, (size_t)(newline - p) });
		kept = (size_t)(end - p);
		memmove(buffer, p, kept);
	}
	free(buffer);
	return error;
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

/* a failed write may have left part of itself */
static int cut(struct cdr_file *f)
{
	f->torn = ftruncate(f->fd, (off_t)f->size) < 0;
	return f->torn ? -errno : 0;
}

int cdr_file_append(struct cdr_file *f, const void *p, size_t n, uint64_t wall_ms)
{
	const char *from = p;
	size_t done = 0;
	int error = f->torn ? cut(f) : 0;
	while (done < n && !error) {
		ssize_t put = pwrite(f->fd, from + done, n - done, (off_t)(f->size + done));
		if (put > 0)
			done += (size_t)put;
		else if (put == 0 || errno != EINTR)
			error = put < 0 ? -errno : -ENOSPC;
	}
	if (error) {
		cut(f);
		return error;
	}
	if (f->size == 0)
		f->born_ms = wall_ms;
	f->size += n;
	return 0;
}

int cdr_file_sync(struct cdr_file *f)
{
	if (f->synced == f->size)
		return 0;
	if (f->torn && cut(f) < 0)
		return -EIO;
	if (fdatasync(f->fd) < 0)
		return -errno;
	f->synced = f->size;
	return 0;
}

int cdr_file_rewind(struct cdr_file *f)
{
	f->size = f->synced;
	return cut(f);
}

int cdr_file_rotate(struct cdr_file *f, uint64_t wall_ms)
{
	char name[80];
	struct tm t;
	time_t seconds = (time_t)(wall_ms / 1000);
	if (!gmtime_r(&seconds, &t))
		return -EOVERFLOW;
	size_t n = strftime(name, sizeof(name), "cdr-%Y%m%dT%H%M%S", &t);
	snprintf(name + n, sizeof(name) - n, ".%03uZ-%llu.jsonl", (unsigned)(wall_ms % 1000),
		(unsigned long long)f->serial);
	int r = renameat2(f->dir, CDR_FILE_ACTIVE, f->dir, name, RENAME_NOREPLACE);
	if (r < 0 && errno == EINVAL) /* not every file system knows the flag; the serial makes the name new anyway */
		r = renameat(f->dir, CDR_FILE_ACTIVE, f->dir, name);
	if (r < 0)
		return -errno;
	close(f->fd);
	f->fd = -1;
	f->serial++;
	f->size = f->synced = f->born_ms = 0;
	return fsync(f->dir) < 0 ? -errno : 0;
}

bool cdr_file_gone(const struct cdr_file *f)
{
	struct stat mine, named;
	if (fstat(f->fd, &mine) < 0)
		return false;
	if (fstatat(f->dir, CDR_FILE_ACTIVE, &named, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT;
	return mine.st_ino != named.st_ino || mine.st_dev != named.st_dev;
}
