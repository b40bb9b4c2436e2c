#include "routing/worker.h"
#include "base/clock.h"
#include "routing/names.h"
#include "tables/route.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define AGAIN_MS 20u   /* the supervisor's socket was full */
#define RETRY_MS 1000u /* no memory */
#define NAMES_MS 1000u /* names that change make routes at most so often */
#define SOON_MS	 20u   /* several of them at once make them once */

struct routing {
	struct env *e;
	struct wheel_timer timer;
	uint64_t generation;	    /* of the last image that was made */
	uint64_t config_generation; /* that it was made from */
	struct names *names;
	bool renamed;		    /* a name stands for other addresses than when it was made */
	uint64_t made_ms;
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

/* a proxy that is a name, too */
static uint32_t named_addresses(const void *context, uint32_t gateway, struct addr *ret, uint32_t cap)
{
	const struct env *e = context;
	const struct config *c = e->config.p;
	const struct cfg_routing_gateway *gw = cfg_routing(c, gateway);
	if (gw->via_registration >= c->registrations.n)
		return names_gateway(e, c, gw, ret, cap);
	struct name_key key = names_proxy_key(c, &CFG_LIST(c, &c->registrations, struct cfg_registration)[gw->via_registration]);
	int n = key.host.n ? names_lookup(e, key.host, key.port, key.transport, ret, cap) : 0;
	return n > 0 ? (uint32_t)n : 0;
}

static int build(struct routing *r)
{
	const struct config *c = r->e->config.p;
	struct routes *routes;
	size_t size;
	uint64_t generation = next_generation(r), start = clock_us();
	const struct route_names names = { r->e, named_addresses };
	int fd, error = routes_build_named(c, generation, &names, &routes, &size);
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
	r->renamed = false;
	r->made_ms = clock_ms();
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
	int error = r->config_generation == c->generation && !r->renamed ? 0 : build(r);
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

/* the image is what tells whose address something comes from */
static void names_changed(void *context)
{
	struct routing *r = context;
	uint64_t now = clock_ms(), at = r->made_ms + NAMES_MS;
	if (!r->renamed)
		wheel_add(&r->e->loop.wheel, &r->timer, at > now + SOON_MS ? at : now + SOON_MS, again);
	r->renamed = true;
}

static void on_config(struct env *e)
{
	struct routing *r = e->context;
	names_configure(r->names);
	routing_turn(r);
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
	r.names = names_new(e, names_changed, &r);
	if (!r.names) {
		log_error("cannot start: %s", strerror(ENOMEM));
		return 1;
	}
	look_at_published(&r);
	if (names_configure(r.names))
		r.renamed = true; /* a predecessor may have died before it said so */
	routing_turn(&r);
	int code = env_run(e);
	forget_unsent(&r);
	names_free(r.names);
	env_done(e);
	return code;
}
