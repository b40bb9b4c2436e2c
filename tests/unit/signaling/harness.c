#include "harness.h"
#include "base/clock.h"
#include "config/config.h"
#include "shm/block.h"
#include "shm/call.h"
#include "shm/capacity.h"
#include "shm/counters.h"
#include "shm/location.h"
#include "shm/media.h"
#include "shm/messages.h"
#include "signaling/core.h"
#include "signaling/media_pool.h"
#include "signaling/worker.h"
#include "tables/route.h"
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEAKED 7 /* exit code of a worker that ended with something not given back */

/* --- making the world --- */

static void write_config(char *text, size_t cap, const struct harness *h, const struct harness_options *o)
{
	char caller[ADDR_TEXT_MAX], gateway[ADDR_TEXT_MAX];
	addr_format(o->caller, false, caller, sizeof caller);
	size_t n = (size_t)snprintf(text, cap,
		"system: {name: test, run_dir: /tmp, workers: {signaling: 1, media: 1}, limits: {calls: %u, endpoints: 1000}}\n"
		"sip: {listen: [\"udp:127.0.0.1:%u\"]}\n"
		"media: {address: 127.0.0.1, ports: %s, proxy: %s}\n"
		"parameters: {%s}\n%s\n"
		"mapping_gateways: [{id: customer, addresses: [\"%s\"]%s}]\n"
		"routing_gateways:\n",
		o->calls ? o->calls : 64, h->sip.port, o->ports ? o->ports : "20000-20199", o->media ? o->media : "off",
		o->parameters ? o->parameters : "", o->sections ? o->sections : "", caller, o->customer ? o->customer : "");
	for (unsigned i = 0; i < o->gateways; i++) {
		addr_format(o->gateway[i], false, gateway, sizeof gateway);
		n += (size_t)snprintf(text + n, cap - n, "  - {id: gw-%c, address: \"%s\", prefixes: [\"1\"], priority: %u%s%s}\n", 'a' + i, gateway,
			10 + i, o->each ? o->each : "", o->keys[i] ? o->keys[i] : "");
	}
	CHECK(n < cap, "configuration too long");
}

static struct config *compile(const struct harness *h, const struct harness_options *o, size_t *ret_size)
{
	static char text[16384];
	struct config_errors *errors = config_errors_new();
	struct config *c;
	write_config(text, sizeof text, h, o);
	int r = config_compile_text("test.yaml", text, strlen(text), errors, &c, ret_size);
	CHECK(r == 0, "%s\n%s", config_errors_count(errors) ? config_errors_text(errors, 0) : "?", text);
	config_errors_free(errors);
	c->generation = 1;
	if (o->silent)
		c->param[P_SS_REPLY_UNAUTHORIZED] = 0;
	return c;
}

static void make_images(struct harness *h, const struct harness_options *o, uint64_t generation)
{
	size_t size;
	struct config *c = compile(h, o, &size);
	c->generation = generation;
	struct routes *routes;
	int fd;
	CHECK(!image_make("config", c, size, &fd) && !image_map(fd, &h->env.config), "configuration image");
	h->env.config.generation = c->generation;
	CHECK(!routes_build(c, generation, &routes, &size), "routes");
	CHECK(!image_make("routes", routes, size, &fd) && !image_map(fd, &h->env.routes), "route image");
	h->env.routes.generation = generation;
	free(routes);
	free(c);
	h->c = h->env.config.p;
}

static void make_roster(struct harness *h)
{
	struct roster *r = (struct roster *)(uintptr_t)h->env.roster;
	r->started_ms = clock_ms();
	r->started_wall_ms = clock_wall_ms();
	r->state = SYSTEM_RUNNING;
	r->steering = STEERING_RING;
	r->token_key = (struct hash_key){ 0x0123456789abcdefull ^ (uint64_t)getpid(), 0xfedcba9876543210ull };
	memcpy(r->instance, "test", 4);
}

static void make_regions(struct harness *h)
{
	static const enum role roles[] = { ROLE_SUPERVISOR, ROLE_CONTROL, ROLE_CDR, ROLE_SIGNALING, ROLE_MEDIA };
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++)
		h->env.doorbell[seat] = -1;
	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
		struct region_head plan;
		uint32_t seat = seat_of(roles[i], 0);
		CHECK(!region_plan(h->c, roles[i], 0, &plan) && !region_make(&plan, &h->env.region[seat]), "region of %s", role_name(roles[i]));
		h->env.doorbell[seat] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	}
	h->env.roster = region_area(&h->env.region[seat_of(ROLE_SUPERVISOR, 0)], AREA_ROSTER);
	h->head = h->env.region[seat_of(ROLE_SIGNALING, 0)].head;
	make_roster(h);
}

