/* A transport address: IPv4 or IPv6 with a port, 20 bytes, no padding, comparable with memcmp, fit for shared memory. */
#ifndef TANDEM_BASE_ADDR_H
#define TANDEM_BASE_ADDR_H
#include "base/span.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct addr {
	uint8_t ip[16];   /* IPv4 in the first four bytes, the rest zero */
	uint16_t port;    /* host order; 0: none */
	uint8_t family;   /* 0 none, 4, 6 */
	uint8_t bits;     /* length of the network mask; 0: a host */
};

#define ADDR_TEXT_MAX 56 /* "[ipv6]:port" and the zero */

/* "1.2.3.4", "1.2.3.4:5060", "[::1]:5060", "::1", "[::1]"; 0 or -EINVAL (names are not resolved) */
int addr_parse(struct span text, struct addr *ret_addr);
/* the same and "/bits"; the bits behind the mask are cleared, so "/0" is the any address, which addr_in_net matches with all
 * of its family */
int addr_parse_net(struct span text, struct addr *ret_addr);
/* These two write a terminated text and return its length; 0 and "" when it does not fit or the family is none. */
/* writes address and, when not 0, the port; IPv6 in brackets when a port follows or `brackets`; returns the length */
size_t addr_format(const struct addr *a, bool brackets, char *buf, size_t cap);
/* the bare IP, without port or brackets */
size_t addr_format_ip(const struct addr *a, char *buf, size_t cap);
/* IPv4-mapped IPv6 becomes IPv4 */
void addr_from_sockaddr(const struct sockaddr *sa, struct addr *ret_addr);
socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ret_sa);
bool addr_same_ip(const struct addr *a, const struct addr *b);
bool addr_eq(const struct addr *a, const struct addr *b); /* ip and port */
bool addr_in_net(const struct addr *a, const struct addr *net); /* bits of the mask only */
bool addr_is_any(const struct addr *a); /* 0.0.0.0 or :: */
#endif
