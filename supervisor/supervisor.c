/* The whole life of the supervisor. */
#include "supervisor/supervisor.h"
#include "base/clock.h"
#include "base/log.h"
#include "media-proxy/worker.h"
#include "shm/handover.h"
#include "supervisor/policy.h"
#include "supervisor/program.h"
#include "supervisor/rundir.h"
#include "supervisor/service.h"
#include "supervisor/sockets.h"
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define EX_CONFIG	  78
#define SPARE_DESCRIPTORS 256u /* for what a worker opens itself */

void supervisor_state(struct supervisor *s, enum system_state state)
{
	commit_release_u32(&s->roster->state, state);
}

/* --- before the first process ------------------------------------------------------------------------------------ */

static int read_config(struct supervisor *s)
{
	s->generation = 1;
	int r = compiler_start(s->file, s->generation, &s->compiler);
	if (r == 0)
		r = compiler_wait(&s->compiler, &s->env.config);
	if (s->compiler.errors)
		fputs(s->compiler.errors, stderr);
	else if (r)
		fprintf(stderr, "%s: the configuration could not be read: %s\n", s->file, strerror(-r));
	compiler_done(&s->compiler);
	return r;
}

static void init_log(const struct supervisor *s)
{
	const struct config *c = config_now(s);
	if (c)
		log_init("supervisor", (enum log_format)c->log.format, (enum log_level)c->log.level, STDERR_FILENO);
}

static void say_not_built(const struct config *c)
{
	for (uint32_t i = 0; i < c->not_built.n; i++) {
		struct log_site site = { 0 }; /* of its own: each line counts */
		log_write(&site, LOG_WARNING, "%s: accepted, but without effect in this version",
			cfg_str(c, CFG_LIST(c, &c->not_built, struct cfg_text)[i]));
	}
}

static int lock(struct supervisor *s, bool adopt)
{
	pid_t holder = 0;
	int r = rundir_lock(s->run_dir, &s->lock_fd, &holder);
	s->env.lock = s->lock_fd;
	if (r == -EBUSY && holder) {
		log_error("%s: in use by the running instance with pid %d (the workers of a dead one are for --adopt)",
			s->run_dir, (int)holder);
	} else if (r == -EBUSY && adopt) {
		r = adopt_take(s);
		s->adopted = r == 0;
		r = r == -ESRCH ? 0 : r; /* the last of them has just ended */
	} else if (r == -EBUSY) {
		log_error("%s: workers of a dead supervisor live; they are taken over by --adopt", s->run_dir);
	} else if (r) {
		log_error("%s/lock: %s", s->run_dir, strerror(-r));
	}
	return r;
}

static int make_directories(struct supervisor *s)
{
	const struct config *c = config_now(s);
	const char *dir = cfg_str(c, c->cdr.dir);
	struct identity reader =
		s->identity; /* workers make nothing in run_dir: its files are root's, who must not be tricked there */
	reader.uid = (uid_t)-1;
	int r = directory_make(s->run_dir, 0750, &reader);
	if (r) {
		log_error("system.run_dir %s: %s", s->run_dir, strerror(-r));
		return r;
	}
	r = dir[0] ? directory_make(dir, 0750, &s->identity) : 0;
	if (r) {
		log_error("cdr.dir %s: %s", dir, strerror(-r));
		return r;
	}
	dir = cfg_str(c, c->system.state_dir);
	r = dir[0] ? directory_make(dir, 0750, &s->identity) : 0;
	if (r)
		log_error("system.state_dir %s: %s", dir, strerror(-r));
	return r;
}

static int find_identity(struct supervisor *s)
{
	const struct config *c = config_now(s);
	const char *user = cfg_str(c, c->system.user);
	int r = identity_find(user, &s->identity);
	if (r == -EPERM) {
		log_warning("system.user %s: not started as root, so everything stays with the present user", user);
		return identity_find("", &s->identity);
	}
	if (r)
		log_error("system.user %s: %s", user, r == -ENOENT ? "no such user" : strerror(-r));
	return r;
}

static int open_relay(struct supervisor *s)
{
	const struct config *c = config_now(s);
	uint64_t limit = sockets_raise_limit(),
		 ports = (uint64_t)(c->media.port_high - c->media.port_low + 1) * c->media.addresses.n;
	int r = relay_sockets_open(c, &s->env);
	if (r == -EMFILE || r == -ENFILE)
		log_error("media.ports: %llu sockets and %u more descriptors are needed, the limit (RLIMIT_NOFILE) is "
			  "%llu",
			(unsigned long long)ports, SPARE_DESCRIPTORS, (unsigned long long)limit);
	else if (r < 0)
		log_error("media sockets: %s", strerror(-r));
	else if (r == RELAY_SOCKETS && ports + SPARE_DESCRIPTORS > limit)
		log_warning(
			"media.ports: of %llu descriptors (RLIMIT_NOFILE) %llu are sockets of ports; little is left",
			(unsigned long long)limit, (unsigned long long)ports);
	if (r >= 0)
		commit_u32(&s->roster->relay, (uint32_t)r);
	return r < 0 ? r : 0;
}

static int open_door(struct supervisor *s)
{
	char path[PATH_MAX];
	int r = rundir_path(s->run_dir, HANDOVER_SOCKET, path, sizeof(path));
	if (r == 0)
		r = handover_listen(path, &s->env.door);
	if (r)
		log_error("%s/%s: %s", s->run_dir, HANDOVER_SOCKET, strerror(-r));
	s->env.owner = geteuid();
	return r;
}

