#include "supervisor/compiler.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- the short-lived process ------------------------------------------------------------------------------------- */

/* the supervisor reads at leisure: wait while the socket is full */
static int tell(int sock, const struct notice *n, int fd)
{
	int r;
	while ((r = notice_send(sock, n, fd)) == -EAGAIN) {
		struct pollfd p = { .fd = sock, .events = POLLOUT };
		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			return -errno;
	}
	return r;
}

static int compile(const char *file, uint64_t generation, int sock)
{
	static struct notice n;
	struct config_errors *errors = config_errors_new();
	struct config *c = NULL;
	size_t size = 0;
	int fd = -1, r = errors ? config_compile(file, errors, &c, &size) : -ENOMEM;
	if (r == 0) {
		c->generation = generation;
		r = image_make("tandem-config", c, size, &fd);
	}
	n.type = NOTICE_EVENT;
	for (size_t i = 0; errors && i < config_errors_count(errors); i++) {
		strncpy(n.text, config_errors_text(errors, i), sizeof(n.text) - 1);
		tell(sock, &n, -1);
	}
	n = (struct notice){ .type = NOTICE_RESULT, .value = r };
	tell(sock, &n, fd);
	config_errors_free(errors);
	free(c);
	if (fd >= 0)
		close(fd);
	return 0;
}

static _Noreturn void compiler_process(const char *file, uint64_t generation, int sock)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_IGN); /* of a terminal: meant for the supervisor */
	prctl(PR_SET_NAME, "compiler");
	_exit(compile(file, generation, sock));
}

/* --- the supervisor's side --------------------------------------------------------------------------------------- */

int compiler_start(const char *file, uint64_t generation, struct compiler *ret_compiler)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid == 0) {
		close(pair[0]);
		compiler_process(file, generation, pair[1]);
	}
	int r = pid < 0 ? -errno : 0;
	close(pair[1]);
	if (r)
		close(pair[0]);
	else
		*ret_compiler = (struct compiler){ .pid = pid, .sock = pair[0] };
	return r;
}

static void add_error(struct compiler *c, const char *text)
{
	size_t n = strlen(text);
	char *more = realloc(c->errors, c->errors_n + n + 2);
	if (!more)
		return; /* the result says that there were errors */
	memcpy(more + c->errors_n, text, n);
	memcpy(more + c->errors_n + n, "\n", 2);
	c->errors = more;
	c->errors_n += n + 1;
}

static void reap(struct compiler *c)
{
	while (c->pid > 0 && waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
	c->pid = 0;
}

static int finish(struct compiler *c, const struct notice *n, int fd, struct image *ret_image)
{
	struct image image;
	reap(c);
	int r = (int)n->value;
	if (r || fd < 0) {
		if (fd >= 0)
			close(fd);
		return r == 0 ? -EIO : c->errors_n ? -EINVAL : r;
	}
	r = image_map(fd, &image);
	if (r)
		return r;
	if (config_verify(image.p, image.size)) {
		image_unmap(&image);
		return -EPROTO;
	}
	image.generation = ((const struct config *)image.p)->generation;
	*ret_image = image;
	return 0;
}

int compiler_take(struct compiler *c, struct image *ret_image)
{
	static struct notice n;
	for (;;) {
		int fd = -1, r = notice_receive(c->sock, &n, &fd);
		if (r == -EAGAIN)
			return r;
		if (r) {
			reap(c);
			return -EIO; /* it died */
		}
		if (n.type == NOTICE_RESULT)
			return finish(c, &n, fd, ret_image);
		add_error(c, n.text);
		if (fd >= 0)
			close(fd);
	}
}

int compiler_wait(struct compiler *c, struct image *ret_image)
{
	int r;
	while ((r = compiler_take(c, ret_image)) == -EAGAIN) {
		struct pollfd p = { .fd = c->sock, .events = POLLIN };
		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			return -errno;
	}
	return r;
}

void compiler_done(struct compiler *c)
{
	if (c->pid > 0) {
		kill(c->pid, SIGKILL);
		reap(c);
	}
	if (c->sock >= 0)
		close(c->sock);
	free(c->errors);
	*c = (struct compiler){ .sock = -1 };
}
