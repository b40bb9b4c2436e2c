#include "image.h"
#include "tables/route.h"
#include <criterion/criterion.h>

static struct image_writer w;
static struct cfg_mapping_gateway m[8];
static struct cfg_routing_gateway g[8];
static struct cfg_registration registration;
static uint32_t n_m, n_g;
static struct config *c;
static struct routes *r;

static void set_up(void)
{
	w = image_begin();
}
static void tear_down(void)
{
	free(c);
	free(r);
}
TestSuite(route_source, .init = set_up, .fini = tear_down);

static struct cfg_mapping_gateway *map(const char *addresses)
{
	char id[2] = { (char)('a' + n_m), 0 };
	m[n_m] = image_mapping(&w, id, addresses);
	return &m[n_m++];
}
static struct cfg_routing_gateway *route(const char *addresses)
{
	g[n_g] = image_routing(&w, "g", "1");
	g[n_g].addresses = image_addresses(&w, addresses);
	return &g[n_g++];
}
static void build(void)
{
	size_t size;
	struct cfg_list registrations = image_list(&w, &registration, 1, sizeof(registration));
	c = image_end(&w, m, n_m, g, n_g, image_sort, 4);
	c->registrations = registrations;
	cr_assert_eq(routes_build(c, 3, &r, &size), 0);
	cr_assert_eq(routes_verify(r, size), 0);
}
static struct addr source(const char *text)
{
	struct addr a;
	cr_assert_eq(addr_parse(span_of(text), &a), 0);
	return a;
}
/* letter of the mapping gateway, '-' for nobody */
static char who(const char *from, const char *callee)
{
	struct addr a = source(from);
	uint32_t i = routes_ingress(r, c, &a, span_of(callee));
	return i == CONFIG_NONE ? '-' : (char)('a' + i);
}
static char gateway(const char *from)
{
	struct addr a = source(from);
	uint32_t i = routes_gateway_at(r, c, &a);
	return i == CONFIG_NONE ? '-' : (char)('a' + i);
}
static bool known(const char *from)
{
	struct addr a = source(from);
	return routes_known_source(r, c, &a);
}

Test(route_source, from_the_exact_to_the_general)
{
	map("10.0.0.0/8");
	map("10.1.0.0/16");
	map("10.1.2.3");
	map("10.1.2.3:5070");
	map("10.1.2.0/24");
	build();
	cr_assert_eq(who("10.1.2.3:5070", "1"), 'd');
	cr_assert_eq(who("10.1.2.3:5071", "1"), 'c');
	cr_assert_eq(who("10.1.2.4:5070", "1"), 'e');
	cr_assert_eq(who("10.1.3.4:5070", "1"), 'b');
	cr_assert_eq(who("10.2.3.4:5070", "1"), 'a');
	cr_assert_eq(who("11.2.3.4:5070", "1"), '-');
	cr_assert_eq(who("[::1]:5070", "1"), '-');
}

Test(route_source, ip6)
{
	map("2001:db8::/32");
	map("[2001:db8::1]:5070");
	map("2001:db8:0:7::/63");
	build();
	cr_assert_eq(who("[2001:db8::1]:5070", "1"), 'b');
	cr_assert_eq(who("[2001:db8:ffff::1]:1", "1"), 'a');
	cr_assert_eq(who("[2001:db8:0:6::9]:1", "1"), 'c');
	cr_assert_eq(who("[2001:db9::1]:5070", "1"), '-');
	cr_assert_eq(who("32.1.13.184:1", "1"), '-', "not the IPv4 address with the same bytes");
}

Test(route_source, any_address)
{
	map("0.0.0.0/0");
	map("10.0.0.1/32");
	build();
	cr_assert_eq(who("10.0.0.1:1", "1"), 'b');
	cr_assert_eq(who("10.0.0.2:1", "1"), 'a');
	cr_assert_eq(who("[::1]:1", "1"), '-');
}

