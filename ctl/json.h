/* JSON by jansson, as far as control and tandemctl need it; the only file that knows jansson.
 *
 * A struct json is a value; what is added to another belongs to that other. Building never fails visibly: without memory
 * a value is left out, and js_dump() of nothing is NULL. */
#ifndef TANDEM_CTL_JSON_H
#define TANDEM_CTL_JSON_H
#include "base/span.h"
#include <stdbool.h>
#include <stdint.h>

struct json;
enum js_type { JS_NULL, JS_BOOL, JS_INT, JS_REAL, JS_TEXT, JS_ARRAY, JS_OBJECT };

/* one value and nothing behind it; duplicate keys are refused. NULL with the reason in `why` */
struct json *js_parse(const char *p, size_t n, char *why, size_t cap);
struct json *js_free(struct json *j); /* NULL-safe, returns NULL */
char *js_dump(const struct json *j, size_t *ret_n); /* one line, malloc'ed; NULL: no memory */

/* reading: everything takes NULL */
enum js_type js_kind(const struct json *j);
const struct json *js_get(const struct json *object, const char *key); /* NULL: not there */
size_t js_count(const struct json *array);
const struct json *js_at(const struct json *array, size_t i);
struct span js_text_of(const struct json *j); /* of a JS_TEXT; else empty */
int64_t js_int_of(const struct json *j);      /* of a JS_INT; else 0 */
bool js_true(const struct json *j);
/* a scalar as people write it: text as it is, numbers, true/false, "" for null; 0 or -EINVAL when not scalar or too long */
int js_scalar(const struct json *j, char *buf, size_t cap);
/* every member of an object in the order it was built or read */
void js_each(const struct json *object, void (*each)(const char *key, const struct json *value, void *context), void *context);

/* building */
struct json *js_object(void);
struct json *js_array(void);
void js_add(struct json *object, const char *key, struct json *value); /* takes value */
void js_push(struct json *array, struct json *value);                  /* takes value */
void js_add_text(struct json *object, const char *key, struct span text); /* invalid UTF-8 becomes '?' */
void js_add_int(struct json *object, const char *key, int64_t v);
void js_add_real(struct json *object, const char *key, double v);
void js_add_bool(struct json *object, const char *key, bool v);
void js_add_null(struct json *object, const char *key);
#endif
