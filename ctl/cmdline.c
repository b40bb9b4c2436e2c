#include "ctl/cmdline.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char cmdline_help[] = "Usage: tandemctl [-s SOCKET] [--json] COMMAND [ARGUMENTS]\n"
			    "\n"
			    "Asks a running softswitch, or tells it what to do.\n"
			    "\n"
			    "  -s, --socket SOCKET  the status socket (default: $TANDEM_SOCKET, else status.sock in\n"
			    "                       $XDG_RUNTIME_DIR/tandem or /run/tandem)\n"
			    "      --json           prints the answer as JSON\n"
			    "  -h, --help           prints this help\n"
			    "  -V, --version        prints the version\n"
			    "\n"
			    "Looking:\n"
			    "  status               the system at a glance\n"
			    "  workers              its processes\n"
			    "  calls [--gateway ID] the calls that are running\n"
			    "  call ID              one call with its legs and history\n"
			    "  gateways             gateways with their state and figures\n"
			    "  route CALLEE [--from GATEWAY] [--caller NUMBER]\n"
			    "                       what would happen to such a call, step by step; no call is made\n"
			    "  parameters           every SS_ parameter, its value and where that came from\n"
			    "  cdr                  records written, on disk and waiting\n"
			    "  metrics              counters and gauges in Prometheus text format\n"
			    "  trace [--call ID | --gateway ID | --address IP] [--pcap FILE]\n"
			    "                       SIP messages and decisions as they happen; FILE: also for protocol analyzers\n"
			    "  subscribe            events as they happen, one JSON object a line\n"
			    "  registrations        where we are registered, until when, and what went wrong\n"
			    "  endpoints            contacts of accounts that registered here\n"
			    "  suspended            who is refused or ignored, until when and why\n"
			    "\n"
			    "Acting:\n"
			    "  hangup ID            ends a call\n"
			    "  register ID          registers or refreshes an entry of `registrations` now\n"
			    "  unregister ID        takes it back until the next `register` or start\n"
			    "  unsuspend WHO        ACCOUNT (from wherever), ADDRESS (whoever) or ACCOUNT@ADDRESS is let in again\n"
			    "  reload               reads the configuration again; applied as a whole or not at all\n"
			    "  log LEVEL            error, warning, info or debug\n"
			    "  restart WORKER       replaces a process, for example signaling/0; its calls stay up\n"
			    "  drain                no new calls from now on\n"
			    "  upgrade              the program as it is installed now, under running calls; shows how far it is\n"
			    "  stop [--now]         ends when the running calls are over, or ends them\n"
			    "\n"
			    "Not available in this version: top.\n"
			    "\n"
			    "Exit status: 0 ok, 1 refused or failed, 2 wrong usage, 3 no softswitch there.\n"
			    "\n"
			    "Examples:\n"
			    "  tandemctl status\n"
			    "  tandemctl --json calls --gateway gw-a\n"
			    "  tandemctl route 8801712345678 --from cust-a --caller 442071234567\n"
			    "  tandemctl -s /run/tandem/status.sock reload\n";

#define OPTIONS 4u

struct option_rule {
	const char *name; /* "--gateway" */
	bool flag;
};
struct rule {
	const char *name;
	const char *operand; /* the request's argument that the word after the command is; NULL: none */
	struct option_rule options[OPTIONS];
};
static const struct rule rules[] = {
	{ .name = "status" },
	{ .name = "workers" },
	{ .name = "calls", .options = { { "--gateway", false } } },
	{ .name = "call", .operand = "id" },
	{ .name = "hangup", .operand = "id" },
	{ .name = "gateways" },
	{ .name = "registrations" },
	{ .name = "register", .operand = "id" },
	{ .name = "unregister", .operand = "id" },
	{ .name = "endpoints" },
	{ .name = "suspended" },
	{ .name = "unsuspend", .operand = "who" },
	{ .name = "route", .operand = "callee", .options = { { "--from", false }, { "--caller", false } } },
	{ .name = "parameters" },
	{ .name = "reload" },
	{ .name = "trace", .options = { { "--call", false }, { "--gateway", false }, { "--address", false }, { "--pcap", false } } },
	{ .name = "top" },
	{ .name = "log", .operand = "level" },
	{ .name = "drain" },
	{ .name = "stop", .options = { { "--now", true } } },
	{ .name = "restart", .operand = "worker" },
	{ .name = "upgrade" },
	{ .name = "metrics" },
	{ .name = "cdr" },
	{ .name = "subscribe" },
};

static int refuse(char *why, size_t cap, const char *subject, const char *text)
{
	snprintf(why, cap, "%s%s%s", subject, subject[0] ? ": " : "", text);
	return -EINVAL;
}

static const struct rule *find_rule(const char *name)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (strcmp(rules[i].name, name) == 0)
			return &rules[i];
	return NULL;
}

static int unknown_command(const char *name, char *why, size_t cap)
{
	size_t n = (size_t)snprintf(why, cap, "%s: no such command; allowed:", name);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]) && n < cap; i++)
		n += (size_t)snprintf(why + n, cap - n, " %s", rules[i].name);
	return -EINVAL;
}

