/* A media worker between two fake legs on loopback: relaying, latching, refused sources, RTCP, hold, large packets, address
 * families, and the death of the worker in the middle. Run as `check_relay lookup|sockets`; 77: skipped, with the reason. */
#include "base/clock.h"
#include "media-proxy/sockets.h"
#include "tests/unit/media-proxy/rig.h"
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SKIP	77
#define WAIT_MS 5000
#define SILENCE 150 /* ms in which nothing may come */
#define RELAY4	"127.66.0.1"
#define LOW	20000u

static struct rig rig;

#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);                        \
			exit(EXIT_FAILURE);                                                                            \
		}                                                                                                      \
	} while (0)

/* --- a fake end: a connected socket, so that an ICMP error would show ------------------------------------------- */
static int end_open(const char *text, const char *relay, uint32_t port)
{
	struct sockaddr_storage sa;
	struct addr a = rig_addr(text);
	int one = 1, fd = socket(a.family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t n = addr_to_sockaddr(&a, &sa);
	CHECK(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
		bind(fd, (void *)&sa, n) == 0);
	setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &one, sizeof(one));
	a = rig_addr(relay);
	a.port = (uint16_t)port;
	n = addr_to_sockaddr(&a, &sa);
	CHECK(connect(fd, (void *)&sa, n) == 0);
	return fd;
}

static struct addr end_name(int fd)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);
	struct addr a;
	CHECK(getsockname(fd, (void *)&sa, &n) == 0);
	addr_from_sockaddr((void *)&sa, &a);
	return a;
}

static void end_send(int fd, const void *p, size_t n)
{
	CHECK(send(fd, p, n, 0) == (ssize_t)n); /* ECONNREFUSED would come here */
}

/* length, or -1 after that many milliseconds */
static ssize_t end_receive(int fd, void *p, size_t cap, int ms)
{
	struct pollfd q = { .fd = fd, .events = POLLIN };
	if (poll(&q, 1, ms) <= 0)
		return -1;
	ssize_t n = recv(fd, p, cap, 0);
	CHECK(n >= 0);
	return n;
}

static size_t make_rtp(uint8_t *p, uint16_t sequence, uint32_t ssrc)
{
	uint32_t ts = sequence * 160u;
	memset(p, (uint8_t)sequence, 172);
	memcpy(p,
		(uint8_t[]){ 0x80, 0, (uint8_t)(sequence >> 8), (uint8_t)sequence, (uint8_t)(ts >> 24),
			(uint8_t)(ts >> 16), (uint8_t)(ts >> 8), (uint8_t)ts, (uint8_t)(ssrc >> 24),
			(uint8_t)(ssrc >> 16), (uint8_t)(ssrc >> 8), (uint8_t)ssrc },
		12);
	return 172;
}

static size_t make_rtcp(uint8_t *p, uint32_t ssrc)
{
	memcpy(p,
		(uint8_t[]){ 0x80, 201, 0, 1, (uint8_t)(ssrc >> 24), (uint8_t)(ssrc >> 16), (uint8_t)(ssrc >> 8),
			(uint8_t)ssrc },
		8);
	return 8;
}

static void expect(int to, const void *p, size_t n)
{
	static uint8_t got[65536];
	CHECK(end_receive(to, got, sizeof(got), WAIT_MS) == (ssize_t)n);
	CHECK(memcmp(got, p, n) == 0);
}

static void expect_nothing(int to)
{
	uint8_t got[2048];
	CHECK(end_receive(to, got, sizeof(got), SILENCE) == -1);
}

static void pass(int from, int to, const void *p, size_t n)
{
	end_send(from, p, n);
	expect(to, p, n);
}

static void pass_rtp(int from, int to, uint16_t sequence, uint32_t ssrc)
{
	uint8_t p[172];
	pass(from, to, p, make_rtp(p, sequence, ssrc));
}

static void refuse_rtp(int from, int to, uint16_t sequence, uint32_t ssrc)
{
	uint8_t p[172];
	end_send(from, p, make_rtp(p, sequence, ssrc));
	expect_nothing(to);
}

/* --- a call: two legs on the pairs a and b ----------------------------------------------------------------------- */
struct call {
	uint32_t a, b;
	int end_a, end_b, control_a, control_b;
	struct media_want want_a, want_b;
};

