/* Host names of the configuration and what they stand for now (RFC 3263 without NAPTR: SRV when no port is given, else or
 * without any SRV record A and AAAA). The routing worker asks for them and writes them into its region; everybody reads
 * them there without a lock and never waits for DNS. What is there survives the routing worker's death.
 *
 * An entry lies within NAME_PROBES places of where its hash points to; places are only looked at one by one, so an entry
 * may go without a mark. Names are compared without regard to case. */
#ifndef TANDEM_SHM_NAMES_H
#define TANDEM_SHM_NAMES_H
#include "base/addr.h"
#include "shm/env.h"

#define NAME_HOST      256u
#define NAME_ADDRESSES 16u
#define NAME_PROBES    64u
#define NAMES_OF_GATEWAY 64u /* addresses of one gateway that are looked at */

enum name_status {
	NAME_PENDING, /* no answer yet */
	NAME_RESOLVED,
	NAME_NONE,    /* there is no such name, or it has no address */
	NAME_FAILED   /* the resolver does not answer; addresses of the last good answer are kept */
};
struct name_address {
	struct addr addr;          /* the port is never 0 */
	uint16_t priority, weight; /* of its SRV record (RFC 2782); 0 otherwise */
};
struct name_state {
	uint64_t due_ms;           /* clock_ms() at which it is asked for again */
	uint32_t status, n;        /* enum name_status */
	struct name_address at[NAME_ADDRESSES]; /* smaller priority first */
};
struct name {
	struct slot slot;          /* W: routing */
	uint64_t hash;             /* W: routing while FILLING, as are the next four */
	uint16_t port;             /* 0: none was given: SRV */
	uint8_t transport;         /* enum cfg_transport: which SRV, and the port without one */
	uint8_t host_n;
	char host[NAME_HOST];      /* in lower case */
	struct name_state copies[2]; /* W: routing */
};

/* What to ask for: `host` with a port (0: none given) for that transport. */
struct name_key {
	struct span host;
	uint16_t port;
	uint8_t transport; /* enum cfg_transport */
};

/* --- reading: any process --- */
/* Addresses to try, in this order, at most `cap`, drawn anew by weight each time (RFC 2782). Their number; 0: there is none at
 * present; -ENOENT: nobody has asked for that name yet. Who wants to stay with an address keeps it while it is among them. */
int names_lookup(const struct env *e, struct span host, uint16_t port, uint8_t transport, struct addr *ret, uint32_t cap);
/* the entry as a whole: 0, -ENOENT, -EBUSY */
int names_read(const struct region *r, const struct name_key *key, struct name_state *ret_state);
/* "not resolved yet", "no such name" ...: why names_lookup() gives nothing; "" when it gives something */
const char *names_reason(const struct env *e, struct span host, uint16_t port, uint8_t transport);

/* Addresses of a routing gateway in the order to try them, literal ones and those of its names; their number */
uint32_t names_gateway(const struct env *e, const struct config *c, const struct cfg_routing_gateway *gw, struct addr *ret, uint32_t cap);
/* why there is none; "" when there is one */
const char *names_gateway_reason(const struct env *e, const struct config *c, const struct cfg_routing_gateway *gw);
/* what the i-th address of the gateway asks for; host n 0: it is a literal one */
struct name_key names_key(const struct config *c, const struct cfg_routing_gateway *gw, uint32_t i);
/* what the proxy of a registration asks for; likewise */
struct name_key names_proxy_key(const struct config *c, const struct cfg_registration *r);

/* --- the routing worker's own --- */
#define NAME_NOWHERE UINT32_MAX
uint32_t names_find(const struct region *r, const struct name_key *key);
/* the entry, made as PENDING and due at once when there is none; NAME_NOWHERE: no room */
uint32_t names_add(const struct region *r, const struct name_key *key);
void names_put(const struct region *r, uint32_t i, const struct name_state *state);
void names_remove(const struct region *r, uint32_t i);
/* what a predecessor had not finished is given back */
void names_adopt(const struct region *r);
/* places needed for the names of this configuration and those that reloads may bring */
uint32_t names_room(const struct config *c);
#endif
