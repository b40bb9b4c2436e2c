/* Compiling a piece of configuration in a test. */
#ifndef TANDEM_TESTS_CONFIG_HELPER_H
#define TANDEM_TESTS_CONFIG_HELPER_H
#include "config/config.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define LISTEN "sip: {listen: [\"udp:127.0.0.1:5060\"]}\n"

struct compiled {
	struct config_errors *errors;
	struct config *config; /* NULL when there are errors */
	size_t size;
	int result;
};

static inline struct compiled compile_text(const char *text)
{
	struct compiled r = { .errors = config_errors_new() };
	r.result = config_compile_text("sw.yaml", text, strlen(text), r.errors, &r.config, &r.size);
	return r;
}

static inline void compiled_free(struct compiled *r)
{
	free(r->config);
	config_errors_free(r->errors);
	*r = (struct compiled){ 0 };
}

/* all errors, one a line */
static inline const char *all_errors(const struct compiled *r)
{
	static char text[65536];
	size_t n = 0;
	text[0] = 0;
	for (size_t i = 0; i < config_errors_count(r->errors) && n < sizeof(text) - 1; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\n", config_errors_text(r->errors, i));
	return text;
}

/* must compile */
static inline struct compiled accepted(const char *text)
{
	struct compiled r = compile_text(text);
	cr_assert_eq(r.result, 0, "%s\nfor\n%s", all_errors(&r), text);
	cr_assert_eq(config_verify(r.config, r.size), 0);
	return r;
}

/* must fail with exactly this one error, or with any when `error` is NULL */
static inline void refuse(const char *text, const char *error)
{
	struct compiled r = compile_text(text);
	cr_assert_lt(r.result, 0, "accepted:\n%s", text);
	cr_assert_null(r.config);
	if (error) {
		cr_expect_str_eq(config_errors_text(r.errors, 0), error);
		cr_expect_eq(config_errors_count(r.errors), 1, "%s", all_errors(&r));
	}
	compiled_free(&r);
}

/* the section that is tested after LISTEN, so that it begins in line 2 */
static inline struct compiled accepted_with(const char *format, const char *value)
{
	char text[8192], body[4096];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(body, sizeof(body), format, value);
#pragma GCC diagnostic pop
	snprintf(text, sizeof(text), LISTEN "%s", body);
	return accepted(text);
}

static inline void refuse_with(const char *format, const char *value, const char *error)
{
	char text[8192], body[4096];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(body, sizeof(body), format, value);
#pragma GCC diagnostic pop
	snprintf(text, sizeof(text), LISTEN "%s", body);
	refuse(text, error);
}

#define GATEWAY(keys) "routing_gateways: [{id: gw, address: 127.0.0.1:5080, " keys "}]\n"
#define CUSTOMER(keys) "mapping_gateways: [{id: cust, addresses: [\"127.0.0.1:5070\"], " keys "}]\n"
#endif
