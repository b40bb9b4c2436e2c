/* The commands of the status socket: finding one, and those that are orders to the supervisor. */
#include "base/log.h"
#include "ctl/control.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int command_error(struct command *c, int code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(c->error, sizeof(c->error), format, args);
	va_end(args);
	return code;
}

static int reload(struct command *c)
{
	return control_order(c, NOTICE_RELOAD, 0);
}

static int stop(struct command *c)
{
	return control_order(c, NOTICE_SHUTDOWN, request_flag(c->request, "now"));
}

static int upgrade(struct command *c)
{
	return control_order(c, NOTICE_UPGRADE, 0);
}

static int drain(struct command *c)
{
	return control_order(c, NOTICE_DRAIN_ALL, 0);
}

static int set_level(struct command *c)
{
	enum log_level level;
	const char *name = request_arg(c->request, "level");
	if (!name || log_level_parse(name, &level))
		return command_error(c, -EINVAL, "level: error, warning, info or debug is allowed");
	return control_order(c, NOTICE_LOG, level);
}

/* "signaling/0", or "routing" where there is one */
static int parse_seat(const char *name, uint32_t *ret_seat)
{
	const char *slash = strchr(name, '/');
	enum role role;
	unsigned long index = 0;
	char *end = NULL;
	struct span text = { name, slash ? (size_t)(slash - name) : strlen(name) };
	if (role_parse(text, &role) || role == ROLE_SUPERVISOR || (!slash && role >= ROLE_SIGNALING))
		return -EINVAL;
	if (slash)
		index = strtoul(slash + 1, &end, 10);
	if (slash && (end == slash + 1 || *end || index >= (role < ROLE_SIGNALING ? 1 : WORKERS_MAX)))
		return -EINVAL;
	*ret_seat = seat_of(role, (uint32_t)index);
	return 0;
}

static int restart(struct command *c)
{
	uint32_t seat;
	const char *name = request_arg(c->request, "worker");
	if (!name || parse_seat(name, &seat))
		return command_error(
			c, -EINVAL, "worker: ROLE/INDEX as `workers` shows them is expected, for example signaling/0");
	if (!c->control->env->region[seat].head)
		return command_error(c, -ENOENT, "worker: there is no %s", name);
	return control_order(c, NOTICE_RESTART, seat);
}

static int subscribe(struct command *c)
{
	c->client->subscribed = true;
	return 0;
}

static int not_available(struct command *c)
{
	return command_error(c, -ENOTSUP, "%s: not available in this version", c->request->cmd);
}

static const struct {
	const char *name;
	int (*run)(struct command *c);
} commands[] = {
	{ "status", command_status },
	{ "workers", command_workers },
	{ "calls", command_calls },
	{ "call", command_call },
	{ "hangup", command_hangup },
	{ "gateways", command_gateways },
	{ "registrations", command_registrations },
	{ "register", command_register },
	{ "unregister", command_unregister },
	{ "endpoints", command_endpoints },
	{ "suspended", command_suspended },
	{ "unsuspend", command_unsuspend },
	{ "route", command_route },
	{ "parameters", command_parameters },
	{ "reload", reload },
	{ "trace", command_trace },
	{ "top", not_available },
	{ "log", set_level },
	{ "drain", drain },
	{ "stop", stop },
	{ "restart", restart },
	{ "upgrade", upgrade },
	{ "metrics", command_metrics },
	{ "cdr", command_cdr },
	{ "subscribe", subscribe },
};

int commands_run(struct command *c)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, c->request->cmd) != 0)
			continue;
		c->result = js_object();
		int r = commands[i].run(c);
		if (r)
			c->result = js_free(c->result);
		return r;
	}
	return command_error(c, -EINVAL, "%s: no such command", c->request->cmd);
}
