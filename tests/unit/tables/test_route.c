#include "image.h"
#include "tables/route.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

/* --- a small world: gateways are named by the letter of their index ---------------------------------------------- */
static struct image_writer w;
static struct cfg_routing_gateway g[26];
static uint32_t n_g;
static struct cfg_mapping_gateway m[4];
static uint32_t n_m;
static const uint32_t *sort = image_sort;
static uint32_t n_sort = 4;
static struct config *c;
static struct routes *r;
static size_t size;

static uint32_t calls[26], hour[26];
static bool is_down[26], is_full[26];
static unsigned asked;
static uint32_t view_calls(const void *context, uint32_t i)
{
	asked++;
	return ((const uint32_t *)context)[i];
}
static uint32_t view_hour(const void *context, uint32_t i)
{
	(void)context;
	asked++;
	return hour[i];
}
static bool view_down(const void *context, uint32_t i)
{
	(void)context;
	return is_down[i];
}
static bool view_full(const void *context, uint32_t i, enum route_verdict *ret_why)
{
	(void)context;
	*ret_why = ROUTE_RATE_LIMIT;
	return is_full[i];
}
static struct route_view view = { calls, view_calls, view_hour, view_full, view_down, 1 };

static void set_up(void)
{
	w = image_begin();
}
static void tear_down(void)
{
	free(c);
	free(r);
}
TestSuite(route, .init = set_up, .fini = tear_down);

static struct cfg_routing_gateway *add(const char *prefixes)
{
	char id[2] = { (char)('a' + n_g), 0 };
	g[n_g] = image_routing(&w, id, prefixes);
	return &g[n_g++];
}
static void build(void)
{
	c = image_end(&w, m, n_m, g, n_g, sort, n_sort);
	cr_assert_eq(routes_build(c, 3, &r, &size), 0);
	cr_assert_eq(routes_verify(r, size), 0);
}
static char found[128], said[1024];
static bool matched;
static const char *find_from(const char *callee, const char *caller, uint32_t ingress, uint32_t cap)
{
	uint16_t out[64];
	struct route_step steps[64];
	uint32_t n_steps = 64;
	struct route_query q = { span_of(callee), span_of(caller), ingress };
	uint32_t n = routes_find(r, c, &q, &view, out, cap, &matched, NULL, NULL);
	for (uint32_t i = 0; i < n; i++)
		found[i] = (char)('a' + out[i]);
	found[n] = 0;
	uint16_t again[64];
	cr_assert_eq(routes_find(r, c, &q, &view, again, cap, &matched, steps, &n_steps), n);
	cr_assert_eq(memcmp(out, again, n * sizeof(out[0])), 0, "steps change nothing");
	said[0] = 0;
	for (uint32_t i = 0; i < n_steps; i++)
		snprintf(said + strlen(said), sizeof(said) - strlen(said), "%c%u:%s;", 'a' + steps[i].gateway,
			steps[i].prefix_n, route_verdict_text(steps[i].verdict));
	return found;
}
static const char *find(const char *callee)
{
	return find_from(callee, "44", CONFIG_NONE, 33);
}

Test(route, longest_prefix_first_then_shorter)
{
	add("1");
	add("88,8801");
	add("880");
	add("");
	add("8801x");
	build();
	cr_assert_eq(routes_generation(r), 3);
	cr_assert_eq(routes_config_generation(r), 7);
	cr_assert_str_eq(find("88017"), "bcd", "b at its longest prefix only");
	cr_assert_str_eq(find("8801"), "bcd");
	cr_assert_str_eq(find("880"), "cbd");
	cr_assert_str_eq(find("88"), "bd");
	cr_assert_str_eq(find("8"), "d");
	cr_assert_str_eq(find(""), "d");
	cr_assert_str_eq(find("1"), "ad");
	cr_assert_str_eq(find("8801xy"), "ebcd");
	cr_assert_str_eq(find("8801Xy"), "bcd", "letters as written");
}

Test(route, any_character)
{
	add("+49");
	add("*1#");
	add("alice");
	build();
	cr_assert_str_eq(find("+491"), "a");
	cr_assert_str_eq(find("*1#2"), "b");
	cr_assert_str_eq(find("alice@x"), "c");
	cr_assert_str_eq(find("\xff\x80"), "");
	cr_assert(!matched);
}

Test(route, nothing_configured)
{
	build();
	cr_assert_str_eq(find("123"), "");
	cr_assert(!matched);
	struct addr a;
	addr_parse(SPAN("127.0.0.1:5060"), &a);
	cr_assert_eq(routes_ingress(r, c, &a, SPAN("1")), CONFIG_NONE);
}

