/* Makes the regions of all seats and fills in the roster. */
#include "base/clock.h"
#include "base/log.h"
#include "supervisor/program.h"
#include "supervisor/rundir.h"
#include "supervisor/supervisor.h"
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

bool memory_seat_used(const struct config *c, uint32_t seat)
{
	switch (seat_role(seat)) {
	case ROLE_SUPERVISOR:
	case ROLE_CONTROL:
	case ROLE_CDR:
	case ROLE_ROUTING:
	case ROLE_REGISTRAR:
		return true;
	case ROLE_SIGNALING:
		return seat_index(seat) < c->system.signaling;
	case ROLE_MEDIA:
		return seat_index(seat) < c->system.media;
	default:
		return false;
	}
}

static int make_region(struct supervisor *s, uint32_t seat)
{
	static struct region_head plan;
	struct region *r = &s->env.region[seat];
	int result = region_plan(config_now(s), seat_role(seat), seat_index(seat), &plan);
	if (result == 0)
		result = region_make(&plan, r);
	if (result || seat_role(seat) == ROLE_SUPERVISOR)
		return result;
	region_unmap(r); /* from now on only its owner writes */
	return region_map(r->fd, false, r);
}

static void fill_roster(struct supervisor *s)
{
	const struct config *c = config_now(s);
	struct roster *r = commit_fill(s->roster); /* nobody reads it yet */
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
	struct hash_key random;
	r->started_ms = clock_ms();
	r->started_wall_ms = clock_wall_ms();
	r->state = SYSTEM_STARTING;
	r->supervisor_pid = (uint32_t)getpid();
	r->program = program_id();
	r->config_generation = s->env.config.generation;
	hash_key_random(&r->token_key);
	hash_key_random(&random);
	for (uint32_t i = 0; i < 4; i++)
		r->instance[i] = letters[random.k0 >> (8 * i) & 31];
	for (uint32_t i = 0; i < STEER_PARTITIONS; i++)
		r->partition[i] = (uint8_t)(i % c->system.signaling);
}

/* of one seat, for all its processes to come */
static int make_socket(struct env *e, uint32_t seat)
{
	int pair[2];
	if (seat == RUNDIR_SUPERVISOR)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	e->post[seat] = pair[0];
	e->desk[seat] = pair[1];
	return 0;
}

int memory_make(struct supervisor *s)
{
	uint64_t bytes = 0;
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++) {
		s->env.region[seat].fd = s->env.doorbell[seat] = s->env.post[seat] = s->env.desk[seat] = -1;
		if (!memory_seat_used(config_now(s), seat))
			continue;
		int r = make_region(s, seat);
		if (r == 0 && (s->env.doorbell[seat] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) < 0)
			r = -errno;
		if (r == 0)
			r = make_socket(&s->env, seat);
		if (r) {
			log_error("no memory for %s/%u: %s; system.limits and media.ports say how much is needed",
				role_name(seat_role(seat)), seat_index(seat), strerror(-r));
			return r;
		}
		bytes += s->env.region[seat].size;
	}
	s->roster = s->env.roster = region_area(&s->env.region[seat_of(ROLE_SUPERVISOR, 0)], AREA_ROSTER);
	fill_roster(s);
	log_info("shared memory: %llu MiB", (unsigned long long)(bytes >> 20));
	return 0;
}

int memory_adopt(struct supervisor *s)
{
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++) {
		struct region *r = &s->env.region[seat];
		int fd = r->fd;
		if (fd < 0)
			continue;
		int error = region_map(fd, seat == RUNDIR_SUPERVISOR, r);
		if (error == 0 && r->head->seat != seat)
			error = -EPROTO;
		if (error) {
			/* a process that has damaged its own memory must not keep the others from having a supervisor */
			log_error("the memory of %s/%u cannot be used: %s", role_name(seat_role(seat)), seat_index(seat), strerror(-error));
			region_unmap(r);
			if (seat == RUNDIR_SUPERVISOR)
				return error;
		}
	}
	s->roster = s->env.roster = region_area(&s->env.region[seat_of(ROLE_SUPERVISOR, 0)], AREA_ROSTER);
	return s->roster ? 0 : -EPROTO;
}
