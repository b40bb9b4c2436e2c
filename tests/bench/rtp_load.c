/* RTP load for the relay benchmark: CALLS calls, each a stream of 50 packets a second (172 bytes) both ways, from one socket per
 * side, so that one core can fill another. Call i goes to the relay's ports LOW + 4i (from A) and LOW + 4i + 2 (from B), as
 * relay_driver allots them. One warm-up second, SECONDS measured; one line of JSON on stdout.
 *
 *	rtp_load CALLS SECONDS A RELAY_A B RELAY_B LOW [PID [NETNS_A NETNS_B]]
 * A and B are ip:port to send from; PID is the relay's, for its CPU time; the namespaces are names of `ip netns`. */
#include "base/addr.h"
#include "base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#define BATCH	  64u
#define PACKET	  172u
#define RATE	  50u	  /* packets a second of each stream */
#define TICK_NS	  200000u /* packets that are due are sent so often */
#define SECOND_NS 1000000000u
#define BUCKET_NS 1000u
#define BUCKETS	  50000u
#define MAGIC	  0x74616e64u

struct payload { /* behind the RTP header */
	uint64_t sent_ns;
	uint32_t magic, measured;
};

struct side {
	int fd;
	struct sockaddr_storage relay;
	socklen_t relay_size;
	uint16_t *sequence; /* by call */
	struct mmsghdr message[BATCH];
	struct iovec iov[BATCH];
	struct sockaddr_storage to[BATCH];
	uint8_t packet[BATCH][PACKET];
	uint32_t n;
};

static struct {
	uint32_t calls, low;
	struct side side[2];
	bool measuring;
	uint64_t sent, received, refused;
	uint64_t histogram[BUCKETS + 1];
} load;

