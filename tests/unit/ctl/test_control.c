/* The control process as a whole, with regions of its own and the test in the supervisor's place. */
#include "base/clock.h"
#include "ctl/json.h"
#include "ctl/request.h"
#include "ctl/worker.h"
#include "shm/block.h"
#include "shm/call.h"
#include "shm/env.h"
#include "shm/messages.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const char text[] = "system: {name: sw-test, workers: {signaling: 1, media: 1}, limits: {calls: 16}}\n"
			   "sip: {listen: [\"udp:127.0.0.1:5060\"]}\n"
			   "media: {address: 127.0.0.1, ports: 20000-20019}\n"
			   "mapping_gateways:\n"
			   "  - {id: cust-a, addresses: [\"127.0.0.1\"], line_limit: 5}\n"
			   "routing_gateways:\n"
			   "  - {id: gw-a, address: \"127.0.0.1:5080\", prefixes: [\"880\"]}\n"
			   "  - {id: gw-b, address: \"127.0.0.1:5081\", prefixes: [\"880\"], enabled: off}\n";

static struct env env;
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static pid_t control;
static int boss; /* our end of its socket */

static void make_config(void)
{
	struct config_errors *errors = config_errors_new();
	struct config *c = NULL;
	size_t size;
	int fd;
	cr_assert_eq(config_compile_text("test", text, sizeof(text) - 1, errors, &c, &size), 0, "%s",
		config_errors_text(errors, 0));
	c->generation = 1;
	cr_assert_eq(image_make("config", c, size, &fd), 0);
	cr_assert_eq(image_map(fd, &env.config), 0);
	env.config.generation = 1;
	free(c);
	config_errors_free(errors);
}

static void make_regions(void)
{
	static struct region_head plan;
	static const enum role roles[] = { ROLE_SUPERVISOR, ROLE_CONTROL, ROLE_CDR, ROLE_ROUTING, ROLE_SIGNALING,
		ROLE_MEDIA };
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++)
		env.region[seat].fd = env.doorbell[seat] = -1;
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		uint32_t seat = seat_of(roles[i], 0);
		cr_assert_eq(region_plan(env.config.p, roles[i], 0, &plan), 0);
		cr_assert_eq(region_make(&plan, &env.region[seat]), 0);
		env.doorbell[seat] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	}
	const struct roster *r = region_area(&env.region[0], AREA_ROSTER);
	commit_u32(&r->state, SYSTEM_RUNNING);
	commit_u64(&r->started_ms, clock_ms());
	commit_u32(&r->seat[seat_of(ROLE_SIGNALING, 0)].state, SEAT_RUNNING);
}

static void listen_here(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/tandem-test-%d.sock", (int)getpid());
	cr_assert_eq(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(fd, 100), 0);
	env.status_socket = fd;
}

static void setup(void)
{
	int pair[2];
	make_config();
	make_regions();
	listen_here();
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	control = fork();
	if (control == 0) {
		close(pair[0]);
		env.role = ROLE_CONTROL;
		env.seat = seat_of(ROLE_CONTROL, 0);
		env.supervisor = pair[1];
		for (uint32_t seat = 0; seat < SEATS_MAX; seat++)
			region_unmap(&env.region[seat]);
		_exit(control_main(&env));
	}
	close(pair[1]);
	boss = pair[0];
}

static void teardown(void)
{
	int status;
	const struct notice stop = { .type = NOTICE_STOP };
	notice_send(boss, &stop, -1);
	cr_expect_eq(waitpid(control, &status, 0), control);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "it has not ended well: %x", status);
	unlink(address.sun_path);
}

TestSuite(control, .init = setup, .fini = teardown, .timeout = 20);

