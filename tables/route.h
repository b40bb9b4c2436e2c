/* The route image: which routing gateways take which callee, in which order. Built by the routing worker from the
 * configuration, published as a sealed memfd, read by the signalling workers and by `tandemctl route`, without a lock. */
#ifndef TANDEM_TABLES_ROUTE_H
#define TANDEM_TABLES_ROUTE_H
#include "base/span.h"
#include "config/config.h"
#include <stdbool.h>
#include <stdint.h>

struct routes; /* the image; opaque */

/* --- building (routing worker) --- */
int routes_build(const struct config *c, uint64_t generation, struct routes **ret_routes, size_t *ret_size); /* malloc'ed */
/* Addresses that the configuration does not say but a name stands for now: they too are the gateway's when something comes from
 * there. At most ROUTE_NAMED_MAX of a routing gateway. */
#define ROUTE_NAMED_MAX 64u
struct route_names {
	const void *context;
	uint32_t (*addresses)(const void *context, uint32_t gateway, struct addr *ret, uint32_t cap);
};
int routes_build_named(const struct config *c, uint64_t generation, const struct route_names *names, struct routes **ret_routes, size_t *ret_size);
int routes_verify(const struct routes *r, size_t size); /* 0 or -EINVAL */
uint64_t routes_generation(const struct routes *r);
uint64_t routes_config_generation(const struct routes *r); /* the configuration it was built from */

/* --- deciding --- */
enum route_verdict { /* why a gateway that matches by prefix is left out; text in route_verdict_text() */
	ROUTE_TAKEN, ROUTE_DISABLED, ROUTE_LOCKED, ROUTE_NO_ADDRESS, ROUTE_DOWN, ROUTE_LINE_LIMIT, ROUTE_GROUP_LIMIT,
	ROUTE_RATE_LIMIT, ROUTE_CALLER_PREFIX, ROUTE_NOT_ALLOWED, ROUTE_DENIED, ROUTE_TERMINAL, ROUTE_LIMIT
};
const char *route_verdict_text(enum route_verdict v);

/* What the decision wants to know of the present; filled by the caller from capacity cells and gateway health. */
struct route_view {
	const void *context;
	uint32_t (*calls)(const void *context, uint32_t gateway);      /* running now */
	uint32_t (*last_hour)(const void *context, uint32_t gateway);  /* calls routed */
	bool (*full)(const void *context, uint32_t gateway, enum route_verdict *ret_why); /* line, group, rate limit */
	bool (*down)(const void *context, uint32_t gateway);
	uint64_t random;                                               /* for weights */
};
struct route_query {
	struct span callee, caller; /* after the ingress dial plans */
	uint32_t ingress;           /* mapping gateway or CONFIG_NONE */
};
struct route_step { /* one gateway that matched: for `tandemctl route` */
	uint16_t gateway;
	uint8_t prefix_n; /* length of the prefix that matched */
	uint8_t verdict;  /* enum route_verdict */
};
/* Candidates in order into ret_gateways (at most `cap`); returns their number. When `steps` is not NULL every gateway
 * considered is written there in order (at most *n_steps, set to the number written). *ret_matched: any prefix matched.
 * `c` is the configuration the image was built from (routes_config_generation): the numbers of gateways mean that one.
 * At most 64 candidates. A terminal gateway ends the search at its length unless the configuration rules it out for this call
 * (disabled, locked, lists); being down or full does not reopen shorter prefixes. `weight` decides among gateways of one
 * priority: load and history are divided by it, and what is equal then is drawn by it (weights all alike: by id). */
uint32_t routes_find(const struct routes *r, const struct config *c, const struct route_query *q, const struct route_view *view,
	uint16_t *ret_gateways, uint32_t cap, bool *ret_matched, struct route_step *steps, uint32_t *n_steps);

/* Who is calling: the mapping gateway of a source address (routing.md "Who is calling"): address and port, address, network
 * with the longest mask, then the longest tech_prefix of `callee`, then the smallest priority. CONFIG_NONE: nobody.
 * A port that an address names merely comes first with `authentication: ip` and digest; with ip-port it must be the source's,
 * and addresses without one select nobody. */
uint32_t routes_ingress(const struct routes *r, const struct config *c, const struct addr *source, struct span callee);
/* is the source any gateway's (mapping or routing)? Not that of a network with `authentication: digest`: anybody may be in it */
bool routes_known_source(const struct routes *r, const struct config *c, const struct addr *source);
/* routing gateway with that address (any port when none has that port), CONFIG_NONE: none */
uint32_t routes_gateway_at(const struct routes *r, const struct config *c, const struct addr *source);
/* prefix filter: allowed when `allow` is empty or has a prefix of the number, and `deny` has none */
bool prefix_allowed(const struct config *c, const struct cfg_prefix_lists *l, struct span number);
#endif
