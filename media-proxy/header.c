#include "media-proxy/header.h"
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>

#define HOPS 64

static uint16_t fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* Any power of 2^16 is 1 modulo 2^16 - 1, so wide words may be added up and folded at the end; a 64-bit accumulator takes 2^32 of them. */
uint16_t header_sum(const void *p, size_t n, uint64_t sum)
{
	const uint8_t *at = p;
	uint64_t odd = 0;
	for (; n >= 16; n -= 16, at += 16) {
		uint32_t w[4];
		memcpy(w, at, 16);
		sum += (uint64_t)w[0] + w[1];
		odd += (uint64_t)w[2] + w[3];
	}
	sum = fold(sum) + (uint64_t)fold(odd);
	for (; n >= 2; n -= 2, at += 2) {
		uint16_t w;
		memcpy(&w, at, 2);
		sum += w;
	}
	if (n) {
		uint16_t w = 0;
		memcpy(&w, at, 1);
		sum += w;
	}
	return fold(sum);
}

/* checksum of header and payload and of the pseudo header's two addresses, length and protocol; 0 is sent as 0xffff */
static void write_udp(const struct header *h, uint8_t *payload, size_t n, size_t ip_bytes)
{
	struct udphdr u = {
		.source = htons(h->from->port),
		.dest = htons(h->to->port),
		.len = htons((uint16_t)(n + sizeof(u))),
	};
	uint64_t sum = (uint64_t)htons(IPPROTO_UDP) + u.len;
	sum += header_sum(h->from->ip, ip_bytes, 0);
	sum += header_sum(h->to->ip, ip_bytes, 0);
	sum += header_sum(&u, sizeof(u), 0);
	uint16_t check = (uint16_t)~header_sum(payload, n, sum);
	u.check = check ? check : 0xffff;
	memcpy(payload - sizeof(u), &u, sizeof(u));
}

static size_t write_v4(const struct header *h, uint8_t *payload, size_t n)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.tos = h->dscp,
		.tot_len = htons((uint16_t)(n + HEADER_V4)),
		.id = htons(h->id),
		.ttl = HOPS,
		.protocol = IPPROTO_UDP,
	};
	memcpy(&ip.saddr, h->from->ip, 4);
	memcpy(&ip.daddr, h->to->ip, 4);
	ip.check = (uint16_t)~header_sum(&ip, sizeof(ip), 0);
	memcpy(payload - HEADER_V4, &ip, sizeof(ip));
	return HEADER_V4;
}

static size_t write_v6(const struct header *h, uint8_t *payload, size_t n)
{
	struct ip6_hdr ip = { 0 };
	ip.ip6_flow = htonl(6u << 28 | (uint32_t)h->dscp << 20);
	ip.ip6_plen = htons((uint16_t)(n + sizeof(struct udphdr)));
	ip.ip6_nxt = IPPROTO_UDP;
	ip.ip6_hlim = HOPS;
	memcpy(&ip.ip6_src, h->from->ip, 16);
	memcpy(&ip.ip6_dst, h->to->ip, 16);
	memcpy(payload - HEADER_V6, &ip, sizeof(ip));
	return HEADER_V6;
}

size_t header_write(const struct header *h, uint8_t *payload, size_t n)
{
	write_udp(h, payload, n, h->from->family == 4 ? 4 : 16);
	return h->from->family == 4 ? write_v4(h, payload, n) : write_v6(h, payload, n);
}
