/* IP and UDP headers of our own, written in front of a payload that is sent through a raw socket (RFC 791, 8200, 768). */
#ifndef TANDEM_MEDIA_PROXY_HEADER_H
#define TANDEM_MEDIA_PROXY_HEADER_H
#include "base/addr.h"

#define HEADER_V4  28u
#define HEADER_V6  48u
#define HEADER_MAX HEADER_V6

struct header {
	const struct addr *from, *to; /* of the same family */
	uint8_t dscp;                 /* the whole TOS or traffic class byte */
	uint16_t id;                  /* IPv4 identification; DF is not set */
};

/* RFC 1071 over `n` bytes, starting with `sum`: folded to 16 bits, not complemented, in network order of the bytes */
uint16_t header_sum(const void *p, size_t n, uint64_t sum);
/* Writes both headers right before `payload` (HEADER_MAX bytes must be there) and returns their length. `n` is the
 * payload's length, at most 65535 - HEADER_MAX. */
size_t header_write(const struct header *h, uint8_t *payload, size_t n);
#endif
