/* Another program under running calls. The supervisor asks the new program whether it can use this one's memory, executes it in its
 * own place (same pid), and that one takes over as --adopt does and replaces the workers one after the other. Which are still of
 * the old program is in the roster, so whoever follows a supervisor that died on the way goes on.
 *
 *	probe 1  NEW --layout: the same memory, or refused
 *	probe 2  only when images differ: the configuration file is what is in use, and NEW takes it, or refused
 *	exec     NEW -c FILE --adopt
 *	roll     each process: NOTICE_LEAVE -> ends at the end of its turn -> its successor in service -> the next
 */
#include "base/clock.h"
#include "base/log.h"
#include "shm/seat.h"
#include "supervisor/program.h"
#include "supervisor/supervisor.h"
#include "tables/route.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROBE_MS 60000u
#define LEAVE_MS 5000u /* a process that has not ended its turn by then is killed, which no call notices either */

/* --- asking the new program -------------------------------------------------------------------------------------- */

static int compare_file(const struct supervisor *s)
{
	struct config_errors *errors = config_errors_new();
	struct config *c = NULL;
	size_t size;
	int r = errors ? config_compile(s->file, errors, &c, &size) : -ENOMEM;
	if (r == 0 && c->hash != config_now(s)->hash)
		r = -ESTALE;
	free(c);
	if (errors)
		config_errors_free(errors);
	return r;
}

static _Noreturn void probe_process(const struct supervisor *s, bool file, int out)
{
	char *const layout[] = { "tandem", "--layout", NULL }, *const check[] = { "tandem", "-c", s->file, "--check", NULL };
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	if (file && compare_file(s)) {
		puts("the configuration file is not what is in use: reload it first, or change it after the upgrade");
		exit(1);
	}
	execv(s->program, file ? check : layout);
	printf("%s: %s\n", s->program, strerror(errno));
	exit(1);
}

static void probe_closed(struct supervisor *s)
{
	struct probe *p = &s->probe;
	wheel_del(&s->loop.wheel, &p->deadline);
	loop_del(&s->loop, &p->source);
	close(p->source.fd);
	if (p->pid > 0)
		kill(p->pid, SIGKILL);
	p->source.fd = -1;
}

static void refuse(struct supervisor *s, const char *why)
{
	log_error("upgrade refused, everything stays as it is: %s", why);
	orders_result(s, s->upgrade_serial, -EINVAL, why);
	s->upgrade_serial = 0;
}

static void answered(struct supervisor *s, bool well);

