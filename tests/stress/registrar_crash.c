/* The registrar is killed at its first, second, third... store to shared memory while it registers, is challenged, refreshes and
 * takes back; a successor takes over at once and is sometimes killed in turn. The upstream's script sees to it that nothing shows:
 * one Call-ID and From tag, CSeq rising by one for each request, a nonce count never used for two of them, no request twice but by
 * its resend time or because its sender died before it could note that it was sent - and in the end it is registered, or taken back, as it was to be.
 *
 * TANDEM_LONG=1 in the environment: every point; else every k-th, beginning at another one each time. */
#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "registrar/worker.h"
#include "shm/messages.h"
#include "shm/registration.h"
#include "world.h"
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef TANDEM_CRASHPOINTS
#error "to be built with crash points"
#endif

#define STRIDE	  7u
#define MESSAGE	  8192u
#define RESEND_MS 100u
#define EARLY_MS  15u  /* by which a resend may come too soon: it is seen later than it was sent */

struct request {
	char text[MESSAGE];
	size_t n;
	uint64_t at;
};

static struct env env;
static struct addr sip, upstream;
static int upstream_socket, boss;
static pid_t child;
static unsigned deaths, nonce;
static bool unmarked; /* its sender died before the record said that it was sent: its successor cannot know */
static uint64_t total;
static struct ring_end to_registrar;
static struct request last;
static unsigned last_cseq;
static char call_id[64], from[128];
static uint32_t used_nc[4096]; /* highest nonce count of each nonce */

/* --- the world --- */

static int open_socket(struct addr *ret_addr)
{
	struct sockaddr_storage sa;
	struct addr a;
	CHECK(!addr_parse(SPAN("127.0.0.1"), &a), "address");
	socklen_t n = addr_to_sockaddr(&a, &sa);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	CHECK(fd >= 0 && !bind(fd, (struct sockaddr *)&sa, n) && !getsockname(fd, (struct sockaddr *)&sa, &n), "socket");
	addr_from_sockaddr((struct sockaddr *)&sa, ret_addr);
	return fd;
}

static void make_config(void)
{
	char text[2048];
	struct config_errors *errors = config_errors_new();
	struct config *c;
	size_t size;
	int fd;
	snprintf(text, sizeof text,
		"system: {name: test, run_dir: /tmp, workers: {signaling: 1, media: 1}, limits: {calls: 1, registrations: 2}}\n"
		"sip: {listen: [\"udp:127.0.0.1:%u\"]}\nmedia: {address: 127.0.0.1, ports: 30000-30003}\n"
		"parameters: {SS_SIP_RESEND_INTERVAL: \"0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1\"}\n"
		"registrations: [{id: up, proxy: \"udp:127.0.0.1:%u\", domain: carrier.example, username: u, password: p}]\n",
		sip.port, upstream.port);
	CHECK(config_compile_text("test.yaml", text, strlen(text), errors, &c, &size) == 0, "%s", config_errors_count(errors) ? config_errors_text(errors, 0) : "?");
	config_errors_free(errors);
	c->generation = 1;
	CHECK(!image_make("config", c, size, &fd) && !image_map(fd, &env.config), "image");
	env.config.generation = 1;
	free(c);
}

static void make_world(void)
{
	static const enum role roles[] = { ROLE_SUPERVISOR, ROLE_CONTROL, ROLE_REGISTRAR, ROLE_SIGNALING };
	int pair[2];
	env.sip[0][0] = open_socket(&sip);
	env.n_listen = 1;
	upstream_socket = open_socket(&upstream);
	make_config();
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++)
		env.doorbell[seat] = -1;
	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
		struct region_head plan;
		uint32_t seat = seat_of(roles[i], 0);
		CHECK(!region_plan(env.config.p, roles[i], 0, &plan) && !region_make(&plan, &env.region[seat]), "region of %s", role_name(roles[i]));
		env.doorbell[seat] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	}
	struct roster *roster = (struct roster *)(uintptr_t)region_area(&env.region[0], AREA_ROSTER);
	roster->state = SYSTEM_RUNNING;
	roster->token_key = (struct hash_key){ 3, 4 };
	memcpy(roster->instance, "test", 4);
	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), "socketpair");
	boss = pair[0];
	env.supervisor = pair[1];
	env.role = ROLE_REGISTRAR;
	env.seat = seat_of(ROLE_REGISTRAR, 0);
	env.raw4 = env.raw6 = env.status_socket = env.http_socket = -1;
	CHECK(!ring_open(&env.region[seat_of(ROLE_SIGNALING, 0)], &env.region[env.seat], &to_registrar), "ring");
	log_init("test", LOG_TEXT, LOG_ERROR, 2);
}

static void set_system(enum system_state state)
{
	((struct roster *)(uintptr_t)region_area(&env.region[0], AREA_ROSTER))->state = state;
}

