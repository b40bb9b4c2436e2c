/* The command line of `tandemctl`, and the request it stands for. Pure. */
#ifndef TANDEM_CTL_CMDLINE_H
#define TANDEM_CTL_CMDLINE_H
#include <stdbool.h>
#include <stddef.h>

#define CMDLINE_ARGS 4u

enum cmdline_what { CMDLINE_COMMAND, CMDLINE_HELP, CMDLINE_VERSION };
struct cmdline {
	enum cmdline_what what;
	const char *socket; /* -s; NULL: the default */
	bool json;
	const char *command;
	unsigned n_args;
	struct {
		const char *key, *value; /* value NULL: a flag */
	} arg[CMDLINE_ARGS];
};
extern const char cmdline_help[];
/* 0, or -EINVAL with the reason in `why` */
int cmdline_parse(int argc, char *const argv[], struct cmdline *ret_cmdline, char *why, size_t cap);
/* The status socket when none is named: $TANDEM_SOCKET, else status.sock in the default run_dir. -ENAMETOOLONG */
int cmdline_socket(const struct cmdline *c, char *buf, size_t cap);
#endif