static struct media_want want_of(uint32_t peer, int end, int control)
{
	struct media_want w = {
		.peer = peer,
		.remote_rtp = end_name(end),
		.remote_rtcp = end_name(control),
		.signal = end_name(end),
		.latch = LATCH_AUTO,
		.send = 1,
		.receive = 1,
		.dscp = 0xb8,
		.clock_rate = 8000,
	};
	return w;
}

static struct call call_open(uint32_t a, uint32_t b)
{
	struct call c = { .a = a, .b = b };
	c.end_a = end_open("127.66.0.10", RELAY4, LOW + 2 * a);
	c.control_a = end_open("127.66.0.10", RELAY4, LOW + 2 * a + 1);
	c.end_b = end_open("127.66.0.20", RELAY4, LOW + 2 * b);
	c.control_b = end_open("127.66.0.20", RELAY4, LOW + 2 * b + 1);
	c.want_a = want_of(b, c.end_a, c.control_a);
	c.want_b = want_of(a, c.end_b, c.control_b);
	rig_allot(&rig, a, &c.want_a);
	rig_allot(&rig, b, &c.want_b);
	return c;
}

static void call_close(struct call *c)
{
	rig_free(&rig, c->a);
	rig_free(&rig, c->b);
	close(c->end_a);
	close(c->end_b);
	close(c->control_a);
	close(c->control_b);
}

/* --- cases ------------------------------------------------------------------------------------------------------- */
static void check_both_ways(void)
{
	uint8_t p[172];
	struct call c = call_open(0, 2);
	for (uint16_t i = 0; i < 20; i++) {
		pass_rtp(c.end_a, c.end_b, (uint16_t)(65530 + i), 7);
		pass_rtp(c.end_b, c.end_a, i, 8);
	}
	pass(c.control_a, c.control_b, p, make_rtcp(p, 7));
	pass(c.control_b, c.control_a, p, make_rtcp(p, 8));
	struct media_flow f = rig_flow(&rig, c.a);
	CHECK(f.packets == 20 && f.bytes == 20 * 172 && f.rtcp_packets == 1 && f.sent == 20);
	CHECK(f.ssrc == 7 && f.ssrc_changes == 0 && media_flow_lost(&f) == 0 && f.cycles == 65536);
	CHECK(f.latched == 1 && addr_eq(&f.rtp, &c.want_a.remote_rtp) && f.first_ms && f.last_ms >= f.first_ms);
	end_send(c.end_a, p, 5); /* not RTP */
	expect_nothing(c.end_b);
	CHECK(rig_flow(&rig, c.a).dropped_bad == 1);
	call_close(&c);
	refuse_rtp(c.end_a = end_open("127.66.0.10", RELAY4, LOW), -1, 1, 7); /* no leg: silence, and no ICMP */
	CHECK(end_receive(c.end_a, p, sizeof(p), SILENCE) == -1);
	close(c.end_a);
}

static void check_dscp(void)
{
	uint8_t p[172], control[64];
	struct call c = call_open(1, 3);
	struct iovec v = { p, sizeof(p) };
	struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	end_send(c.end_a, p, make_rtp(p, 1, 1));
	CHECK(recvmsg(c.end_b, &h, 0) == 172);
	struct cmsghdr *m = CMSG_FIRSTHDR(&h);
	CHECK(m && m->cmsg_type == IP_TOS && *CMSG_DATA(m) == 0xb8);
	call_close(&c);
}

static void check_nat(void)
{
	struct call c = call_open(0, 2);
	int stranger = end_open("127.66.0.99", RELAY4, LOW);
	c.want_a.remote_rtp = rig_addr("10.1.2.3:4000");
	c.want_a.behind_nat = 1;
	rig_change(&rig, c.a, &c.want_a);
	refuse_rtp(stranger, c.end_b, 1, 1);
	CHECK(rig_flow(&rig, c.a).dropped_source == 1 && rig_flow(&rig, c.a).latched == 0);
	pass_rtp(c.end_a, c.end_b, 1, 7); /* from where its signalling comes from */
	pass_rtp(c.end_b, c.end_a, 1, 8); /* and back there */
	refuse_rtp(stranger, c.end_b, 2, 7);
	int moved = end_open("127.66.0.10", RELAY4, LOW); /* another port of the same address */
	refuse_rtp(moved, c.end_b, 2, 9);
	pass_rtp(moved, c.end_b, 2, 7);
	pass_rtp(c.end_b, moved, 2, 8);
	CHECK(rig_flow(&rig, c.a).dropped_source == 3);
	c.want_a.remote_rtp = end_name(stranger); /* a new offer */
	c.want_a.signal = c.want_a.remote_rtp;
	c.want_a.behind_nat = 0;
	c.want_a.epoch++;
	rig_change(&rig, c.a, &c.want_a);
	pass_rtp(c.end_b, stranger, 3, 8); /* at once to the new one */
	refuse_rtp(moved, c.end_b, 3, 7);
	pass_rtp(stranger, c.end_b, 4, 7);
	close(stranger);
	close(moved);
	call_close(&c);
}