static void make_sockets(struct harness *h)
{
	struct sockaddr_storage sa;
	socklen_t n;
	int pair[2], wanted = 4 << 20;
	CHECK(!addr_parse(SPAN("127.0.0.1"), &h->sip), "address");
	n = addr_to_sockaddr(&h->sip, &sa);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	CHECK(fd >= 0 && !bind(fd, (struct sockaddr *)&sa, n) && !getsockname(fd, (struct sockaddr *)&sa, &n), "socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &wanted, sizeof wanted);
	addr_from_sockaddr((struct sockaddr *)&sa, &h->sip);
	h->env.sip[0][0] = fd;
	h->env.n_listen = 1;
	h->env.raw4 = h->env.raw6 = h->env.status_socket = h->env.http_socket = -1;
	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), "socketpair");
	h->boss = pair[0];
	h->env.supervisor = pair[1];
}

void harness_make(struct harness *h, const struct harness_options *o)
{
	*h = (struct harness){ 0 };
	make_sockets(h);
	make_images(h, o, 1);
	make_regions(h);
	h->env.role = ROLE_SIGNALING;
	h->env.index = 0;
	h->env.seat = seat_of(ROLE_SIGNALING, 0);
	log_init("test", LOG_TEXT, LOG_ERROR, 2);
}

void harness_register(struct harness *h, const char *account, const struct harness_contact *at, unsigned n)
{
	static struct location l;
	static struct location_set set;
	static char uri[LOCATION_CONTACTS][ADDR_TEXT_MAX + 16];
	uint32_t record;
	CHECK(!h->pid && n <= LOCATION_CONTACTS, "a worker writes its table itself");
	CHECK(!location_open(&l, &h->env.region[seat_of(ROLE_SIGNALING, 0)]), "location table");
	memset(&set, 0, sizeof set);
	for (unsigned i = 0; i < n; i++) {
		char where[ADDR_TEXT_MAX];
		addr_format(at[i].addr, false, where, sizeof where);
		snprintf(uri[i], sizeof uri[i], "sip:phone@%s", where);
		set.at[i].b = (struct location_binding){ .expires_ms = clock_ms() + 600000, .registered_ms = clock_ms(), .first_ms = clock_ms(),
			.q = (uint16_t)at[i].q, .source = *at[i].addr, .target = *at[i].addr, .behind_nat = at[i].behind_nat };
		set.at[i].text[LOCATION_URI] = span_of(at[i].uri ? at[i].uri : uri[i]);
		if (at[i].path)
			set.at[i].text[LOCATION_PATH] = span_of(at[i].path);
	}
	set.n = n;
	CHECK(!location_put(&l, span_of(account), &set, &record), "contacts of %s", account);
	location_done(&l);
}

/* --- the worker --- */

/* What a worker that ends in order still holds, though no call is left. */
static int held(struct env *e)
{
	struct sig *g = e->context;
	blocks_settle(&g->blocks);
	uint32_t all = 0;
	for (uint32_t i = 0; i < g->n_legs; i++)
		all += slot_pair(g->c, 0, i) < media_pairs(g->c);
	if (g->live || g->reserved || g->n_free_call != g->n_calls)
		fprintf(stderr, "worker: %u calls live, %u reserved, %u of %u slots free\n", g->live, g->reserved, g->n_free_call, g->n_calls);
	else if (blocks_in_use(&g->blocks) || media_pool_free(g) != all)
		fprintf(stderr, "worker: %u blocks in use, %u of %u port pairs free\n", blocks_in_use(&g->blocks), media_pool_free(g), all);
	else if (g->txns.used || g->merges.used)
		fprintf(stderr, "worker: indexes hold %u transactions, %u INVITEs\n", g->txns.used, g->merges.used);
	else
		return 0;
	return LEAKED;
}

void harness_fork(struct harness *h, uint64_t at)
{
	pid_t parent = getpid();
	CHECK(!h->pid, "there is one");
	fflush(NULL);
	h->pid = fork();
	CHECK(h->pid >= 0, "fork");
	if (h->pid)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	close(h->boss);
#ifdef TANDEM_CRASHPOINTS
	crash_count = 0;
	crash_at = at;
#else
	(void)at;
#endif
	int code = signaling_main(&h->env);
	code = code ? code : held(&h->env);
	fflush(NULL);
	_exit(code); /* what the test's process has registered for its own end is not the worker's */
}

