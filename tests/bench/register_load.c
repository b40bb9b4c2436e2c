/* Endpoints that register, as many as one core can play: REGISTER with the credentials a challenge asks for (RFC 3261 sections
 * 10 and 22), resent after 0.5 s and then ever less often (section 17.1.2), as fast as answers come with WINDOW under way.
 *
 *	register_load SERVER:PORT FIRST:PORT ACCOUNTS [WINDOW]
 *
 * Account i is called 1000000 + i, has the password "secret" and lives at the IPv4 address FIRST + i; all have one port, and one
 * socket, which is bound to the loopback device. Its Contact is an address of 10.0.0.0/8, so that it is behind NAT.
 *
 * Orders are lines of standard input, each answered by one line of JSON:
 *	register    all accounts, without credentials at first
 *	refresh     all accounts, with the last nonce and its next count
 *	keepalives SECONDS BYTES  waits until nothing has come for 2 s; then, from the first payload (what is no SIP) of BYTES bytes on,
 *	            SECONDS long: how many endpoints got one
 *	calls       how many INVITEs came so far, each of which is answered with 486 when it is for the account that lives there
 * Between orders requests are answered as well. The end of standard input is the end. */
#include "base/addr.h"
#include "base/clock.h"
#include "sip/digest.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH	   64u
#define TEXT	   2048u
#define NAME_FIRST 1000000u
#define SECOND_NS  1000000000ull
#define T1_NS	   (SECOND_NS / 2)
#define T2_NS	   (4 * SECOND_NS)
#define GIVE_UP_NS (64 * T1_NS)
#define QUIET_NS   (2 * SECOND_NS)
#define ROUNDS	   4u /* challenges that are answered, of one registration */

struct account {
	uint64_t resend_ns, begin_ns;
	uint32_t pause_ms; /* before the next resending */
	uint32_t cseq, nc;
	uint16_t rounds, payloads;
	bool authorise, under_way;
	char challenge[232]; /* the last one, as it stood; empty: none */
};

struct message { /* of a batch, with the address of ours that it is from or for */
	char text[TEXT];
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct in_pktinfo))];
	struct iovec iov;
	struct sockaddr_in peer;
};

static struct {
	int fd;
	struct sockaddr_in server;
	char server_text[ADDR_TEXT_MAX];
	uint32_t first, accounts, window; /* first: host byte order */
	uint16_t port;
	struct account *account;
	uint32_t *under_way, n_under_way; /* numbers of accounts */
	struct message in[BATCH], out[BATCH];
	struct mmsghdr in_h[BATCH], out_h[BATCH];
	uint32_t n_out;
	bool refresh;
	uint64_t done, failed, resent, challenged, invites;
	/* keep-alives */
	size_t payload_bytes;
	uint64_t payload_ns, first_ns, got, distinct, spread_ns;
	bool collecting;
} load;

static void fail(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

/* --- sending --- */

static void flush(void)
{
	for (uint32_t at = 0; at < load.n_out;) {
		int n = sendmmsg(load.fd, load.out_h + at, load.n_out - at, 0);
		if (n < 0 && errno != EINTR)
			fail("sendmmsg");
		at += n > 0 ? (uint32_t)n : 0;
	}
	load.n_out = 0;
}

/* room for one more message; `account` is whom it comes from */
static struct message *begin(uint32_t account)
{
	if (load.n_out == BATCH)
		flush();
	struct message *m = &load.out[load.n_out];
	struct in_pktinfo from = { .ipi_spec_dst.s_addr = htonl(load.first + account) };
	struct cmsghdr *c = (void *)m->control;
	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof from), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO };
	memcpy(CMSG_DATA(c), &from, sizeof from);
	return m;
}

static void end(struct message *m, size_t n, const struct sockaddr_in *to)
{
	m->peer = *to;
	m->iov = (struct iovec){ m->text, n };
	load.out_h[load.n_out] = (struct mmsghdr){ .msg_hdr = { .msg_name = &m->peer, .msg_namelen = sizeof m->peer, .msg_iov = &m->iov, .msg_iovlen = 1,
							   .msg_control = m->control, .msg_controllen = sizeof m->control } };
	load.n_out++;
}

