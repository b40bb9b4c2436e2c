/* Taking over the running processes of a dead supervisor. Whatever it knew is in the roster, in the regions and in the locks of
 * the seats; descriptors come from any process that lives (shm/handover.h). Nothing here changes anything before the processes
 * are watched, so that whoever dies on the way leaves all to the next. */
#include "base/clock.h"
#include "base/log.h"
#include "shm/handover.h"
#include "shm/seat.h"
#include "supervisor/program.h"
#include "supervisor/rundir.h"
#include "supervisor/supervisor.h"
#include "tables/route.h"
#include "tandem-config.h"
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define TAKE_MS	      10000u /* until somebody must have answered */
#define ROUND_MS      500u
#define NEWEST_ROUNDS 20 /* processes asked for the newest images */

/* --- descriptors ------------------------------------------------------------------------------------------------- */

static int incompatible(const struct supervisor *s, const struct handover_head *theirs)
{
	log_error("%s: the running processes are of tandem %s, whose memory this one (%s) cannot use. Start that version with --adopt, "
		  "let the calls end (tandemctl drain, tandemctl stop), and then start this one",
		s->run_dir, theirs->version, TANDEM_VERSION);
	return -EPROTO;
}

/* -ESRCH: all of them are gone, and the lock is ours as that of a first supervisor */
static int take_descriptors(struct supervisor *s, struct handover_head *ret_head)
{
	char path[PATH_MAX];
	uint64_t end = clock_ms() + TAKE_MS;
	int r = rundir_path(s->run_dir, HANDOVER_SOCKET, path, sizeof(path));
	while (r == 0) {
		r = handover_take(path, ROUND_MS, &s->env, ret_head);
		if (r == 0)
			return 0;
		if (r == -EPROTO)
			return incompatible(s, ret_head);
		if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0) {
			s->env.lock = s->lock_fd;
			return -ESRCH;
		}
		if (clock_ms() < end)
			r = 0;
	}
	log_error("%s: processes of a dead supervisor hold the lock, but none of them answers: %s", s->run_dir, strerror(-r));
	return r;
}

/* The relay has one socket for all addresses of a family: what came twice is one again (media-proxy/sockets.c). */
static void join_relay_sockets(struct supervisor *s)
{
	const struct config *c = config_now(s);
	const struct addr *ip = CFG_LIST(c, &c->media.addresses, struct addr);
	for (uint32_t a = 1; a < c->media.addresses.n && a < MEDIA_ADDRESSES_MAX; a++)
		for (uint32_t i = 0; i < a; i++) {
			if (ip[i].family != ip[a].family)
				continue;
			for (uint32_t w = 0; w < WORKERS_MAX; w++) {
				if (s->env.relay[a][w] >= 0)
					close(s->env.relay[a][w]);
				s->env.relay[a][w] = s->env.relay[i][w];
			}
			break;
		}
}

static int take_images(struct supervisor *s)
{
	struct image *c = &s->env.config, *routes = &s->env.routes;
	uint64_t generation = routes->generation;
	if (c->fd < 0)
		return -ENOENT;
	int r = image_map(c->fd, c);
	if (r)
		return r;
	if (config_verify(c->p, c->size))
		return -EPROTO;
	c->generation = ((const struct config *)c->p)->generation;
	if (routes->fd >= 0 && (r = image_map(routes->fd, routes)))
		return r;
	if (routes->p && routes_verify(routes->p, routes->size))
		return -EPROTO;
	routes->generation = generation;
	return 0;
}

/* The dead one may have published something that not everybody got. */
static bool newest(struct supervisor *s)
{
	for (uint32_t seat = 1; seat < SEATS_MAX; seat++) {
		const struct region_head *h = s->env.region[seat].head;
		if (!h || !rundir_sitting(s->lock_fd, seat))
			continue;
		if (CMM_LOAD_SHARED(h->config_generation) > s->env.config.generation ||
			CMM_LOAD_SHARED(h->route_generation) > s->env.routes.generation)
			return false;
	}
	return true;
}

static void give_back(struct supervisor *s)
{
	image_unmap(&s->env.config);
	image_unmap(&s->env.routes);
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++)
		region_unmap(&s->env.region[seat]);
	handover_drop(&s->env);
}

/* Images of a program that lays them out differently are of no use: they are made anew from the file. Who asked for the upgrade
 * has seen to it that it is what was in use. */
static int make_images(struct supervisor *s, struct image *of_file)
{
	if (!of_file->p)
		return -EINVAL;
	if (s->env.config.fd >= 0)
		close(s->env.config.fd);
	if (s->env.routes.fd >= 0)
		close(s->env.routes.fd);
	s->env.config = s->env.routes = (struct image){ .fd = -1 };
	int r = compiler_start(s->file, s->generation + 1, &s->compiler);
	if (r == 0)
		r = compiler_wait(&s->compiler, &s->env.config);
	compiler_done(&s->compiler);
	if (r)
		return r;
	s->generation++;
	commit_u32(&s->roster->foreign, 1);
	log_info("configuration and routes are made anew: the program before laid them out differently");
	return 0;
}