void harness_start(struct harness *h, uint64_t at)
{
	uint64_t before = h->head->incarnation, until = clock_ms() + 10000;
	harness_fork(h, at);
	while (__atomic_load_n(&h->head->ready, __ATOMIC_ACQUIRE) <= before && harness_alive(h)) {
		CHECK(clock_ms() < until, "the worker does not come into service");
		usleep(200);
	}
}

bool harness_alive(struct harness *h)
{
	int status;
	pid_t r = waitpid(h->pid, &status, WNOHANG);
	CHECK(r >= 0, "waitpid");
	if (!r)
		return true;
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the worker ended by itself: status %x", status);
	h->pid = 0;
	return false;
}

void harness_kill(struct harness *h)
{
	int status;
	kill(h->pid, SIGKILL);
	CHECK(waitpid(h->pid, &status, 0) == h->pid, "waitpid");
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the worker ended by itself: status %x", status);
	h->pid = 0;
}

void harness_leave_blocks(struct harness *h, uint32_t n)
{
	struct sig *g; /* the worker's; it is a fork of this process */
	uint32_t left[BLOCK_CLASSES] = { [3] = n };
	struct iovec here = { &g, sizeof g }, there = { &h->env.context, sizeof g };
	CHECK(process_vm_readv(h->pid, &here, 1, &there, 1, 0) == sizeof g, "process_vm_readv");
	here = (struct iovec){ left, sizeof left };
	there = (struct iovec){ g->blocks.n_free, sizeof left };
	CHECK(process_vm_writev(h->pid, &here, 1, &there, 1, 0) == sizeof left, "process_vm_writev");
}

void harness_drain(struct harness *h)
{
	static const struct notice n = { .type = NOTICE_DRAIN };
	CHECK(!notice_send(h->boss, &n, -1), "drain");
}

void harness_order_stop(struct harness *h, bool now)
{
	static struct notice n = { .type = NOTICE_STOP };
	n.value = now;
	CHECK(!notice_send(h->boss, &n, -1), "stop");
}

void harness_await_stop(struct harness *h)
{
	int status = 0;
	uint64_t until = clock_ms() + 5000;
	while (waitpid(h->pid, &status, WNOHANG) == 0) {
		CHECK(clock_ms() < until, "the worker does not stop");
		usleep(1000);
	}
	h->pid = 0;
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the worker's end: status %x", status);
}

void harness_reload(struct harness *h, const struct harness_options *o)
{
	static struct notice n = { .type = NOTICE_CONFIG };
	uint64_t generation = h->env.config.generation + 1;
	make_images(h, o, generation);
	n.value = (int64_t)generation;
	if (!h->pid)
		return;
	CHECK(!notice_send(h->boss, &n, h->env.config.fd), "configuration");
	n.type = NOTICE_ROUTES;
	CHECK(!notice_send(h->boss, &n, h->env.routes.fd), "routes");
	usleep(100000);
}

void harness_hang_up(struct harness *h)
{
	uint32_t n, control = seat_of(ROLE_CONTROL, 0);
	const struct region *r = &h->env.region[seat_of(ROLE_SIGNALING, 0)];
	const struct call *calls = region_area(r, AREA_CALLS);
	struct ring_end ring;
	uint64_t one = 1;
	n = region_count(r, AREA_CALLS);
	CHECK(!ring_open(&h->env.region[control], r, &ring), "ring");
	for (uint32_t i = 0; i < n; i++) {
		struct message_call m = { .slot = i, .generation = calls[i].slot.generation };
		if (calls[i].slot.state == SLOT_LIVE)
			CHECK(!ring_push(&ring, MESSAGE_HANGUP, &m, sizeof m, NULL, 0), "push");
	}
	CHECK(write(h->env.doorbell[seat_of(ROLE_SIGNALING, 0)], &one, sizeof one) == sizeof one, "doorbell");
}

/* --- what it leaves behind --- */

static const void *area(const struct harness *h, enum area a, uint32_t *ret_n)
{
	const struct region *r = &h->env.region[seat_of(ROLE_SIGNALING, 0)];
	*ret_n = region_count(r, a);
	return region_area(r, a);
}

