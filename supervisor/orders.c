/* What processes say to the supervisor, and what control asks it to do. */
#include "base/clock.h"
#include "base/log.h"
#include "base/out.h"
#include "shm/poison.h"
#include "shm/seat.h"
#include "supervisor/rundir.h"
#include "supervisor/supervisor.h"
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define NOTICE_BATCH 64

static struct child *control(struct supervisor *s)
{
	return &s->child[seat_of(ROLE_CONTROL, 0)];
}

/* a full socket loses the event: control is slow or hung, nobody else may suffer from it */
void orders_event(struct supervisor *s, const char *format, ...)
{
	static struct notice n;
	va_list args;
	struct child *c = control(s);
	if (c->pid <= 0)
		return;
	n.type = NOTICE_EVENT;
	va_start(args, format);
	int length = vsnprintf(n.text, sizeof(n.text), format, args);
	va_end(args);
	if (length > 0 && (size_t)length < sizeof(n.text))
		notice_send(c->notices.fd, &n, -1);
}

void orders_alarm(struct supervisor *s, const char *format, ...)
{
	char text[512], quoted[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_error("alarm: %s", text);
	struct out o = out_init(quoted, sizeof(quoted) - 1);
	out_json(&o, span_of(text));
	quoted[o.n] = 0;
	if (!o.full)
		orders_event(s, "{\"event\":\"alarm\",\"text\":%s}", quoted);
}

void orders_result(struct supervisor *s, uint32_t serial, int value, const char *text)
{
	static struct notice n;
	struct child *c = control(s);
	if (!serial || c->pid <= 0)
		return;
	n = (struct notice){ .type = NOTICE_RESULT, .serial = serial, .value = value };
	snprintf(n.text, sizeof(n.text), "%s", text);
	if (notice_send(c->notices.fd, &n, -1))
		log_warning("control does not take the result of an order");
}

void orders_forsake(struct supervisor *s)
{
	static const struct notice n = { .type = NOTICE_RESULT, .value = -EOWNERDEAD,
		.text = "the supervisor was followed by another meanwhile; `status` and `workers` show what has come of it" };
	struct child *c = control(s);
	if (c->pid > 0)
		notice_send(c->notices.fd, &n, -1);
}

/* --- orders of control ------------------------------------------------------------------------------------------- */

static void restart(struct supervisor *s, uint32_t serial, int64_t seat)
{
	struct child *c = seat > 0 && seat < SEATS_MAX ? &s->child[seat] : NULL;
	char name[SEAT_TEXT_MAX];
	if (!c || !c->s) {
		orders_result(s, serial, -ENOENT, "no such worker");
		return;
	}
	if (s->stage != STAGE_RUNNING || c->pid <= 0 || c->restart_serial) {
		orders_result(s, serial, -EBUSY, "it is being started or stopped already");
		return;
	}
	log_info("%s is restarted by order", seat_format((uint32_t)seat, name));
	c->wanted = true;
	if (seat_role(c->seat) == ROLE_CONTROL) { /* itself: it has to pass on the answer first */
		orders_result(s, serial, 0, "");
		child_tell(c, NOTICE_STOP, 0);
		return;
	}
	/* as a crash would: its successor takes over whatever it held */
	c->restart_serial = serial;
	child_kill(c, SIGKILL);
}

static void drain(struct supervisor *s, uint32_t serial)
{
	if (s->stage == STAGE_RUNNING && s->roster->state == SYSTEM_RUNNING) {
		log_info("draining by order: no new calls");
		supervisor_state(s, SYSTEM_DRAINING);
		for (uint32_t seat = 0; seat < SEATS_MAX; seat++)
			if (seat_role(seat) == ROLE_SIGNALING && s->child[seat].s)
				child_tell(&s->child[seat], NOTICE_DRAIN, 0);
	}
	orders_result(s, serial, 0, "");
}

static void set_log_level(struct supervisor *s, uint32_t serial, int64_t level)
{
	if (level < LOG_ERROR || level > LOG_DEBUG) {
		orders_result(s, serial, -EINVAL, "no such level");
		return;
	}
	log_set_level((enum log_level)level); /* successors inherit it */
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++)
		if (s->child[seat].s)
			child_tell(&s->child[seat], NOTICE_LOG, level);
	orders_result(s, serial, 0, "");
}

