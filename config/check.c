/* What no section can see alone: contradictions between them. */
#include "config/schema.h"
#include <stdio.h>
#include <stdlib.h>

#define LISTEN_MAX 64

/* the value under "a" and "b" below it, for the place of a message; the nearest that exists */
static const struct node *node_at(const struct node *root, const char *a, const char *b)
{
	const struct node *section = node_get(root, a), *value = section ? node_get(section, b) : NULL;
	return value ? value : section ? section : root;
}

static void say(struct compile *c, const struct node *n, const char *section, const char *key, const char *message)
{
	struct place up = { NULL, span_of(section), 0, false }, place = { &up, span_of(key), 0, false };
	errors_add(c->errors, n->at, &place, "%s", message);
}

/* --- addresses ------------------------------------------------------------------------------------------------- */

static bool addresses_collide(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && (addr_same_ip(a, b) || addr_is_any(a) || addr_is_any(b));
}

static void check_listen(struct compile *c, const struct node *root)
{
	const struct node *node = node_at(root, "sip", "listen");
	const struct cfg_listen *l = image_at(&c->image, c->config.sip.listen);
	uint32_t n = c->config.sip.listen.n;
	if (node_is_null(node_get(root, "sip")))
		say(c, root, "sip", "listen", "is missing");
	if (n > LISTEN_MAX) {
		say(c, node, "sip", "listen", "more than 64 addresses");
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t k = 0; k < i; k++) {
			bool stream = l[i].transport != TRANSPORT_UDP;
			if (l[i].addr.port != l[k].addr.port || !addresses_collide(&l[i].addr, &l[k].addr))
				continue;
			if ((l[k].transport != TRANSPORT_UDP) == stream)
				say(c, node, "sip", "listen", "the same address and port stands there twice");
		}
	}
}

/* relayed media and SIP cannot share a UDP port */
static void check_ports(struct compile *c, const struct node *root)
{
	const struct config *config = &c->config;
	const struct cfg_listen *l = image_at(&c->image, config->sip.listen);
	const struct addr *a = image_at(&c->image, config->media.addresses);
	for (uint32_t i = 0; i < config->sip.listen.n && i < LISTEN_MAX; i++) {
		bool within = l[i].transport == TRANSPORT_UDP && l[i].addr.port >= config->media.port_low &&
			      l[i].addr.port <= config->media.port_high;
		for (uint32_t k = 0; within && k < config->media.addresses.n; k++) {
			if (addresses_collide(&l[i].addr, &a[k])) {
				say(c, node_at(root, "media", "ports"), "media", "ports",
					"a port of sip.listen lies within");
				within = false;
			}
		}
	}
}

/* --- mapping gateways that nothing tells apart ------------------------------------------------------------------ */

struct claim { /* "requests from here are mine" */
	struct addr addr;
	struct span tech_prefix, id;
	uint32_t priority, gateway;
};

static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int r = memcmp(&x->addr, &y->addr, sizeof(x->addr));
	if (r)
		return r;
	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	if (x->tech_prefix.n != y->tech_prefix.n)
		return x->tech_prefix.n < y->tech_prefix.n ? -1 : 1;
	r = memcmp(x->tech_prefix.p, y->tech_prefix.p, x->tech_prefix.n);
	if (r)
		return r;
	return x->gateway < y->gateway ? -1 : x->gateway > y->gateway;
}

static bool same_claim(const struct claim *x, const struct claim *y)
{
	return memcmp(&x->addr, &y->addr, sizeof(x->addr)) == 0 && x->priority == y->priority &&
	       span_eq(x->tech_prefix, y->tech_prefix);
}

static size_t collect_claims(
	struct compile *c, const struct cfg_mapping_gateway *g, uint32_t gateways, struct claim *claims)
{
	size_t n = 0;
	for (uint32_t i = 0; i < gateways; i++) {
		const struct addr *a = image_at(&c->image, g[i].addresses);
		for (uint32_t k = 0; g[i].enabled && k < g[i].addresses.n; k++)
			claims[n++] = (struct claim){ a[k], image_span(&c->image, g[i].tech_prefix),
				image_span(&c->image, g[i].id), g[i].priority, i };
	}
	return n;
}

static const struct node *nth(const struct node *list, uint32_t i)
{
	const struct node *n = list->first;
	while (n && i--)
		n = n->next;
	return n;
}

static void say_claim(struct compile *c, const struct node *root, const struct claim *first, const struct claim *again)
{
	char address[ADDR_TEXT_MAX], shown[SHOWN_MAX];
	const struct node *gateway = nth(node_get(root, "mapping_gateways"), again->gateway),
			  *at = node_get(gateway, "addresses");
	struct place section = { NULL, SPAN("mapping_gateways"), 0, false };
	struct place item = { &section, again->id, again->gateway, true }, place = { &item, SPAN("addresses"), 0,
		false };
	addr_format(&again->addr, false, address, sizeof(address));
	if (first->gateway == again->gateway)
		errors_add(c->errors, at->at, &place, "%s stands there twice", address);
	else
		errors_add(c->errors, at->at, &place,
			"%s is also the address of %s, with the same tech_prefix and priority", address,
			errors_shown(first->id, shown));
}

static void check_mapping(struct compile *c, const struct node *root)
{
	const struct cfg_mapping_gateway *g = image_at(&c->image, c->config.mapping_gateways);
	uint32_t gateways = c->config.mapping_gateways.n;
	size_t n = 0;
	for (uint32_t i = 0; i < gateways; i++)
		n += g[i].addresses.n;
	struct claim *claims = calloc(n + 1, sizeof(*claims));
	if (!claims)
		abort();
	n = collect_claims(c, g, gateways, claims);
	qsort(claims, n, sizeof(*claims), compare_claims);
	for (size_t first = 0, i = 1; i < n && config_errors_count(c->errors) < ERRORS_MAX; i++) {
		if (same_claim(&claims[first], &claims[i]))
			say_claim(c, root, &claims[first], &claims[i]);
		else
			first = i;
	}
	free(claims);
}

/* --- the rest -------------------------------------------------------------------------------------------------- */

/* each parameter is good on its own: only what `routing` says itself can contradict */
static void check_windows(struct compile *c, const struct node *root)
{
	const struct node *routing = node_get(root, "routing");
	bool said = routing && (node_get(routing, "bucket") || node_get(routing, "window"));
	if (c->config.routing.bucket <= c->config.routing.window)
		return;
	if (!said)
		c->config.routing.bucket = c->config.routing.window;
	else
		say(c, node_at(root, "routing", "bucket"), "routing", "bucket", "is longer than the window");
}

void check_all(struct compile *c, const struct node *root)
{
	check_listen(c, root);
	check_ports(c, root);
	check_mapping(c, root);
	check_windows(c, root);
}