static void check_mux_and_hold(void)
{
	uint8_t p[172];
	struct call c = call_open(0, 2);
	c.want_a.mux = 1;
	c.want_a.remote_rtcp = c.want_a.remote_rtp;
	rig_change(&rig, c.a, &c.want_a);
	pass_rtp(c.end_a, c.end_b, 1, 7);
	pass(c.end_a, c.control_b, p, make_rtcp(p, 7)); /* from one port to two, and back */
	pass(c.control_b, c.end_a, p, make_rtcp(p, 8));
	c.want_a.receive = 0;
	rig_change(&rig, c.a, &c.want_a);
	refuse_rtp(c.end_a, c.end_b, 2, 7);
	pass(c.end_a, c.control_b, p, make_rtcp(p, 7)); /* RTCP goes on while held */
	c.want_a.receive = 1;
	c.want_b.send = 0;
	rig_change(&rig, c.a, &c.want_a);
	rig_change(&rig, c.b, &c.want_b);
	refuse_rtp(c.end_a, c.end_b, 3, 7);
	c.want_b.send = 1;
	rig_change(&rig, c.b, &c.want_b);
	pass_rtp(c.end_a, c.end_b, 4, 7);
	struct media_flow f = rig_flow(&rig, c.a);
	CHECK(f.dropped_hold == 2 && media_flow_lost(&f) == 0 && f.packets == 3);
	c.want_b.remote_rtp = (struct addr){ 0 };
	c.want_b.epoch++;
	rig_change(&rig, c.b, &c.want_b);
	refuse_rtp(c.end_a, c.end_b, 5, 7);
	CHECK(rig_flow(&rig, c.a).dropped_unready == 1);
	call_close(&c);
}

static void check_large(void)
{
	static uint8_t p[4000];
	struct call c = call_open(0, 2);
	make_rtp(p, 1, 7);
	pass(c.end_a, c.end_b, p, sizeof(p)); /* comes in fragments, leaves in fragments */
	make_rtp(p, 2, 7);
	pass(c.end_a, c.end_b, p, 1400);
	c.want_a.kind = c.want_b.kind = MEDIA_UDPTL;
	rig_change(&rig, c.a, &c.want_a);
	rig_change(&rig, c.b, &c.want_b);
	pass(c.end_a, c.end_b, "\0\1fax", 5);
	CHECK(rig_flow(&rig, c.a).packets == 3);
	call_close(&c);
}

/* relay addresses: 0 is RELAY4, 1 is ::1 */
static void check_families(void)
{
	static uint8_t p[4000];
	struct call c = call_open(0, 2);
	int six = end_open("::1", "::1", LOW + 4), six_control = end_open("::1", "::1", LOW + 5);
	c.want_b = want_of(0, six, six_control);
	c.want_b.local = 1;
	rig_change(&rig, c.b, &c.want_b);
	for (uint16_t i = 0; i < 3; i++) {
		pass_rtp(c.end_a, six, i, 7);
		pass_rtp(six, c.end_a, i, 8);
	}
	pass(c.control_a, six_control, p, make_rtcp(p, 7));
	pass(six_control, c.control_a, p, make_rtcp(p, 8));
	make_rtp(p, 3, 7);
	pass(c.end_a, six, p, sizeof(p));
	/* the right port at the wrong one of our addresses */
	int wrong = end_open("127.66.0.20", RELAY4, LOW + 4);
	refuse_rtp(wrong, c.end_a, 9, 9);
	close(wrong);
	int six_a = end_open("::1", "::1", LOW), six_a_control = end_open("::1", "::1", LOW + 1);
	c.want_a = want_of(2, six_a, six_a_control);
	c.want_a.local = 1;
	c.want_a.epoch = 1;
	rig_change(&rig, c.a, &c.want_a);
	pass_rtp(six_a, six, 5, 7);
	pass_rtp(six, six_a, 5, 8);
	close(six);
	close(six_control);
	close(six_a);
	close(six_a_control);
	call_close(&c);
}

