/* The control process: clients of the status socket, one JSON object a line each way. */
#include "ctl/control.h"
#include "base/clock.h"
#include "base/log.h"
#include "ctl/events.h"
#include "ctl/trace.h"
#include "ctl/worker.h"
#include "shm/messages.h"
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define OWNER(at, type, member) ((type *)(void *)((char *)(at)-offsetof(type, member)))
#define SAMPLE_MS		1000u
#define LOOK_MS			10u  /* how old an event gets before subscribers have it ... */
#define LOOK_IDLE_MS		100u /* ... and how often the rings are emptied when there are none */
#define EVENTS_MS		20u  /* how long an event of a call may lie in its ring while somebody listens */

/* --- sending ----------------------------------------------------------------------------------------------------- */

static void client_close(struct client *c)
{
	trace_closed(c->control, c);
	loop_del(&c->control->env->loop, &c->source);
	close(c->source.fd);
	free(c->in);
	free(c->out);
	*c = (struct client){ .source = { .fd = -1 }, .control = c->control };
}

static size_t unsent(const struct client *c)
{
	return c->out_n - c->out_at;
}

static void client_watch(struct client *c)
{
	uint32_t events = 0;
	if (unsent(c))
		events |= EPOLLOUT;
	if (!c->ending && !c->eof && unsent(c) < CONTROL_BACKLOG)
		events |= EPOLLIN;
	loop_change(&c->control->env->loop, &c->source, events);
}

/* false: it was closed */
static bool client_flush(struct client *c)
{
	while (unsent(c)) {
		ssize_t n = send(c->source.fd, c->out + c->out_at, unsent(c), MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			client_close(c);
			return false;
		}
		if (n <= 0)
			break;
		c->out_at += (size_t)n;
		c->moved_ms = clock_ms();
	}
	if (!unsent(c)) {
		free(c->out);
		c->out = NULL;
		c->out_n = c->out_at = c->out_cap = 0;
		c->moved_ms = clock_ms();
		if (c->ending) {
			client_close(c);
			return false;
		}
	}
	client_watch(c);
	return true;
}

static bool reserve(struct client *c, size_t n)
{
	if (c->out_n + n <= c->out_cap)
		return true;
	size_t cap = c->out_n + n + c->out_n / 2;
	char *more = unsent(c) + n <= CONTROL_OUT_MAX ? realloc(c->out, cap) : NULL;
	if (!more)
		return false;
	c->out = more;
	c->out_cap = cap;
	return true;
}

/* one line; false: the client was closed */
static bool client_send(struct client *c, const char *text, size_t n)
{
	if (!reserve(c, n + 1)) {
		client_close(c);
		return false;
	}
	memcpy(c->out + c->out_n, text, n);
	c->out[c->out_n + n] = '\n';
	c->out_n += n + 1;
	return client_flush(c);
}

/* {"id":ID,"ok":true,"result":{...}} or {"id":ID,"ok":false,"error":"..."}; `id` is JSON already */
static bool client_answer(struct client *c, const char *id, struct json *result, const char *error)
{
	struct json *answer = js_object();
	size_t n = 0;
	js_add_bool(answer, "ok", result != NULL);
	if (result)
		js_add(answer, "result", result);
	else
		js_add_text(answer, "error", span_of(error));
	char *body = js_dump(answer, &n), *line = NULL;
	js_free(answer);
	int length = body ? asprintf(&line, "{\"id\":%s,%s", id, body + 1) : -1;
	free(body);
	if (length < 0) {
		client_close(c);
		return false;
	}
	bool open = client_send(c, line, (size_t)length);
	free(line);
	return open;
}

/* --- orders ------------------------------------------------------------------------------------------------------ */

/* whoever follows it would carry the order out, but nobody can say when that will be */
static bool supervisor_dead(const struct env *e)
{
	pid_t pid = (pid_t)CMM_LOAD_SHARED(e->roster->supervisor_pid);
	return pid > 0 && kill(pid, 0) < 0 && errno == ESRCH;
}

int control_order(struct command *c, uint32_t type, int64_t value)
{
	static struct notice n;
	struct control *k = c->control;
	if (supervisor_dead(k->env))
		return command_error(c, -ESRCH, "the supervisor is dead; calls go on, and `tandem --adopt` takes over");
	for (uint32_t i = 0; i < CONTROL_PENDING; i++) {
		if (k->pending[i].serial)
			continue;
		n.type = type;
		n.value = value;
		n.serial = ++k->next_serial ? k->next_serial : ++k->next_serial;
		int r = env_notify(k->env, &n, -1);
		if (r)
			return command_error(c, r, "the supervisor cannot be reached: %s", strerror(-r));
		k->pending[i].serial = n.serial;
		k->pending[i].client_serial = c->client->serial;
		memcpy(k->pending[i].id, c->request->id, REQUEST_ID);
		c->client->orders++;
		return COMMAND_LATER;
	}
	return command_error(c, -EBUSY, "too many orders are being carried out");
}

