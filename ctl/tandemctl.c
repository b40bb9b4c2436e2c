/* `tandemctl`: one command to the status socket, its answer for people or programs. */
#include "ctl/cmdline.h"
#include "ctl/json.h"
#include "ctl/ladder.h"
#include "base/pcap.h"
#include "ctl/show.h"
#include "tandem-config.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define EXIT_REFUSED 1
#define EXIT_USAGE   2
#define EXIT_NOBODY  3
#define UPGRADE_STEP_MS   100
#define UPGRADE_SILENT_MS 60000 /* without a step */
#define CAPTURE      "pcap" /* an argument that is ours alone */

static int connect_to(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	memcpy(sa.sun_path, path, strlen(path));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0) {
		int r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

static int send_request(int fd, const struct cmdline *c)
{
	struct json *request = js_object(), *args = js_object();
	size_t n = 0, at = 0;
	for (unsigned i = 0; i < c->n_args; i++) {
		if (strcmp(c->arg[i].key, CAPTURE) == 0)
			continue;
		if (c->arg[i].value)
			js_add_text(args, c->arg[i].key, span_of(c->arg[i].value));
		else
			js_add_bool(args, c->arg[i].key, true);
	}
	js_add_int(request, "id", 1);
	js_add_text(request, "cmd", span_of(c->command));
	js_add(request, "args", args);
	char *text = js_dump(request, &n);
	js_free(request);
	if (!text)
		return -ENOMEM;
	text[n++] = '\n'; /* in place of the final zero */
	int r = 0;
	while (r == 0 && at < n) {
		ssize_t sent = send(fd, text + at, n - at, MSG_NOSIGNAL);
		if (sent < 0 && errno != EINTR)
			r = -errno;
		at += sent > 0 ? (size_t)sent : 0;
	}
	free(text);
	return r;
}

static int print_answer(const struct cmdline *c, const char *line, size_t n)
{
	char why[160];
	struct json *answer = js_parse(line, n, why, sizeof(why));
	int code = EXIT_REFUSED;
	if (!answer) {
		fprintf(stderr, "tandemctl: the answer is no JSON: %s\n", why);
	} else if (!js_true(js_get(answer, "ok"))) {
		struct span error = js_text_of(js_get(answer, "error"));
		while (error.n && error.p[error.n - 1] == '\n')
			error.n--;
		fprintf(stderr, "tandemctl: %.*s\n", (int)error.n, error.p);
	} else if (c->json) {
		char *text = js_dump(js_get(answer, "result"), NULL);
		puts(text ? text : "{}");
		free(text);
		code = 0;
	} else {
		show_result(c->command, js_get(answer, "result"), stdout);
		code = 0;
	}
	js_free(answer);
	return code;
}

/* events until the softswitch goes away or nobody reads */
static int follow(FILE *in)
{
	char *line = NULL;
	size_t cap = 0;
	while (getline(&line, &cap, in) > 0) {
		fputs(line, stdout);
		if (fflush(stdout) == EOF)
			break;
	}
	free(line);
	return 0;
}

static int trace_event(const struct cmdline *c, const char *line, size_t n, FILE *capture)
{
	char why[160];
	struct json *event = js_parse(line, n, why, sizeof(why));
	int r = event && capture ? ladder_capture(event, capture) : 0;
	if (c->json)
		fwrite(line, 1, n, stdout);
	else
		ladder_print(event, stdout);
	js_free(event);
	if (r == -EIO)
		fprintf(stderr, "tandemctl: the capture file cannot be written\n");
	return r == -EIO || fflush(stdout) == EOF ? -EIO : 0;
}

static int trace(const struct cmdline *c, FILE *in)
{
	const char *path = NULL;
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	for (unsigned i = 0; i < c->n_args; i++)
		if (strcmp(c->arg[i].key, CAPTURE) == 0)
			path = c->arg[i].value;
	FILE *capture = path ? fopen(path, "we") : NULL;
	if (path && (!capture || pcap_begin(capture))) {
		fprintf(stderr, "tandemctl: %s: %s\n", path, strerror(errno));
		return EXIT_REFUSED;
	}
	while ((n = getline(&line, &cap, in)) > 0 && trace_event(c, line, (size_t)n, capture) == 0)
		;
	free(line);
	if (capture)
		fclose(capture);
	return 0;
}

/* --- upgrade ----------------------------------------------------------------------------------------------------- */

struct progress {
	bool running;
	int64_t completed, done, of;
};

/* a connection of its own: the one that served the last is replaced on the way. -errno: nobody there */
static int ask_progress(const char *path, struct progress *ret_progress)
{
	static const char ask[] = "{\"cmd\":\"status\"}\n";
	char *line = NULL, why[160];
	size_t cap = 0;
	int fd = connect_to(path);
	FILE *in = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (!in)
		return fd < 0 ? fd : -ENOMEM;
	ssize_t n = send(fd, ask, sizeof(ask) - 1, MSG_NOSIGNAL) < 0 ? -1 : getline(&line, &cap, in);
	struct json *answer = n > 0 ? js_parse(line, (size_t)n, why, sizeof(why)) : NULL;
	const struct json *u = js_get(js_get(answer, "result"), "upgrade");
	int r = u ? 0 : -EIO;
	if (u)
		*ret_progress = (struct progress){ js_true(js_get(u, "running")), js_int_of(js_get(u, "completed")), js_int_of(js_get(u, "done")),
			js_int_of(js_get(u, "of")) };
	js_free(answer);
	free(line);
	fclose(in);
	return r;
}

/* until all processes are of the new program; `before`: upgrades completed before it was ordered */
static int follow_upgrade(const struct cmdline *c, const char *path, int64_t before)
{
	struct progress p = { 0 };
	int64_t shown = -1;
	for (int silent = 0; silent < UPGRADE_SILENT_MS / UPGRADE_STEP_MS; silent++) {
		usleep(UPGRADE_STEP_MS * 1000);
		if (ask_progress(path, &p))
			continue;
		if (p.done != shown && !c->json) {
			printf("%lld of %lld processes are of the new program\n", (long long)p.done, (long long)p.of);
			fflush(stdout);
		}
		silent = p.done != shown ? 0 : silent;
		shown = p.done;
		if (p.running)
			continue;
		if (p.completed == before)
			break;
		if (c->json)
			printf("{\"upgrade\":{\"running\":false,\"completed\":%lld,\"done\":%lld,\"of\":%lld}}\n", (long long)p.completed, (long long)p.done,
				(long long)p.of);
		return 0;
	}
	fprintf(stderr, "tandemctl: the upgrade does not go on; `workers` and the log show why\n");
	return EXIT_REFUSED;
}

static int run(const struct cmdline *c, const char *path, int fd)
{
	char *line = NULL;
	size_t cap = 0;
	struct progress before = { 0 };
	bool upgrade = strcmp(c->command, "upgrade") == 0;
	if (upgrade)
		ask_progress(path, &before);
	int code = EXIT_REFUSED, r = send_request(fd, c);
	FILE *in = r ? NULL : fdopen(fd, "r");
	ssize_t n = in ? getline(&line, &cap, in) : -1;
	if (n <= 0) {
		fprintf(stderr, "tandemctl: no answer%s%s\n", r ? ": " : "", r ? strerror(-r) : "");
	} else if (strcmp(c->command, "subscribe") == 0) {
		code = strstr(line, "\"ok\":true") ? follow(in) : print_answer(c, line, (size_t)n);
	} else if (strcmp(c->command, "trace") == 0 && strstr(line, "\"ok\":true")) {
		code = trace(c, in);
	} else if (upgrade && strstr(line, "\"ok\":true")) {
		code = follow_upgrade(c, path, before.completed);
	} else {
		code = print_answer(c, line, (size_t)n);
	}
	free(line);
	if (in)
		fclose(in);
	else
		close(fd);
	return fflush(stdout) == EOF ? EXIT_REFUSED : code;
}

int main(int argc, char **argv)
{
	struct cmdline c;
	char why[600], path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	if (cmdline_parse(argc, argv, &c, why, sizeof(why))) {
		fprintf(stderr, "tandemctl: %s\nTry tandemctl --help.\n", why);
		return EXIT_USAGE;
	}
	if (c.what == CMDLINE_HELP) {
		fputs(cmdline_help, stdout);
		return 0;
	}
	if (c.what == CMDLINE_VERSION) {
		puts("tandemctl " TANDEM_VERSION);
		return 0;
	}
	if (cmdline_socket(&c, path, sizeof(path))) {
		fprintf(stderr, "tandemctl: the path of the socket is too long (at most %zu characters)\n",
			sizeof(path) - 1);
		return EXIT_USAGE;
	}
	int fd = connect_to(path);
	if (fd < 0) {
		fprintf(stderr, "tandemctl: %s: %s\n", path,
			fd == -ENOENT || fd == -ECONNREFUSED ? "no softswitch is running there" : strerror(-fd));
		return EXIT_NOBODY;
	}
	return run(&c, path, fd);
}
