/* One process: forking it, what it is handed, talking to it. */
#include "base/clock.h"
#include "base/log.h"
#include "cdr/worker.h"
#include "ctl/worker.h"
#include "media-proxy/worker.h"
#include "registrar/worker.h"
#include "routing/worker.h"
#include "shm/seat.h"
#include "signaling/worker.h"
#include "supervisor/rundir.h"
#include "supervisor/supervisor.h"
#include "supervisor/title.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIT_TRIES   200
#define SIT_WAIT_US 10000u

static int (*const mains[ROLE_COUNT])(struct env *e) = { [ROLE_CONTROL] = control_main,
	[ROLE_CDR] = cdr_main,
	[ROLE_ROUTING] = routing_main,
	[ROLE_REGISTRAR] = registrar_main,
	[ROLE_SIGNALING] = signaling_main,
	[ROLE_MEDIA] = media_main };

/* --- in the fresh process ---------------------------------------------------------------------------------------- */

/* Orders come from the supervisor; a signal of a terminal or service manager to the whole group is for it alone. */
static void reset_signals(void)
{
	static const int ignored[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGTTOU, SIGTSTP };
	sigset_t none;
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Descriptors that are the supervisor's alone. Whatever a later one needs stays open: see shm/handover.h. */
static void drop_foreign(struct supervisor *s)
{
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++)
		if (s->child[seat].s && s->child[seat].end.fd >= 0)
			close(s->child[seat].end.fd);
	if (s->compiler.pid > 0)
		close(s->compiler.sock);
	close(s->signals.fd);
	loop_done(&s->loop);
	if (s->lock_fd != s->env.lock)
		close(s->lock_fd);
}

/* Until its seat is locked nobody could see that it is there: so long it goes with its supervisor. */
static bool sit_down(const struct supervisor *s, uint32_t seat, pid_t parent)
{
	int r = -EBUSY;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		return false;
	for (int i = 0; r == -EBUSY && i < SIT_TRIES; i++) { /* its predecessor may still be ending */
		r = rundir_sit(s->env.lock, seat);
		if (r == -EBUSY)
			usleep(SIT_WAIT_US);
	}
	if (r)
		log_error("the seat cannot be taken: %s", strerror(-r));
	prctl(PR_SET_PDEATHSIG, 0);
	return r == 0;
}

/* signalling and media workers over the CPUs we may use, in turn */
static void pin(const struct config *c, enum role role, uint32_t index)
{
	cpu_set_t allowed, one;
	if (!c->system.pin || (role != ROLE_SIGNALING && role != ROLE_MEDIA) ||
		sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		return;
	uint32_t wanted =
		(role == ROLE_SIGNALING ? index : c->system.signaling + index) % (uint32_t)CPU_COUNT(&allowed);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || wanted-- > 0)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (sched_setaffinity(0, sizeof(one), &one) < 0)
			log_warning("system.pin: CPU %d: %s", cpu, strerror(errno));
		return;
	}
}

static _Noreturn void child_main(struct supervisor *s, uint32_t seat, pid_t parent)
{
	char name[SEAT_TEXT_MAX];
	struct env *e = &s->env;
	reset_signals();
	title_set(seat_format(seat, name));
	log_process(name);
	drop_foreign(s);
	if (!sit_down(s, seat, parent))
		_exit(1);
	e->role = seat_role(seat);
	e->index = seat_index(seat);
	e->seat = seat;
	e->supervisor = e->desk[seat];
	for (uint32_t i = 0; i < SEATS_MAX; i++)
		region_unmap(&e->region[i]); /* mapped anew by env_start(), with this process's rights */
	pin(config_now(s), e->role, e->index);
	int r = identity_become(&s->identity, e->role == ROLE_CDR);
	if (r) {
		log_error("cannot give up privileges: %s", strerror(-r));
		_exit(1);
	}
	exit(mains[e->role](e));
}

/* --- in the supervisor ------------------------------------------------------------------------------------------- */

void child_seat_state(struct supervisor *s, struct child *c, enum seat_state state)
{
	const struct roster_seat *seat = &s->roster->seat[c->seat];
	commit_u32(&seat->pid, (uint32_t)c->pid);
	commit_u32(&seat->quick_deaths, c->quick_deaths);
	commit_u64(&seat->started_ms, c->started_ms);
	commit_release_u32(&seat->state, state);
}

int child_watch(struct supervisor *s, struct child *c, int pidfd)
{
	c->notices = (struct loop_source){ s->env.post[c->seat], orders_ready };
	c->end = (struct loop_source){ pidfd, watch_ended };
	int r = loop_add(&s->loop, &c->end, EPOLLIN);
	return r ? r : loop_add(&s->loop, &c->notices, EPOLLIN);
}

/* the socket outlives the process: nothing that was said to or by its predecessor is for it */
static void empty(int sock)
{
	static struct notice n;
	int fd;
	while (notice_receive(sock, &n, &fd) == 0)
		if (fd >= 0)
			close(fd);
}

int child_start(struct supervisor *s, struct child *c)
{
	char name[SEAT_TEXT_MAX];
	int r = 0, pidfd;
	pid_t self = getpid();
	empty(s->env.post[c->seat]);
	empty(s->env.desk[c->seat]);
	pid_t pid = fork();
	if (pid == 0)
		child_main(s, c->seat, self);
	r = pid < 0 ? -errno : 0;
	if (r) {
		log_error("cannot start %s: %s", seat_format(c->seat, name), strerror(-r));
		return r;
	}
	c->pid = pid;
	c->started_ms = clock_ms();
	c->ready_ms = 0;
	c->wanted = c->hung = c->foreign = false;
	c->config_sent = s->env.config.generation;
	c->routes_sent = s->env.routes.generation;
	pidfd = pidfd_open(pid, 0);
	r = pidfd < 0 ? -errno : child_watch(s, c, pidfd);
	if (r) { /* one that cannot be watched must not live */
		log_error("cannot watch %s: %s", seat_format(c->seat, name), strerror(-r));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		child_closed(s, c);
		c->pid = 0;
		return r;
	}
	commit_u64(&s->roster->seat[c->seat].upgrade, s->roster->upgrade);
	child_seat_state(s, c, SEAT_STARTING);
	return 0;
}

void child_kill(struct child *c, int signal)
{
	if (c->pid > 0)
		pidfd_send_signal(c->end.fd, signal, NULL, 0);
}

void child_closed(struct supervisor *s, struct child *c)
{
	if (c->notices.fd >= 0)
		loop_del(&s->loop, &c->notices);
	if (c->end.fd >= 0) {
		loop_del(&s->loop, &c->end);
		close(c->end.fd);
	}
	c->end.fd = c->notices.fd = -1; /* the socket is the seat's */
}

int child_tell(struct child *c, uint32_t type, int64_t value)
{
	static struct notice n;
	n.type = type;
	n.value = value;
	return c->pid > 0 && c->notices.fd >= 0 ? notice_send(c->notices.fd, &n, -1) : -ESRCH;
}