static struct client *find_client(struct control *k, uint32_t serial)
{
	for (uint32_t i = 0; i < CONTROL_CLIENTS; i++)
		if (k->client[i].source.fd >= 0 && k->client[i].serial == serial)
			return &k->client[i];
	return NULL;
}

/* serial 0: of all that wait */
static void order_done(struct control *k, const struct notice *n)
{
	for (uint32_t i = 0; i < CONTROL_PENDING; i++) {
		if (!k->pending[i].serial || (n->serial && k->pending[i].serial != n->serial))
			continue;
		struct client *c = find_client(k, k->pending[i].client_serial);
		k->pending[i].serial = 0;
		if (!c)
			continue;
		c->orders--;
		const char *why = n->text[0] ? n->text : strerror((int)-n->value);
		if (client_answer(c, k->pending[i].id, n->value == 0 ? js_object() : NULL, why) && c->eof &&
			!c->orders && !unsent(c))
			client_close(c);
	}
}

/* --- receiving --------------------------------------------------------------------------------------------------- */

/* false: the client was closed */
static bool serve_line(struct client *c, const char *line, size_t n)
{
	static struct request request;
	struct command command = { .control = c->control, .client = c, .request = &request };
	while (n && (line[n - 1] == '\r' || line[n - 1] == ' '))
		n--;
	if (!n)
		return true;
	if (request_parse(line, n, &request))
		return client_answer(c, request.id, NULL, request.error);
	int r = commands_run(&command);
	if (r == COMMAND_LATER)
		return true;
	if (r < 0)
		command.result = js_free(command.result);
	return client_answer(
		c, request.id, command.result, command.error[0] ? command.error : strerror(r < 0 ? -r : ENOMEM));
}

/* false: the client was closed */
static bool serve_lines(struct client *c)
{
	size_t at = 0;
	char *end;
	while (unsent(c) < CONTROL_BACKLOG && !c->ending && (end = memchr(c->in + at, '\n', c->in_n - at))) {
		size_t n = (size_t)(end - (c->in + at));
		if (!serve_line(c, c->in + at, n))
			return false;
		at += n + 1;
	}
	memmove(c->in, c->in + at, c->in_n - at);
	c->in_n -= at;
	if (c->in_n < REQUEST_LINE || memchr(c->in, '\n', c->in_n))
		return true;
	c->ending = true;
	c->in_n = 0;
	return client_answer(c, "null", NULL, "request: the line is too long");
}

