#include "base/loop.h"
#include "base/clock.h"
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BATCH	    64
#define MAX_WAIT_MS 500

int loop_init(struct loop *l)
{
	*l = (struct loop){ .epoll_fd = -1, .now = clock_ms(), .max_wait = MAX_WAIT_MS };
	wheel_init(&l->wheel, l->now);
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return l->epoll_fd < 0 ? -errno : 0;
}

void loop_done(struct loop *l)
{
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	l->epoll_fd = -1;
}

static int control(struct loop *l, int op, struct loop_source *s, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = s };
	return epoll_ctl(l->epoll_fd, op, s->fd, &e) < 0 ? -errno : 0;
}

int loop_add(struct loop *l, struct loop_source *s, uint32_t events)
{
	return control(l, EPOLL_CTL_ADD, s, events);
}

int loop_change(struct loop *l, struct loop_source *s, uint32_t events)
{
	return control(l, EPOLL_CTL_MOD, s, events);
}

void loop_del(struct loop *l, struct loop_source *s)
{
	control(l, EPOLL_CTL_DEL, s, 0); /* fails when the descriptor is closed already: then it is out anyway */
	for (int i = 0; i < l->batch_n; i++)
		if (l->batch[i].data.ptr == s)
			l->batch[i].data.ptr = NULL; /* its memory may be gone when this event's turn comes */
}

/* how long to sleep: read afresh, as the turn before may have taken long */
static int wait_ms(const struct loop *l)
{
	uint64_t now = clock_ms(), next = wheel_next(&l->wheel);
	uint64_t ms = next <= now ? 0 : next - now;
	if (ms > l->max_wait)
		ms = l->max_wait;
	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

/* up to the next point of the grid, or to the next timer when that is nearer */
static void nap(const struct loop *l)
{
	uint64_t at = (clock_ms() / l->nap + 1) * l->nap, next = wheel_next(&l->wheel);
	if (next < at)
		at = next;
	struct timespec t = { (time_t)(at / 1000), (long)(at % 1000 * 1000000) };
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL); /* interrupted: then it is over */
}

/* The lateness is taken between the wait and the sources, so it is the time that timers had to wait for the loop, and
 * not for a source that arms one in the past. Halved each turn, so that it neither flickers nor stays. */
static void measure(struct loop *l)
{
	uint64_t next = wheel_next(&l->wheel);
	l->now = clock_ms();
	uint64_t late = next < l->now ? l->now - next : 0;
	l->late_ms = late > l->late_ms / 2 ? late : l->late_ms / 2;
}

int loop_run(struct loop *l)
{
	struct epoll_event batch[BATCH];
	while (!l->stop) {
		if (l->nap && !l->more)
			nap(l);
		l->more = false;
		int n = epoll_wait(l->epoll_fd, batch, BATCH, wait_ms(l));
		if (n < 0 && errno != EINTR)
			return -errno;
		measure(l);
		l->batch = batch;
		l->batch_n = n < 0 ? 0 : n;
		for (int i = 0; i < l->batch_n; i++) {
			struct loop_source *s = batch[i].data.ptr;
			if (s)
				s->ready(s, batch[i].events);
		}
		l->batch = NULL;
		l->batch_n = 0;
		wheel_advance(&l->wheel, l->now);
		if (l->hook)
			l->hook(l);
	}
	l->stop = false;
	return l->exit_code;
}

void loop_stop(struct loop *l, int exit_code)
{
	l->stop = true;
	l->exit_code = exit_code;
}
