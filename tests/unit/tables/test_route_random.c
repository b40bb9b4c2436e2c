/* Random tables against a plain implementation that knows nothing of hash tables, and damaged images. */
#include "base/uuid.h"
#include "image.h"
#include "tables/route.h"
#include <criterion/criterion.h>
#include <stdio.h>

#define GATEWAYS 40u
static struct cfg_routing_gateway g[GATEWAYS];
static struct cfg_mapping_gateway m[3];
static char prefixes[GATEWAYS][6][8];
static uint32_t n_prefixes[GATEWAYS];
static uint32_t allow[3][GATEWAYS], n_allow[3];
static uint32_t calls[GATEWAYS], hour[GATEWAYS];
static bool is_down[GATEWAYS], is_full[GATEWAYS];
static uint32_t n_gateways; /* of the image, also when it is damaged */

static uint32_t rnd(uint32_t n)
{
	return (uint32_t)(uuid_random() % n);
}
static uint32_t view_calls(const void *context, uint32_t i)
{
	(void)context;
	cr_assert_lt(i, n_gateways);
	return calls[i % GATEWAYS];
}
static uint32_t view_hour(const void *context, uint32_t i)
{
	(void)context;
	cr_assert_lt(i, n_gateways);
	return hour[i % GATEWAYS];
}
static bool view_down(const void *context, uint32_t i)
{
	(void)context;
	cr_assert_lt(i, n_gateways);
	return is_down[i % GATEWAYS];
}
static bool view_full(const void *context, uint32_t i, enum route_verdict *ret_why)
{
	(void)context;
	*ret_why = ROUTE_LINE_LIMIT;
	return is_full[i % GATEWAYS];
}
static const struct route_view view = { NULL, view_calls, view_hour, view_full, view_down, 42 };

static void number(char *out, uint32_t max)
{
	static const char digits[] = "011123a+";
	uint32_t n = rnd(max + 1);
	for (uint32_t i = 0; i < n; i++)
		out[i] = digits[rnd(8)];
	out[n] = 0;
}

static struct config *world(void)
{
	struct image_writer w = image_begin();
	for (uint32_t i = 0; i < GATEWAYS; i++) {
		char id[16], list[64] = "";
		snprintf(id, sizeof(id), "g%u", (i * 7 + 3) % GATEWAYS);
		n_prefixes[i] = 1 + rnd(6);
		for (uint32_t k = 0; k < n_prefixes[i]; k++) {
			number(prefixes[i][k], 5);
			snprintf(
				list + strlen(list), sizeof(list) - strlen(list), "%s%s", k ? "," : "", prefixes[i][k]);
		}
		g[i] = image_routing(&w, id, list);
		g[i].priority = rnd(3);
		g[i].line_limit = rnd(2) ? CONFIG_NONE : 10;
		g[i].enabled = rnd(10) > 0;
		g[i].lock = rnd(10) ? LOCK_NONE : LOCK_OUT;
		g[i].protect = rnd(6) == 0;
		g[i].prefix_mode = rnd(8) ? PREFIX_EXTENSION : PREFIX_TERMINAL;
		calls[i] = rnd(4);
		hour[i] = rnd(3);
		is_down[i] = rnd(8) == 0;
		is_full[i] = rnd(8) == 0;
	}
	for (uint32_t i = 0; i < 3; i++) {
		m[i] = image_mapping(&w, "m", i ? "10.0.0.0/24,10.0.0.1:5070" : "10.0.0.1");
		n_allow[i] = i ? rnd(GATEWAYS) : 0;
		for (uint32_t k = 0; k < n_allow[i]; k++)
			allow[i][k] = rnd(GATEWAYS);
		m[i].routes_allow = image_list(&w, allow[i], n_allow[i], sizeof(uint32_t));
	}
	return image_end(&w, m, 3, g, GATEWAYS, image_sort, 4);
}

/* --- the plain implementation ------------------------------------------------------------------------------------ */

struct plain {
	uint32_t gateway;
	int length;
};
static const struct config *sorting;

static int plain_order(const void *a, const void *b)
{
	const struct plain *x = a, *y = b;
	const struct cfg_routing_gateway *p = &g[x->gateway], *q = &g[y->gateway];
	double load[2] = { p->line_limit == CONFIG_NONE ? 0 : calls[x->gateway] / 10.0,
		q->line_limit == CONFIG_NONE ? 0 : calls[y->gateway] / 10.0 };
	if (p->protect != q->protect)
		return p->protect ? 1 : -1;
	if (x->length != y->length)
		return y->length - x->length;
	if (p->priority != q->priority)
		return p->priority < q->priority ? -1 : 1;
	if (load[0] < load[1] || load[0] > load[1])
		return load[0] < load[1] ? -1 : 1;
	if (hour[x->gateway] != hour[y->gateway])
		return hour[x->gateway] < hour[y->gateway] ? -1 : 1;
	return strcmp(cfg_str(sorting, p->id), cfg_str(sorting, q->id));
}

static bool plain_allowed(uint32_t gateway, uint32_t ingress)
{
	if (ingress == CONFIG_NONE || n_allow[ingress] == 0)
		return true;
	for (uint32_t k = 0; k < n_allow[ingress]; k++)
		if (allow[ingress][k] == gateway)
			return true;
	return false;
}

