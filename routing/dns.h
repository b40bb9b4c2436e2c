/* Asks the DNS without waiting: the adapter of c-ares, on the process's event loop. One question may be several queries (RFC 3263
 * without NAPTR): SRV when no port is given and, of its targets or without any, A and AAAA. */
#ifndef TANDEM_ROUTING_DNS_H
#define TANDEM_ROUTING_DNS_H
#include "base/loop.h"
#include "shm/names.h"

struct dns;
/* The answer: state->status (never NAME_PENDING), addresses and how many; *ttl_ms: how long it may be kept, as the answers say
 * (UINT32_MAX: they said nothing). Called from the loop, or before dns_ask() returns. */
typedef void dns_answered(void *context, const struct name_state *state, uint32_t ttl_ms);

/* servers: where to ask; n 0: as the system is set up. `families`: bit 4 and bit 6: those wanted. NULL: no memory, or -errno said
 * in *ret_error. */
struct dns *dns_new(struct loop *l, const struct addr *servers, uint32_t n, uint32_t families, int *ret_error);
struct dns *dns_free(struct dns *d); /* what is under way is not answered any more */
/* -ENOMEM: nothing was asked */
int dns_ask(struct dns *d, const struct name_key *key, dns_answered *answered, void *context);
#endif