/* what may stand before and behind the command; 1: taken, 0: not one of these */
static int take_global(struct cmdline *c, int argc, char *const argv[], int *at, char *why, size_t cap)
{
	const char *a = argv[*at];
	if (strcmp(a, "--json") == 0) {
		c->json = true;
	} else if (strcmp(a, "-h") == 0 || strcmp(a, "--help") == 0) {
		c->what = CMDLINE_HELP;
	} else if (strcmp(a, "-V") == 0 || strcmp(a, "--version") == 0) {
		c->what = CMDLINE_VERSION;
	} else if (strcmp(a, "-s") == 0 || strcmp(a, "--socket") == 0) {
		if (*at + 1 == argc)
			return refuse(why, cap, a, "the path of a socket is missing");
		c->socket = argv[++*at];
	} else if (strncmp(a, "--socket=", 9) == 0) {
		c->socket = a + 9;
	} else {
		return 0;
	}
	return 1;
}

static void add(struct cmdline *c, const char *key, const char *value)
{
	c->arg[c->n_args].key = key;
	c->arg[c->n_args++].value = value;
}

static bool given(const struct cmdline *c, const char *key)
{
	for (unsigned i = 0; i < c->n_args; i++)
		if (strcmp(c->arg[i].key, key) == 0)
			return true;
	return false;
}

static int wrong_option(const struct rule *r, const char *option, char *why, size_t cap)
{
	char allowed[128] = "";
	for (size_t i = 0; i < OPTIONS && r->options[i].name; i++)
		snprintf(allowed + strlen(allowed), sizeof(allowed) - strlen(allowed), "%s%s", i ? ", " : "",
			r->options[i].name);
	snprintf(why, cap, "%s: %s takes %s%s", option, r->name, allowed[0] ? "only " : "no options", allowed);
	return -EINVAL;
}

/* "--gateway ID", "--gateway=ID", "--now" */
static int take_option(
	struct cmdline *c, const struct rule *r, int argc, char *const argv[], int *at, char *why, size_t cap)
{
	const char *a = argv[*at], *value = strchr(a, '=');
	size_t n = value ? (size_t)(value - a) : strlen(a);
	for (size_t i = 0; i < OPTIONS && r->options[i].name; i++) {
		const struct option_rule *o = &r->options[i];
		if (strlen(o->name) != n || strncmp(o->name, a, n) != 0)
			continue;
		if (given(c, o->name + 2))
			return refuse(why, cap, o->name, "may be given once");
		if (o->flag && value)
			return refuse(why, cap, o->name, "takes no value");
		if (!o->flag && !value && *at + 1 == argc)
			return refuse(why, cap, o->name, "a value is missing");
		add(c, o->name + 2, o->flag ? NULL : value ? value + 1 : argv[++*at]);
		return 0;
	}
	return wrong_option(r, a, why, cap);
}

static int take_word(struct cmdline *c, const struct rule **r, const char *word, char *why, size_t cap)
{
	if (!*r) {
		*r = find_rule(word);
		c->command = word;
		return *r ? 0 : unknown_command(word, why, cap);
	}
	if (!(*r)->operand || given(c, (*r)->operand)) {
		snprintf(why, cap, "%s: %s takes %s", word, c->command, (*r)->operand ? "one argument" : "no argument");
		return -EINVAL;
	}
	add(c, (*r)->operand, word);
	return 0;
}

int cmdline_parse(int argc, char *const argv[], struct cmdline *ret_cmdline, char *why, size_t cap)
{
	struct cmdline c = { .what = CMDLINE_COMMAND };
	const struct rule *r = NULL;
	int result = 0;
	for (int i = 1; i < argc && result == 0; i++) {
		result = take_global(&c, argc, argv, &i, why, cap);
		if (result > 0)
			result = 0;
		else if (result == 0 && argv[i][0] == '-' && argv[i][1])
			result = r ? take_option(&c, r, argc, argv, &i, why, cap)
				   : refuse(why, cap, argv[i],
					     "no such option; allowed before the command: -s SOCKET, --json, --help, "
					     "--version");
		else if (result == 0)
			result = take_word(&c, &r, argv[i], why, cap);
	}
	if (result == 0 && c.what == CMDLINE_COMMAND && !r)
		result = refuse(why, cap, "", "a command is missing");
	if (result == 0 && c.what == CMDLINE_COMMAND && r->operand && !given(&c, r->operand)) {
		snprintf(why, cap, "%s: the argument %s is missing", c.command, r->operand);
		result = -EINVAL;
	}
	if (result == 0)
		*ret_cmdline = c;
	return result;
}

int cmdline_socket(const struct cmdline *c, char *buf, size_t cap)
{
	const char *named = c->socket ? c->socket : getenv("TANDEM_SOCKET"), *runtime = getenv("XDG_RUNTIME_DIR");
	int n;
	if (named && named[0]) {
		n = snprintf(buf, cap, "%s", named);
	} else {
		n = runtime && runtime[0] ? snprintf(buf, cap, "%s/tandem/status.sock", runtime) : -1;
		if (n < 0 || (size_t)n >= cap || access(buf, F_OK) < 0) /* a system service, asked from a login */
			n = snprintf(buf, cap, "%s", "/run/tandem/status.sock");
	}
	return n < 0 || (size_t)n >= cap ? -ENAMETOOLONG : 0;
}
