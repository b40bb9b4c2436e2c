/* The wrapper of jansson. */
#include "ctl/json.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

static void expect_dump(struct json *j, const char *expected)
{
	size_t n = 0;
	char *text = js_dump(j, &n);
	cr_expect_str_eq(text, expected);
	cr_expect_eq(n, strlen(expected));
	free(text);
	js_free(j);
}

Test(json, building)
{
	struct json *o = js_object(), *list = js_array();
	js_add_text(o, "text", SPAN("a\"b"));
	js_add_int(o, "int", -5);
	js_add_real(o, "real", 0.1);
	js_add_bool(o, "bool", true);
	js_add_null(o, "null");
	js_push(list, js_object());
	js_add(o, "list", list);
	expect_dump(o, "{\"text\":\"a\\\"b\",\"int\":-5,\"real\":0.1,\"bool\":true,\"null\":null,\"list\":[{}]}");
}

Test(json, bytes_that_are_no_utf8_are_replaced)
{
	struct json *o = js_object();
	js_add_text(o, "x",
		SPAN("a\xff\xfe"
		     "b"));
	js_add_text(o, "y", SPAN("\xc3\xbc"));
	js_add_text(o, "z", (struct span){ "", 0 });
	expect_dump(o, "{\"x\":\"a??b\",\"y\":\"\xc3\xbc\",\"z\":\"\"}");
}

Test(json, reading)
{
	char why[160], text[16];
	const char line[] = "{\"a\":[1,\"two\",2.5,true,null],\"b\":{}}";
	struct json *j = js_parse(line, strlen(line), why, sizeof(why));
	cr_assert(j, "%s", why);
	const struct json *a = js_get(j, "a");
	cr_expect_eq(js_count(a), 5);
	cr_expect_eq(js_int_of(js_at(a, 0)), 1);
	cr_expect(span_eq(js_text_of(js_at(a, 1)), SPAN("two")));
	cr_expect_eq(js_kind(js_at(a, 2)), JS_REAL);
	cr_expect(js_true(js_at(a, 3)));
	cr_expect_eq(js_kind(js_at(a, 4)), JS_NULL);
	cr_expect_eq(js_scalar(js_at(a, 2), text, sizeof(text)), 0);
	cr_expect_str_eq(text, "2.5");
	cr_expect_eq(js_scalar(js_at(a, 1), text, 3), -EINVAL, "no place for it");
	cr_expect_eq(js_scalar(a, text, sizeof(text)), -EINVAL, "no scalar");
	/* what is not there, or something else, is nothing */
	cr_expect_null(js_get(j, "c"));
	cr_expect_null(js_get(NULL, "c"));
	cr_expect_null(js_at(j, 0));
	cr_expect_eq(js_count(j), 0);
	cr_expect_eq(js_int_of(a), 0);
	cr_expect_eq(js_text_of(NULL).n, 0);
	cr_expect_not(js_true(NULL));
	js_free(j);
	cr_expect_null(js_free(NULL));
}

Test(json, what_is_wrong_is_said)
{
	char why[160] = "";
	cr_expect_null(js_parse("{\"a\":1,\"a\":2}", 13, why, sizeof(why)));
	cr_expect(strstr(why, "duplicate"), "%s", why);
	cr_expect_null(js_parse("[1", 2, why, sizeof(why)));
	cr_expect(strstr(why, "column"), "%s", why);
}
