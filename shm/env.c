#include "shm/env.h"
#include "base/clock.h"
#include "shm/commit.h"
#include "shm/handover.h"
#include "shm/poison.h"
#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#define RING_BATCH   64 /* messages from one ring before the loop gets its turn */
#define NOTICE_BATCH 16

#define OWNER(at, member) ((struct env *)(void *)((char *)(at)-offsetof(struct env, member)))

static const struct region_head *own(const struct env *e)
{
	return e->region[e->seat].head;
}

static void kick(int doorbell)
{
	uint64_t one = 1;
	/* fails only when the counter is full: then it rings already */
	if (doorbell >= 0 && write(doorbell, &one, sizeof one) < 0)
		return;
}

/* --- rings ------------------------------------------------------------------------------------------------------- */

/* One message of each ring in turn, so that a busy neighbour does not starve the others; true: there may be more. */
static bool drain_rings(struct env *e)
{
	bool more = true;
	for (int i = 0; i < RING_BATCH && more; i++) {
		more = false;
		for (uint32_t seat = 0; seat < SEATS_MAX; seat++) {
			const struct ring_message *m = e->in[seat].ring ? ring_peek(&e->in[seat]) : NULL;
			if (!m)
				continue;
			more = true;
			working_event(own(e), WORKING_RING, seat);
			if (e->on_ring)
				e->on_ring(e, seat, m);
			ring_pop(&e->in[seat]);
			working_done(own(e));
			if (e->loop.stop)
				return false;
		}
	}
	return more;
}

static void bell_ready(struct loop_source *s, uint32_t events)
{
	struct env *e = OWNER(s, bell);
	uint64_t n;
	(void)events;
	/* emptied before the rings are looked at: who pushes later rings again */
	if (read(s->fd, &n, sizeof n) < 0 && errno != EAGAIN)
		return;
	if (drain_rings(e)) {
		e->loop.more = true;
		kick(s->fd);
	}
}

static void open_rings(struct env *e)
{
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++) {
		e->in[seat] = e->out[seat] = (struct ring_end){ 0 };
		e->rung[seat] = false;
		if (!e->region[seat].head || seat == e->seat)
			continue;
		ring_open(&e->region[seat], &e->region[e->seat], &e->in[seat]);
		/* whoever sat here before may have died between the push and the bell */
		if (!ring_open(&e->region[e->seat], &e->region[seat], &e->out[seat]))
			e->rung[seat] = ring_waiting(&e->out[seat]) > 0;
	}
}

int env_push(struct env *e, uint32_t seat, uint32_t type, const void *a, size_t na, const void *b, size_t nb)
{
	if (seat >= SEATS_MAX || !e->out[seat].ring)
		return -ENOENT;
	e->rung[seat] = true;
	return ring_push(&e->out[seat], type, a, na, b, nb);
}

void env_look(struct env *e)
{
	kick(e->doorbell[e->seat]);
}

static void turn(struct loop *l)
{
	struct env *e = OWNER(l, loop);
	if (e->on_turn)
		e->on_turn(e);
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++) {
		if (!e->rung[seat])
			continue;
		e->rung[seat] = false;
		kick(e->doorbell[seat]);
	}
	stat_set(&own(e)->heartbeat_ms, clock_ms());
}

/* --- images ------------------------------------------------------------------------------------------------------ */

static void keep_old(struct image *old, struct image *previous)
{
	if (!previous->p)
		return;
	image_unmap(&old[ENV_OLD_IMAGES - 1]);
	memmove(&old[1], &old[0], sizeof old[0] * (ENV_OLD_IMAGES - 1));
	old[0] = *previous;
}

/* Configurations are checked before they replace the one in use: a worker without one can do nothing. */
static int take_config(struct env *e, int fd)
{
	struct image new;
	int r = image_map(fd, &new);
	if (r)
		return r;
	const struct config *c = new.p;
	if (new.size < sizeof *c || c->magic != CONFIG_MAGIC || c->size != new.size) {
		image_unmap(&new);
		return -EPROTO;
	}
	new.generation = c->generation;
	struct image previous = e->config;
	e->config = new;
	if (e->on_config)
		e->on_config(e);
	keep_old(e->old_config, &previous);
	stat_set(&own(e)->config_generation, new.generation);
	return 0;
}

static int take_routes(struct env *e, int fd, uint64_t generation)
{
	struct image new;
	int r = image_map(fd, &new);
	if (r)
		return r;
	new.generation = generation;
	struct image previous = e->routes;
	e->routes = new;
	if (e->on_routes)
		e->on_routes(e);
	keep_old(e->old_routes, &previous);
	stat_set(&own(e)->route_generation, generation);
	return 0;
}

static const void *find_image(const struct image *current, const struct image *old, uint64_t generation)
{
	if (current->p && current->generation == generation)
		return current->p;
	for (uint32_t i = 0; i < ENV_OLD_IMAGES; i++)
		if (old[i].p && old[i].generation == generation)
			return old[i].p;
	return NULL;
}

const struct config *env_config(const struct env *e, uint64_t generation)
{
	return find_image(&e->config, e->old_config, generation);
}

const void *env_routes(const struct env *e, uint64_t generation)
{
	return find_image(&e->routes, e->old_routes, generation);
}

