/* The image: verified before use, the same for the same text, able to take a large configuration quickly. */
#include "helper.h"
#include "config/image.h"
#include "base/clock.h"
#include <errno.h>

Test(image, verify)
{
	struct compiled r = accepted(LISTEN);
	struct config *c = r.config;
	cr_expect_eq(config_verify(c, r.size), 0);
	cr_expect_eq(config_verify(c, r.size + 4096), 0); /* a region is rounded up to pages */
	cr_expect_eq(config_verify(c, r.size - 1), -EINVAL);
	cr_expect_eq(config_verify(c, 8), -EINVAL);
	c->magic++;
	cr_expect_eq(config_verify(c, r.size), -EINVAL);
	c->magic--;
	c->size = 16;
	cr_expect_eq(config_verify(c, r.size), -EINVAL);
	compiled_free(&r);
}

Test(image, same_text_same_image)
{
	struct compiled a = accepted(LISTEN GATEWAY("prefixes: [\"1\"]") CUSTOMER("line_limit: 3"));
	struct compiled b = accepted(LISTEN GATEWAY("prefixes: [\"1\"]") CUSTOMER("line_limit: 3"));
	struct compiled c = accepted(LISTEN GATEWAY("prefixes: [\"1\"]") CUSTOMER("line_limit: 4"));
	cr_assert_eq(a.size, b.size);
	cr_expect_arr_eq((const char *)a.config, (const char *)b.config, a.size);
	cr_expect_eq(a.config->hash, b.config->hash);
	cr_expect_neq(a.config->hash, c.config->hash);
	compiled_free(&a);
	compiled_free(&b);
	compiled_free(&c);
}

Test(image, texts_and_lists)
{
	struct image m;
	struct config c = { 0 };
	size_t size;
	image_init(&m);
	struct cfg_text empty = image_text(&m, SPAN("")), odd = image_text(&m, SPAN("odd"));
	uint64_t numbers[3] = { 1, 2, 3 };
	struct cfg_list list = image_list(&m, numbers, 3, sizeof(*numbers)), none = image_list(&m, NULL, 0, 8);
	cr_expect(empty.n == 0 && none.n == 0 && list.at % 8 == 0);
	cr_expect(span_eq(image_span(&m, odd), SPAN("odd")) && image_span(&m, empty).n == 0);
	struct config *done = image_finish(&m, &c, &size);
	cr_expect_str_eq(cfg_str(done, odd), "odd");
	cr_expect_str_eq(cfg_str(done, empty), "");
	cr_expect_eq(CFG_LIST(done, &list, uint64_t)[2], 3);
	cr_expect_eq(config_verify(done, size), 0);
	free(done);
}

/* 2000 gateways with 500 prefixes each */
Test(image, a_million_prefixes)
{
	size_t cap = 24u << 20, n = 0;
	char *text = malloc(cap);
	n += (size_t)sprintf(text, LISTEN "routing_gateways:\n");
	for (unsigned i = 0; i < 2000; i++) {
		n += (size_t)sprintf(text + n, "- id: g%u\n  address: 10.%u.%u.1\n  prefixes: [", i, i / 250, i % 250);
		for (unsigned k = 0; k < 500; k++)
			n += (size_t)sprintf(text + n, "%s\"%u\"", k ? "," : "", 1000000 + i * 500 + k);
		n += (size_t)sprintf(text + n, "]\n");
	}
	cr_assert_lt(n, cap);
	uint64_t before = clock_ms();
	struct compiled r = { .errors = config_errors_new() };
	r.result = config_compile_text("big.yaml", text, n, r.errors, &r.config, &r.size);
	cr_expect_eq(r.result, 0);
	cr_expect_lt(clock_ms() - before, 30000); /* a second or two; the bound is for slow machines and sanitizers */
	cr_assert_eq(r.config->routing_gateways.n, 2000);
	const struct cfg_routing_gateway *last = cfg_routing(r.config, 1999);
	cr_expect_str_eq(cfg_str(r.config, CFG_LIST(r.config, &last->prefixes, struct cfg_text)[499]), "1999999");
	compiled_free(&r);
	free(text);
}

/* as many mistakes as values */
Test(image, a_large_file_of_mistakes)
{
	size_t cap = 4u << 20, n = 0;
	char *text = malloc(cap);
	n += (size_t)sprintf(text, LISTEN "mapping_gateways:\n");
	for (unsigned i = 0; i < 20000; i++)
		n += (size_t)sprintf(text + n, "- {id: same, addresses: 1.2.3.4, routes: {allow: nobody}}\n");
	uint64_t before = clock_ms();
	struct compiled r = compile_text(text);
	cr_expect_lt(r.result, 0);
	cr_expect_lt(clock_ms() - before, 30000);
	compiled_free(&r);
	free(text);
}
