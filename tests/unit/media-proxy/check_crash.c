/* Dies at every store the packet path makes into the media worker's region, and looks at what a successor finds: the
 * call is relayed on, to the right addresses, with figures that differ by at most the packet in hand. */
#include "media-proxy/packet.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: dying at store %llu: failed: %s\n", __FILE__, __LINE__,                \
				(unsigned long long)at, #condition);                                                   \
			exit(EXIT_FAILURE);                                                                            \
		}                                                                                                      \
	} while (0)

struct shared {
	struct media_leg leg[4];
	struct media_flow flow[4];
	uint32_t done; /* packets of the script routed */
};
static struct {
	struct config c;
	struct addr address;
} image;
static struct shared *shared;
static struct pair_table table;
static uint64_t at;

static struct addr place(uint8_t host, uint16_t port)
{
	return (struct addr){ .ip = { 10, 0, 0, host }, .port = port, .family = 4 };
}

static void allot(uint32_t pair, uint32_t peer, uint8_t host)
{
	struct media_want w = { .peer = peer,
		.remote_rtp = place(host, 4000),
		.remote_rtcp = place(host, 4001),
		.signal = place(host, 5060),
		.latch = LATCH_AUTO,
		.send = 1,
		.receive = 1 };
	const struct media_leg *leg = &shared->leg[pair];
	slot_claim(&leg->slot);
	slot_commit(&leg->slot, leg->want, sizeof(w), &w);
	slot_live(&leg->slot);
}

static void offer_again(uint32_t pair)
{
	const struct media_leg *leg = &shared->leg[pair];
	struct media_want w = leg->want[leg->slot.commit & 1];
	w.epoch++;
	slot_commit(&leg->slot, leg->want, sizeof(w), &w);
}

static void set_up(void)
{
	memset(shared, 0, sizeof(*shared));
	allot(0, 1, 1);
	allot(1, 0, 2);
}

static void open_table(void)
{
	const struct media_leg *areas[WORKERS_MAX] = { shared->leg };
	if (pair_table_init(&table, &image.c, 0, areas, shared->flow))
		exit(EXIT_FAILURE);
}

static bool route(uint8_t host, uint16_t from, uint32_t port, uint16_t sequence, struct departure *d)
{
	uint8_t rtp[20] = { 0x80, 0, (uint8_t)(sequence >> 8), (uint8_t)sequence, [11] = host };
	uint8_t rtcp[8] = { 0x80, 201, 0, 1, [7] = host };
	struct packet k = { .data = port & 1 ? rtcp : rtp,
		.n = port & 1 ? sizeof(rtcp) : sizeof(rtp),
		.source = place(host, from),
		.port = port,
		.now_ns = (1000 + sequence * 20ull) * 1000000u };
	return packet_route(&table, &k, d);
}

/* both ways, RTCP, a moved port, another SSRC would be another stream; then a new offer and its first packet */
#define SCRIPT 8u
static void step(uint32_t i)
{
	struct departure d;
	static const struct {
		uint8_t host;
		uint16_t from;
		uint32_t port;
		uint16_t sequence;
	} script[SCRIPT] = { { 1, 4002, 10000, 1 }, { 2, 4000, 10002, 1 }, { 1, 4002, 10000, 2 }, { 1, 4003, 10001, 3 },
		{ 1, 4004, 10000, 3 }, { 9, 4000, 10000, 4 }, { 1, 4004, 10000, 4 }, { 1, 4006, 10000, 5 } };
	route(script[i].host, script[i].from, script[i].port, script[i].sequence, &d);
}

static void child(void)
{
	open_table();
	crash_count = 0;
	crash_at = at;
	for (uint32_t i = 0; i < SCRIPT; i++) {
		if (i == SCRIPT - 1) {
			uint64_t left = crash_at; /* the offer is the signalling worker's store, not ours */
			crash_at = 0;
			offer_again(0);
			crash_at = left;
		}
		step(i);
		shared->done = i + 1;
	}
}

static void check_successor(void)
{
	const struct media_flow *f = &shared->flow[0];
	uint32_t done = shared->done;
	struct media_flow copy;
	struct departure d;
	open_table();
	CHECK(f->version % 2 == 0 && shared->flow[1].version % 2 == 0);
	CHECK(!f->latched || (f->rtp.family == 4 && f->rtp.ip[3] == 1 &&
				     (f->rtp.port == 4002 || f->rtp.port == 4004 || f->rtp.port == 4006)));
	CHECK(!f->rtcp.family || (f->rtcp.family == 4 && f->rtcp.ip[3] == 1 && f->rtcp.port == 4003));
	/* the other side's packet goes to where this leg's came from, or to the SDP's address when nothing is latched */
	CHECK(route(2, 4000, 10002, 50, &d) && d.from.port == 10000);
	bool open = !f->latched || f->epoch != shared->leg[0].want[shared->leg[0].slot.commit & 1].epoch;
	CHECK(d.to.ip[3] == 1 && d.to.port == (open ? 4000 : f->rtp.port));
	/* and this leg's own stream goes on, from its newest port */
	CHECK(route(1, open ? 4008 : f->rtp.port, 10000, 60, &d) && d.from.port == 10002 && d.to.ip[3] == 2 &&
		d.to.port == 4000);
	CHECK(media_flow_read(f, shared->leg[0].slot.generation, &copy) == 0 && copy.generation == 1);
	static const uint32_t accepted[SCRIPT + 1] = { 0, 1, 1, 2, 2, 3, 3, 4, 5 };
	uint32_t least = accepted[done] + 1, most = accepted[done < SCRIPT ? done + 1 : SCRIPT] + 1;
	CHECK(copy.packets >= least && copy.packets <= most);
	CHECK(copy.dropped_source <= 1 && copy.ssrc == 1 && copy.ssrc_changes == 0);
	CHECK(media_flow_lost(&copy) <= 60);
	pair_table_done(&table);
}

int main(void)
{
	image.c.system.media = image.c.system.signaling = 1;
	image.c.media.port_low = 10000;
	image.c.media.port_high = 10007;
	image.c.media.addresses.n = 1;
	image.c.media.addresses.at = (uint32_t)((char *)&image.address - (char *)&image);
	image.address = place(100, 0);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return EXIT_FAILURE;
	for (at = 1;; at++) {
		int status;
		set_up();
		pid_t pid = fork();
		if (pid == 0) {
			child();
			_exit(EXIT_SUCCESS);
		}
		CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
		if (WIFEXITED(status))
			break;
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		check_successor();
	}
	CHECK(shared->done == SCRIPT && at > 100); /* fewer stores: the crash points are not compiled in */
	check_successor();
	printf("died at each of %llu stores\n", (unsigned long long)at - 1);
	return EXIT_SUCCESS;
}