static void credentials(struct account *a, uint32_t i, struct out *o)
{
	char name[16], cnonce[24], uri[ADDR_TEXT_MAX + 8];
	struct digest_challenge c;
	if (digest_read(span_of(a->challenge), &c) < 0)
		return;
	snprintf(name, sizeof name, "%u", NAME_FIRST + i);
	snprintf(cnonce, sizeof cnonce, "%08x%08x", a->cseq, a->nc);
	snprintf(uri, sizeof uri, "sip:%s", load.server_text);
	const struct digest_user user = { span_of(name), SPAN("secret") };
	const struct digest_request r = { SPAN("REGISTER"), span_of(uri), span_of(cnonce), a->nc };
	out_lit(o, "Authorization: ");
	digest_write(&c, &user, &r, o);
	out_lit(o, "\r\n");
}

static void send_register(uint32_t i)
{
	struct account *a = &load.account[i];
	uint32_t ip = load.first + i, name = NAME_FIRST + i;
	struct message *m = begin(i);
	int n = snprintf(m->text, TEXT,
		"REGISTER sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %u.%u.%u.%u:%u;branch=z9hG4bK%x.%x;rport\r\nMax-Forwards: 70\r\n"
		"From: <sip:%u@%s>;tag=%x\r\nTo: <sip:%u@%s>\r\nCall-ID: %08x@load\r\nCSeq: %u REGISTER\r\nUser-Agent: Some Phone 4.2.17.0\r\n"
		"Contact: <sip:%u@10.%u.%u.%u:5060>\r\nExpires: 3600\r\nContent-Length: 0\r\n",
		load.server_text, ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255, load.port, i, a->cseq, name, load.server_text, i, name,
		load.server_text, i, a->cseq, name, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
	struct out o = { m->text, (size_t)n, TEXT, false };
	if (a->authorise)
		credentials(a, i, &o);
	out_lit(&o, "\r\n");
	if (o.full)
		abort();
	end(m, o.n, &load.server);
}

static void send_first(uint32_t i, uint64_t now)
{
	struct account *a = &load.account[i];
	a->cseq++;
	a->nc += a->authorise;
	a->begin_ns = now;
	a->pause_ms = T1_NS / 1000000;
	a->resend_ns = now + T1_NS;
	send_register(i);
}

/* --- the accounts' turns --- */

static void start(uint32_t i, uint64_t now)
{
	struct account *a = &load.account[i];
	a->authorise = load.refresh && a->challenge[0];
	a->rounds = 0;
	a->under_way = true;
	load.under_way[load.n_under_way++] = i;
	send_first(i, now);
}

static void finish(uint32_t i, bool good)
{
	load.account[i].under_way = false;
	load.done += good;
	load.failed += !good;
}

/* resends what is due, gives up what is hopeless and forgets what is over */
static void look(uint64_t now)
{
	uint32_t n = 0;
	for (uint32_t k = 0; k < load.n_under_way; k++) {
		uint32_t i = load.under_way[k];
		struct account *a = &load.account[i];
		if (a->under_way && now - a->begin_ns > GIVE_UP_NS)
			finish(i, false);
		if (!a->under_way)
			continue;
		load.under_way[n++] = i;
		if (now < a->resend_ns)
			continue;
		a->pause_ms = a->pause_ms * 2 > T2_NS / 1000000 ? T2_NS / 1000000 : a->pause_ms * 2;
		a->resend_ns = now + a->pause_ms * 1000000ull;
		load.resent++;
		send_register(i);
	}
	load.n_under_way = n;
}

/* --- what comes --- */

/* value of the first header `name` ("\r\nCSeq: "), as we and every server here write it */
static struct span header(struct span m, const char *name)
{
	const char *p = memmem(m.p, m.n, name, strlen(name));
	if (!p)
		return (struct span){ 0 };
	p += strlen(name);
	const char *e = memchr(p, '\r', m.n - (size_t)(p - m.p));
	return (struct span){ p, e ? (size_t)(e - p) : 0 };
}

static void answer(uint32_t i, struct span m, uint64_t now)
{
	struct account *a = &load.account[i];
	struct span cseq = header(m, "\r\nCSeq: "), challenge = header(m, "\r\nWWW-Authenticate: ");
	int code = atoi(m.p + 8);
	if (!a->under_way || !cseq.n || strtoul(cseq.p, NULL, 10) != a->cseq || code < 200)
		return;
	if (code == 401 && challenge.n && challenge.n < sizeof a->challenge && a->rounds < ROUNDS) {
		memcpy(a->challenge, challenge.p, challenge.n);
		a->challenge[challenge.n] = 0;
		a->rounds++;
		a->nc = 0;
		a->authorise = true;
		load.challenged++;
		send_first(i, now);
		return;
	}
	if (code != 200 && load.failed < 3)
		fprintf(stderr, "register_load: %.*s\n", (int)strcspn(m.p, "\r\n"), m.p);
	finish(i, code == 200);
}

static void request(uint32_t i, struct span m, const struct sockaddr_in *from)
{
	char want[24];
	struct span via = header(m, "\r\nVia: "), caller = header(m, "\r\nFrom: "), to = header(m, "\r\nTo: "), id = header(m, "\r\nCall-ID: "),
		    cseq = header(m, "\r\nCSeq: ");
	size_t n = (size_t)snprintf(want, sizeof want, "INVITE sip:%u@", NAME_FIRST + i);
	if (m.n < n || memcmp(m.p, want, n) != 0)
		return; /* an ACK, or a call for somebody else */
	load.invites++;
	struct message *r = begin(i);
	int size = snprintf(r->text, TEXT, "SIP/2.0 486 Busy Here\r\nVia: %.*s\r\nFrom: %.*s\r\nTo: %.*s;tag=busy\r\nCall-ID: %.*s\r\nCSeq: %.*s\r\nContent-Length: 0\r\n\r\n",
		(int)via.n, via.p, (int)caller.n, caller.p, (int)to.n, to.p, (int)id.n, id.p, (int)cseq.n, cseq.p);
	if (size > 0 && size < (int)TEXT)
		end(r, (size_t)size, from);
}

static void payload(uint32_t i, size_t n, uint64_t now)
{
	if (n != load.payload_bytes)
		return;
	if (load.collecting && now - load.payload_ns > QUIET_NS && !load.first_ns)
		load.first_ns = now;
	load.payload_ns = now;
	if (!load.first_ns)
		return;
	load.got++;
	if (load.account[i].payloads++ == 0) {
		load.distinct++;
		load.spread_ns = now - load.first_ns;
	}
}

static uint32_t for_whom(struct msghdr *h)
{
	struct in_pktinfo at;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c))
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&at, CMSG_DATA(c), sizeof at);
			return ntohl(at.ipi_addr.s_addr) - load.first;
		}
	return UINT32_MAX;
}