static int dial(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval limit = { .tv_sec = 5 };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	cr_assert_eq(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void say(int fd, const char *line)
{
	cr_assert_eq(send(fd, line, strlen(line), MSG_NOSIGNAL), (ssize_t)strlen(line));
}

/* the next line, without its end; "" at the end or after 5 s */
static const char *hear(int fd)
{
	static char line[1 << 20];
	size_t n = 0;
	while (n < sizeof(line) - 1 && recv(fd, line + n, 1, 0) == 1 && line[n] != '\n')
		n++;
	line[n] = 0;
	return line;
}

static struct json *ask(const char *line)
{
	char why[160];
	int fd = dial();
	say(fd, line);
	const char *answer = hear(fd);
	struct json *j = js_parse(answer, strlen(answer), why, sizeof(why));
	cr_assert(j, "%s -> %s: %s", line, answer, why);
	close(fd);
	return j;
}

static void expect_error(const char *line, const char *why)
{
	struct json *j = ask(line);
	struct span error = js_text_of(js_get(j, "error"));
	cr_expect_not(js_true(js_get(j, "ok")), "%s", line);
	cr_expect(memmem(error.p, error.n, why, strlen(why)), "%s: %.*s", line, (int)error.n, error.p);
	js_free(j);
}

/* the next notice to the supervisor that is not NOTICE_READY */
static struct notice *next_order(void)
{
	static struct notice n;
	struct pollfd p = { .fd = boss, .events = POLLIN };
	int fd;
	while (poll(&p, 1, 5000) == 1 && notice_receive(boss, &n, &fd) == 0)
		if (n.type != NOTICE_READY)
			return &n;
	cr_assert_fail("no order came");
	return NULL;
}

/* --- a call in the signalling worker's region -------------------------------------------------------------------- */

static struct uuid call_id;

static void add_text(struct call_state *s, char *block, enum call_text_id id, const char *value)
{
	s->t[id] = (struct call_text){ s->text_used, (uint32_t)strlen(value) };
	memcpy(block + s->text_used, value, strlen(value));
	s->text_used += (uint32_t)strlen(value);
}

static void make_call(uint32_t slot)
{
	const struct region *r = &env.region[seat_of(ROLE_SIGNALING, 0)];
	const struct call *c = (const struct call *)region_area(r, AREA_CALLS) + slot;
	static struct call_state s;
	struct blocks blocks;
	uint32_t handle;
	cr_assert_eq(blocks_begin(&blocks, r), 0);
	blocks_open(&blocks);
	char *block = block_alloc(&blocks, 512, &handle);
	s = (struct call_state){ .phase = CALL_UP,
		.attempt = 2,
		.answer_ms = clock_ms() - 1500,
		.answer_wall_ms = clock_wall_ms() - 1500,
		.text = handle,
		.pdd_ms = 120,
		.relayed = 1 };
	add_text(&s, block, TEXT_INGRESS, "cust-a");
	add_text(&s, block, TEXT_EGRESS, "gw-a");
	add_text(&s, block, TEXT_CALLER_IN, "4420");
	add_text(&s, block, TEXT_CALLEE_IN, "8801");
	uuid_make(clock_wall_ms(), &call_id);
	slot_claim(&c->slot);
	struct call *fresh = commit_fill(c);
	fresh->id = call_id;
	fresh->start_ms = clock_ms() - 4000;
	fresh->start_wall_ms = clock_wall_ms() - 4000;
	slot_commit(&c->slot, c->copies, sizeof(s), &s);
	slot_live(&c->slot);
	blocks_done(&blocks);
}

static void expect_text(const struct json *o, const char *key, const char *expected)
{
	struct span t = js_text_of(js_get(o, key));
	cr_expect(span_eq(t, span_of(expected)), "%s: %.*s", key, (int)t.n, t.p);
}

Test(control, status_names_every_promised_field)
{
	static const char *const keys[] = { "name", "memo", "version", "pid", "created", "access_time", "address",
		"uptime_s", "calls", "cps", "state", "steering", "offload" };
	struct json *j = ask("{\"id\":7,\"cmd\":\"status\",\"args\":{}}\n");
	const struct json *r = js_get(j, "result");
	cr_expect_eq(js_int_of(js_get(j, "id")), 7);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		cr_expect(js_get(r, keys[i]) || strcmp(keys[i], "created") == 0, "%s", keys[i]);
	expect_text(r, "name", "sw-test");
	expect_text(r, "state", "running");
	expect_text(r, "address", "127.0.0.1:5060");
	js_free(j);
}

Test(control, lists)
{
	struct json *j = ask("{\"cmd\":\"workers\"}\n");
	const struct json *list = js_get(js_get(j, "result"), "workers");
	cr_expect_eq(js_count(list), 5);
	expect_text(js_at(list, 3), "role", "signaling");
	expect_text(js_at(list, 3), "state", "running");
	js_free(j);
	j = ask("{\"cmd\":\"gateways\"}\n");
	list = js_get(js_get(j, "result"), "gateways");
	cr_assert_eq(js_count(list), 3);
	expect_text(js_at(list, 0), "kind", "mapping");
	cr_expect_eq(js_int_of(js_get(js_at(list, 0), "line_limit")), 5);
	expect_text(js_at(list, 1), "state", "up");
	expect_text(js_at(list, 2), "state", "disabled");
	js_free(j);
	j = ask("{\"cmd\":\"registrations\"}\n");
	cr_expect_eq(js_kind(js_get(js_get(j, "result"), "registrations")), JS_ARRAY);
	js_free(j);
	j = ask("{\"cmd\":\"parameters\"}\n");
	cr_expect_eq(js_count(js_get(js_get(j, "result"), "parameters")), P_COUNT);
	js_free(j);
	j = ask("{\"cmd\":\"metrics\"}\n");
	struct span metrics = js_text_of(js_get(js_get(j, "result"), "text"));
	cr_expect(memmem(metrics.p, metrics.n, "\ntandem_calls 0\n", 16));
	js_free(j);
}

Test(control, calls)
{
	make_call(3);
	struct json *j = ask("{\"cmd\":\"calls\"}\n");
	const struct json *list = js_get(js_get(j, "result"), "calls"), *o = js_at(list, 0);
	char id[UUID_TEXT + 1], line[200];
	uuid_format(&call_id, id);
	cr_assert_eq(js_count(list), 1);
	expect_text(o, "id", id);
	expect_text(o, "state", "up");
	expect_text(o, "ingress", "cust-a");
	expect_text(o, "egress", "gw-a");
	expect_text(o, "caller", "4420");
	expect_text(o, "callee", "8801");
	cr_expect_eq(js_int_of(js_get(o, "attempt")), 2);
	js_free(j);
	j = ask("{\"cmd\":\"calls\",\"args\":{\"gateway\":\"gw-a\"}}\n");
	cr_expect_eq(js_count(js_get(js_get(j, "result"), "calls")), 1);
	js_free(j);
	j = ask("{\"cmd\":\"calls\",\"args\":{\"gateway\":\"gw-b\"}}\n");
	cr_expect_eq(js_count(js_get(js_get(j, "result"), "calls")), 0);
	js_free(j);
	snprintf(line, sizeof(line), "{\"cmd\":\"call\",\"args\":{\"id\":\"%s\"}}\n", id);
	j = ask(line);
	o = js_get(j, "result");
	cr_expect_eq(js_count(js_get(o, "legs")), 2);
	cr_expect_geq(js_count(js_get(o, "history")), 2);
	expect_text(js_at(js_get(o, "legs"), 1), "gateway", "gw-a");
	js_free(j);
	expect_error("{\"cmd\":\"call\",\"args\":{\"id\":\"x\"}}\n", "UUID");
	expect_error("{\"cmd\":\"call\",\"args\":{\"id\":\"01900000-0000-7000-8000-000000000000\"}}\n", "no such call");
}

Test(control, hangup_reaches_the_owner)
{
	char id[UUID_TEXT + 1], line[200];
	struct ring_end ring;
	make_call(5);
	uuid_format(&call_id, id);
	snprintf(line, sizeof(line), "{\"cmd\":\"hangup\",\"args\":{\"id\":\"%s\"}}\n", id);
	js_free(ask(line));
	cr_assert_eq(
		ring_open(&env.region[seat_of(ROLE_CONTROL, 0)], &env.region[seat_of(ROLE_SIGNALING, 0)], &ring), 0);
	const struct ring_message *m = ring_peek(&ring);
	cr_assert(m);
	cr_expect_eq(m->type, MESSAGE_HANGUP);
	cr_expect_eq(((const struct message_call *)(m + 1))->slot, 5);
}

Test(control, damaged_records_do_no_harm)
{
	const struct call *calls = region_area(&env.region[seat_of(ROLE_SIGNALING, 0)], AREA_CALLS);
	for (uint32_t slot = 0; slot < 4; slot++) {
		make_call(slot);
		struct call_state *s = (struct call_state *)(uintptr_t)&calls[slot].copies[calls[slot].slot.commit & 1];
		if (slot == 0)
			s->text = 0xffffffff;
		else if (slot == 1)
			s->t[TEXT_CALLEE_IN] = (struct call_text){ 0xfffffff0, 0x20 };
		else if (slot == 2)
			s->text_used = UINT32_MAX;
		else
			memset(s, 0xff, sizeof(*s));
	}
	struct json *j = ask("{\"cmd\":\"calls\"}\n");
	cr_expect_eq(js_count(js_get(js_get(j, "result"), "calls")), 4);
	js_free(j);
	char id[UUID_TEXT + 1], line[200];
	uuid_format(&call_id, id);
	snprintf(line, sizeof(line), "{\"cmd\":\"call\",\"args\":{\"id\":\"%s\"}}\n", id);
	js_free(ask(line));
}

Test(control, what_is_no_request_is_answered)
{
	expect_error("hello\n", "not JSON");
	expect_error("{\"id\":1,\"cmd\":\"nonsense\"}\n", "no such command");
	expect_error("{\"id\":1,\"cmd\":\"top\"}\n", "not available in this version");
	expect_error("{\"id\":1,\"cmd\":\"log\",\"args\":{\"level\":\"loud\"}}\n", "error, warning, info or debug");
	expect_error(
		"{\"id\":1,\"cmd\":\"restart\",\"args\":{\"worker\":\"signaling/1\"}}\n", "there is no signaling/1");
	expect_error("{\"id\":1,\"cmd\":\"restart\",\"args\":{\"worker\":\"supervisor\"}}\n", "signaling/0");
	expect_error("{\"id\":1,\"cmd\":\"route\",\"args\":{\"callee\":\"1\"}}\n", "try again");
	expect_error(
		"{\"id\":1,\"cmd\":\"route\",\"args\":{\"callee\":\"1\",\"from\":\"gw-a\"}}\n", "no mapping gateway");
}

Test(control, several_requests_in_one_piece_and_one_in_many)
{
	int fd = dial();
	say(fd, "{\"id\":1,\"cmd\":\"status\"}\n\r\n{\"id\":2,\"cmd\":\"status\"}\n{\"id\":3,");
	cr_expect(strncmp(hear(fd), "{\"id\":1,\"ok\":true", 17) == 0);
	cr_expect(strncmp(hear(fd), "{\"id\":2,\"ok\":true", 17) == 0);
	say(fd, "\"cmd\":");
	usleep(20000);
	say(fd, "\"cdr\"}\n");
	cr_expect(strncmp(hear(fd), "{\"id\":3,\"ok\":true", 17) == 0);
	close(fd);
}

Test(control, a_client_that_has_said_everything_still_gets_its_answer)
{
	int fd = dial();
	say(fd, "{\"id\":1,\"cmd\":\"status\"}"); /* not even the end of the line */
	shutdown(fd, SHUT_WR);
	cr_expect(strncmp(hear(fd), "{\"id\":1,\"ok\":true", 17) == 0);
	cr_expect_str_eq(hear(fd), "", "closed afterwards");
	close(fd);
}

Test(control, too_long_a_line_ends_the_connection)
{
	int fd = dial();
	char *large = malloc(REQUEST_LINE + 1);
	memset(large, 'x', REQUEST_LINE);
	large[REQUEST_LINE] = 0;
	say(fd, large);
	cr_expect(strstr(hear(fd), "too long"));
	cr_expect_str_eq(hear(fd), "");
	free(large);
	close(fd);
}

Test(control, clients_are_bounded)
{
	int fd[64];
	for (size_t i = 0; i < 64; i++) {
		fd[i] = dial();
		say(fd[i], "{\"id\":1,\"cmd\":\"drain-not\"}\n");
		cr_assert(strstr(hear(fd[i]), "no such command"));
	}
	int more = dial();
	cr_expect(strstr(hear(more), "too many clients"));
	close(more);
	close(fd[7]);
	usleep(50000);
	struct json *j = ask("{\"cmd\":\"status\"}\n");
	cr_expect(js_true(js_get(j, "ok")), "a place is free again");
	js_free(j);
	for (size_t i = 0; i < 64; i++)
		if (i != 7)
			close(fd[i]);
}

Test(control, orders_are_answered_by_the_supervisor)
{
	static const struct {
		const char *args;
		uint32_t type;
		int64_t value;
	} rows[] = {
		{ "\"reload\"", NOTICE_RELOAD, 0 },
		{ "\"drain\"", NOTICE_DRAIN_ALL, 0 },
		{ "\"stop\"", NOTICE_SHUTDOWN, 0 },
		{ "\"stop\",\"args\":{\"now\":true}", NOTICE_SHUTDOWN, 1 },
		{ "\"log\",\"args\":{\"level\":\"debug\"}", NOTICE_LOG, LOG_DEBUG },
		{ "\"restart\",\"args\":{\"worker\":\"signaling/0\"}", NOTICE_RESTART, 5 },
		{ "\"restart\",\"args\":{\"worker\":\"cdr\"}", NOTICE_RESTART, ROLE_CDR },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char line[200];
		int fd = dial();
		snprintf(line, sizeof(line), "{\"id\":\"me\",\"cmd\":%s}\n", rows[i].args);
		say(fd, line);
		struct notice *n = next_order();
		cr_expect_eq(n->type, rows[i].type, "%s", line);
		cr_expect_eq(n->value, rows[i].value, "%s", line);
		struct notice result = { .type = NOTICE_RESULT, .serial = n->serial, .value = i ? 0 : -EINVAL };
		snprintf(result.text, sizeof(result.text), "%s", i ? "" : "file:1:1: key: wrong");
		notice_send(boss, &result, -1);
		cr_expect_str_eq(hear(fd), i ? "{\"id\":\"me\",\"ok\":true,\"result\":{}}"
					     : "{\"id\":\"me\",\"ok\":false,\"error\":\"file:1:1: key: wrong\"}");
		close(fd);
	}
}

Test(control, a_client_that_left_does_not_get_the_answer_of_another)
{
	int fd = dial();
	say(fd, "{\"id\":1,\"cmd\":\"reload\"}\n");
	struct notice result = { .type = NOTICE_RESULT, .serial = next_order()->serial };
	close(fd);
	usleep(50000);
	fd = dial();
	say(fd, "{\"id\":2,\"cmd\":\"status\"}\n");
	cr_expect(strncmp(hear(fd), "{\"id\":2,\"ok\":true", 17) == 0);
	notice_send(boss, &result, -1);
	say(fd, "{\"id\":3,\"cmd\":\"cdr\"}\n");
	cr_expect(strncmp(hear(fd), "{\"id\":3,\"ok\":true", 17) == 0);
	close(fd);
}

Test(control, subscribers)
{
	struct ring_end ring;
	struct message_event m = { .type = EVENT_CALL_ANSWER, .slot = 2, .generation = 1 };
	make_call(2);
	memcpy(m.call_id, &call_id, sizeof(m.call_id));
	int fd = dial();
	say(fd, "{\"id\":1,\"cmd\":\"subscribe\"}\n");
	cr_expect_str_eq(hear(fd), "{\"id\":1,\"ok\":true,\"result\":{}}");
	struct notice n = { .type = NOTICE_EVENT, .text = "{\"event\":\"worker.died\"}" };
	notice_send(boss, &n, -1);
	cr_expect_str_eq(hear(fd), "{\"event\":\"worker.died\"}");
	cr_assert_eq(
		ring_open(&env.region[seat_of(ROLE_SIGNALING, 0)], &env.region[seat_of(ROLE_CONTROL, 0)], &ring), 0);
	cr_assert_eq(ring_push(&ring, MESSAGE_EVENT, &m, sizeof(m), NULL, 0), 0);
	/* nobody rings its bell */
	const char *event = hear(fd);
	cr_expect(strstr(event, "\"event\":\"call.answer\""), "%s", event);
	cr_expect(strstr(event, "\"callee\":\"8801\""), "%s", event);
	close(fd);
}

Test(control, a_subscriber_that_does_not_read_is_dropped_and_harms_nobody)
{
	static struct notice n = { .type = NOTICE_EVENT };
	int fd = dial();
	say(fd, "{\"id\":1,\"cmd\":\"subscribe\"}\n");
	cr_expect_str_eq(hear(fd), "{\"id\":1,\"ok\":true,\"result\":{}}");
	memset(n.text, 'x', 7000);
	for (int i = 0; i < 1000; i++) {
		struct pollfd p = { .fd = boss, .events = POLLOUT };
		cr_assert_eq(poll(&p, 1, 5000), 1);
		notice_send(boss, &n, -1);
	}
	struct json *j = ask("{\"cmd\":\"status\"}\n");
	cr_expect(js_true(js_get(j, "ok")));
	js_free(j);
	size_t lines = 0;
	while (hear(fd)[0])
		lines++;
	cr_expect_lt(lines, 1000, "it was not dropped");
	close(fd);
}
