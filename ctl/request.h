/* One line from a client of the status socket: {"id":1,"cmd":"status","args":{"gateway":"gw-a"}}. Pure; whatever the bytes
 * are, the result is a request or a reason. */
#ifndef TANDEM_CTL_REQUEST_H
#define TANDEM_CTL_REQUEST_H
#include <stdbool.h>
#include <stddef.h>

#define REQUEST_LINE  65536u /* longest line, with its end */
#define REQUEST_ARGS  8u
#define REQUEST_ID    80u
#define REQUEST_CMD   32u
#define REQUEST_KEY   32u
#define REQUEST_VALUE 256u

struct request {
	char id[REQUEST_ID];     /* JSON of a number or short string, "null" when there was none or it cannot be given back */
	char cmd[REQUEST_CMD];
	unsigned n_args;
	struct request_arg {
		char key[REQUEST_KEY];
		char value[REQUEST_VALUE]; /* scalars as text: "gw-a", "12", "true"; null is left out */
	} arg[REQUEST_ARGS];
	char error[160];         /* why, when it is none */
};
/* 0, or -EINVAL with ret_request->error (and ->id where it could be read) */
int request_parse(const char *line, size_t n, struct request *ret_request);
/* NULL: not given */
const char *request_arg(const struct request *r, const char *key);
bool request_flag(const struct request *r, const char *key);
#endif