/* --- the supervisor's socket ------------------------------------------------------------------------------------- */

static void set_level(int64_t level)
{
	if (level >= LOG_ERROR && level <= LOG_DEBUG)
		log_set_level((enum log_level)level);
}

/* takes fd */
static void heed(struct env *e, const struct notice *n, int fd)
{
	int r = 0;
	switch (n->type) {
	case NOTICE_CONFIG:
		r = take_config(e, fd);
		fd = -1;
		break;
	case NOTICE_ROUTES:
		r = take_routes(e, fd, (uint64_t)n->value);
		fd = -1;
		break;
	case NOTICE_DRAIN:
		if (e->on_drain)
			e->on_drain(e);
		break;
	case NOTICE_STOP:
		if (e->on_stop)
			e->on_stop(e, n->value == 1);
		else
			loop_stop(&e->loop, 0);
		break;
	case NOTICE_LEAVE:
		loop_stop(&e->loop, 0);
		break;
	case NOTICE_LOG:
		set_level(n->value);
		break;
	default:
		if (e->on_notice)
			e->on_notice(e, n);
	}
	if (r)
		log_error("published image refused, the one before stays in use: %s", strerror(-r));
	if (fd >= 0)
		close(fd);
}

static void boss_ready(struct loop_source *s, uint32_t events)
{
	struct env *e = OWNER(s, boss);
	struct notice n;
	(void)events;
	for (int i = 0; i < NOTICE_BATCH; i++) {
		int fd, r = notice_receive(s->fd, &n, &fd);
		if (!r) {
			heed(e, &n, fd);
		} else if (r == -EAGAIN) {
			return;
		} else if (r != -EPROTO) {
			/* the supervisor is gone: calls go on without it */
			loop_del(&e->loop, s);
			return;
		}
	}
}

int env_notify(struct env *e, const struct notice *n, int fd)
{
	return e->supervisor < 0 ? -ENOTCONN : notice_send(e->supervisor, n, fd);
}

/* --- life -------------------------------------------------------------------------------------------------------- */

/* The supervisor had mapped what it liked, also writable: none of that stays. */
static int map_regions(struct env *e)
{
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++) {
		struct region *r = &e->region[seat];
		region_unmap(r);
		if (r->fd <= 0)
			continue;
		int error = region_map(r->fd, seat == e->seat, r);
		if (!error && r->head->seat != seat) {
			region_unmap(r);
			error = -EPROTO;
		}
		/* a neighbour that has damaged its own region must not keep others from starting */
		if (error && (seat == e->seat || seat == 0))
			return error;
		if (error)
			log_error("region of %s/%u not mapped: %s", role_name(seat_role(seat)), seat_index(seat),
				strerror(-error));
	}
	e->roster = region_area(&e->region[seat_of(ROLE_SUPERVISOR, 0)], AREA_ROSTER);
	return own(e) && e->roster ? 0 : -ENOENT;
}

static int open_loop(struct env *e)
{
	int r = loop_init(&e->loop);
	if (r)
		return r;
	e->loop.hook = turn;
	e->bell = (struct loop_source){ .fd = e->doorbell[e->seat], .ready = bell_ready };
	e->boss = (struct loop_source){ .fd = e->supervisor, .ready = boss_ready };
	r = loop_add(&e->loop, &e->bell, EPOLLIN);
	if (!r && e->supervisor >= 0)
		r = loop_add(&e->loop, &e->boss, EPOLLIN);
	return r ? r : handover_serve(e);
}

int env_start(struct env *e)
{
	if (e->seat >= SEATS_MAX || e->seat != seat_of(e->role, e->index))
		return -EINVAL;
	e->loop.epoll_fd = -1;
	memset(e->old_config, 0, sizeof e->old_config);
	memset(e->old_routes, 0, sizeof e->old_routes);
	int r = map_regions(e);
	if (!r)
		r = open_loop(e);
	if (r) {
		env_done(e);
		return r;
	}
	open_rings(e);
	commit_u64(&own(e)->incarnation, own(e)->incarnation + 1);
	poison_start(e);
	stat_set(&own(e)->heartbeat_ms, clock_ms());
	stat_set(&own(e)->config_generation, e->config.generation);
	stat_set(&own(e)->route_generation, e->routes.generation);
	/* the bell may have been read and not answered by the incarnation before */
	kick(e->doorbell[e->seat]);
	return 0;
}

void env_ready(struct env *e)
{
	static const struct notice ready = { .type = NOTICE_READY };
	commit_release_u64(&own(e)->ready, own(e)->incarnation);
	env_notify(e, &ready, -1);
}

int env_run(struct env *e)
{
	return loop_run(&e->loop);
}

void env_done(struct env *e)
{
	loop_done(&e->loop);
	for (uint32_t i = 0; i < ENV_OLD_IMAGES; i++) {
		image_unmap(&e->old_config[i]);
		image_unmap(&e->old_routes[i]);
	}
	image_unmap(&e->config);
	image_unmap(&e->routes);
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++) {
		region_unmap(&e->region[seat]);
		e->in[seat] = e->out[seat] = (struct ring_end){ 0 };
	}
	e->roster = NULL;
}
