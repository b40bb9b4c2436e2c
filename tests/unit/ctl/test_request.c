/* Requests of the status socket. */
#include "ctl/request.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int parse(const char *line, struct request *r)
{
	return request_parse(line, strlen(line), r);
}

Test(request, whole)
{
	struct request r;
	cr_assert_eq(parse("{\"id\":17,\"cmd\":\"route\",\"args\":{\"callee\":\"880\",\"caller\":44,\"now\":true,\"x\":"
			   "null,\"f\":1.5}}",
			     &r),
		0);
	cr_expect_str_eq(r.id, "17");
	cr_expect_str_eq(r.cmd, "route");
	cr_expect_eq(r.n_args, 4, "null is as if it were not there");
	cr_expect_str_eq(request_arg(&r, "callee"), "880");
	cr_expect_str_eq(request_arg(&r, "caller"), "44", "a number is taken as people write it");
	cr_expect_str_eq(request_arg(&r, "f"), "1.5");
	cr_expect(request_flag(&r, "now"));
	cr_expect_null(request_arg(&r, "x"));
	cr_expect_not(request_flag(&r, "callee"));
	cr_expect_not(request_flag(&r, "missing"));
}

Test(request, id_comes_back_as_it_was)
{
	static const char *const rows[][2] = {
		{ "{\"cmd\":\"a\"}", "null" },
		{ "{\"id\":null,\"cmd\":\"a\"}", "null" },
		{ "{\"id\":-5,\"cmd\":\"a\"}", "-5" },
		{ "{\"id\":\"x\\\"y\",\"cmd\":\"a\"}", "\"x\\\"y\"" },
	};
	struct request r;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_expect_eq(parse(rows[i][0], &r), 0, "%s: %s", rows[i][0], r.error);
		cr_expect_str_eq(r.id, rows[i][1]);
	}
}

Test(request, refused)
{
	static const struct {
		const char *line, *why;
		const char *id;
	} rows[] = {
		{ "", "not JSON", "null" },
		{ "hello", "not JSON", "null" },
		{ "{\"cmd\":\"a\"", "not JSON", "null" },
		{ "{\"cmd\":\"a\"} {}", "not JSON", "null" },
		{ "{\"cmd\":\"a\",\"cmd\":\"b\"}", "duplicate", "null" },
		{ "[1]", "object", "null" },
		{ "{}", "cmd", "null" },
		{ "{\"id\":4,\"cmd\":5}", "cmd", "4" },
		{ "{\"id\":4,\"cmd\":\"\"}", "cmd", "4" },
		{ "{\"id\":4,\"cmd\":\"012345678901234567890123456789012\"}", "cmd", "4" },
		{ "{\"id\":[],\"cmd\":\"a\"}", "id", "null" },
		{ "{\"id\":1.5,\"cmd\":\"a\"}", "id", "null" },
		{ "{\"id\":4,\"cmd\":\"a\",\"args\":[]}", "args", "4" },
		{ "{\"id\":4,\"cmd\":\"a\",\"args\":{\"x\":{}}}", "x", "4" },
		{ "{\"id\":4,\"cmd\":\"a\",\"args\":{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,"
		  "\"i\":1}}",
			"too many", "4" },
		{ "{\"id\":4,\"cmd\":\"a\",\"args\":{\"01234567890123456789012345678901\":1}}", "too long", "4" },
		{ "{\"id\":4,\"cmd\":\"a\",\"args\":{\"x\":\"a\\u0000b\"}}", "not JSON", "null" },
	};
	struct request r;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_expect_eq(parse(rows[i].line, &r), -EINVAL, "%s", rows[i].line);
		cr_expect(strstr(r.error, rows[i].why), "%s: %s", rows[i].line, r.error);
		cr_expect_str_eq(r.id, rows[i].id, "%s", rows[i].line);
	}
}

Test(request, lengths_are_bounded)
{
	struct request r;
	char line[1024];
	snprintf(line, sizeof(line), "{\"cmd\":\"a\",\"args\":{\"x\":\"%0255d\"}}", 7);
	cr_expect_eq(parse(line, &r), 0, "%s", r.error);
	cr_expect_eq(strlen(request_arg(&r, "x")), 255);
	snprintf(line, sizeof(line), "{\"cmd\":\"a\",\"args\":{\"x\":\"%0256d\"}}", 7);
	cr_expect_eq(parse(line, &r), -EINVAL);
	snprintf(line, sizeof(line), "{\"id\":\"%077d\",\"cmd\":\"a\"}", 7);
	cr_expect_eq(parse(line, &r), 0, "%s", r.error);
	snprintf(line, sizeof(line), "{\"id\":\"%078d\",\"cmd\":\"a\"}", 7);
	cr_expect_eq(parse(line, &r), -EINVAL);
	char *large = malloc(REQUEST_LINE + 1);
	memset(large, ' ', REQUEST_LINE + 1);
	memcpy(large, "{\"cmd\":\"a\"}", 11);
	cr_expect_eq(request_parse(large, REQUEST_LINE, &r), 0);
	cr_expect_eq(request_parse(large, REQUEST_LINE + 1, &r), -EINVAL);
	free(large);
}