static void fail(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static struct addr parse(const char *text)
{
	struct addr a;
	if (addr_parse(span_of(text), &a) < 0) {
		fprintf(stderr, "rtp_load: not an address: %s\n", text);
		exit(EXIT_FAILURE);
	}
	return a;
}

static void enter(const char *netns)
{
	char path[256];
	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		fail(path);
	close(fd);
}

static void open_side(struct side *s, const char *from, const char *relay)
{
	struct sockaddr_storage sa;
	struct addr a = parse(from), r = parse(relay);
	socklen_t n = addr_to_sockaddr(&a, &sa);
	int bytes = 32 << 20;
	s->fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&sa, n) < 0)
		fail(from);
	if (setsockopt(s->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	s->relay_size = addr_to_sockaddr(&r, &s->relay);
	s->sequence = calloc(load.calls, sizeof(*s->sequence));
	if (!s->sequence)
		fail("rtp_load");
	for (uint32_t i = 0; i < BATCH; i++) {
		s->to[i] = s->relay;
		s->iov[i] = (struct iovec){ s->packet[i], PACKET };
		s->message[i].msg_hdr = (struct msghdr){
			.msg_name = &s->to[i], .msg_namelen = s->relay_size, .msg_iov = &s->iov[i], .msg_iovlen = 1
		};
	}
}

static void flush(struct side *s)
{
	for (uint32_t i = 0; i < s->n;) {
		int n = sendmmsg(s->fd, &s->message[i], s->n - i, 0);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			load.refused++;
		i += n > 0 ? (uint32_t)n : 1;
	}
	s->n = 0;
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void send_packet(struct side *s, uint32_t call)
{
	uint8_t *p = s->packet[s->n];
	uint16_t sequence = s->sequence[call]++, which = s != &load.side[0];
	uint32_t ts = sequence * 160u;
	struct payload y = { .sent_ns = clock_ns(), .magic = MAGIC, .measured = load.measuring };
	struct addr to;
	addr_from_sockaddr((struct sockaddr *)&s->relay, &to);
	to.port = (uint16_t)(load.low + 4 * call + 2u * which);
	addr_to_sockaddr(&to, &s->to[s->n]);
	p[0] = 0x80;
	put16(p + 2, sequence);
	put16(p + 4, ts >> 16);
	put16(p + 6, ts & 0xffff);
	put16(p + 8, which);
	put16(p + 10, call);
	memcpy(p + 12, &y, sizeof(y));
	load.sent += load.measuring;
	if (++s->n == BATCH)
		flush(s);
}

static void receive(struct side *s)
{
	static uint8_t packet[BATCH][PACKET];
	static struct iovec iov[BATCH];
	static struct mmsghdr m[BATCH];
	for (uint32_t i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ packet[i], PACKET };
		m[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	int n = recvmmsg(s->fd, m, BATCH, MSG_DONTWAIT, NULL);
	uint64_t now = clock_ns();
	for (int i = 0; i < n; i++) {
		struct payload y;
		memcpy(&y, packet[i] + 12, sizeof(y));
		if (m[i].msg_len != PACKET || y.magic != MAGIC || !y.measured)
			continue;
		uint64_t bucket = (now - y.sent_ns) / BUCKET_NS;
		load.histogram[bucket < BUCKETS ? bucket : BUCKETS]++;
		load.received++;
	}
	if (n == (int)BATCH)
		receive(s);
}

static uint64_t percentile(double p)
{
	uint64_t sum = 0, want = (uint64_t)((double)load.received * p);
	for (uint32_t i = 0; i <= BUCKETS; i++) {
		sum += load.histogram[i];
		if (sum > want)
			return i * BUCKET_NS / 1000;
	}
	return BUCKETS * BUCKET_NS / 1000;
}

/* nanoseconds on a CPU so far */
static uint64_t cpu_ns(int pid)
{
	char path[64];
	unsigned long long ns = 0;
	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	FILE *f = pid > 0 ? fopen(path, "r") : NULL;
	if (f) {
		if (fscanf(f, "%llu", &ns) != 1)
			ns = 0;
		fclose(f);
	}
	return ns;
}

static void run(uint64_t until)
{
	static uint64_t start, due;
	static uint32_t next;
	uint64_t packets_per_second = (uint64_t)load.calls * RATE * 2, now;
	if (!start)
		start = clock_ns();
	while ((now = clock_ns()) < until) {
		uint64_t target = (now - start) / 1000 * packets_per_second / 1000000;
		for (; due < target; due++) {
			send_packet(&load.side[next & 1], next / 2);
			next = next + 1 == 2 * load.calls ? 0 : next + 1;
		}
		for (int i = 0; i < 2; i++) {
			flush(&load.side[i]);
			receive(&load.side[i]);
		}
		struct timespec rest = { .tv_nsec = TICK_NS };
		nanosleep(&rest, NULL);
	}
}

static void drain(uint64_t ns)
{
	for (uint64_t until = clock_ns() + ns; clock_ns() < until; usleep(500))
		for (int i = 0; i < 2; i++)
			receive(&load.side[i]);
}

int main(int argc, char **argv)
{
	if (argc < 8) {
		fprintf(stderr, "usage: rtp_load CALLS SECONDS A RELAY_A B RELAY_B LOW [PID [NETNS_A NETNS_B]]\n");
		return EXIT_FAILURE;
	}
	load.calls = (uint32_t)strtoul(argv[1], NULL, 10);
	load.low = (uint32_t)strtoul(argv[7], NULL, 10);
	uint64_t measured_ns = strtoul(argv[2], NULL, 10) * (uint64_t)SECOND_NS;
	int pid = argc > 8 ? (int)strtol(argv[8], NULL, 10) : 0;
	if (load.calls == 0 || load.low + 4 * load.calls > 65536) {
		fprintf(stderr, "rtp_load: %u calls do not fit above port %u\n", load.calls, load.low);
		return EXIT_FAILURE;
	}
	for (int i = 0; i < 2; i++) {
		if (argc > 10)
			enter(argv[9 + i]);
		open_side(&load.side[i], argv[3 + 2 * i], argv[4 + 2 * i]);
	}
	run(clock_ns() + SECOND_NS);
	load.measuring = true;
	uint64_t cpu = cpu_ns(pid), began = clock_ns();
	run(began + measured_ns);
	cpu = cpu_ns(pid) - cpu;
	uint64_t took = clock_ns() - began;
	load.measuring = false;
	drain(SECOND_NS / 2);
	printf("{\"calls\": %u, \"sent\": %llu, \"received\": %llu, \"loss_percent\": %.4f, \"refused\": %llu, "
	       "\"relay_ns_per_packet\": %.0f, \"relay_cpu_percent\": %.1f, \"latency_us_p50\": %llu, "
	       "\"latency_us_p99\": %llu}\n",
		load.calls, (unsigned long long)load.sent, (unsigned long long)load.received,
		load.sent ? 100.0 * (double)(load.sent - load.received) / (double)load.sent : 0.0,
		(unsigned long long)load.refused, load.received ? (double)cpu / (double)load.received : 0.0,
		100.0 * (double)cpu / (double)took, (unsigned long long)percentile(0.5),
		(unsigned long long)percentile(0.99));
	return load.received == load.sent ? EXIT_SUCCESS : 2;
}
