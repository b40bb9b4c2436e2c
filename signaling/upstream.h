/* Other providers that we are registered with. Gateways with `via_registration`: where they are, who we are there and whether they can be used is what the registration's record
 * (shm/registration.h) and its entry of the configuration say. Every function takes any gateway. */
#ifndef TANDEM_SIGNALING_UPSTREAM_H
#define TANDEM_SIGNALING_UPSTREAM_H
#include "signaling/work.h"
#include "sip/digest.h"

/* the entry it goes by; NULL: an ordinary gateway */
const struct cfg_registration *upstream_of(const struct config *c, const struct cfg_routing_gateway *gw);
/* it goes by a registration that is not there at present */
bool upstream_down(const struct sig *g, const struct cfg_routing_gateway *gw);
/* the proxy's address; false: there is none */
bool upstream_address(const struct sig *g, const struct cfg_routing_gateway *gw, struct addr *ret_addr);
/* what answers its challenges, of the gateway or its registration; false: nothing does. *ret_realm: n 0: any */
bool upstream_user(const struct sig *g, const struct cfg_routing_gateway *gw, struct digest_user *ret_user, struct span *ret_realm);
/* The registration that a call arrives over: it comes from an address where we have registered and is for the user that we are
 * there. Index of the entry, CONFIG_NONE: it does not. */
uint32_t upstream_at(const struct sig *g, const struct event *ev);
#endif