static void obey(struct supervisor *s, const struct notice *n)
{
	switch (n->type) {
	case NOTICE_RELOAD:
		publish_reload(s, n->serial);
		break;
	case NOTICE_RESTART:
		restart(s, n->serial, n->value);
		break;
	case NOTICE_UPGRADE:
		upgrade_order(s, n->serial);
		break;
	case NOTICE_DRAIN_ALL:
		drain(s, n->serial);
		break;
	case NOTICE_LOG:
		set_log_level(s, n->serial, n->value);
		break;
	case NOTICE_SHUTDOWN:
		orders_result(s, n->serial, 0, "");
		stages_stop(s, n->value == 1);
		break;
	default:
		log_warning("control: unknown notice %u", n->type);
	}
}

/* --- what killed ------------------------------------------------------------------------------------------------- */

static void keep_poison(struct supervisor *s, const struct child *c, const struct notice *n, int fd)
{
	char name[SEAT_TEXT_MAX], file[32];
	snprintf(file, sizeof(file), "poison-%u.pcap", s->poisons++ % POISON_FILES);
	int r = fd < 0 ? -EBADF : rundir_keep(s->run_dir, file, fd, POISON_BYTES);
	if (r)
		orders_alarm(s, "%s died of this and has left it out: %s", seat_format(c->seat, name), n->text);
	else
		orders_alarm(s, "%s died of this and has left it out: %s; kept in %s/%s", seat_format(c->seat, name), n->text, s->run_dir, file);
}

/* --- everybody --------------------------------------------------------------------------------------------------- */

static void in_service(struct supervisor *s, struct child *c)
{
	char name[SEAT_TEXT_MAX];
	uint64_t now = clock_ms();
	if (c->ready_ms)
		return;
	c->ready_ms = now ? now : 1;
	child_seat_state(s, c, SEAT_RUNNING);
	seat_format(c->seat, name);
	log_info("%s (pid %d) in service after %llu ms", name, c->pid, (unsigned long long)(now - c->started_ms));
	orders_event(s,
		"{\"event\":\"worker.started\",\"worker\":\"%s\",\"role\":\"%s\",\"index\":%u,\"pid\":%d,\"restarts\":%"
		"u}",
		name, role_name(seat_role(c->seat)), seat_index(c->seat), (int)c->pid,
		s->roster->seat[c->seat].restarts);
	orders_result(s, c->restart_serial, 0, "");
	c->restart_serial = 0;
}

/* takes fd */
static void heed(struct supervisor *s, struct child *c, const struct notice *n, int fd)
{
	enum role role = seat_role(c->seat);
	if (n->type == NOTICE_READY) {
		in_service(s, c);
	} else if (n->type == NOTICE_ROUTES && role == ROLE_ROUTING && fd >= 0) {
		publish_routes(s, fd, (uint64_t)n->value);
		fd = -1;
	} else if (n->type == NOTICE_POISON) {
		keep_poison(s, c, n, fd);
	} else if (role == ROLE_CONTROL) {
		obey(s, n);
	} else {
		log_warning("%s: unexpected notice %u", role_name(role), n->type);
	}
	if (fd >= 0)
		close(fd);
}

void orders_ready(struct loop_source *source, uint32_t events)
{
	static struct notice n;
	struct child *c = OWNER(source, struct child, notices);
	struct supervisor *s = c->s;
	(void)events;
	for (int i = 0; i < NOTICE_BATCH && source->fd >= 0; i++) {
		int fd = -1, r = notice_receive(source->fd, &n, &fd);
		if (r == -EAGAIN || r == -EPROTO)
			break;
		if (r) { /* cannot be: both ends are ours */
			log_error("notices of %s are lost: %s", role_name(seat_role(c->seat)), strerror(-r));
			loop_del(&s->loop, source);
			source->fd = -1;
			break;
		}
		heed(s, c, &n, fd);
	}
	stages_advance(s);
}