Test(route_source, tech_prefix_then_priority_then_order)
{
	map("10.0.0.1");
	map("10.0.0.1")->tech_prefix = image_text(&w, "77");
	map("10.0.0.1")->tech_prefix = image_text(&w, "778");
	map("10.0.0.1")->priority = 5;
	map("10.0.0.1")->priority = 5;
	build();
	cr_assert_eq(who("10.0.0.1:1", "7781"), 'c');
	cr_assert_eq(who("10.0.0.1:1", "7791"), 'b');
	cr_assert_eq(who("10.0.0.1:1", "1"), 'd');
}

Test(route_source, a_tech_prefix_that_does_not_fit_leaves_it_to_the_network)
{
	map("10.0.0.1")->tech_prefix = image_text(&w, "77");
	map("10.0.0.0/24");
	build();
	cr_assert_eq(who("10.0.0.1:1", "771"), 'a');
	cr_assert_eq(who("10.0.0.1:1", "1"), 'b');
}

Test(route_source, port_counts_with_ip_port_only)
{
	map("10.0.0.1:5070");
	map("10.0.0.2:5070")->authentication = AUTH_IP_PORT;
	map("10.0.0.3")->authentication = AUTH_IP_PORT;
	map("10.0.0.4:5070")->authentication = AUTH_DIGEST;
	build();
	cr_assert_eq(who("10.0.0.1:5070", "1"), 'a');
	cr_assert_eq(who("10.0.0.1:5071", "1"), 'a');
	cr_assert_eq(who("10.0.0.2:5070", "1"), 'b');
	cr_assert_eq(who("10.0.0.2:5071", "1"), '-');
	cr_assert_eq(who("10.0.0.3:5070", "1"), '-', "names no port");
	cr_assert_eq(who("10.0.0.4:5071", "1"), 'd');
	cr_assert(known("10.0.0.2:5071"));
	cr_assert(known("10.0.0.3:1"));
	cr_assert(!known("10.0.0.5:5070"));
}

Test(route_source, disabled_ones_are_nobody)
{
	map("10.0.0.1")->enabled = false;
	map("10.0.0.0/24");
	map("10.0.1.1")->enabled = false;
	build();
	cr_assert_eq(who("10.0.0.1:1", "1"), 'b');
	cr_assert_eq(who("10.0.1.1:1", "1"), '-');
	cr_assert(!known("10.0.1.1:1"));
}

/* whoever is in a network that has to show credentials may be anybody: half of the world would be gateways */
Test(route_source, a_network_that_authenticates_is_not_known)
{
	map("128.0.0.0/1")->authentication = AUTH_DIGEST;
	map("10.0.0.1")->authentication = AUTH_DIGEST;
	map("10.1.0.0/16");
	build();
	cr_assert_eq(who("192.0.2.1:5060", "1"), 'a');
	cr_assert(!known("192.0.2.1:5060"));
	cr_assert(known("10.0.0.1:5060"));
	cr_assert(known("10.1.2.3:5060"));
}

Test(route_source, routing_gateways)
{
	registration.proxy = source("10.0.0.7:5090");
	route("10.0.0.1:5060,10.0.0.2:5062");
	route("10.0.0.2:5064");
	route("10.0.0.2:5066");
	struct cfg_routing_gateway *up = route("10.0.0.9:5060");
	up->addresses.n = 0;
	up->via_registration = 0;
	build();
	cr_assert_eq(gateway("10.0.0.1:5060"), 'a');
	cr_assert_eq(gateway("10.0.0.1:9999"), 'a');
	cr_assert_eq(gateway("10.0.0.2:5064"), 'b');
	cr_assert_eq(gateway("10.0.0.2:5066"), 'c');
	cr_assert_eq(gateway("10.0.0.2:9"), 'a');
	cr_assert_eq(gateway("10.0.0.7:5090"), 'd');
	cr_assert_eq(gateway("10.0.0.9:5060"), '-');
	cr_assert(known("10.0.0.2:7"));
	cr_assert(!known("10.0.0.3:7"));
	cr_assert_eq(who("10.0.0.1:5060", "1"), '-', "who takes calls may not send them for that");
	struct addr none = { 0 };
	cr_assert(!routes_known_source(r, c, &none));
	cr_assert_eq(routes_gateway_at(r, c, &none), CONFIG_NONE);
	cr_assert_eq(routes_ingress(r, c, &none, SPAN("1")), CONFIG_NONE);
}
