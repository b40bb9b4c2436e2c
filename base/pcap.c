#include "base/pcap.h"
#include <errno.h>

#define MAGIC	     0xa1b2c3d4u
#define LINKTYPE_RAW 101u
#define IP4	     20u
#define IP6	     40u
#define UDP	     8u

static void put16(uint8_t *at, size_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static uint32_t sum(const uint8_t *p, size_t n, uint32_t so_far)
{
	for (size_t i = 0; i < n; i++)
		so_far += (uint32_t)p[i] << (i & 1 ? 0 : 8);
	return (so_far & 0xffff) + (so_far >> 16);
}

static uint16_t folded(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

static size_t write_ip(uint8_t *at, const struct addr *from, const struct addr *to, size_t udp)
{
	memset(at, 0, IP6);
	if (from->family == 4) {
		at[0] = 0x45;
		put16(at + 2, IP4 + udp);
		at[8] = 64;
		at[9] = 17;
		memcpy(at + 12, from->ip, 4);
		memcpy(at + 16, to->ip, 4);
		put16(at + 10, folded(sum(at, IP4, 0)));
		return IP4;
	}
	at[0] = 0x60;
	put16(at + 4, udp);
	at[6] = 17;
	at[7] = 64;
	memcpy(at + 8, from->ip, 16);
	memcpy(at + 24, to->ip, 16);
	return IP6;
}

static void write_udp(uint8_t *at, const struct addr *from, const struct addr *to, struct span payload)
{
	size_t n = from->family == 4 ? 4 : 16, length = UDP + payload.n;
	memset(at, 0, UDP);
	put16(at, from->port);
	put16(at + 2, to->port);
	put16(at + 4, length);
	uint32_t s = sum(from->ip, n, (uint32_t)length + 17);
	s = sum(at, UDP, sum(to->ip, n, s));
	uint16_t check = folded(sum((const uint8_t *)payload.p, payload.n, s));
	put16(at + 6, check ? check : 0xffff);
}

int pcap_begin(FILE *f)
{
	const struct {
		uint32_t magic;
		uint16_t major, minor;
		uint32_t zone, precision, length, link;
	} head = { MAGIC, 2, 4, 0, 0, 262144, LINKTYPE_RAW };
	return fwrite(&head, sizeof(head), 1, f) == 1 && fflush(f) == 0 ? 0 : -EIO;
}

int pcap_packet(FILE *f, uint64_t wall_us, const struct addr *from, const struct addr *to, struct span payload)
{
	uint8_t header[IP6 + UDP];
	if (from->family != to->family || !from->family)
		return -EINVAL;
	if (payload.n > PCAP_PAYLOAD)
		payload.n = PCAP_PAYLOAD;
	size_t n = write_ip(header, from, to, UDP + payload.n);
	write_udp(header + n, from, to, payload);
	n += UDP;
	const uint32_t record[] = { (uint32_t)(wall_us / 1000000), (uint32_t)(wall_us % 1000000), (uint32_t)(n + payload.n), (uint32_t)(n + payload.n) };
	if (fwrite(record, sizeof(record), 1, f) != 1 || fwrite(header, n, 1, f) != 1 || fwrite(payload.p, 1, payload.n, f) != payload.n ||
	    fflush(f) != 0)
		return -EIO;
	return 0;
}