Test(route, terminal_finishes_its_length)
{
	add("8801");
	add("880")->prefix_mode = PREFIX_TERMINAL;
	add("880");
	add("88");
	add("");
	build();
	cr_assert_str_eq(find("88017"), "abc");
	cr_assert_str_eq(
		said, "a4:taken;b3:taken;c3:taken;d2:a longer prefix is terminal;e0:a longer prefix is terminal;");
	is_down[1] = true;
	cr_assert_str_eq(find("88017"), "ac", "a terminal gateway that is down still ends the search");
}

Test(route, terminal_counts_only_where_it_may_be_used)
{
	struct cfg_routing_gateway *a = add("880");
	a->prefix_mode = PREFIX_TERMINAL;
	a->enabled = false;
	add("");
	build();
	cr_assert_str_eq(find("880"), "b");
	cr_assert_str_eq(said, "a3:disabled;b0:taken;");
}

Test(route, priority_load_history_id)
{
	for (int i = 0; i < 6; i++)
		add("1");
	g[5].priority = 5;
	g[0].priority = 20;
	for (int i = 1; i < 5; i++)
		g[i].line_limit = 100;
	build();
	cr_assert_str_eq(find("1"), "fbcdea");
	calls[1] = 10;
	calls[2] = 5;
	cr_assert_str_eq(find("1"), "fdecba");
	hour[3] = 7;
	cr_assert_str_eq(find("1"), "fedcba");
}

Test(route, load_is_relative_to_the_line_limit)
{
	add("1")->line_limit = 100;
	add("1")->line_limit = 10;
	add("1");
	build();
	calls[0] = 20;
	calls[1] = 3;
	calls[2] = 1000000;
	cr_assert_str_eq(find("1"), "cab");
}

Test(route, other_sort_chains)
{
	static const uint32_t chain[] = { SORT_ASR, SORT_RATE, SORT_HISTORY, SORT_PRIORITY };
	sort = chain;
	add("1")->priority = 30;
	add("1")->priority = 20;
	build();
	hour[1] = 2;
	cr_assert_str_eq(find("1"), "ab");
	hour[1] = 0;
	cr_assert_str_eq(find("1"), "ba");
}

Test(route, nobody_is_asked_when_priority_decides)
{
	add("1")->priority = 1;
	add("1")->priority = 2;
	add("2")->priority = 3;
	build();
	cr_assert_str_eq(find("1"), "ab");
	cr_assert_eq(asked, 0);
}

Test(route, ids_sort_as_text)
{
	g[0] = image_routing(&w, "zeta", "1");
	g[1] = image_routing(&w, "alpha2", "1");
	g[2] = image_routing(&w, "alpha", "1");
	n_g = 3;
	build();
	cr_assert_str_eq(find("1"), "cba");
}

Test(route, protected_ones_come_after_all_others)
{
	add("88")->protect = true;
	add("88")->protect = true;
	add("8");
	add("");
	g[0].priority = 50;
	build();
	cr_assert_str_eq(find("881"), "cdba");
	cr_assert_str_eq(said, "c1:taken;d0:taken;b2:taken;a2:taken;");
	cr_assert_str_eq(find_from("881", "44", CONFIG_NONE, 3), "cdb");
	cr_assert_str_eq(find_from("881", "44", CONFIG_NONE, 1), "c");
}

Test(route, weights_share)
{
	double first[3] = { 0 }, second[3] = { 0 };
	add("1")->weight = 1;
	add("1")->weight = 3;
	add("1")->weight = 6;
	build();
	for (view.random = 0; view.random < 20000; view.random++) {
		find("1");
		first[found[0] - 'a']++;
		second[found[1] - 'a']++;
	}
	cr_assert_float_eq(first[0], 2000, 250);
	cr_assert_float_eq(first[1], 6000, 400);
	cr_assert_float_eq(first[2], 12000, 400);
	/* without replacement: a is second after b with 1/7, after c with 1/4 */
	cr_assert_float_eq(second[0], 20000 * (0.3 / 7 + 0.6 / 4), 350);
}

Test(route, weights_scale_what_was_routed)
{
	add("1")->weight = 1;
	add("1")->weight = 3;
	build();
	hour[0] = 10;
	hour[1] = 29;
	cr_assert_str_eq(find("1"), "ba");
	hour[1] = 31;
	cr_assert_str_eq(find("1"), "ab");
}

Test(route, equal_weights_leave_the_order_to_the_id)
{
	add("1")->weight = 5;
	add("1")->weight = 5;
	add("1")->priority = 11;
	g[2].weight = 9;
	build();
	for (view.random = 0; view.random < 100; view.random++)
		cr_assert_str_eq(find("1"), "abc");
}

Test(route, without_id_in_the_chain_equals_are_drawn)
{
	double first = 0;
	n_sort = 3;
	add("1");
	add("1");
	build();
	for (view.random = 0; view.random < 2000; view.random++)
		first += find("1")[0] == 'a';
	cr_assert_float_eq(first, 1000, 150);
}

