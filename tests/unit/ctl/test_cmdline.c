/* The command line of tandemctl. */
#include "ctl/cmdline.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX 10

struct row {
	const char *argv[MAX];
	const char *command, *socket;
	bool json;
	const char *args; /* "key=value " of each; a flag has no "=value" */
	const char *why;  /* part of the reason; NULL: it is right */
};

static const struct row rows[] = {
	{ { "status" }, "status", NULL, false, "", NULL },
	{ { "--json", "status" }, "status", NULL, true, "", NULL },
	{ { "status", "--json" }, "status", NULL, true, "", NULL },
	{ { "-s", "/x", "status" }, "status", "/x", false, "", NULL },
	{ { "--socket=/x", "status" }, "status", "/x", false, "", NULL },
	{ { "calls", "--gateway", "gw-a" }, "calls", NULL, false, "gateway=gw-a ", NULL },
	{ { "calls", "--gateway=gw-a" }, "calls", NULL, false, "gateway=gw-a ", NULL },
	{ { "call", "0190" }, "call", NULL, false, "id=0190 ", NULL },
	{ { "route", "880", "--from", "cust-a", "--caller", "44" }, "route", NULL, false,
		"callee=880 from=cust-a caller=44 ", NULL },
	{ { "route", "--from", "cust-a", "880" }, "route", NULL, false, "from=cust-a callee=880 ", NULL },
	{ { "stop" }, "stop", NULL, false, "", NULL },
	{ { "stop", "--now" }, "stop", NULL, false, "now ", NULL },
	{ { "log", "debug" }, "log", NULL, false, "level=debug ", NULL },
	{ { "trace", "--gateway", "gw-a", "--pcap=x.pcap" }, "trace", NULL, false, "gateway=gw-a pcap=x.pcap ", NULL },
	{ { "trace", "--from", "x" }, NULL, NULL, false, NULL, "takes only --call, --gateway, --address, --pcap" },
	{ { "restart", "signaling/0" }, "restart", NULL, false, "worker=signaling/0 ", NULL },
	{ { "unsuspend", "1001" }, "unsuspend", NULL, false, "who=1001 ", NULL },
	{ { NULL }, NULL, NULL, false, NULL, "command is missing" },
	{ { "--json" }, NULL, NULL, false, NULL, "command is missing" },
	{ { "stat" }, NULL, NULL, false, NULL, "allowed: status workers" },
	{ { "-x", "status" }, NULL, NULL, false, NULL, "no such option" },
	{ { "status", "-x" }, NULL, NULL, false, NULL, "takes no options" },
	{ { "calls", "--from", "x" }, NULL, NULL, false, NULL, "takes only --gateway" },
	{ { "route", "1", "--now" }, NULL, NULL, false, NULL, "takes only --from, --caller" },
	{ { "calls", "--gateway" }, NULL, NULL, false, NULL, "value is missing" },
	{ { "calls", "--gateway", "a", "--gateway", "b" }, NULL, NULL, false, NULL, "once" },
	{ { "stop", "--now=yes" }, NULL, NULL, false, NULL, "takes no value" },
	{ { "status", "x" }, NULL, NULL, false, NULL, "takes no argument" },
	{ { "call" }, NULL, NULL, false, NULL, "argument id is missing" },
	{ { "call", "a", "b" }, NULL, NULL, false, NULL, "takes one argument" },
	{ { "-s" }, NULL, NULL, false, NULL, "missing" },
};

static void join(const struct cmdline *c, char *buf, size_t cap)
{
	buf[0] = 0;
	for (unsigned i = 0; i < c->n_args; i++) {
		size_t n = strlen(buf);
		snprintf(buf + n, cap - n, "%s%s%s ", c->arg[i].key, c->arg[i].value ? "=" : "",
			c->arg[i].value ? c->arg[i].value : "");
	}
}

Test(cmdline, table)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *argv[MAX + 1] = { strdup("tandemctl") }, why[600] = "", args[256];
		struct cmdline c = { .command = "untouched" };
		int argc = 1;
		while (rows[i].argv[argc - 1])
			argv[argc] = strdup(rows[i].argv[argc - 1]), argc++;
		int r = cmdline_parse(argc, argv, &c, why, sizeof(why));
		cr_expect_eq(r, rows[i].why ? -EINVAL : 0, "row %zu: %s", i, why);
		if (rows[i].why) {
			cr_expect(strstr(why, rows[i].why), "row %zu: %s", i, why);
			cr_expect_str_eq(c.command, "untouched");
			continue;
		}
		join(&c, args, sizeof(args));
		cr_expect_str_eq(c.command, rows[i].command, "row %zu", i);
		cr_expect_str_eq(args, rows[i].args, "row %zu", i);
		cr_expect_eq(c.json, rows[i].json, "row %zu", i);
		cr_expect(rows[i].socket ? c.socket && strcmp(c.socket, rows[i].socket) == 0 : !c.socket, "row %zu", i);
	}
}

Test(cmdline, help_and_version_need_no_command)
{
	char why[64];
	struct cmdline c;
	char *help[] = { strdup("tandemctl"), strdup("--help"), NULL },
	     *version[] = { strdup("tandemctl"), strdup("-V"), NULL };
	cr_expect_eq(cmdline_parse(2, help, &c, why, sizeof(why)), 0);
	cr_expect_eq(c.what, CMDLINE_HELP);
	cr_expect_eq(cmdline_parse(2, version, &c, why, sizeof(why)), 0);
	cr_expect_eq(c.what, CMDLINE_VERSION);
}

Test(cmdline, help_names_every_command)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].command)
			cr_expect(strstr(cmdline_help, rows[i].command), "%s", rows[i].command);
}

Test(cmdline, default_socket)
{
	char path[108];
	struct cmdline c = { 0 };
	unsetenv("TANDEM_SOCKET");
	setenv("XDG_RUNTIME_DIR", "/nowhere", 1);
	cr_expect_eq(cmdline_socket(&c, path, sizeof(path)), 0);
	cr_expect_str_eq(path, "/run/tandem/status.sock", "a user's runtime directory without a softswitch");
	setenv("TANDEM_SOCKET", "/a.sock", 1);
	cr_expect_eq(cmdline_socket(&c, path, sizeof(path)), 0);
	cr_expect_str_eq(path, "/a.sock");
	c.socket = "/b.sock";
	cr_expect_eq(cmdline_socket(&c, path, sizeof(path)), 0);
	cr_expect_str_eq(path, "/b.sock", "-s wins");
	cr_expect_eq(cmdline_socket(&c, path, 5), -ENAMETOOLONG);
}