static void note_generation(struct supervisor *s)
{
	s->generation = s->roster->config_generation;
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++)
		if (s->env.region[seat].head && s->env.region[seat].head->config_generation > s->generation)
			s->generation = s->env.region[seat].head->config_generation;
	if (s->env.config.generation > s->generation)
		s->generation = s->env.config.generation;
}

int adopt_take(struct supervisor *s)
{
	struct handover_head head;
	struct image of_file = s->env.config;
	struct program_layout mine;
	program_layout(&mine);
	s->env.images = mine.images;
	int r = rundir_join(s->run_dir, &s->lock_fd);
	if (r) {
		log_error("%s: %s", s->run_dir, r == -EBUSY ? "in use by a running instance, which was faster" : strerror(-r));
		return r;
	}
	for (int round = 0; round < NEWEST_ROUNDS; round++) {
		s->env.config = s->env.routes = (struct image){ .fd = -1 };
		r = take_descriptors(s, &head);
		if (r == -ESRCH)
			s->env.config = of_file;
		if (r)
			return r;
		r = memory_adopt(s);
		if (r == 0 && head.images != mine.images) {
			note_generation(s);
			r = make_images(s, &of_file);
		} else if (r == 0) {
			r = take_images(s);
		}
		if (r) {
			log_error("what was handed over cannot be used: %s", strerror(-r));
			return r;
		}
		if (head.images != mine.images || newest(s))
			break;
		if (round + 1 < NEWEST_ROUNDS)
			give_back(s);
	}
	join_relay_sockets(s);
	note_generation(s);
	const struct config *file = of_file.p;
	if (head.images == mine.images && file && file->hash != config_now(s)->hash)
		log_warning("%s has changed: what is in use is the configuration of before, until a reload", s->file);
	image_unmap(&of_file);
	return 0;
}

/* --- processes --------------------------------------------------------------------------------------------------- */

/* a pidfd of who sits there; -1: nobody */
static int open_process(const struct supervisor *s, uint32_t seat, pid_t *ret_pid)
{
	pid_t pid = rundir_sitting(s->lock_fd, seat);
	int fd = pid > 0 ? pidfd_open(pid, 0) : -1;
	/* sits there still: then it was the one that was opened, and not a later one with its number */
	if (fd >= 0 && rundir_sitting(s->lock_fd, seat) == pid) {
		*ret_pid = pid;
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

static void adopt_one(struct supervisor *s, struct child *c)
{
	const struct roster_seat *seat = &s->roster->seat[c->seat];
	const struct region_head *h = s->env.region[c->seat].head;
	char name[SEAT_TEXT_MAX];
	int fd = open_process(s, c->seat, &c->pid);
	c->quick_deaths = seat->quick_deaths;
	c->started_ms = seat->started_ms;
	if (fd < 0) {
		c->pid = 0;
		if (seat->pid) {
			log_warning("%s (pid %u) ended while there was no supervisor", seat_format(c->seat, name), seat->pid);
			commit_u32(&seat->restarts, seat->restarts + 1);
			commit_u32(&seat->last_signal, 0);
			commit_u32(&seat->last_code, 0);
		}
		child_seat_state(s, c, SEAT_DEAD);
		return;
	}
	uint64_t incarnation = CMM_LOAD_SHARED(h->incarnation);
	if (incarnation && CMM_LOAD_SHARED(h->ready) == incarnation)
		c->ready_ms = c->started_ms;
	c->config_sent = CMM_LOAD_SHARED(h->config_generation);
	c->routes_sent = CMM_LOAD_SHARED(h->route_generation);
	c->foreign = s->roster->foreign && seat->upgrade != s->roster->upgrade;
	int r = child_watch(s, c, fd);
	if (r)
		log_error("%s (pid %d) cannot be watched: %s", seat_format(c->seat, name), c->pid, strerror(-r));
	child_seat_state(s, c, c->ready_ms ? SEAT_RUNNING : SEAT_STARTING);
}

void adopt_children(struct supervisor *s)
{
	uint32_t alive = 0, dead = 0;
	pid_t before = (pid_t)s->roster->supervisor_pid;
	uint64_t program = program_id();
	/* another program without having been ordered: all shall be of one */
	if (!upgrade_running(s) && (s->roster->program != program || s->roster->foreign))
		commit_u64(&s->roster->upgrade, s->roster->upgrade + 1);
	commit_u64(&s->roster->program, program);
	for (uint32_t seat = 1; seat < SEATS_MAX; seat++) {
		struct child *c = &s->child[seat];
		if (!c->s)
			continue;
		adopt_one(s, c);
		alive += c->pid > 0;
		dead += c->pid <= 0;
	}
	commit_u32(&s->roster->supervisor_pid, (uint32_t)getpid());
	orders_forsake(s);
	log_warning("took over %u running processes of the supervisor with pid %d; %u are to be started", alive, (int)before, dead);
}