static void check_death(void)
{
	uint8_t p[172];
	struct call c = call_open(0, 2);
	uint16_t seq = 0;
	for (int round = 0; round < 3; round++) {
		pass_rtp(c.end_a, c.end_b, seq, 7);
		pass_rtp(c.end_b, c.end_a, seq++, 8);
		struct media_flow before = rig_flow(&rig, c.a);
		rig_kill(&rig, 0);
		for (uint16_t i = 0; i < 50; i++) /* these wait in the kernel */
			end_send(c.end_a, p, make_rtp(p, (uint16_t)(seq + i), 7));
		CHECK(end_receive(c.end_b, p, sizeof(p), SILENCE) == -1);
		CHECK(end_receive(c.end_a, p, sizeof(p), 0) == -1); /* no error either: recv() would fail */
		rig_start(&rig, 0);
		for (uint16_t i = 0; i < 50; i++) {
			make_rtp(p, seq++, 7);
			expect(c.end_b, p, 172);
		}
		struct media_flow after = rig_flow(&rig, c.a);
		CHECK(after.packets == before.packets + 50 && after.first_ms == before.first_ms &&
			media_flow_lost(&after) == 0);
		CHECK(after.latched_ms == before.latched_ms && after.ssrc_changes == 0 &&
			after.base_seq == before.base_seq);
	}
	call_close(&c);
	c = call_open(0, 2); /* a new life of the same pairs */
	pass_rtp(c.end_a, c.end_b, 1, 70);
	CHECK(rig_flow(&rig, c.a).packets == 1 && rig_flow(&rig, c.a).ssrc_changes == 0);
	/* killed while packets flow: at most those in its hands are gone */
	uint32_t got = 0;
	for (uint16_t i = 2; i < 2002; i++) {
		end_send(c.end_a, p, make_rtp(p, i, 70));
		if (i == 1000)
			rig_kill(&rig, 0);
		if (i == 1100)
			rig_start(&rig, 0);
		usleep(50);
		while (end_receive(c.end_b, p, sizeof(p), 0) > 0)
			got++;
	}
	while (end_receive(c.end_b, p, sizeof(p), SILENCE) > 0)
		got++;
	CHECK(got <= 2000 && got >= 2000 - 64);
	call_close(&c);
}

/* two instances with one range: the second must not start, however the first gets its packets */
static void check_second(void)
{
	struct env second = { 0 };
	CHECK(relay_sockets_open(rig.config, &second) == -EADDRINUSE);
}

static bool have_ipv6(void)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	bool have = fd >= 0 && bind(fd, (void *)&sa, sizeof(sa)) == 0;
	if (fd >= 0)
		close(fd);
	return have;
}

int main(int argc, char **argv)
{
	static struct rig_plan plan = {
		.addresses = { RELAY4, "::1" }, .low = LOW, .high = LOW + 99, .signaling = 2, .media = 2
	};
	bool lookup = argc > 1 && strcmp(argv[1], "lookup") == 0;
	log_init("check_relay", LOG_TEXT, LOG_INFO, STDERR_FILENO);
	bool own = rig_namespace(1500);
	if (lookup && !own) {
		printf("skipped: the look-up program needs the right to make a network namespace\n");
		return SKIP;
	}
	if (!lookup)
		setenv("TANDEM_RELAY", "sockets", 1);
	bool ipv6 = have_ipv6();
	if (!ipv6)
		plan.addresses[1] = NULL;
	rig_open(&rig, &plan);
	if (lookup && rig.kind != RELAY_SK_LOOKUP) {
		printf("skipped: this kernel or build has no port look-up\n");
		return SKIP;
	}
	CHECK(lookup || rig.kind == RELAY_SOCKETS);
	rig_start(&rig, 0);
	rig_start(&rig, 1);
	check_both_ways();
	check_dscp();
	check_nat();
	check_mux_and_hold();
	check_large();
	if (ipv6)
		check_families();
	else
		printf("without IPv6, which this machine has not\n");
	check_death();
	check_second();
	rig_close(&rig);
	return EXIT_SUCCESS;
}
