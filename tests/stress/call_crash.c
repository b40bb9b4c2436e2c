/* A signalling worker is killed at its first, second, third... store to shared memory while it handles a call; a successor takes
 * over at once, is sometimes killed while it does so, and is succeeded in turn. The peers only keep to RFC 3261: every call
 * must come to its end, be answered once, leave exactly its records and nothing else.
 *
 * TANDEM_LONG=1 in the environment: every point; else every k-th, beginning at another one each time. */
#include "base/clock.h"
#include "peers.h"
#include "shm/call.h"
#include <unistd.h>

#ifndef TANDEM_CRASHPOINTS
#error "to be built with crash points"
#endif

#define STRIDE 7

static const struct script scripts[] = {
	{ .name = "answered", .number = "1", .steps = "riRub", .code = 200, .records = 1 },
	{ .name = "callee hangs up", .number = "1", .steps = "B", .code = 200, .records = 1 },
	{ .name = "cancelled", .number = "1", .cancel = true, .code = 487, .records = 1 },
	{ .name = "next gateway", .number = "1", .steps = "b", .first_fails = true, .code = 200, .records = 2 },
	{ .name = "delayed offer", .number = "1", .steps = "rb", .delayed = true, .code = 200, .records = 1 },
	{ .name = "forked", .number = "8", .steps = "rb", .forked = true, .code = 200, .records = 1 },
	{ .name = "forked and cancelled", .number = "8", .forked = true, .cancel = true, .code = 487, .records = 1 },
	{ .name = "refused", .number = "9", .code = 404, .records = 1 },
};

static struct harness h;
static struct peers *p;
static uint64_t deaths;

/* until the call is over, with whoever is needed */
static bool live_through(void)
{
	bool died = false;
	uint64_t until = clock_ms() + 12000;
	do {
		peers_turn(p, 1);
		if (harness_alive(&h))
			continue;
		/* the first successor dies, too: somewhere between its first store and being in service, or soon after */
		bool first = !died;
		died = true;
		deaths++;
		harness_fork(&h, first && deaths % 3 == 0 ? deaths * 7 % 900 + 1 : 0);
		CHECK(clock_ms() < until, "no end");
	} while (peers_running(p) || harness_calls(&h));
	return !died;
}

/* true: the worker got through without coming to point n */
static bool die_at(const struct script *s, uint64_t n, bool burst)
{
	harness_fork(&h, n);
	peers_call(p, &h.sip, s, burst);
	bool through = live_through();
	harness_kill(&h);
	harness_idle(&h, 0);
	peers_records(p, &h, true);
	return through;
}

/* the number of points up to being in service, with nothing to adopt */
static uint64_t points_of_start(void)
{
	for (uint64_t n = 64;; n += 64) {
		uint64_t before = h.head->ready;
		harness_start(&h, n);
		if (h.head->ready > before) {
			if (h.pid)
				harness_kill(&h);
			return n;
		}
	}
}

int main(void)
{
	bool all = getenv("TANDEM_LONG") != NULL;
	uint64_t stride = all ? 1 : STRIDE, offset = all ? 0 : (uint64_t)getpid() % STRIDE, points = 0;
	p = peers_new();
	harness_make(&h, &(struct harness_options){ .caller = peers_caller(p), .gateway = { peers_gateway(p, 0), peers_gateway(p, 1) }, .gateways = 2,
		.customer = ", callee_dial_plan: fork", .sections = "dial_plans: {fork: [{match: \"8*\", rewrite: \"1001\"}]}\n"
								     "accounts: [{id: \"1001\", password: p, max_contacts: 2, line_limit: 8}]\n",
		.media = "on", .ports = "10000-31999", .calls = 8, .parameters = "SS_SIP_RESEND_INTERVAL: \"0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1\"" });
	/* all that begin with an 8 are for an account that is at both gateways */
	harness_register(&h, "1001", (const struct harness_contact[]){ { .addr = peers_gateway(p, 0), .q = 500 }, { .addr = peers_gateway(p, 1) } }, 2);
	uint64_t first = points_of_start();
	printf("in service after %llu points; every %llu. from %llu\n", (unsigned long long)first, (unsigned long long)stride, (unsigned long long)offset);
	for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
		uint64_t n = (i ? first - 64 : 0) + 1 + offset, from = n;
		while (!die_at(&scripts[i], n, n & 1))
			n += stride;
		printf("%s: up to point %llu\n", scripts[i].name, (unsigned long long)n);
		fflush(stdout);
		CHECK(n > first, "too few points: is every store one?");
		points += (n - from) / stride;
	}
	harness_start(&h, 0);
	harness_finish(&h);
	printf("%llu points, %llu deaths, %llu calls\n", (unsigned long long)points, (unsigned long long)deaths, (unsigned long long)peers_calls(p));
	return 0;
}
