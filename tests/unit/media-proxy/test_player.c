#include "media-proxy/player.h"
#include <criterion/criterion.h>

/* One leg in plain memory, pair 2 of media worker 0 of 2, whose remote is at 10.0.0.1:4000. */
static struct {
	struct config c;
	struct addr address;
	int16_t samples[TONE_FRAME * 2];
} image;
static struct media_leg legs[16];
static struct media_flow flows[16];
static struct pair_table table;
static struct player player;
static uint8_t packet[PLAYER_PACKET];
static struct departure out;
static bool gone;

static struct addr parse(const char *text)
{
	struct addr a;
	cr_assert_eq(addr_parse(span_of(text), &a), 0);
	return a;
}

static void want(uint8_t tone, uint64_t since, const char *remote)
{
	struct media_leg *l = &legs[pair_slot(&image.c, 2)];
	struct media_want w = { .send = 1, .receive = 1, .latch = LATCH_OFF, .tone = tone, .tone_payload = 8, .tone_ms = since };
	if (remote)
		w.remote_rtp = parse(remote);
	slot_commit(&l->slot, l->want, sizeof(w), &w);
}

static void open_player(void)
{
	const struct media_leg *areas[WORKERS_MAX] = { legs };
	cr_assert_eq(pair_table_init(&table, &image.c, 0, areas, flows), 0);
	cr_assert_eq(player_init(&player, &table, &image.c), 0);
	player_look_all(&player);
}

static void close_player(void)
{
	player_done(&player);
	pair_table_done(&table);
}

static void set_up(void)
{
	image.c.system.media = 2;
	image.c.system.signaling = 1;
	image.c.media.port_low = 10000;
	image.c.media.port_high = 10031;
	image.c.media.addresses = (struct cfg_list){ (uint32_t)offsetof(typeof(image), address), 1 };
	image.c.media.ringback_samples = (struct cfg_list){ (uint32_t)offsetof(typeof(image), samples), TONE_FRAME * 2 };
	for (unsigned i = 0; i < TONE_FRAME * 2; i++)
		image.samples[i] = i < TONE_FRAME ? 0 : 8000;
	image.address = parse("192.0.2.1");
	slot_claim(&legs[pair_slot(&image.c, 2)].slot);
	want(MEDIA_TONE_NONE, 0, "10.0.0.1:4000");
	slot_live(&legs[pair_slot(&image.c, 2)].slot);
	open_player();
}

TestSuite(player, .init = set_up, .fini = close_player);

static uint32_t get(unsigned at, unsigned n)
{
	uint32_t v = 0;
	while (n--)
		v = v << 8 | packet[at++];
	return v;
}

static int next(uint64_t now)
{
	return player_next(&player, 0, now, packet, &out, &gone);
}

Test(player, packets)
{
	cr_assert_eq(player.n, 0);
	want(MEDIA_TONE_ALAW, 1000, "10.0.0.1:4000");
	player_look(&player, 2);
	player_look(&player, 2);
	player_look(&player, 3);    /* another worker's */
	player_look(&player, 9999); /* nobody's */
	cr_assert_eq(player.n, 1);
	cr_assert_eq(next(1000), (int)PLAYER_PACKET);
	cr_expect_eq(packet[0], 0x80);
	cr_expect_eq(packet[1], 0x88, "marker and payload type");
	cr_expect(addr_eq(&out.to, &(struct addr){ .ip = { 10, 0, 0, 1 }, .port = 4000, .family = 4 }));
	cr_expect_eq(out.from.port, 10004);
	uint32_t sequence = get(2, 2), stamp = get(4, 4), ssrc = get(8, 4);
	cr_expect_eq(packet[12], player.tone.alaw[0]);
	cr_expect_eq(next(1019), 0);
	cr_assert_eq(next(1020), (int)PLAYER_PACKET);
	cr_expect_eq(packet[1], 8);
	cr_expect_eq(get(2, 2), (sequence + 1) & 0xffff);
	cr_expect_eq(get(4, 4), stamp + TONE_FRAME);
	cr_expect_eq(get(8, 4), ssrc);
	cr_expect_eq(packet[12], player.tone.alaw[TONE_FRAME]);
	cr_expect_eq(flows[2].sent, 2);
	want(MEDIA_TONE_NONE, 1000, "10.0.0.1:4000");
	cr_expect_eq(next(1040), 0);
	cr_expect(gone && player.n == 0);
}

/* a successor knows from the wants alone, and carries on the same stream at the right place */
Test(player, successor)
{
	want(MEDIA_TONE_ULAW, 1000, "10.0.0.1:4000");
	player_look(&player, 2);
	next(1000);
	uint32_t sequence = get(2, 2), stamp = get(4, 4), ssrc = get(8, 4);
	close_player();
	open_player();
	cr_assert_eq(player.n, 1);
	cr_assert_eq(next(1000 + 20 * 50), (int)PLAYER_PACKET);
	cr_expect_eq(packet[1], 8);
	cr_expect_eq(get(2, 2), (sequence + 50) & 0xffff);
	cr_expect_eq(get(4, 4), stamp + 50 * TONE_FRAME);
	cr_expect_eq(get(8, 4), ssrc);
	cr_expect_eq(packet[12], player.tone.ulaw[0]);
	cr_expect_eq(next(1000 + 20 * 50), 0);
}

Test(player, delays)
{
	want(MEDIA_TONE_ALAW, 1000, "10.0.0.1:4000");
	player_look(&player, 2);
	next(1000);
	int n = 0;
	while (next(1080) > 0)
		n++;
	cr_expect_eq(n, 4, "a short delay is caught up with");
	for (n = 0; next(9000) > 0;)
		n++;
	cr_expect_eq(n, 1, "a long one is not");
}

Test(player, again_and_nowhere)
{
	want(MEDIA_TONE_ALAW, 1000, "10.0.0.1:4000");
	player_look(&player, 2);
	next(1000);
	uint32_t ssrc = get(8, 4);
	want(MEDIA_TONE_ALAW, 5000, "10.0.0.1:4000"); /* another attempt's, before the end of the first was seen */
	cr_assert_gt(next(5000), 0);
	cr_expect_eq(packet[1], 0x88);
	cr_expect_neq(get(8, 4), ssrc);
	want(MEDIA_TONE_ALAW, 5000, NULL);
	cr_expect_eq(next(5020), -EAGAIN);
	cr_expect_eq(next(5020), 0);
	slot_free(&legs[pair_slot(&image.c, 2)].slot);
	cr_expect_eq(next(5040), 0);
	cr_expect(gone && player.n == 0);
}