static void probe_ready(struct loop_source *source, uint32_t events)
{
	struct probe *p = OWNER(source, struct probe, source);
	struct supervisor *s = OWNER(p, struct supervisor, probe);
	char rest[256];
	(void)events;
	size_t room = sizeof(p->text) - 1 - p->n;
	ssize_t n = read(source->fd, room ? p->text + p->n : rest, room ? room : sizeof(rest));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		p->n += room ? (size_t)n : 0;
		p->text[p->n] = 0;
		return;
	}
	int status = -1;
	pid_t pid = p->pid;
	p->pid = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR) /* it has closed its output: it ends */
		continue;
	probe_closed(s);
	answered(s, WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void probe_late(struct wheel_timer *t, uint64_t now)
{
	struct probe *p = OWNER(t, struct probe, deadline);
	struct supervisor *s = OWNER(p, struct supervisor, probe);
	(void)now;
	kill(p->pid, SIGKILL);
	while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	p->pid = 0;
	probe_closed(s);
	refuse(s, "the new program does not answer");
}

static int probe(struct supervisor *s, bool file)
{
	struct probe *p = &s->probe;
	int out[2];
	if (pipe2(out, O_CLOEXEC) < 0)
		return -errno;
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	pid_t pid = fork();
	if (pid == 0)
		probe_process(s, file, out[1]);
	int r = pid < 0 ? -errno : 0;
	close(out[1]);
	if (r) {
		close(out[0]);
		return r;
	}
	*p = (struct probe){ .pid = pid, .source = { out[0], probe_ready }, .file = file };
	wheel_add(&s->loop.wheel, &p->deadline, clock_ms() + PROBE_MS, probe_late);
	return loop_add(&s->loop, &p->source, EPOLLIN);
}

/* --- the new program in our place -------------------------------------------------------------------------------- */

static void execute(struct supervisor *s)
{
	char *const args[] = { "tandem", "-c", s->file, "--adopt", NULL };
	uint64_t before = s->roster->upgrade;
	log_info("upgrade: %s takes over", s->program);
	commit_u64(&s->roster->upgrade, before + 1);
	orders_result(s, s->upgrade_serial, 0, "");
	s->upgrade_serial = 0;
	execv(s->program, args);
	int r = -errno;
	commit_u64(&s->roster->upgrade, before);
	orders_alarm(s, "upgrade: %s cannot be executed: %s", s->program, strerror(-r));
}

static void answered(struct supervisor *s, bool well)
{
	struct probe *p = &s->probe;
	struct program_layout mine, theirs;
	char why[sizeof(p->text) + sizeof(s->program) + 400];
	if (s->stage != STAGE_RUNNING) {
		refuse(s, "it is being stopped");
		return;
	}
	if (p->file && well) {
		execute(s);
		return;
	}
	program_layout(&mine);
	int r = well && !p->file ? program_parse(p->text, &theirs) : -EINVAL;
	if (r) {
		snprintf(why, sizeof(why), "the program at %s says:\n%s", s->program, p->text);
	} else if (mine.memory != theirs.memory) {
		snprintf(why, sizeof(why),
			"%s is version %s, which cannot use the memory of this one (%s). Let the calls end (tandemctl drain, then tandemctl stop) and "
			"start it then",
			s->program, theirs.version, mine.version);
		r = -EPROTO;
	} else if (mine.images != theirs.images) {
		r = probe(s, true);
		if (r == 0)
			return;
		snprintf(why, sizeof(why), "no process to ask the new program: %s", strerror(-r));
	}
	if (r)
		refuse(s, why);
	else
		execute(s);
}

void upgrade_order(struct supervisor *s, uint32_t serial)
{
	if (s->stage != STAGE_RUNNING || s->reloading || s->upgrade_serial || upgrade_running(s)) {
		orders_result(s, serial, -EBUSY, "not while starting, stopping, reloading or upgrading");
		return;
	}
	s->upgrade_serial = serial;
	int r = s->program[0] ? probe(s, false) : -ENOENT;
	if (r)
		refuse(s, "no process to ask the new program");
}

/* --- one process after the other --------------------------------------------------------------------------------- */

bool upgrade_running(const struct supervisor *s)
{
	return s->roster->upgraded != s->roster->upgrade;
}

/* routing first: if images differ the others need its new ones; control last: somebody is watching by it */
static const enum role order[] = { ROLE_ROUTING, ROLE_REGISTRAR, ROLE_CDR, ROLE_MEDIA, ROLE_SIGNALING, ROLE_CONTROL };

static struct child *next(struct supervisor *s)
{
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		for (uint32_t seat = 1; seat < SEATS_MAX; seat++) {
			struct child *c = &s->child[seat];
			if (c->s && seat_role(seat) == order[i] &&
				(c->pid <= 0 || !c->ready_ms || s->roster->seat[seat].upgrade != s->roster->upgrade))
				return c;
		}
	return NULL;
}

static void leave(struct child *c, uint64_t now)
{
	char name[SEAT_TEXT_MAX];
	log_info("upgrade: %s (pid %d) makes place for its successor", seat_format(c->seat, name), c->pid);
	c->wanted = true;
	c->leave_ms = now + LEAVE_MS;
	if (child_tell(c, NOTICE_LEAVE, 0))
		child_kill(c, SIGKILL);
}

void upgrade_tick(struct supervisor *s, uint64_t now)
{
	if (s->stage != STAGE_RUNNING || !upgrade_running(s))
		return;
	struct child *c = next(s);
	if (!c) {
		commit_u32(&s->roster->foreign, 0);
		commit_release_u64(&s->roster->upgraded, s->roster->upgrade);
		log_info("upgrade: all processes run the new program");
		orders_event(s, "{\"event\":\"upgrade\",\"ok\":true}");
		if (s->reload_again) {
			s->reload_again = false;
			publish_reload(s, 0);
		}
		return;
	}
	if (c->pid <= 0 || s->roster->seat[c->seat].upgrade == s->roster->upgrade)
		return; /* it is coming */
	if (c->wanted) {
		if (now > c->leave_ms)
			child_kill(c, SIGKILL);
		return;
	}
	bool routes = s->env.routes.p && routes_config_generation(s->env.routes.p) == s->env.config.generation;
	if (routes || seat_role(c->seat) == ROLE_ROUTING)
		leave(c, now);
}
