/* Images: the configuration by reload, the routes from the routing worker. */
#include "base/clock.h"
#include "base/log.h"
#include "base/out.h"
#include "shm/capacity.h"
#include "supervisor/reload.h"
#include "supervisor/rundir.h"
#include "supervisor/service.h"
#include "supervisor/sockets.h"
#include "supervisor/supervisor.h"
#include "tables/route.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#define RELOAD_LIMIT_MS 60000u /* compiler and routes together */

/* --- handing out ------------------------------------------------------------------------------------------------- */

static int send_image(struct child *c, uint32_t type, const struct image *i)
{
	static struct notice n;
	n.type = type;
	n.value = (int64_t)i->generation;
	return notice_send(c->notices.fd, &n, i->fd);
}

/* Configuration first: routes refer to it. What a full socket refuses is tried again with the next tick. */
void publish_owed(struct supervisor *s, struct child *c)
{
	if (c->pid <= 0 || c->notices.fd < 0 || c->foreign)
		return;
	if (c->config_sent != s->env.config.generation && send_image(c, NOTICE_CONFIG, &s->env.config) == 0)
		c->config_sent = s->env.config.generation;
	if (c->config_sent == s->env.config.generation && c->routes_sent != s->env.routes.generation &&
		s->env.routes.p && send_image(c, NOTICE_ROUTES, &s->env.routes) == 0)
		c->routes_sent = s->env.routes.generation;
}

static void publish(struct supervisor *s)
{
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++)
		if (s->child[seat].s)
			publish_owed(s, &s->child[seat]);
}

/* --- reload ------------------------------------------------------------------------------------------------------ */

static void reload_over(struct supervisor *s, int result, const char *text)
{
	char quoted[4096] = "\"\"";
	bool again = s->reload_again;
	s->reloading = s->reload_again = false;
	wheel_del(&s->loop.wheel, &s->reload_deadline);
	if (s->compiler.pid > 0 || s->compiler.errors || s->compiler.sock >= 0) {
		loop_del(&s->loop, &s->compiled);
		compiler_done(&s->compiler);
	}
	struct out o = out_init(quoted, sizeof(quoted) - 1);
	out_json(&o, (struct span){ text, strnlen(text, 2000) });
	if (!o.full)
		quoted[o.n] = 0;
	if (result)
		orders_event(s, "{\"event\":\"reload\",\"ok\":false,\"error\":%s}", quoted);
	else
		orders_event(s, "{\"event\":\"reload\",\"ok\":true,\"generation\":%llu}",
			(unsigned long long)s->env.config.generation);
	orders_result(s, s->reload_serial, result, text);
	s->reload_serial = 0;
	service_ready(); /* ends RELOADING=1 */
	if (again)
		publish_reload(s, 0);
}

/* every line of the text is a line of the log */
static void refused(struct supervisor *s, const char *lines)
{
	static const char more[] = "(more in the log and by tandem --check)";
	const char *end;
	size_t n = strlen(lines);
	log_error("reload refused, the running configuration stays:");
	for (const char *p = lines; (end = strchr(p, '\n')); p = end + 1) {
		struct log_site site = { 0 }; /* of its own: each line counts */
		log_write(&site, LOG_ERROR, "%.*s", (int)(end - p), p);
	}
	if (n > NOTICE_TEXT - sizeof(more))
		for (n = NOTICE_TEXT - sizeof(more); n && lines[n - 1] != '\n'; n--)
			;
	char *text = NULL; /* `lines` may be the compiler's, which is freed on the way */
	if (asprintf(&text, "%.*s%s", (int)n, lines, lines[n] ? more : "") < 0)
		text = NULL;
	reload_over(s, -EINVAL, text ? text : "out of memory");
	free(text);
}

/* what the cdr process may not be able to make itself */
static bool make_cdr_dir(struct supervisor *s, const struct config *new, char *why, size_t cap)
{
	const char *dir = cfg_str(new, new->cdr.dir);
	int r = dir[0] ? directory_make(dir, 0750, &s->identity) : 0;
	if (r)
		snprintf(why, cap, "cdr.dir %s: %s\n", dir, strerror(-r));
	return r == 0;
}

