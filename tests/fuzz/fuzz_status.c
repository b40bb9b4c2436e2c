/* A line of the status socket: whatever the bytes are, a request whose parts are whole, or a reason. */
#include "ctl/json.h"
#include "ctl/request.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool condition)
{
	if (!condition)
		abort();
}

/* it is put into the answer as it is */
static void check_id(const char *id)
{
	char why[160];
	struct json *j = js_parse(id, strlen(id), why, sizeof(why));
	must(j || strcmp(id, "null") == 0);
	must(js_kind(j) == JS_INT || js_kind(j) == JS_TEXT || js_kind(j) == JS_NULL);
	must(!strchr(id, '\n'));
	js_free(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct request r;
	int result = request_parse((const char *)data, n, &r);
	must(memchr(r.id, 0, sizeof(r.id)) && memchr(r.cmd, 0, sizeof(r.cmd)) && memchr(r.error, 0, sizeof(r.error)));
	must((result == 0) == (r.error[0] == 0));
	must(r.n_args <= REQUEST_ARGS);
	check_id(r.id);
	if (result)
		return 0;
	must(r.cmd[0] != 0);
	for (unsigned i = 0; i < r.n_args; i++) {
		must(memchr(r.arg[i].key, 0, REQUEST_KEY) && memchr(r.arg[i].value, 0, REQUEST_VALUE));
		must(request_arg(&r, r.arg[i].key) == r.arg[i].value); /* keys are unique */
		request_flag(&r, r.arg[i].key);
	}
	must(request_arg(&r, "a key that is longer than any that can be given") == NULL);
	must(!request_flag(&r, "never there, too long to be a key of a request"));
	return 0;
}
