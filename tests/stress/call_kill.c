/* Twenty calls at once, of every kind, and a signalling worker that is killed at any instruction, again and again; its
 * successor takes over at once. Every call must come to its end and leave exactly its records. Seconds: first argument. */
#include "base/clock.h"
#include "peers.h"
#include <unistd.h>

#define AT_ONCE 20u

static const struct script scripts[] = {
	{ .name = "answered", .number = "1", .steps = "riRub", .code = 200, .records = 1 },
	{ .name = "callee hangs up", .number = "1", .steps = "rB", .code = 200, .records = 1 },
	{ .name = "cancelled", .number = "1", .cancel = true, .code = 487, .records = 1 },
	{ .name = "next gateway", .number = "1", .steps = "ib", .first_fails = true, .code = 200, .records = 2 },
	{ .name = "delayed offer", .number = "1", .steps = "rb", .delayed = true, .code = 200, .records = 1 },
	{ .name = "silent gateway", .number = "1", .steps = "b", .first_silent = true, .code = 200, .records = 2 },
	{ .name = "refused", .number = "9", .code = 404, .records = 1 },
};

static uint64_t seed;
static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

int main(int argc, char **argv)
{
	static struct harness h;
	struct peers *p = peers_new();
	uint64_t until = clock_ms() + 1000 * (uint64_t)(argc > 1 ? atoi(argv[1]) : 8), deaths = 0, next = 0;
	seed = clock_ns() | 1;
	printf("seed %llu\n", (unsigned long long)seed);
	harness_make(&h, &(struct harness_options){ .caller = peers_caller(p), .gateway = { peers_gateway(p, 0), peers_gateway(p, 1) }, .gateways = 2,
		.media = "off", .calls = 2 * AT_ONCE,
		.each = ", timeouts: {invite: 1, trying: 5, session_progress: 5, session_progress_sdp: 5, ringing: 5}", .parameters = "SS_SIP_RESEND_INTERVAL: \"0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1\"" });
	harness_fork(&h, 0);
	while (clock_ms() < until) {
		while (peers_running(p) < AT_ONCE)
			peers_call(p, &h.sip, &scripts[next_random() % (sizeof scripts / sizeof *scripts)], next_random() & 1);
		peers_turn(p, 1);
		peers_records(p, &h, false);
		CHECK(harness_alive(&h), "it died by itself");
		if (clock_ms() < next)
			continue;
		usleep((useconds_t)(next_random() % 1000));
		harness_kill(&h);
		deaths++;
		harness_fork(&h, 0);
		next = clock_ms() + next_random() % 40; /* some while they adopt, some after a while of calls */
	}
	while (peers_running(p))
		peers_turn(p, 1);
	harness_idle(&h, 3000);
	peers_records(p, &h, true);
	harness_finish(&h);
	printf("%llu calls, %llu deaths\n", (unsigned long long)peers_calls(p), (unsigned long long)deaths);
	CHECK(deaths > 50 && peers_calls(p) > 200, "too little happened to mean anything");
	return 0;
}
