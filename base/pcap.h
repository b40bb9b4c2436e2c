/* Capture files (pcap, link type RAW): a datagram gets IP and UDP headers of its addresses. Pure but for the stream. */
#ifndef TANDEM_BASE_PCAP_H
#define TANDEM_BASE_PCAP_H
#include "base/addr.h"
#include <stdio.h>

#define PCAP_PAYLOAD 65000u /* of one datagram; what is beyond is cut off */

int pcap_begin(FILE *f); /* 0 or -errno */
/* `from` and `to` of one family; 0, -EINVAL, -errno. Written out at once: the reader may be waiting for it. */
int pcap_packet(FILE *f, uint64_t wall_us, const struct addr *from, const struct addr *to, struct span payload);
#endif