static void take(struct supervisor *s, struct image *fresh)
{
	char why[NOTICE_TEXT];
	const struct config *old = config_now(s), *new = fresh->p;
	uint32_t cells = region_count(&s->env.region[seat_of(ROLE_SIGNALING, 0)], AREA_CAPACITY);
	if (reload_refusals(old, new, cells, why, sizeof(why)) || !make_cdr_dir(s, new, why, sizeof(why))) {
		image_unmap(fresh);
		refused(s, why);
		return;
	}
	struct image previous = s->env.config;
	bool level = old->log.level != new->log.level;
	s->env.config = *fresh;
	image_unmap(&previous);
	commit_release_u64(&s->roster->config_generation, fresh->generation);
	if (level) {
		log_set_level((enum log_level) new->log.level);
		for (uint32_t seat = 0; seat < SEATS_MAX; seat++)
			if (s->child[seat].s)
				child_tell(&s->child[seat], NOTICE_LOG, new->log.level);
	}
	sockets_set_tos(new, &s->env);
	publish(s);
	/* done when the routing worker has published the routes that belong to it */
}

static void compiled(struct loop_source *source, uint32_t events)
{
	struct supervisor *s = OWNER(source, struct supervisor, compiled);
	struct image fresh;
	(void)events;
	int r = compiler_take(&s->compiler, &fresh);
	if (r == -EAGAIN)
		return;
	if (r) {
		refused(s, s->compiler.errors ? s->compiler.errors
					      : "the configuration could not be read: its compiler died\n");
		return;
	}
	loop_del(&s->loop, &s->compiled);
	compiler_done(&s->compiler);
	take(s, &fresh);
}

static void reload_late(struct wheel_timer *t, uint64_t now)
{
	struct supervisor *s = OWNER(t, struct supervisor, reload_deadline);
	(void)now;
	if (s->compiler.pid > 0) {
		refused(s, "the configuration could not be read in 60 s\n");
		return;
	}
	log_error("reload: the routing worker has not published the new routes in 60 s");
	reload_over(s, -ETIMEDOUT, "the configuration is in use, but its routes were not built in time");
}

void publish_reload(struct supervisor *s, uint32_t serial)
{
	if ((s->stage < STAGE_RUNNING || upgrade_running(s)) && !serial) {
		s->reload_again = true; /* as soon as everything runs */
		return;
	}
	if (s->stage != STAGE_RUNNING || upgrade_running(s)) {
		orders_result(s, serial, -EBUSY, "not while starting, stopping or upgrading");
		return;
	}
	if (s->reloading) {
		if (serial)
			orders_result(s, serial, -EBUSY, "another reload is in progress");
		else
			s->reload_again =
				true; /* a signal came while the file was being read: it may have changed since */
		return;
	}
	log_info("reload of %s", s->file);
	service_reloading();
	s->reloading = true;
	s->reload_serial = serial;
	int r = compiler_start(s->file, s->generation + 1, &s->compiler);
	if (r == 0) {
		s->generation++;
		s->compiled = (struct loop_source){ s->compiler.sock, compiled };
		r = loop_add(&s->loop, &s->compiled, EPOLLIN);
	}
	if (r) {
		refused(s, "the configuration could not be read: no process for it\n");
		return;
	}
	wheel_add(&s->loop.wheel, &s->reload_deadline, clock_ms() + RELOAD_LIMIT_MS, reload_late);
}

/* --- routes ------------------------------------------------------------------------------------------------------ */

void publish_routes(struct supervisor *s, int fd, uint64_t generation)
{
	struct image fresh;
	int r = image_map(fd, &fresh);
	if (r == 0 && routes_verify(fresh.p, fresh.size)) {
		image_unmap(&fresh);
		r = -EPROTO;
	}
	if (r) {
		log_error("routing published something that is no route image: %s", strerror(-r));
		return;
	}
	struct image previous = s->env.routes;
	fresh.generation = generation;
	s->env.routes = fresh;
	image_unmap(&previous);
	commit_release_u64(&s->roster->route_generation, generation);
	publish(s);
	if (s->reloading && s->compiler.pid <= 0 && routes_config_generation(fresh.p) == s->env.config.generation) {
		log_info("reloaded: configuration %llu is in use", (unsigned long long)s->env.config.generation);
		reload_over(s, 0, "");
	}
}