static int open_sockets(struct supervisor *s)
{
	const struct config *c = config_now(s);
	int r = sockets_open_sip(c, &s->env);
	if (r == 0)
		r = open_relay(s);
	if (r == 0)
		r = sockets_open_status(s->run_dir, &s->identity, &s->env.status_socket);
	if (r == 0)
		r = open_door(s);
	if (r == 0)
		commit_u32(&s->roster->steering, sockets_steer(c, &s->env));
	return r;
}

/* --- the loop ---------------------------------------------------------------------------------------------------- */

static void signalled(struct loop_source *source, uint32_t events)
{
	struct supervisor *s = OWNER(source, struct supervisor, signals);
	struct signalfd_siginfo i;
	(void)events;
	while (read(source->fd, &i, sizeof(i)) == sizeof(i)) {
		if (i.ssi_signo == SIGHUP)
			publish_reload(s, 0);
		else
			stages_stop(s, s->stage >= STAGE_STOP_REGISTRAR); /* the second one: at once */
	}
}

static int open_loop(struct supervisor *s)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	int r = loop_init(&s->loop);
	s->signals = (struct loop_source){ signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), signalled };
	if (r == 0 && s->signals.fd < 0)
		r = -errno;
	if (r == 0)
		r = loop_add(&s->loop, &s->signals, EPOLLIN);
	return r;
}

static int run(struct supervisor *s)
{
	int r = open_loop(s);
	if (r == 0)
		r = rundir_write_pid(s->run_dir);
	if (r) {
		log_error("cannot start: %s", strerror(-r));
		return 1;
	}
	s->trusted_ms = clock_ms();
	s->tick_due = s->trusted_ms + POLICY_TICK_MS;
	wheel_add(&s->loop.wheel, &s->tick, s->tick_due, watch_tick);
	if (s->adopted) {
		adopt_children(s);
		stages_adopt(s);
	} else {
		stages_begin(s);
	}
	int code = loop_run(&s->loop);
	log_info("stopped");
	return code < 0 ? 1 : code;
}

/* the stages in which nothing else lives yet; what they opened ends with the process */
static int prepare(struct supervisor *s, bool adopt)
{
	const struct config *c = config_now(s);
	int r = 0;
	if (c) {
		s->run_dir = strdup(cfg_str(c, c->system.run_dir));
		r = s->run_dir ? find_identity(s) : -ENOMEM;
		if (r == 0)
			r = make_directories(s);
	}
	if (r == 0)
		r = lock(s, adopt);
	if (r == 0 && s->adopted)
		return c ? 0 : find_identity(s);
	if (r == 0 && !c) /* the last of them has just ended */
		r = -EINVAL;
	if (r)
		return r;
	r = memory_make(s);
	if (r == 0)
		r = open_sockets(s);
	if (r)
		rundir_clean(s->run_dir);
	return r;
}

/* A file that is no configuration any more must not leave running calls alone: the directory that the service manager names may
 * hold processes to take over, with the configuration they have. */
static bool left_behind(struct supervisor *s)
{
	const char *dirs = getenv("RUNTIME_DIRECTORY");
	pid_t holder = 0;
	int fd;
	s->run_dir = dirs && dirs[0] == '/' ? strndup(dirs, strcspn(dirs, ":")) : NULL;
	int r = s->run_dir ? rundir_lock(s->run_dir, &fd, &holder) : -ENOENT;
	if (r == 0) {
		rundir_clean(s->run_dir);
		close(fd);
	}
	return r == -EBUSY && !holder;
}

static struct supervisor *supervisor_new(const char *file)
{
	struct supervisor *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	/* a reload must find the same file */
	s->file = realpath(file, NULL);
	if (!s->file)
		s->file = strdup(file);
	s->lock_fd = s->compiler.sock = s->env.status_socket = s->env.http_socket = -1;
	s->env.raw4 = s->env.raw6 = s->env.supervisor = s->env.routes.fd = s->env.lock = s->env.door = s->env.relay_link = -1;
	s->probe.source.fd = -1;
	if (program_path(s->program, sizeof(s->program)))
		s->program[0] = 0;
	struct program_layout layout;
	program_layout(&layout);
	s->env.images = layout.images;
	for (uint32_t seat = 1; seat < SEATS_MAX; seat++)
		s->child[seat].notices.fd = s->child[seat].end.fd = -1;
	return s;
}

static void supervisor_free(struct supervisor *s)
{
	compiler_done(&s->compiler);
	free(s->env.port_socket);
	free(s->run_dir);
	free(s->file);
	free(s);
}

int supervisor_run(const struct options *o)
{
	struct supervisor *s = supervisor_new(o->file);
	int code = 1;
	if (!s)
		return 1;
	bool adopt = o->mode == OPTIONS_ADOPT;
	int r = read_config(s);
	if (r && !(adopt && left_behind(s))) {
		code = r == -EINVAL || r == -ENOENT || r == -EACCES ? EX_CONFIG : 1;
		goto out;
	}
	init_log(s);
	if (prepare(s, adopt))
		goto out;
	if (s->adopted)
		init_log(s);
	else
		say_not_built(config_now(s));
	for (uint32_t seat = 1; seat < SEATS_MAX; seat++) {
		s->child[seat].seat = seat;
		if (s->env.region[seat].head)
			s->child[seat].s = s;
	}
	code = run(s);
	if (s->stage == STAGE_OVER || !s->adopted) /* else there are those who go on without us */
		rundir_clean(s->run_dir);
out:
	supervisor_free(s);
	return code;
}
