#include "supervisor/options.h"
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

const char options_help[] =
	"Usage: tandem -c FILE [--check | --adopt]\n"
	"\n"
	"Runs the softswitch in the foreground and logs to stderr.\n"
	"\n"
	"  -c, --config FILE  the configuration (YAML)\n"
	"      --check        validate the configuration, print every error and stop\n"
	"      --adopt        take over the running workers of a dead supervisor; none: start afresh\n"
	"      --layout       print the version and what its memory looks like: programs with the same\n"
	"                     memory may follow each other under running calls (tandemctl upgrade)\n"
	"  -h, --help         print this help\n"
	"  -V, --version      print the version\n"
	"\n"
	"Signals: SIGHUP reloads the configuration; SIGTERM and SIGINT stop when the running calls\n"
	"are over or system.drain_timeout has passed, a second one stops at once.\n"
	"\n"
	"Exit status: 0 clean stop or valid configuration, 1 run-time failure, 2 wrong usage,\n"
	"78 bad configuration.\n"
	"\n"
	"Examples:\n"
	"  tandem -c /etc/tandem/tandem.yaml --check\n"
	"  tandem -c /etc/tandem/tandem.yaml\n";

static int refuse(char *why, size_t cap, const char *subject, const char *text)
{
	snprintf(why, cap, "%s%s%s", subject, subject[0] ? ": " : "", text);
	return -EINVAL;
}

/* needs no configuration */
static bool alone(enum options_mode mode)
{
	return mode == OPTIONS_HELP || mode == OPTIONS_VERSION || mode == OPTIONS_LAYOUT;
}

/* one of --check, --adopt ...; they exclude each other */
static int take_mode(struct options *o, enum options_mode mode, char *why, size_t cap)
{
	if (alone(o->mode))
		return 0; /* asked for first: wins */
	if (o->mode != OPTIONS_RUN && o->mode != mode && !alone(mode))
		return refuse(why, cap, "", "--check and --adopt exclude each other");
	o->mode = mode;
	return 0;
}

int options_parse(int argc, char *const argv[], struct options *ret_options, char *why, size_t cap)
{
	static const struct option longs[] = { { "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'k' }, { "adopt", no_argument, NULL, 'a' },
		{ "layout", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' }, { 0 } };
	struct options o = { .mode = OPTIONS_RUN };
	int c, r = 0;
	optind = 0; /* glibc: start anew */
	opterr = 0;
	while (r == 0 && (c = getopt_long(argc, argv, ":c:hV", longs, NULL)) != -1) {
		if (c == 'c' && o.file)
			r = refuse(why, cap, "-c", "may be given once");
		else if (c == 'c')
			o.file = optarg;
		else if (c == 'k' || c == 'a' || c == 'l' || c == 'h' || c == 'V')
			r = take_mode(&o,
				c == 'k'   ? OPTIONS_CHECK
				: c == 'a' ? OPTIONS_ADOPT
				: c == 'l' ? OPTIONS_LAYOUT
				: c == 'h' ? OPTIONS_HELP
					   : OPTIONS_VERSION,
				why, cap);
		else if (c == ':')
			r = refuse(why, cap, argv[optind - 1], "needs a value");
		else
			r = refuse(why, cap, argv[optind - 1],
				"no such option; allowed: -c FILE, --check, --adopt, --layout, --help, --version");
	}
	if (r == 0 && alone(o.mode))
		o.file = NULL;
	else if (r == 0 && optind < argc)
		r = refuse(why, cap, argv[optind], "no arguments are expected; the configuration is named by -c FILE");
	else if (r == 0 && !o.file)
		r = refuse(why, cap, "-c FILE", "is missing");
	if (r == 0)
		*ret_options = o;
	return r;
}
