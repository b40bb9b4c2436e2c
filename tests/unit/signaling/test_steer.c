/* Steering: the rule in user space, and the kernel's program against it over real sockets on loopback. */
#include "signaling/steer.h"
#include "sip/token.h"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define WORKERS 3u

static const char instance[8] = "ab2z";
static const struct hash_key key = { 1, 2 };
static uint8_t partition[STEER_PARTITIONS];

static void fill_partition(void)
{
	for (unsigned i = 0; i < STEER_PARTITIONS; i++)
		partition[i] = (uint8_t)(i * 7 / 5 % WORKERS);
}

static uint32_t worker(const char *text)
{
	fill_partition();
	return steer_worker(text, strlen(text), partition, instance, WORKERS);
}

static uint32_t hashed(const char *call_id)
{
	fill_partition();
	return partition[steer_hash(call_id, strlen(call_id))];
}

Test(steer, spellings)
{
	static const char *const with[] = {
		"INVITE sip:a SIP/2.0\r\nCall-ID: abc@d\r\n\r\n",
		"INVITE sip:a SIP/2.0\r\nVia: x\r\ncALL-id:abc@d\r\n\r\n",
		"INVITE sip:a SIP/2.0\nCALL-ID : \t abc@d \nVia: x\n\n",
		"INVITE sip:a SIP/2.0\r\ni:abc@d\r\n\r\n",
		"INVITE sip:a SIP/2.0\r\nI : abc@d\r\n\r\n",
		"INVITE sip:a SIP/2.0\r\nCall-ID:\r\n abc@d\r\n\r\n",
		"INVITE sip:a SIP/2.0\r\nIn-Reply-To: zz\r\nCSeq: 1 A\r\nCall-Info: y\r\nCall-IDx: z\r\nCall-ID: abc@d",
	};
	for (size_t i = 0; i < sizeof(with) / sizeof(with[0]); i++)
		cr_expect_eq(worker(with[i]), hashed("abc@d"), "%s", with[i]);
}

Test(steer, unknown)
{
	static const char *const without[] = {
		"",
		"\r\n\r\n",
		"Call-ID: abc\r\n",
		"INVITE sip:a SIP/2.0\r\nVia: x\r\n\r\nCall-ID: abc\r\n",
		"INVITE sip:a SIP/2.0\r\nVia: x\r\n",
		"INVITE sip:a SIP/2.0\r\nCall-ID",
		"INVITE sip:a SIP/2.0\r\nCall-ID:",
		"INVITE sip:a SIP/2.0\r\nCall-ID: \r\n\r\n",
		"INVITE sip:a SIP/2.0\r\nCall-ID abc\r\n\r\n",
		"INVITE sip:a SIP/2.0\r\ni\r\n\r\n",
		"INVITE sip:a SIP/2.0\r\n",
	};
	for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++)
		cr_expect_eq(worker(without[i]), UINT32_MAX, "%s", without[i]);
}

/* a message whose Call-ID header begins `at` bytes after the start */
static size_t padded(char *buf, size_t at, const char *call_id)
{
	size_t n = (size_t)sprintf(buf, "INVITE sip:a SIP/2.0\r\nX: ");
	while (n < at - 2)
		buf[n++] = 'x';
	return n + (size_t)sprintf(buf + n, "\r\nCall-ID: %s\r\n\r\n", call_id);
}

Test(steer, reach)
{
	char buf[8192];
	fill_partition();
	size_t n = padded(buf, STEER_SCAN_BYTES, "abc");
	cr_expect_eq(steer_worker(buf, n, partition, instance, WORKERS), hashed("abc"));
	n = padded(buf, STEER_SCAN_BYTES + 1, "abc");
	cr_expect_eq(steer_worker(buf, n, partition, instance, WORKERS), UINT32_MAX);
}

Test(steer, our_own)
{
	fill_partition();
	for (unsigned w = 0; w < WORKERS + 2; w++) {
		char text[200] = "BYE sip:a SIP/2.0\r\nCall-ID: ";
		size_t n = strlen(text);
		n += call_id_make(&key, instance, &(struct token){ (uint8_t)w, 0, 5, 6 }, text + n);
		memcpy(text + n, "\r\n\r\n", 4);
		cr_expect_eq(steer_worker(text, n + 4, partition, instance, WORKERS), w < WORKERS ? w : UINT32_MAX);
		cr_expect_eq(steer_worker(text, n, partition, instance, WORKERS), w < WORKERS ? w : UINT32_MAX);
	}
}

/* ---- the kernel ---- */

struct group {
	int in[WORKERS], out;
	unsigned first[WORKERS]; /* how many came to each */
};

static int bound_socket(struct sockaddr_in *to)
{
	int one = 1, fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	socklen_t n = sizeof(*to);
	cr_assert_geq(fd, 0);
	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)to, sizeof(*to)), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)to, &n), 0);
	return fd;
}

static void open_group(struct group *g)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	fill_partition();
	for (unsigned i = 0; i < WORKERS; i++)
		g->in[i] = bound_socket(&to);
	g->out = socket(AF_INET, SOCK_DGRAM, 0);
	cr_assert_eq(connect(g->out, (struct sockaddr *)&to, sizeof(to)), 0);
	int r = steer_attach(g->in, WORKERS, partition, instance);
	if (r == -ENOTSUP)
		cr_skip_test("built without BPF");
	if (r == -EPERM)
		cr_skip_test("may not load BPF programs");
	cr_assert_eq(r, 0, "%s", strerror(-r));
}