unsigned harness_calls(const struct harness *h)
{
	uint32_t n, used = 0;
	const struct call *calls = area(h, AREA_CALLS, &n);
	for (uint32_t i = 0; i < n; i++)
		used += __atomic_load_n(&calls[i].slot.state, __ATOMIC_ACQUIRE) != SLOT_FREE;
	return used;
}

/* where a call hangs */
static void print_calls(const struct harness *h)
{
	uint32_t n;
	const struct call *calls = area(h, AREA_CALLS, &n);
	for (uint32_t i = 0; i < n; i++) {
		const struct call_state *s = slot_now(&calls[i].slot, calls[i].copies, sizeof *s);
		if (calls[i].slot.state == SLOT_FREE)
			continue;
		fprintf(stderr, "call slot %u: slot state %u, phase %u, attempt %u, reason %u\n", i, calls[i].slot.state, s->phase, s->attempt, s->reason);
		for (unsigned t = 0; t < CALL_TXNS; t++)
			if (s->txn[t].state != TXN_FREE)
				fprintf(stderr, "  %s method %u leg %u state %u flags %u code %u ends in %lld ms\n", s->txn[t].server ? "server" : "client",
					s->txn[t].method, s->txn[t].leg, s->txn[t].state, s->txn[t].flags, s->txn[t].code,
					s->txn[t].end_ms ? (long long)(s->txn[t].end_ms - clock_ms()) : -1);
	}
}

static void must_be_free(const struct harness *h)
{
	uint32_t n;
	const struct media_leg *legs = area(h, AREA_MEDIA_LEGS, &n);
	for (uint32_t i = 0; i < n; i++)
		CHECK(legs[i].slot.state == SLOT_FREE, "port pair %u is not free", i);
	const struct capacity_cell *cells = area(h, AREA_CAPACITY, &n);
	for (uint32_t i = 0; i < n; i++)
		CHECK(cells[i].calls == 0, "capacity cell %u: %u calls", i, cells[i].calls);
	const struct account_cell *accounts = area(h, AREA_ACCOUNTS, &n);
	for (uint32_t i = 0; i < n; i++)
		CHECK(accounts[i].calls == 0, "account %u: %u calls", i, accounts[i].calls);
}

void harness_idle(struct harness *h, unsigned ms)
{
	uint64_t until = clock_ms() + ms;
	while (harness_calls(h)) {
		if (clock_ms() > until)
			print_calls(h);
		CHECK(clock_ms() <= until, "%u calls are not over", harness_calls(h));
		usleep(500);
	}
	must_be_free(h);
}

void harness_finish(struct harness *h)
{
	harness_idle(h, 3000);
	if (h->pid) {
		harness_order_stop(h, false);
		harness_await_stop(h);
	}
	/* an adopter finds the same */
	harness_start(h, 0);
	must_be_free(h);
	harness_order_stop(h, false);
	harness_await_stop(h);
}

/* --- records --- */

const struct journal_entry *harness_record(struct harness *h)
{
	uint32_t n;
	const struct journal *j = area(h, AREA_JOURNAL, &n);
	const struct journal_ack *acks = region_area(&h->env.region[seat_of(ROLE_CDR, 0)], AREA_ACKS);
	if (h->read == __atomic_load_n(&j->tail, __ATOMIC_ACQUIRE))
		return NULL;
	const struct journal_entry *e = journal_at(j, h->read);
	CHECK(e->sequence == h->read, "entry %llu says %llu", (unsigned long long)h->read, (unsigned long long)e->sequence);
	h->read++;
	commit_release_u64(&acks[0].sequence, h->read);
	return e;
}

bool record_text_is(const struct journal_entry *e, struct journal_text t, const char *text)
{
	return span_eq((struct span){ e->text + t.at, t.n }, span_of(text));
}

void record_must(const struct journal_entry *e, bool final, unsigned attempt, unsigned code, const char *reason)
{
	CHECK(e, "no record where one of attempt %u, %s was expected", attempt, reason);
	const char *got = end_reason_info(e->reason)->text;
	CHECK(e->final == final && e->attempt == attempt && e->code == code && strcmp(got, reason) == 0,
		"record: final %u attempt %u code %u \"%s\" instead of %u %u %u \"%s\"", e->final, e->attempt, e->code, got, final, attempt, code, reason);
}

uint64_t harness_counter(const struct harness *h, unsigned counter)
{
	return __atomic_load_n(&h->head->counter[counter], __ATOMIC_RELAXED);
}
