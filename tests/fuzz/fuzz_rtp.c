/* Everything that parses what a stranger sends to the relay: headers, latch decisions, statistics. The input is a script of
 * packets for a call of two legs:
 *	byte 0       how the legs are set up (see set_up)
 *	then records: source (1 byte), port and pause (1 byte), length (1 byte), that many bytes of packet;
 *	port 7 is nobody's and comes with a new offer for a leg
 * The legs live on between the records of one input, so that sequences of packets are explored. */
#include "media-proxy/header.h"
#include "media-proxy/packet.h"
#include <stdlib.h>

static struct {
	struct config c;
	struct addr address[2];
} image;
static struct media_leg legs[8];
static struct media_flow flows[8];
static struct pair_table table;

static struct addr v4(uint8_t host, uint16_t port)
{
	return (struct addr){ .ip = { 10, 0, 0, host }, .port = port, .family = 4 };
}

static struct addr v6(uint16_t port)
{
	return (struct addr){ .ip = { 0x20, 1, [15] = 6 }, .port = port, .family = 6 };
}

static void allot(uint32_t pair, uint32_t peer, uint8_t how)
{
	struct media_want w = { .peer = peer,
		.remote_rtp = v4((uint8_t)(pair + 1), 4000),
		.remote_rtcp = v4((uint8_t)(pair + 1), 4001),
		.signal = v4(9, 5060),
		.latch = how & 3,
		.behind_nat = how >> 2 & 1,
		.mux = how >> 3 & 1,
		.kind = (how >> 4 & 3) == 3 ? MEDIA_UDPTL : MEDIA_RTP,
		.send = (how >> 6 & 3) != 1,
		.receive = (how >> 6 & 3) != 2 };
	const struct media_leg *leg = &legs[pair];
	if (pair == 1 && (how >> 4 & 3) == 2) {
		w.remote_rtp = v6(4000);
		w.remote_rtcp = v6(4001);
		w.local = 1;
	}
	slot_free(&leg->slot);
	slot_claim(&leg->slot);
	slot_commit(&leg->slot, leg->want, sizeof(w), &w);
	slot_live(&leg->slot);
}

static void set_up(uint8_t how)
{
	if (!table.pair) {
		const struct media_leg *areas[WORKERS_MAX] = { legs };
		image.c.system.media = image.c.system.signaling = 1;
		image.c.media.port_low = 10000;
		image.c.media.port_high = 10007;
		image.c.media.addresses.n = 2;
		image.c.media.addresses.at = (uint32_t)((char *)image.address - (char *)&image);
		image.address[0] = v4(100, 0);
		image.address[1] = (struct addr){ .ip = { 0x20, 1 }, .family = 6 };
		if (pair_table_init(&table, &image.c, 0, areas, flows))
			abort();
	}
	allot(0, 1, how);
	allot(1, 0, how);
}

static void offer_again(uint32_t pair)
{
	const struct media_leg *leg = &legs[pair];
	struct media_want w = leg->want[leg->slot.commit & 1];
	w.epoch++;
	slot_commit(&leg->slot, leg->want, sizeof(w), &w);
}

/* what leaves must be whole: a header in front of it may be written */
static void send_on(const struct departure *d, const uint8_t *p, size_t n)
{
	uint8_t *buffer = malloc(HEADER_MAX + n);
	struct header h = { .from = &d->from, .to = &d->to, .dscp = d->dscp };
	if (!buffer || d->from.family != d->to.family || !d->to.port)
		abort();
	memcpy(buffer + HEADER_MAX, p, n);
	if (header_write(&h, buffer + HEADER_MAX, n) > HEADER_MAX)
		abort();
	free(buffer);
}

static void check(uint32_t pair)
{
	const struct media_flow *f = &flows[pair];
	struct media_flow copy;
	if (f->version & 1 || f->latched > 1)
		abort();
	if (media_flow_read(f, f->generation, &copy) || media_flow_lost(&copy) > (uint64_t)RTP_CYCLE * 65536)
		abort();
	(void)media_flow_jitter_us(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n < 1)
		return 0;
	uint64_t now_ns = 1000000000000u;
	set_up(p[0]);
	for (p++, n--; n >= 3;) {
		uint8_t source = p[0], where = p[1];
		size_t length = p[2] < n - 3 ? p[2] : n - 3;
		uint8_t *data = malloc(length ? length : 1); /* in its exact size: any read beyond it is seen */
		struct departure d;
		if (!data)
			return 0;
		memcpy(data, p + 3, length);
		now_ns += (uint64_t)(where >> 4) * 200000000u;
		uint16_t port = (uint16_t)(4000 + (source >> 4));
		if ((where & 7) == 7)
			offer_again(source & 1);
		struct packet k = { .data = data,
			.n = length,
			.source = (source & 15) == 15 ? v6(port) : v4(source & 15, port),
			.port = 9999 + (where & 7u),
			.address = where >> 3 & 1,
			.now_ns = now_ns };
		if (packet_route(&table, &k, &d))
			send_on(&d, data, length);
		free(data);
		check(0);
		check(1);
		p += 3 + length;
		n -= 3 + length;
	}
	return 0;
}
