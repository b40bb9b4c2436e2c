/* Time that runs FAST times as fast for a whole test program and the workers it forks, so that intervals of minutes can be
 * waited for. Include it once; the C library's clock and waits are replaced. Times on it are as exact as FAST milliseconds. */
#ifndef TANDEM_TESTS_SIGNALING_FAST_H
#define TANDEM_TESTS_SIGNALING_FAST_H
#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FAST 20

int clock_gettime(clockid_t id, struct timespec *t)
{
	long r = syscall(SYS_clock_gettime, id, t);
	if (r || (id != CLOCK_MONOTONIC && id != CLOCK_REALTIME))
		return (int)r;
	static struct timespec first[2];
	struct timespec *f = &first[id == CLOCK_MONOTONIC];
	if (!f->tv_sec) /* children go on from here: the copy is inherited */
		*f = *t;
	long long ns =
		((long long)(t->tv_sec - f->tv_sec) * 1000000000 + (t->tv_nsec - f->tv_nsec)) * FAST + f->tv_nsec;
	t->tv_sec = f->tv_sec + (time_t)(ns / 1000000000);
	t->tv_nsec = (long)(ns % 1000000000);
	return 0;
}

static int sooner(int ms)
{
	return ms > 0 ? (ms + FAST - 1) / FAST : ms;
}

int epoll_wait(int fd, struct epoll_event *events, int n, int ms)
{
	return (int)syscall(SYS_epoll_pwait, fd, events, n, sooner(ms), NULL, 8);
}

int poll(struct pollfd *fds, nfds_t n, int ms)
{
	struct timespec t = { sooner(ms) / 1000, sooner(ms) % 1000 * 1000000 };
	return (int)syscall(SYS_ppoll, fds, n, ms < 0 ? NULL : &t, NULL, 8);
}
#endif