/* false: the connection is broken */
static bool client_read(struct client *c)
{
	if (c->eof || c->in_n == REQUEST_LINE)
		return true;
	ssize_t n = recv(c->source.fd, c->in + c->in_n, REQUEST_LINE - c->in_n, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	c->in_n += (size_t)n;
	c->eof = n == 0;
	if (c->eof && c->in_n && c->in[c->in_n - 1] != '\n' && c->in_n < REQUEST_LINE)
		c->in[c->in_n++] = '\n'; /* the last line may lack its end */
	return true;
}

static void client_ready(struct loop_source *source, uint32_t events)
{
	struct client *c = OWNER(source, struct client, source);
	if ((events & EPOLLOUT) && !client_flush(c))
		return;
	bool alive = !(events & (EPOLLIN | EPOLLHUP)) || client_read(c);
	if (alive && !serve_lines(c))
		return;
	/* gone for good, or has got all that it will get */
	if (!alive || (c->eof && ((events & (EPOLLHUP | EPOLLERR)) || (!unsent(c) && !c->orders && !c->subscribed && !c->tracing))))
		client_close(c);
	else
		client_watch(c);
}

static void client_open(struct control *k, struct client *c, int fd)
{
	c->in = malloc(REQUEST_LINE);
	c->source = (struct loop_source){ fd, client_ready };
	c->serial = ++k->next_client;
	c->moved_ms = clock_ms();
	if (c->in && loop_add(&k->env->loop, &c->source, EPOLLIN) == 0)
		return;
	client_close(c);
}

static void accept_ready(struct loop_source *source, uint32_t events)
{
	static const char full[] = "{\"id\":null,\"ok\":false,\"error\":\"too many clients\"}\n";
	struct control *k = OWNER(source, struct control, listener);
	int fd;
	(void)events;
	while ((fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct client *c = NULL;
		for (uint32_t i = 0; i < CONTROL_CLIENTS && !c; i++)
			if (k->client[i].source.fd < 0)
				c = &k->client[i];
		if (c) {
			client_open(k, c, fd);
			continue;
		}
		if (send(fd, full, sizeof(full) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			log_debug("a client too many went away: %s", strerror(errno));
		close(fd);
	}
}

/* --- events ------------------------------------------------------------------------------------------------------ */

bool control_has_subscribers(const struct control *k)
{
	for (uint32_t i = 0; i < CONTROL_CLIENTS; i++)
		if (k->client[i].source.fd >= 0 && k->client[i].subscribed)
			return true;
	return false;
}

static void publish_text(struct control *k, const char *text, size_t n)
{
	for (uint32_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct client *c = &k->client[i];
		if (c->source.fd < 0 || !c->subscribed)
			continue;
		if (unsent(c) > CONTROL_BACKLOG) {
			log_warning("a subscriber reads too slowly and is dropped");
			client_close(c);
			continue;
		}
		client_send(c, text, n);
	}
}

void control_publish(struct control *k, const struct json *event)
{
	size_t n = 0;
	char *text = js_dump(event, &n);
	if (text)
		publish_text(k, text, n);
	free(text);
}

bool control_send(struct control *k, uint32_t client, const struct json *event)
{
	struct client *c = find_client(k, client);
	size_t n = 0;
	char *text = c && unsent(c) <= CONTROL_BACKLOG ? js_dump(event, &n) : NULL;
	bool sent = text && client_send(c, text, n);
	free(text);
	return sent;
}

static void on_ring(struct env *e, uint32_t from, const struct ring_message *m)
{
	struct control *k = e->context;
	if (m->type == MESSAGE_TRACE)
		trace_message(k, from, m);
	else if (m->type == MESSAGE_EVENT && m->size >= sizeof(struct message_event) && control_has_subscribers(k))
		events_publish(k, from, (const struct message_event *)(m + 1), m->size - sizeof(struct message_event));
}

static void on_notice(struct env *e, const struct notice *n)
{
	if (n->type == NOTICE_RESULT)
		order_done(e->context, n);
	else if (n->type == NOTICE_EVENT)
		publish_text(e->context, n->text, strlen(n->text));
}

/* --- life -------------------------------------------------------------------------------------------------------- */

static void sample_due(struct wheel_timer *t, uint64_t now)
{
	struct control *k = OWNER(t, struct control, sample);
	control_sample(k);
	now = clock_ms();
	for (uint32_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct client *c = &k->client[i];
		if (c->source.fd >= 0 && unsent(c) && now > c->moved_ms + CONTROL_STUCK_MS)
			client_close(c);
	}
	wheel_add(&k->env->loop.wheel, t, now + SAMPLE_MS, sample_due);
}

/* Calls tell their events without ringing the bell, which would cost each of them a system call: it is rung here. */
static void look_due(struct wheel_timer *t, uint64_t now)
{
	struct control *k = OWNER(t, struct control, look);
	env_look(k->env);
	trace_look(k);
	wheel_add(&k->env->loop.wheel, t, now + (control_has_subscribers(k) || k->tracing ? LOOK_MS : LOOK_IDLE_MS), look_due);
}

static struct control *control_new(struct env *e)
{
	struct control *k = calloc(1, sizeof(*k));
	if (!k)
		return NULL;
	k->env = e;
	k->listener = (struct loop_source){ e->status_socket, accept_ready };
	for (uint32_t i = 0; i < CONTROL_CLIENTS; i++)
		k->client[i] = (struct client){ .source = { .fd = -1 }, .control = k };
	e->context = k;
	e->on_ring = on_ring;
	e->on_notice = on_notice;
	return k;
}

int control_main(struct env *e)
{
	int r = env_start(e);
	struct control *k = r ? NULL : control_new(e);
	if (r == 0)
		r = k ? loop_add(&e->loop, &k->listener, EPOLLIN) : -ENOMEM;
	if (r) {
		log_error("cannot start: %s", strerror(-r));
		free(k);
		return 1;
	}
	wheel_add(&e->loop.wheel, &k->sample, clock_ms(), sample_due);
	wheel_add(&e->loop.wheel, &k->look, clock_ms(), look_due);
	trace_start(k);
	env_ready(e);
	int code = env_run(e);
	for (uint32_t i = 0; i < CONTROL_CLIENTS; i++)
		if (k->client[i].source.fd >= 0 && client_flush(&k->client[i]))
			client_close(&k->client[i]);
	env_done(e);
	free(k);
	return code;
}
