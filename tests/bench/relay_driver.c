/* A media worker with CALLS calls up and nothing else around it: what the relay benchmark measures. Call i has its caller's leg
 * on the pair 2i and its callee's on 2i + 1; all callers are one remote address, all callees another.
 *
 *	relay_driver CALLS RELAY_A REMOTE_A RELAY_B REMOTE_B LOW [MAP]
 * RELAY_x are the relay's IPs, REMOTE_x ip:port, LOW the first port; MAP gets "port_a port_b" for each call. Says
 * "ready PID KIND" on stderr; runs until killed. */
#include "media-proxy/worker.h"
#include "tests/unit/media-proxy/rig.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void allot(const struct rig *r, uint32_t pair, uint32_t peer, const char *remote, uint8_t local)
{
	struct media_want w = { .peer = peer,
		.remote_rtp = rig_addr(remote),
		.latch = LATCH_AUTO,
		.send = 1,
		.receive = 1,
		.dscp = 0xb8,
		.local = local,
		.clock_rate = 8000 };
	w.signal = w.remote_rtcp = w.remote_rtp;
	w.remote_rtcp.port++;
	rig_allot(r, pair, &w);
}

static void write_map(const char *path, uint32_t calls, uint32_t low)
{
	FILE *f = fopen(path, "w");
	if (!f) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	for (uint32_t i = 0; i < calls; i++)
		fprintf(f, "%u %u\n", low + 4 * i, low + 4 * i + 2);
	fclose(f);
}

int main(int argc, char **argv)
{
	static struct rig rig;
	if (argc < 7) {
		fprintf(stderr, "usage: relay_driver CALLS RELAY_A REMOTE_A RELAY_B REMOTE_B LOW [MAP]\n");
		return EXIT_FAILURE;
	}
	uint32_t calls = (uint32_t)strtoul(argv[1], NULL, 10), low = (uint32_t)strtoul(argv[6], NULL, 10);
	bool one = strcmp(argv[2], argv[4]) == 0;
	struct rig_plan plan = { .addresses = { argv[2], one ? NULL : argv[4] },
		.low = low,
		.high = low + 4 * calls - 1,
		.signaling = 1,
		.media = 1 };
	if (calls == 0 || low % 2 || plan.high > 65535) {
		fprintf(stderr, "relay_driver: %u calls do not fit above port %u\n", calls, low);
		return EXIT_FAILURE;
	}
	log_init("relay_driver", LOG_TEXT, LOG_WARNING, STDERR_FILENO);
	rig_open(&rig, &plan);
	for (uint32_t i = 0; i < calls; i++) {
		allot(&rig, 2 * i, 2 * i + 1, argv[3], 0);
		allot(&rig, 2 * i + 1, 2 * i, argv[5], one ? 0 : 1);
	}
	if (argc > 7)
		write_map(argv[7], calls, low);
	rig.env.role = ROLE_MEDIA;
	rig.env.seat = seat_of(ROLE_MEDIA, 0);
	fprintf(stderr, "ready %d %s\n", (int)getpid(), rig.kind == RELAY_SK_LOOKUP ? "sk_lookup" : "sockets");
	return media_main(&rig.env);
}