/* how many came */
static int receive(uint64_t now)
{
	for (uint32_t k = 0; k < BATCH; k++) {
		struct message *m = &load.in[k];
		m->iov = (struct iovec){ m->text, TEXT - 1 };
		load.in_h[k] = (struct mmsghdr){ .msg_hdr = { .msg_name = &m->peer, .msg_namelen = sizeof m->peer, .msg_iov = &m->iov, .msg_iovlen = 1,
							 .msg_control = m->control, .msg_controllen = sizeof m->control } };
	}
	int n = recvmmsg(load.fd, load.in_h, BATCH, MSG_DONTWAIT, NULL);
	if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNREFUSED)
		fail("recvmmsg");
	for (int k = 0; k < n; k++) {
		struct message *m = &load.in[k];
		struct span s = { m->text, load.in_h[k].msg_len };
		uint32_t i = for_whom(&load.in_h[k].msg_hdr);
		m->text[s.n] = 0;
		if (i >= load.accounts)
			continue;
		if (s.n > 12 && memcmp(s.p, "SIP/2.0 ", 8) == 0)
			answer(i, s, now);
		else if (memmem(s.p, s.n, " SIP/2.0\r\n", 10))
			request(i, s, &m->peer);
		else
			payload(i, s.n, now);
	}
	return n;
}

/* waits for at most `ms`, and works off what came */
static void turn(int ms)
{
	struct pollfd p = { .fd = load.fd, .events = POLLIN };
	flush();
	if (receive(clock_read_ns(CLOCK_MONOTONIC)) <= 0 && poll(&p, 1, ms) < 0 && errno != EINTR)
		fail("poll");
	flush();
}

/* --- orders --- */

static double seconds(uint64_t ns)
{
	return (double)ns / (double)SECOND_NS;
}

