#include "ctl/request.h"
#include "ctl/json.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int wrong(struct request *r, const char *what, const char *why)
{
	snprintf(r->error, sizeof(r->error), "%.60s: %s", what, why);
	return -EINVAL;
}

/* given back in the answer: as it was, when it is a number or a short string */
static int take_id(const struct json *id, struct request *r)
{
	enum js_type kind = js_kind(id);
	size_t n;
	if (kind == JS_NULL)
		return 0;
	if (kind != JS_INT && kind != JS_TEXT)
		return wrong(r, "id", "an integer or a text is allowed");
	char *text = js_dump(id, &n);
	int result = text && n < sizeof(r->id) ? 0 : wrong(r, "id", "too long");
	if (result == 0)
		memcpy(r->id, text, n + 1);
	free(text);
	return result;
}

static void take_arg(const char *key, const struct json *value, void *context)
{
	struct request *r = context;
	if (r->error[0] || js_kind(value) == JS_NULL)
		return;
	if (r->n_args == REQUEST_ARGS || strlen(key) >= REQUEST_KEY) {
		wrong(r, "args", "too many or too long names");
		return;
	}
	struct request_arg *a = &r->arg[r->n_args];
	if (js_scalar(value, a->value, sizeof(a->value))) {
		wrong(r, key, "a text of at most 255 bytes, a number, true or false is allowed");
		return;
	}
	snprintf(a->key, sizeof(a->key), "%s", key);
	r->n_args++;
}

static int take(const struct json *j, struct request *r)
{
	if (js_kind(j) != JS_OBJECT)
		return wrong(r, "request", "a JSON object is expected");
	int result = take_id(js_get(j, "id"), r);
	if (result)
		return result;
	const struct json *cmd = js_get(j, "cmd"), *args = js_get(j, "args");
	if (js_kind(cmd) != JS_TEXT || js_scalar(cmd, r->cmd, sizeof(r->cmd)) || !r->cmd[0])
		return wrong(r, "cmd", "the name of a command is expected");
	if (js_kind(args) != JS_OBJECT && js_kind(args) != JS_NULL)
		return wrong(r, "args", "a JSON object is expected");
	if (js_kind(args) == JS_OBJECT)
		js_each(args, take_arg, r);
	return r->error[0] ? -EINVAL : 0;
}

int request_parse(const char *line, size_t n, struct request *ret_request)
{
	*ret_request = (struct request){ .id = "null" };
	if (n > REQUEST_LINE)
		return wrong(ret_request, "request", "the line is too long");
	char why[120];
	struct json *j = js_parse(line, n, why, sizeof(why));
	int result = j ? take(j, ret_request) : wrong(ret_request, "not JSON", why);
	js_free(j);
	return result;
}

const char *request_arg(const struct request *r, const char *key)
{
	for (unsigned i = 0; i < r->n_args; i++)
		if (strcmp(r->arg[i].key, key) == 0)
			return r->arg[i].value;
	return NULL;
}

bool request_flag(const struct request *r, const char *key)
{
	const char *v = request_arg(r, key);
	return v && (strcmp(v, "true") == 0 || strcmp(v, "on") == 0 || strcmp(v, "1") == 0);
}
