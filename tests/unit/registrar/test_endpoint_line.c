#include "registrar/endpoint_line.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

static struct config *c;
static char text[ENDPOINT_LINE_MAX];
static struct location_contact in[LOCATION_CONTACTS], got[LOCATION_CONTACTS];
static const struct endpoint_clock clock_then = { .wall_ms = 1700000000000, .mono_ms = 5000000 };

static void setup(void)
{
	static const char yaml[] = "sip: {listen: [\"udp:127.0.0.1:5060\", \"udp:127.0.0.1:5062\"]}\n";
	struct config_errors *e = config_errors_new();
	size_t size;
	cr_assert_eq(config_compile_text("a.yaml", yaml, sizeof yaml - 1, e, &c, &size), 0);
	config_errors_free(e);
}
static void teardown(void)
{
	free(c);
}
TestSuite(endpoint_line, .init = setup, .fini = teardown);

static void fill(struct location_contact *at, const char *account, const char *uri)
{
	memset(at, 0, sizeof *at);
	at->account = span_of(account);
	at->uri = span_of(uri);
	at->path = SPAN("<sip:edge;lr>, <sip:b>");
	at->instance = SPAN("<urn:uuid:\t1>");
	at->user_agent = SPAN("a \\ phone\r\n\x80");
	at->binding = (struct location_binding){ .expires_ms = 5300000, .registered_ms = 4999000, .first_ms = 1000, .call_id = UINT64_MAX, .cseq = 77,
		.reg_id = 3, .q = 500, .listen = 1, .behind_nat = 1, .source = { { 10, 1, 2, 3 }, 5066, 4, 0 }, .target = { { 0 }, 5061, 6, 0 } };
	at->binding.target.ip[15] = 1;
}

static struct span write_line(uint32_t n)
{
	struct out o = out_init(text, sizeof text);
	endpoint_line_write(&o, c, &clock_then, (struct endpoint_key){ 3, 4711 }, in, n);
	cr_assert_not(o.full);
	cr_assert_eq(o.p[o.n - 1], '\n');
	cr_assert_eq(memchr(o.p, '\n', o.n - 1), NULL);
	return (struct span){ o.p, o.n - 1 };
}

Test(endpoint_line, comes_back_as_it_went)
{
	struct endpoint_key key;
	uint32_t n;
	fill(&in[0], "10\\01", "sip:1001@10.0.0.1;x=\t");
	fill(&in[1], "10\\01", "sip:b");
	in[1].path = in[1].instance = in[1].user_agent = (struct span){ "", 0 };
	struct span line = write_line(2);
	cr_assert_eq(endpoint_line_key(line, &key), 0);
	cr_expect_eq(key.worker, 3);
	cr_expect_eq(key.record, 4711);
	cr_assert_eq(endpoint_line_read(line, c, &clock_then, got, &n), 0);
	cr_assert_eq(n, 2);
	for (uint32_t i = 0; i < 2; i++) {
		struct location_binding b = in[i].binding;
		b.n[0] = (uint16_t)in[i].uri.n, b.n[1] = (uint16_t)in[i].path.n, b.n[2] = (uint16_t)in[i].instance.n, b.n[3] = (uint16_t)in[i].user_agent.n;
		cr_expect_eq(memcmp(&got[i].binding, &b, sizeof b), 0);
		cr_expect(span_eq(got[i].account, in[i].account));
		cr_expect(span_eq(got[i].uri, in[i].uri));
		cr_expect(span_eq(got[i].path, in[i].path));
		cr_expect(span_eq(got[i].instance, in[i].instance));
		cr_expect(span_eq(got[i].user_agent, in[i].user_agent));
	}
}

Test(endpoint_line, a_free_record)
{
	uint32_t n = 9;
	struct span line = write_line(0);
	cr_assert_eq(endpoint_line_read(line, c, &clock_then, got, &n), 0);
	cr_expect_eq(n, 0);
}

/* ten minutes later, on a machine that has just started */
Test(endpoint_line, times_follow_the_wall_clock)
{
	struct endpoint_clock later = { clock_then.wall_ms + 200000, 60000 };
	uint32_t n;
	fill(&in[0], "a", "sip:a");
	cr_assert_eq(endpoint_line_read(write_line(1), c, &later, got, &n), 0);
	cr_expect_eq(got[0].expires_ms, 60000 + 100000);
	cr_expect_eq(got[0].binding.registered_ms, 1, "before the machine started");
}

Test(endpoint_line, a_listening_address_that_is_gone)
{
	struct endpoint_clock now = clock_then;
	uint32_t n;
	fill(&in[0], "a", "sip:a");
	in[0].binding.listen = 7;
	cr_assert_eq(endpoint_line_read(write_line(1), c, &now, got, &n), 0);
	cr_expect_eq(got[0].listen, LISTEN_MAX);
}

/* every byte that is changed or missing is noticed */
Test(endpoint_line, damage_is_noticed)
{
	uint32_t n;
	fill(&in[0], "1001", "sip:1001@10.0.0.1");
	struct span line = write_line(1);
	for (size_t i = 0; i < line.n; i++) {
		text[i] ^= 1;
		cr_expect_eq(endpoint_line_read(line, c, &clock_then, got, &n), -EBADMSG, "byte %zu", i);
		text[i] ^= 1;
		cr_expect_eq(endpoint_line_read((struct span){ line.p, i }, c, &clock_then, got, &n), -EBADMSG, "%zu bytes", i);
	}
	cr_expect_eq(endpoint_line_read(line, c, &clock_then, got, &n), 0);
}

Test(endpoint_line, the_longest_fits)
{
	static char big[LOCATION_URI_MAX];
	uint32_t n;
	memset(big, '\\', sizeof big);
	for (uint32_t i = 0; i < LOCATION_CONTACTS; i++) {
		fill(&in[i], "", "");
		in[i].account = (struct span){ big, LOCATION_ACCOUNT_MAX };
		in[i].uri = (struct span){ big, LOCATION_URI_MAX };
		in[i].path = (struct span){ big, LOCATION_PATH_MAX };
		in[i].instance = (struct span){ big, LOCATION_INSTANCE_MAX };
		in[i].user_agent = (struct span){ big, LOCATION_USER_AGENT_MAX };
	}
	struct span line = write_line(LOCATION_CONTACTS);
	cr_assert_eq(endpoint_line_read(line, c, &clock_then, got, &n), 0);
	cr_expect_eq(n, LOCATION_CONTACTS);
	cr_expect_eq(got[9].user_agent.n, LOCATION_USER_AGENT_MAX);
}