static uint32_t plain_find(const struct config *c, const char *callee, uint32_t ingress, uint16_t *out)
{
	struct plain all[GATEWAYS];
	uint32_t n = 0, kept = 0;
	int stop = -1; /* prefixes shorter than this are not looked at */
	for (uint32_t i = 0; i < GATEWAYS; i++) {
		int length = -1;
		for (uint32_t k = 0; k < n_prefixes[i]; k++) {
			int l = (int)strlen(prefixes[i][k]);
			if (strncmp(callee, prefixes[i][k], (size_t)l) == 0 && l > length)
				length = l;
		}
		if (length < 0 || !g[i].enabled || g[i].lock || !plain_allowed(i, ingress))
			continue;
		if (g[i].prefix_mode == PREFIX_TERMINAL && length > stop)
			stop = length;
		all[n++] = (struct plain){ i, length };
	}
	for (uint32_t i = 0; i < n; i++)
		if (all[i].length >= stop && !is_down[all[i].gateway] && !is_full[all[i].gateway])
			all[kept++] = all[i];
	sorting = c;
	qsort(all, kept, sizeof(all[0]), plain_order);
	for (uint32_t i = 0; i < kept; i++)
		out[i] = (uint16_t)all[i].gateway;
	return kept;
}

Test(route_random, same_as_the_plain_implementation)
{
	n_gateways = GATEWAYS;
	for (uint32_t round = 0; round < 60; round++) {
		struct config *c = world();
		struct routes *r;
		size_t size;
		cr_assert_eq(routes_build(c, 1, &r, &size), 0);
		for (uint32_t i = 0; i < 300; i++) {
			char callee[12];
			uint16_t out[64], expected[64];
			bool matched;
			uint32_t ingress = rnd(4), cap = 1 + rnd(63);
			number(callee, 9);
			struct route_query q = { span_of(callee), SPAN("1"), ingress == 3 ? CONFIG_NONE : ingress };
			uint32_t n = routes_find(r, c, &q, &view, out, cap, &matched, NULL, NULL);
			uint32_t wanted = plain_find(c, callee, q.ingress, expected);
			wanted = wanted < cap ? wanted : cap;
			cr_assert_eq(n, wanted, "%u instead of %u for %s", n, wanted, callee);
			cr_assert_eq(memcmp(out, expected, n * sizeof(out[0])), 0, "order for %s", callee);
		}
		free(r);
		free(c);
	}
}

Test(route_random, damaged_images_do_no_harm)
{
	struct config *c = world();
	struct routes *r;
	size_t size;
	n_gateways = UINT16_MAX; /* a damaged count is as good as another */
	cr_assert_eq(routes_build(c, 1, &r, &size), 0);
	uint32_t accepted = 0;
	for (uint32_t round = 0; round < 20000; round++) {
		uint8_t *bad = malloc(size); /* of exactly that size: the sanitizer sees what reaches beyond */
		memcpy(bad, r, size);
		uint32_t flips = 1 + rnd(30);
		for (uint32_t i = 0; i < flips; i++)
			bad[round % 3 ? 400 + rnd((uint32_t)size - 400) : rnd((uint32_t)size)] ^=
				(uint8_t)(1u << rnd(8));
		const struct routes *image = (const struct routes *)(void *)bad;
		if (routes_verify(image, size) == 0) {
			uint16_t out[33];
			struct route_step steps[50];
			uint32_t n_steps = 50;
			bool matched;
			char callee[12];
			number(callee, 9);
			struct route_query q = { span_of(callee), SPAN("1"), rnd(4) };
			struct addr source = { .ip = { 10, 0, 0, (uint8_t)rnd(3) }, .port = 5070, .family = 4 };
			uint32_t n = routes_find(image, c, &q, &view, out, 33, &matched, steps, &n_steps);
			cr_assert_leq(n, 33);
			routes_ingress(image, c, &source, q.callee);
			routes_known_source(image, c, &source);
			routes_gateway_at(image, c, &source);
			accepted++;
		}
		free(bad);
	}
	cr_assert_gt(accepted, 5000, "hardly any image was looked into");
	free(r);
	free(c);
}

static bool never(const void *context, uint32_t i)
{
	(void)context;
	cr_assert_lt(i, n_gateways);
	return false;
}
static bool never_full(const void *context, uint32_t i, enum route_verdict *ret_why)
{
	(void)ret_why;
	return never(context, i);
}

/* not a measurement: a table of this size is built and answered at all */
Test(route_random, many_prefixes)
{
	enum { EACH = 500, MANY_GATEWAYS = 400 };
	static struct cfg_routing_gateway many[MANY_GATEWAYS];
	static const struct route_view up = { NULL, view_calls, view_hour, never_full, never, 0 };
	struct image_writer w = image_begin();
	for (uint32_t i = 0; i < MANY_GATEWAYS; i++) {
		struct cfg_text texts[EACH];
		char text[16];
		for (uint32_t k = 0; k < EACH; k++) {
			snprintf(text, sizeof(text), "%u", 100000 + i * EACH + k);
			texts[k] = image_text(&w, text);
		}
		snprintf(text, sizeof(text), "g%u", i);
		many[i] = image_routing(&w, text, NULL);
		many[i].prefixes = image_list(&w, texts, EACH, sizeof(texts[0]));
	}
	struct config *c = image_end(&w, m, 0, many, MANY_GATEWAYS, image_sort, 4);
	struct routes *r;
	size_t size;
	cr_assert_eq(routes_build(c, 1, &r, &size), 0);
	cr_assert_eq(routes_verify(r, size), 0);
	n_gateways = MANY_GATEWAYS;
	for (uint32_t k = 0; k < MANY_GATEWAYS * EACH; k += 97) {
		char callee[16];
		uint16_t out[4];
		bool matched;
		snprintf(callee, sizeof(callee), "%u77", 100000 + k);
		struct route_query q = { span_of(callee), SPAN("1"), CONFIG_NONE };
		cr_assert_eq(routes_find(r, c, &q, &up, out, 4, &matched, NULL, NULL), 1);
		cr_assert_eq(out[0], k / EACH);
	}
	free(r);
	free(c);
}