static void order_register(bool refresh)
{
	uint64_t t = clock_read_ns(CLOCK_MONOTONIC), now = t, looked = t, cpu = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID), last_done = 0;
	load.refresh = refresh;
	load.done = load.failed = load.resent = load.challenged = 0;
	for (uint32_t next = 0; next < load.accounts || load.n_under_way;) {
		uint64_t open = next - load.done - load.failed;
		for (; next < load.accounts && open < load.window && load.n_under_way < 2 * load.window; open++)
			start(next++, now);
		turn(10);
		now = clock_read_ns(CLOCK_MONOTONIC);
		if (now - looked > SECOND_NS / 50 || load.n_under_way == 2 * load.window || next == load.accounts) {
			look(looked = now);
			flush();
		}
		if (load.done + load.failed == load.accounts && !last_done)
			last_done = now;
	}
	double s = seconds((last_done ? last_done : now) - t);
	printf("{\"registered\": %llu, \"failed\": %llu, \"resent\": %llu, \"challenged\": %llu, \"seconds\": %.3f, \"per_s\": %.0f, \"load\": %.2f}\n",
		(unsigned long long)load.done, (unsigned long long)load.failed, (unsigned long long)load.resent, (unsigned long long)load.challenged, s,
		(double)load.done / s, seconds(clock_read_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu) / s);
}

static void order_keepalives(unsigned period, unsigned bytes)
{
	uint64_t now = clock_read_ns(CLOCK_MONOTONIC), give_up = now + 2 * period * SECOND_NS + QUIET_NS;
	for (uint32_t i = 0; i < load.accounts; i++)
		load.account[i].payloads = 0;
	load.got = load.distinct = load.first_ns = load.spread_ns = 0;
	load.payload_bytes = bytes;
	load.payload_ns = now; /* quiet begins now at the earliest */
	load.collecting = true;
	/* a little less than the period, so that the next pass does not come in */
	while (load.first_ns ? now - load.first_ns < period * SECOND_NS - SECOND_NS / 4 : now < give_up) {
		turn(50);
		now = clock_read_ns(CLOCK_MONOTONIC);
	}
	load.collecting = false;
	printf("{\"endpoints\": %llu, \"payloads\": %llu, \"missing\": %llu, \"first_to_last_s\": %.2f}\n", (unsigned long long)load.distinct,
		(unsigned long long)load.got, (unsigned long long)(load.accounts - load.distinct), seconds(load.spread_ns));
	load.first_ns = 0;
}

static bool order(char *line)
{
	unsigned period, bytes;
	line[strcspn(line, "\n")] = 0;
	if (!strcmp(line, "register") || !strcmp(line, "refresh"))
		order_register(!strcmp(line, "refresh"));
	else if (!strcmp(line, "calls"))
		printf("{\"calls\": %llu}\n", (unsigned long long)load.invites);
	else if (sscanf(line, "keepalives %u %u", &period, &bytes) == 2)
		order_keepalives(period, bytes);
	else
		return false;
	fflush(stdout);
	return true;
}

static void open_socket(const struct addr *first)
{
	struct sockaddr_storage sa;
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(load.port) };
	int yes = 1, room = 64 << 20;
	addr_to_sockaddr(first, &sa);
	load.first = ntohl(((struct sockaddr_in *)&sa)->sin_addr.s_addr);
	load.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (load.fd < 0 || setsockopt(load.fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) < 0 || setsockopt(load.fd, IPPROTO_IP, IP_PKTINFO, &yes, sizeof yes) < 0 ||
	    bind(load.fd, (struct sockaddr *)&any, sizeof any) < 0)
		fail("socket");
	if (setsockopt(load.fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0)
		setsockopt(load.fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
}

int main(int argc, char **argv)
{
	struct addr server, first;
	char line[128];
	if (argc < 4 || argc > 5 || addr_parse(span_of(argv[1]), &server) < 0 || addr_parse(span_of(argv[2]), &first) < 0 || server.family != 4 ||
	    first.family != 4) {
		fprintf(stderr, "usage: register_load SERVER:PORT FIRST:PORT ACCOUNTS [WINDOW]\n");
		return 2;
	}
	struct sockaddr_storage sa;
	addr_to_sockaddr(&server, &sa);
	memcpy(&load.server, &sa, sizeof load.server);
	snprintf(load.server_text, sizeof load.server_text, "%s", argv[1]);
	load.port = first.port;
	load.accounts = (uint32_t)strtoul(argv[3], NULL, 10);
	load.window = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : 256;
	load.account = calloc(load.accounts, sizeof *load.account);
	load.under_way = calloc(2ul * load.window, sizeof *load.under_way);
	if (!load.accounts || !load.window || !load.account || !load.under_way)
		return 2;
	open_socket(&first);
	struct pollfd p[] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = load.fd, .events = POLLIN } };
	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			fail("poll");
		if (p[1].revents)
			turn(0);
		if (p[0].revents && (!fgets(line, sizeof line, stdin) || !order(line)))
			return 0;
	}
}
