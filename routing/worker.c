#include "routing/worker.h"
#include "base/clock.h"
#include "tables/route.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define AGAIN_MS 20u   /* the supervisor's socket was full */
#define RETRY_MS 1000u /* no memory */

struct routing {
	struct env *e;
	struct wheel_timer timer;
	uint64_t generation;	    /* of the last image that was made */
	uint64_t config_generation; /* that it was made from */
	int unsent;		    /* its descriptor while the supervisor has not got it; -1: none */
	bool ready;
};

static void routing_turn(struct routing *r);

static void again(struct wheel_timer *t, uint64_t now)
{
	(void)now;
	routing_turn((struct routing *)(void *)((char *)t - offsetof(struct routing, timer)));
}

static void forget_unsent(struct routing *r)
{
	if (r->unsent >= 0)
		close(r->unsent);
	r->unsent = -1;
}

/* generations only rise, also over this process's deaths */
static uint64_t next_generation(const struct routing *r)
{
	uint64_t last = r->generation;
	if (r->e->routes.p && r->e->routes.generation > last)
		last = r->e->routes.generation;
	if (r->e->roster && r->e->roster->route_generation > last)
		last = r->e->roster->route_generation;
	return last + 1;
}

static int build(struct routing *r)
{
	const struct config *c = r->e->config.p;
	struct routes *routes;
	size_t size;
	uint64_t generation = next_generation(r), start = clock_us();
	int fd, error = routes_build(c, generation, &routes, &size);
	if (error)
		return error;
	error = image_make("routes", routes, size, &fd);
	free(routes);
	if (error)
		return error;
	forget_unsent(r);
	r->unsent = fd;
	r->generation = generation;
	r->config_generation = c->generation;
	log_info("routes %llu of configuration %llu: %zu KB, made in %llu us", (unsigned long long)generation,
		(unsigned long long)c->generation, size / 1024, (unsigned long long)(clock_us() - start));
	return 0;
}

static int publish(struct routing *r)
{
	struct notice n = { .type = NOTICE_ROUTES, .value = (int64_t)r->generation };
	int error = env_notify(r->e, &n, r->unsent);
	if (!error)
		forget_unsent(r);
	return error;
}

/* does what is left to do; comes back when something of it failed */
static void routing_turn(struct routing *r)
{
	const struct config *c = r->e->config.p;
	int error = r->config_generation == c->generation ? 0 : build(r);
	if (error) {
		log_error("routes cannot be made, the ones before stay in use: %s",
			error == -E2BIG ? "a prefix is longer than 255 characters, or there are too many routes"
					: strerror(-error));
		if (error != -E2BIG)
			wheel_add(&r->e->loop.wheel, &r->timer, clock_ms() + RETRY_MS, again);
		return;
	}
	if (r->unsent >= 0)
		error = publish(r);
	if (error == -EAGAIN) {
		wheel_add(&r->e->loop.wheel, &r->timer, clock_ms() + AGAIN_MS, again);
	} else if (error) {
		log_error("routes cannot be published: %s", strerror(-error));
		wheel_add(&r->e->loop.wheel, &r->timer, clock_ms() + RETRY_MS, again);
	} else if (!r->ready) {
		r->ready = true;
		env_ready(r->e);
	}
}

static void on_config(struct env *e)
{
	routing_turn(e->context);
}

/* after a restart: what is published may be up to date already */
static void look_at_published(struct routing *r)
{
	const struct image *i = &r->e->routes;
	const struct config *c = r->e->config.p;
	if (!i->p || routes_verify(i->p, i->size) < 0 || routes_config_generation(i->p) != c->generation)
		return;
	r->generation = i->generation;
	r->config_generation = c->generation;
}

int routing_main(struct env *e)
{
	/* no configuration has this generation: the first turn builds */
	struct routing r = { .e = e, .unsent = -1, .config_generation = UINT64_MAX };
	int error = env_start(e);
	if (error) {
		log_error("cannot start: %s", strerror(-error));
		return 1;
	}
	e->context = &r;
	e->on_config = on_config;
	look_at_published(&r);
	routing_turn(&r);
	int code = env_run(e);
	forget_unsent(&r);
	env_done(e);
	return code;
}