static void start(uint64_t at)
{
	pid_t parent = getpid();
	fflush(NULL);
	child = fork();
	CHECK(child >= 0, "fork");
	if (child)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	close(boss);
	crash_count = 0;
	crash_at = at;
	int code = registrar_main(&env);
	fflush(NULL);
	_exit(code);
}

static void tell_stop(void)
{
	static const struct notice n = { .type = NOTICE_STOP };
	CHECK(!notice_send(boss, &n, -1), "stop");
}

/* --- the upstream --- */

static void header(const char *text, const char *name, char *to, size_t cap)
{
	char begin[64];
	snprintf(begin, sizeof begin, "\r\n%s: ", name);
	const char *at = strstr(text, begin);
	to[0] = 0;
	if (!at)
		return;
	at += strlen(begin);
	size_t n = strcspn(at, "\r");
	CHECK(n < cap, "%s too long", name);
	memcpy(to, at, n);
	to[n] = 0;
}

static void check_nonce(const char *text)
{
	char line[MESSAGE];
	unsigned which, nc;
	header(text, "Authorization", line, sizeof line);
	if (!line[0])
		return;
	const char *a = strstr(line, "nonce=\"n"), *b = strstr(line, "nc=");
	CHECK(a && b && sscanf(a, "nonce=\"n%u\"", &which) == 1 && sscanf(b, "nc=%x", &nc) == 1, "%s", line);
	which %= sizeof used_nc / sizeof *used_nc;
	CHECK(nc == used_nc[which] + 1, "nonce count %u after %u", nc, used_nc[which]);
	used_nc[which] = nc;
}

/* A datagram from the registrar: a new request, or the last one again. true: a new one */
static bool take(struct request *m)
{
	char value[MESSAGE];
	ssize_t n = recv(upstream_socket, m->text, sizeof m->text - 1, MSG_DONTWAIT);
	if (n < 0)
		return false;
	m->n = (size_t)n;
	m->text[n] = 0;
	m->at = clock_ms();
	header(m->text, "CSeq", value, sizeof value);
	unsigned cseq = (unsigned)atoi(value);
	if (cseq == last_cseq) {
		CHECK(m->n == last.n && memcmp(m->text, last.text, m->n) == 0, "two requests of CSeq %u:\n%s\n%s", cseq, last.text, m->text);
		CHECK(m->at + EARLY_MS >= last.at + RESEND_MS || unmarked, "sent again after %llu ms", (unsigned long long)(m->at - last.at));
		last.at = m->at;
		unmarked = false;
		return true;
	}
	CHECK(cseq == last_cseq + 1, "CSeq %u after %u", cseq, last_cseq);
	last_cseq = cseq;
	last = *m;
	unmarked = false;
	header(m->text, "Call-ID", value, sizeof value);
	CHECK(!call_id[0] || strcmp(call_id, value) == 0, "Call-ID %s after %s", value, call_id);
	snprintf(call_id, sizeof call_id, "%.63s", value);
	header(m->text, "From", value, sizeof value);
	CHECK(!from[0] || strcmp(from, value) == 0, "From %s after %s", value, from);
	snprintf(from, sizeof from, "%.127s", value);
	check_nonce(m->text);
	return true;
}

static void answer(const struct request *m, unsigned code, const char *lines)
{
	static const char *const names[] = { "Via", "From", "Call-ID", "CSeq" };
	static char text[3 * MESSAGE];
	char value[MESSAGE];
	size_t n = (size_t)snprintf(text, sizeof text, "SIP/2.0 %u Answer\r\n", code);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		header(m->text, names[i], value, sizeof value);
		n += (size_t)snprintf(text + n, sizeof text - n, "%s: %s\r\n", names[i], value);
	}
	header(m->text, "To", value, sizeof value);
	n += (size_t)snprintf(text + n, sizeof text - n, "To: %s;tag=up\r\n%sContent-Length: 0\r\n\r\n", value, lines);
	struct message_datagram h = { .source = upstream };
	uint64_t one = 1;
	CHECK(!ring_push(&to_registrar, MESSAGE_DATAGRAM, &h, sizeof h, text, n), "ring");
	CHECK(write(env.doorbell[env.seat], &one, sizeof one) == sizeof one, "bell");
}

/* --- the script --- */

enum step { CHALLENGE, GRANT, IGNORE };
static void react(const struct request *m, enum step s)
{
	char lines[256];
	if (s == IGNORE)
		return;
	if (s == CHALLENGE)
		snprintf(lines, sizeof lines, "WWW-Authenticate: Digest realm=\"r\", nonce=\"n%u\", stale=true, qop=\"auth\"\r\n", ++nonce);
	else
		snprintf(lines, sizeof lines, "Expires: 600\r\n");
	if (s == CHALLENGE)
		used_nc[nonce % (sizeof used_nc / sizeof *used_nc)] = 0;
	answer(m, s == CHALLENGE ? 401 : 200, lines);
}