/* On loopback the datagram is in its socket when send() returns. */
static unsigned arrives_at(struct group *g, const char *data, size_t n)
{
	static char in[70000];
	unsigned at = WORKERS;
	cr_assert_eq(send(g->out, data, n, 0), (ssize_t)n);
	for (unsigned i = 0; i < WORKERS; i++) {
		ssize_t got = recv(g->in[i], in, sizeof(in), 0);
		if (got < 0)
			continue;
		cr_assert(at == WORKERS && (size_t)got == n && memcmp(in, data, n) == 0);
		at = i;
	}
	cr_assert_neq(at, WORKERS, "lost");
	g->first[at]++;
	return at;
}

static void check(struct group *g, const char *data, size_t n)
{
	uint32_t wanted = steer_worker(data, n, partition, instance, WORKERS);
	unsigned got = arrives_at(g, data, n);
	cr_expect(wanted == got || wanted == UINT32_MAX, "wanted %u, came to %u: %.*s", wanted, got, (int)n, data);
}

static size_t compose(char *buf, unsigned i, const char *call_id, size_t id_n)
{
	static const char *const names[] = { "Call-ID: ", "call-id:", "CALL-ID \t : ", "i:", "I: ", "Call-ID:\r\n  " };
	static const char *const ends[] = { "\r\n\r\n", "\n\n", " \t\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n", "" };
	size_t n = (size_t)sprintf(buf, "INVITE sip:a@b SIP/2.0\r\nCSeq: %u INVITE\r\nX: ", i);
	for (size_t pad = i * 13 % 1900; pad; pad--) {
		buf[n] = n % 37 == 0 && pad > 1 ? '\n' : n % 37 == 1 ? 'c' : 'x';
		n++;
	}
	n += (size_t)sprintf(buf + n, "\r\n%s", names[i % 6]);
	memcpy(buf + n, call_id, id_n);
	n += id_n;
	return n + (size_t)sprintf(buf + n, "%s", ends[i % 5]);
}

Test(steer, kernel_does_the_same_for_foreign_ids)
{
	struct group g = { 0 };
	char buf[8192], id[256];
	open_group(&g);
	srand(1);
	for (unsigned i = 0; i < 6000; i++) {
		size_t id_n = 1 + (size_t)rand() % (i % 3 ? 40 : 200);
		for (size_t k = 0; k < id_n; k++)
			id[k] = (char)('!' + rand() % 94);
		size_t n = compose(buf, i, id, id_n);
		cr_assert_neq(steer_worker(buf, n, partition, instance, WORKERS), UINT32_MAX, "%.*s", (int)n, buf);
		check(&g, buf, n);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		cr_expect(g.first[i] > 1500, "worker %u got %u of 6000", i, g.first[i]);
}

Test(steer, kernel_does_the_same_for_our_ids)
{
	struct group g = { 0 };
	char buf[8192], id[CALL_ID_TEXT];
	open_group(&g);
	for (unsigned i = 0; i < 3000; i++) {
		call_id_make(&key, instance, &(struct token){ (uint8_t)(i % (WORKERS + 1)), (uint8_t)i, i, i * 7 }, id);
		if (i % 2)
			for (size_t k = 0; k < sizeof(id); k++)
				id[k] = (char)(id[k] >= 'a' && id[k] <= 'z' ? id[k] - 32 : id[k]);
		check(&g, buf, compose(buf, i, id, sizeof(id)));
	}
}

Test(steer, kernel_at_the_edges)
{
	struct group g = { 0 };
	static char buf[66000];
	open_group(&g);
	for (size_t at = 30; at < 2300; at++)
		check(&g, buf, padded(buf, at, "an-id@example.com"));
	size_t whole = padded(buf, 100, "abcdefgh");
	for (size_t n = 1; n <= whole; n++)
		check(&g, buf, n);
	static const char *const odd[] = { "x", "\r\n\r\n", "\n\n\n\n\n\n\n\n\n\n", "a\nb\nd\ne\nf\ng\nh\nj\nk\ni:x\nl",
		"INVITE sip:a SIP/2.0\r\nCall-ID \r\n\r\n",
		"INVITE sip:a SIP/2.0\r\nCall-ID:                       far\r\n\r\n" };
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		check(&g, odd[i], strlen(odd[i]));
	whole = padded(buf, 500, "a-large-one");
	memset(buf + whole, 'x', 60000 - whole);
	check(&g, buf, 60000);
}

/* A socket is in one map only: what is attached stays as it is. */
Test(steer, attaching_again)
{
	struct group g = { 0 };
	char buf[512];
	uint8_t other[STEER_PARTITIONS] = { 0 };
	open_group(&g);
	cr_expect_eq(steer_attach(g.in, WORKERS, other, instance), -EBUSY);
	for (unsigned i = 0; i < 50; i++)
		check(&g, buf, (size_t)sprintf(buf, "BYE sip:a SIP/2.0\r\nCall-ID: %u\r\n\r\n", i));
}

Test(steer, bad_arguments)
{
	int r = steer_attach(NULL, 0, partition, instance);
	cr_expect(r == -EINVAL || r == -ENOTSUP);
}
