/* Sends junk to a SIP port at a fixed rate from many source addresses, by one socket: random bytes, SIP that is cut short, requests
 * of strangers, responses to nothing, pings.
 *
 *	junk --to 127.0.0.1:5060 --from 127.0.1.1 --sources 80 --rate 20000 --seconds 5 [--kinds rtigospb]
 *
 * --from is the first of the consecutive source addresses, which must be this machine's; kinds: r random bytes, t truncated, i
 * INVITE, g REGISTER, o OPTIONS, s response, p ping, b broken headers. What comes back is read and counted. Prints one line:
 * sent, refused by the kernel, answers, seconds. */
#include "base/addr.h"
#include "base/clock.h"
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64u
#define BYTES 1400u
#define TICK_US 1000u

static struct {
	struct sockaddr_in to;
	uint32_t from, sources, rate, seconds;
	const char *kinds;
} plan = { .sources = 1, .rate = 1000, .seconds = 1, .kinds = "rtigospb" };

static uint64_t state = 0x9e3779b97f4a7c15ull;
static uint64_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static size_t request(char *p, const char *method, const char *from, uint64_t n)
{
	return (size_t)snprintf(p, BYTES,
		"%s sip:%u@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s:5060;branch=z9hG4bKj%llx;rport\r\nMax-Forwards: 70\r\n"
		"From: <sip:%u@%s>;tag=j%llx\r\nTo: <sip:%u@%s>\r\nCall-ID: %llx@%s\r\nCSeq: 1 %s\r\nContact: <sip:%u@%s:5060>\r\n"
		"Expires: 60\r\nUser-Agent: friendly-scanner\r\nContent-Length: 0\r\n\r\n",
		method, (unsigned)(n % 100000), from, from, (unsigned long long)n, (unsigned)(n % 1000), from, (unsigned long long)n,
		(unsigned)(n % 100000), from, (unsigned long long)n, from, method, (unsigned)(n % 1000), from);
}

static size_t make(char *p, uint64_t n, const char *from)
{
	uint64_t r = rnd();
	char kind = plan.kinds[n % strlen(plan.kinds)];
	size_t length;
	switch (kind) {
	case 't':
		length = request(p, "INVITE", from, r);
		return 1 + (size_t)(rnd() % length);
	case 'i':
		return request(p, "INVITE", from, r);
	case 'g':
		return request(p, "REGISTER", from, r);
	case 'o':
		return request(p, "OPTIONS", from, r);
	case 's':
		return (size_t)snprintf(p, BYTES,
			"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%llx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\n"
			"Call-ID: %llx\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
			from, (unsigned long long)r, (unsigned long long)r);
	case 'p':
		memcpy(p, "\r\n\r\n", 4);
		return rnd() % 2 ? 4 : 0;
	case 'b':
		length = request(p, "INVITE", from, r);
		for (int i = 0; i < 8; i++)
			p[rnd() % length] = (char)rnd();
		return length;
	default:
		for (size_t i = 0; i < 512; i += 8) {
			r = rnd();
			memcpy(p + i, &r, 8);
		}
		return 1 + (size_t)(rnd() % 512);
	}
}

static struct {
	char bytes[BATCH][BYTES], control[BATCH][CMSG_SPACE(sizeof(struct in_pktinfo))];
	struct iovec piece[BATCH];
	struct mmsghdr header[BATCH];
} out;

static void fill(uint32_t i, uint64_t n)
{
	uint32_t source = plan.from + (uint32_t)(n % plan.sources);
	char from[32];
	snprintf(from, sizeof from, "%u.%u.%u.%u", source >> 24, source >> 16 & 255, source >> 8 & 255, source & 255);
	out.piece[i] = (struct iovec){ out.bytes[i], make(out.bytes[i], n / plan.sources + n, from) };
	out.header[i] = (struct mmsghdr){ .msg_hdr = { .msg_name = &plan.to, .msg_namelen = sizeof plan.to, .msg_iov = &out.piece[i],
						  .msg_iovlen = 1, .msg_control = out.control[i], .msg_controllen = sizeof out.control[i] } };
	struct cmsghdr *c = CMSG_FIRSTHDR(&out.header[i].msg_hdr);
	struct in_pktinfo info = { .ipi_spec_dst.s_addr = htonl(source) };
	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof info), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO };
	memcpy(CMSG_DATA(c), &info, sizeof info);
}

static uint64_t read_answers(int fd)
{
	static char bytes[BATCH][64];
	struct iovec piece[BATCH];
	struct mmsghdr header[BATCH];
	uint64_t sum = 0;
	for (;;) {
		for (uint32_t i = 0; i < BATCH; i++) {
			piece[i] = (struct iovec){ bytes[i], sizeof bytes[i] };
			header[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &piece[i], .msg_iovlen = 1 } };
		}
		int n = recvmmsg(fd, header, BATCH, MSG_DONTWAIT, NULL);
		if (n > 0)
			sum += (uint64_t)n;
		if (n < (int)BATCH)
			return sum;
	}
}

static int run(int fd)
{
	uint64_t start = clock_us(), total = (uint64_t)plan.rate * plan.seconds, sent = 0, refused = 0, answers = 0, tick = start;
	while (sent + refused < total) {
		uint64_t due = (clock_us() - start) * plan.rate / 1000000;
		if (due > total)
			due = total;
		while (sent + refused < due) {
			uint32_t n = due - sent - refused < BATCH ? (uint32_t)(due - sent - refused) : BATCH;
			for (uint32_t i = 0; i < n; i++)
				fill(i, sent + refused + i);
			int done = sendmmsg(fd, out.header, n, 0);
			if (done > 0)
				sent += (uint64_t)done;
			else
				refused++;
		}
		answers += read_answers(fd);
		tick += TICK_US;
		struct timespec until = { (time_t)(tick / 1000000), (long)(tick % 1000000 * 1000) };
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
	}
	printf("sent %llu refused %llu answers %llu seconds %.2f\n", (unsigned long long)sent, (unsigned long long)refused,
		(unsigned long long)answers, (double)(clock_us() - start) / 1e6);
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: junk --to IP:PORT --from IP [--sources N] [--rate N] [--seconds N] [--kinds rtigospb]\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "to", 1, NULL, 't' }, { "from", 1, NULL, 'f' }, { "sources", 1, NULL, 'n' },
		{ "rate", 1, NULL, 'r' }, { "seconds", 1, NULL, 's' }, { "kinds", 1, NULL, 'k' }, { 0 } };
	struct addr to = { 0 }, from = { 0 };
	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		uint32_t number = optarg ? (uint32_t)strtoul(optarg, NULL, 10) : 0;
		if (o == 't' || o == 'f') {
			if (addr_parse(span_of(optarg), o == 't' ? &to : &from) < 0)
				return usage();
		} else if (o == 'k' && *optarg) {
			plan.kinds = optarg;
		} else if (!number) {
			return usage();
		} else {
			*(o == 'n' ? &plan.sources : o == 'r' ? &plan.rate : &plan.seconds) = number;
		}
	}
	if (to.family != 4 || from.family != 4 || !to.port)
		return usage();
	plan.to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(to.port) };
	memcpy(&plan.to.sin_addr, to.ip, 4);
	memcpy(&plan.from, from.ip, 4);
	plan.from = ntohl(plan.from);
	int fd = socket(AF_INET, SOCK_DGRAM, 0), size = 4 << 20;
	if (fd < 0)
		return 1;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	struct sockaddr_in any = { .sin_family = AF_INET };
	if (bind(fd, (struct sockaddr *)&any, sizeof any) < 0)
		return 1;
	return run(fd);
}
