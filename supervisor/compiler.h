/* Reads a configuration in a short-lived process, so that the supervisor never parses anything. What it finds comes back
 * over a socket: every error as a line, then the result with the image's descriptor. */
#ifndef TANDEM_SUPERVISOR_COMPILER_H
#define TANDEM_SUPERVISOR_COMPILER_H
#include "shm/env.h"

struct compiler {
	pid_t pid; /* 0: none */
	int sock;  /* non-blocking; readable when there is something to take */
	char *errors; /* lines, each with its '\n'; NULL: none */
	size_t errors_n;
};
/* 0 or -errno */
int compiler_start(const char *file, uint64_t generation, struct compiler *ret_compiler);
/* What has come. -EAGAIN: not finished. 0: ret_image is the mapped image. -EINVAL: `errors` say why. Another errno: the
 * process died or could not make the image. When it is finished the process has been reaped; compiler_done() follows. */
int compiler_take(struct compiler *c, struct image *ret_image);
/* waits for the end; as compiler_take */
int compiler_wait(struct compiler *c, struct image *ret_image);
/* ends the process if it still runs, frees the errors */
void compiler_done(struct compiler *c);
#endif
