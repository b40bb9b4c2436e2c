#include "ctl/json.h"
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static json_t *in(struct json *j)
{
	return (json_t *)(void *)j;
}

/* jansson's readers take no pointer to const and change nothing */
static json_t *peek(const struct json *j)
{
	return (json_t *)(uintptr_t)j;
}

static struct json *out(json_t *j)
{
	return (struct json *)(void *)j;
}

struct json *js_parse(const char *p, size_t n, char *why, size_t cap)
{
	json_error_t error;
	json_t *j = json_loadb(p, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (!j)
		snprintf(why, cap, "%s (column %d)", error.text, error.column);
	return out(j);
}

struct json *js_free(struct json *j)
{
	json_decref(in(j));
	return NULL;
}

char *js_dump(const struct json *j, size_t *ret_n)
{
	char *p = j ? json_dumps(peek(j), JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9)) : NULL;
	if (p && ret_n)
		*ret_n = strlen(p);
	return p;
}

enum js_type js_kind(const struct json *j)
{
	switch (j ? json_typeof(peek(j)) : JSON_NULL) {
	case JSON_OBJECT:
		return JS_OBJECT;
	case JSON_ARRAY:
		return JS_ARRAY;
	case JSON_STRING:
		return JS_TEXT;
	case JSON_INTEGER:
		return JS_INT;
	case JSON_REAL:
		return JS_REAL;
	case JSON_TRUE:
	case JSON_FALSE:
		return JS_BOOL;
	default:
		return JS_NULL;
	}
}

const struct json *js_get(const struct json *object, const char *key)
{
	return out(json_object_get(peek(object), key));
}

size_t js_count(const struct json *array)
{
	return json_array_size(peek(array));
}

const struct json *js_at(const struct json *array, size_t i)
{
	return out(json_array_get(peek(array), i));
}

struct span js_text_of(const struct json *j)
{
	if (js_kind(j) != JS_TEXT)
		return SPAN("");
	return (struct span){ json_string_value(peek(j)), json_string_length(peek(j)) };
}

int64_t js_int_of(const struct json *j)
{
	return js_kind(j) == JS_INT ? json_integer_value(peek(j)) : 0;
}

bool js_true(const struct json *j)
{
	return j && json_is_true(peek(j));
}

int js_scalar(const struct json *j, char *buf, size_t cap)
{
	int n = -1;
	struct span t;
	switch (js_kind(j)) {
	case JS_TEXT:
		t = js_text_of(j);
		if (memchr(t.p, 0, t.n) == NULL)
			n = snprintf(buf, cap, "%.*s", (int)(t.n < cap ? t.n : cap), t.p);
		break;
	case JS_INT:
		n = snprintf(buf, cap, "%lld", (long long)js_int_of(j));
		break;
	case JS_REAL:
		n = snprintf(buf, cap, "%.10g", json_real_value(peek(j)));
		break;
	case JS_BOOL:
		n = snprintf(buf, cap, "%s", js_true(j) ? "true" : "false");
		break;
	case JS_NULL:
		n = snprintf(buf, cap, "%s", "");
		break;
	default:
		break;
	}
	return n < 0 || (size_t)n >= cap ? -EINVAL : 0;
}

void js_each(const struct json *object, void (*each)(const char *key, const struct json *value, void *context),
	void *context)
{
	const char *key;
	json_t *value;
	json_object_foreach(peek(object), key, value) each(key, out(value), context);
}

struct json *js_object(void)
{
	return out(json_object());
}

struct json *js_array(void)
{
	return out(json_array());
}

void js_add(struct json *object, const char *key, struct json *value)
{
	json_object_set_new(in(object), key, in(value)); /* frees the value when it fails */
}

void js_push(struct json *array, struct json *value)
{
	json_array_append_new(in(array), in(value));
}

void js_add_text(struct json *object, const char *key, struct span text)
{
	json_t *j = json_stringn(text.p, text.n);
	char *copy = j ? NULL : malloc(text.n + 1);
	for (size_t i = 0; copy && i < text.n; i++)
		copy[i] = (unsigned char)text.p[i] < 0x80 ? text.p[i] : '?';
	if (copy)
		j = json_stringn(copy, text.n);
	free(copy);
	json_object_set_new(in(object), key, j);
}

void js_add_int(struct json *object, const char *key, int64_t v)
{
	json_object_set_new(in(object), key, json_integer(v));
}

void js_add_real(struct json *object, const char *key, double v)
{
	json_object_set_new(in(object), key, json_real(v));
}

void js_add_bool(struct json *object, const char *key, bool v)
{
	json_object_set_new(in(object), key, json_boolean(v));
}

void js_add_null(struct json *object, const char *key)
{
	json_object_set_new(in(object), key, json_null());
}