static bool alive(void)
{
	int status;
	pid_t r = waitpid(child, &status, WNOHANG);
	CHECK(r >= 0, "waitpid");
	if (!r)
		return true;
	child = 0;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
		deaths++;
		total++;
		return false;
	}
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the registrar ended by itself: status %x", status);
	return false;
}

static void state(struct registration_state *ret_state)
{
	const struct registration *r = registration_at(&env, registration_find(&env, SPAN("up"), 0));
	uint32_t generation = 0;
	memset(ret_state, 0, sizeof *ret_state);
	if (r)
		CHECK(slot_read(&r->slot, r->copies, sizeof *ret_state, &generation, ret_state) != -EBUSY, "busy");
}

static bool is_unmarked(const struct registration_state *s)
{
	return (int32_t)(s->send_commit - registration_at(&env, registration_find(&env, SPAN("up"), 0))->slot.sent) > 0;
}

/* Answers by `steps` until the record is in `phase` with no request under way; a dead registrar has successors. `ended`: until it has
 * ended in order. */
static void live_through(const enum step *steps, size_t n, enum registration_phase phase, bool ended)
{
	static struct request m;
	static struct registration_state s;
	uint64_t until = clock_ms() + 10000;
	unsigned seen = last_cseq;
	size_t at = 0;
	for (;;) {
		struct pollfd p = { .fd = upstream_socket, .events = POLLIN };
		poll(&p, 1, 1);
		CHECK(clock_ms() < until, "no end: phase %u, request %u, CSeq %u", s.phase, s.request, last_cseq);
		while (take(&m)) {
			at += last_cseq != seen;
			seen = last_cseq;
			CHECK(at <= n, "one request too many:\n%s", m.text);
			react(&m, steps[at ? at - 1 : 0]);
		}
		bool lives = alive();
		while (!lives && take(&m)) { /* its last words */
			at += last_cseq != seen;
			seen = last_cseq;
			CHECK(at <= n, "one request too many:\n%s", m.text);
			react(&m, steps[at ? at - 1 : 0]);
		}
		state(&s);
		if (!lives) {
			bool well = ended && s.phase == REGISTRATION_UNREGISTERED && s.leave == LEAVE_STOP;
			if (well && !s.request && at == n)
				return;
			unmarked |= s.request && is_unmarked(&s);
			start(deaths % 3 == 1 ? total * 37 % 1500 + 1 : 0); /* the first successor dies, too */
			if (ended)
				tell_stop();
		}
		if (!ended && at == n && s.phase == phase && !s.request)
			return;
	}
}

static void order(void)
{
	/* as control would: by its ring; here the signalling worker's does as well */
	uint64_t one = 1;
	CHECK(!ring_push(&to_registrar, MESSAGE_REGISTER, "up", 2, NULL, 0), "ring");
	CHECK(write(env.doorbell[env.seat], &one, sizeof one) == sizeof one, "bell");
}

/* A whole life; true: nobody died. The entry is there already from the second one on: what the last stop took back comes again. */
static bool live(uint64_t n)
{
	static const enum step first[] = { CHALLENGE, GRANT }, refresh[] = { CHALLENGE, GRANT }, leave[] = { CHALLENGE, GRANT };
	static struct registration_state s;
	deaths = 0;
	set_system(SYSTEM_RUNNING);
	start(n);
	live_through(first, 2, REGISTRATION_REGISTERED, false);
	order();
	unsigned before = last_cseq;
	live_through(refresh, 2, REGISTRATION_REGISTERED, false);
	CHECK(last_cseq == before + 2, "CSeq %u after %u", last_cseq, before);
	set_system(SYSTEM_DRAINING);
	tell_stop();
	live_through(leave, 2, REGISTRATION_UNREGISTERED, true);
	state(&s);
	CHECK(s.error[0] == 0 && !s.expires_ms, "taken back: %s", s.error);
	/* notices that nobody was there to read */
	static struct notice notice;
	int fd;
	while (notice_receive(env.supervisor, &notice, &fd) == 0)
		;
	return !deaths;
}

int main(void)
{
	bool all = getenv("TANDEM_LONG") != NULL;
	uint64_t stride = all ? 1 : STRIDE, n = all ? 1 : 1 + (uint64_t)getpid() % STRIDE, points = 0;
	make_world();
	for (; !live(n); n += stride)
		points++;
	printf("%llu points up to %llu, %llu deaths, CSeq %u\n", (unsigned long long)points, (unsigned long long)n, (unsigned long long)total, last_cseq);
	CHECK(n > 300, "too few points: is every store one?");
	return 0;
}