Test(route, left_out_each_with_its_reason)
{
	static const uint32_t allow[] = { 0, 1, 2, 3, 4, 5, 6, 8, 9 }, deny[] = { 8 };
	add("1");
	add("1")->enabled = false;
	add("1")->lock = LOCK_OUT;
	add("1")->lock = LOCK_ALL;
	add("1")->addresses.n = 0;
	add("1");
	add("1");
	add("1");
	add("1");
	add("1")->caller_prefixes.deny = image_texts(&w, "441,44");
	add("1")->caller_prefixes.allow = image_texts(&w, "44");
	m[n_m++] = image_mapping(&w, "in", "127.0.0.1");
	m[0].routes_allow = image_list(&w, allow, 9, sizeof(allow[0]));
	m[0].routes_deny = image_list(&w, deny, 1, sizeof(deny[0]));
	is_down[5] = is_full[6] = true;
	build();
	cr_assert_str_eq(find_from("1", "441", 0, 33), "a");
	cr_assert_str_eq(said, "b1:disabled;c1:locked;d1:locked;e1:no address;f1:down;g1:rate limit reached;"
			       "h1:not on the ingress's allow list;i1:on the ingress's deny list;j1:caller not allowed;"
			       "k1:not on the ingress's allow list;a1:taken;");
	cr_assert_str_eq(find_from("1", "441", CONFIG_NONE, 33), "ahik", "an account has no lists");
	cr_assert_str_eq(find_from("1", "45", CONFIG_NONE, 33), "ahij");
	cr_assert(matched);
}

Test(route, locked_for_incoming_still_takes_calls)
{
	add("1")->lock = LOCK_IN;
	build();
	cr_assert_str_eq(find("1"), "a");
}

Test(route, beyond_the_number_of_candidates)
{
	for (int i = 0; i < 10; i++)
		add(i < 5 ? "12" : "1")->priority = (uint32_t)(100 - i);
	build();
	cr_assert_str_eq(find_from("12", "44", CONFIG_NONE, 3), "edc");
	cr_assert_str_eq(find_from("12", "44", CONFIG_NONE, 7), "edcbaji");
	cr_assert(strstr(said, "h1:beyond the number of candidates;"));
	cr_assert_str_eq(find_from("12", "44", CONFIG_NONE, 0), "");
	cr_assert(matched);
}

Test(route, step_list_is_bounded)
{
	struct route_step steps[2] = { 0 };
	uint16_t out[8];
	uint32_t n = 1;
	struct route_query q = { SPAN("1"), SPAN(""), CONFIG_NONE };
	add("1");
	add("1");
	build();
	cr_assert_eq(routes_find(r, c, &q, &view, out, 8, &matched, steps, &n), 2);
	cr_assert_eq(n, 1);
	cr_assert_eq(steps[1].prefix_n, 0);
}

Test(route, prefix_filter)
{
	struct cfg_prefix_lists l = { image_texts(&w, "44,+1"), image_texts(&w, "4490") };
	struct cfg_prefix_lists none = { { 0 } }, all = { image_texts(&w, ""), { 0 } };
	build();
	cr_assert(prefix_allowed(c, &l, SPAN("441")));
	cr_assert(prefix_allowed(c, &l, SPAN("+1")));
	cr_assert(!prefix_allowed(c, &l, SPAN("44901")));
	cr_assert(!prefix_allowed(c, &l, SPAN("4")));
	cr_assert(!prefix_allowed(c, &l, SPAN("")));
	cr_assert(prefix_allowed(c, &none, SPAN("")));
	cr_assert(prefix_allowed(c, &all, SPAN("")));
}

Test(route, prefix_too_long)
{
	char text[300];
	memset(text, '1', sizeof(text));
	text[255] = 0;
	add(text);
	build();
	cr_assert_str_eq(find(text), "a");
	free(r);
	r = NULL;
	text[255] = '1';
	text[256] = 0;
	g[0].prefixes = image_texts(&w, text);
	c = image_end(&w, m, 0, g, n_g, sort, n_sort);
	cr_assert_eq(routes_build(c, 1, &r, &size), -E2BIG);
	cr_assert_null(r);
}

Test(route, verdicts_have_a_text)
{
	for (int i = 0; i <= ROUTE_LIMIT; i++)
		cr_assert_neq(route_verdict_text((enum route_verdict)i)[0], 0);
	cr_assert_str_eq(route_verdict_text((enum route_verdict)99), "unknown");
}

Test(route, images_that_are_none_are_refused)
{
	add("1");
	build();
	cr_assert_eq(routes_verify(r, size - 1), -EINVAL);
	cr_assert_eq(routes_verify(r, 10), -EINVAL);
	char *copy = malloc(size);
	memcpy(copy, r, size);
	copy[0] ^= 1;
	cr_assert_eq(routes_verify((const struct routes *)(void *)copy, size), -EINVAL);
	free(copy);
}
