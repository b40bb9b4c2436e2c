/* What becomes of one packet: whose leg it is for, whether its source may send it, how it counts, and where it leaves.
 * No system call in here; everything that parses what a stranger sent is reached from packet_route(). */
#ifndef TANDEM_MEDIA_PROXY_PACKET_H
#define TANDEM_MEDIA_PROXY_PACKET_H
#include "media-proxy/pair.h"

struct packet {
	const uint8_t *data;
	size_t n;
	struct addr source;
	uint32_t address;  /* index of the address of ours that it came to, and the port */
	uint32_t port;
	uint64_t now_ns;   /* CLOCK_MONOTONIC; one reading for a batch */
};

struct departure {
	struct addr from, to; /* of one family */
	uint32_t address;     /* index of `from` */
	uint8_t dscp;
	uint64_t names;       /* RTCP in the clear: its names are to be hidden by this seed (rtp.h); 0: it stays as it is */
};

/* True with *ret_departure, or false: dropped, and counted in the leg's flow if there is one. */
bool packet_route(struct pair_table *t, const struct packet *k, struct departure *ret_departure);

/* Where packets to the remote of `p`, pair `number`, go: what was latched, else what was signalled; false: not known. RTCP
 * shares the RTP port with mux. */
bool packet_depart(const struct pair_table *t, uint32_t number, const struct pair *p, bool rtcp, struct departure *ret_departure);
#endif
