#include "sample.h"
#include "shm/env.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* --- what a supervisor does: two seats that talk, control and cdr ------------------------------------------------ */
static struct env e, other;
static int boss[2];
static unsigned rings, turns, configs, routings, drains, stops, notices;
static uint32_t last_type, expected_type;

static void supervise(void)
{
	struct config c = sample_config();
	memset(&e, 0, sizeof e);
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++)
		e.doorbell[seat] = -1;
	const enum role roles[] = { ROLE_SUPERVISOR, ROLE_CONTROL, ROLE_CDR };
	for (unsigned i = 0; i < 3; i++) {
		uint32_t seat = seat_of(roles[i], 0);
		cr_assert_eq(sample_region(roles[i], 0, &e.region[seat]), 0);
		e.doorbell[seat] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	}
	int fd;
	cr_assert_eq(image_make("config", &c, sizeof c, &fd), 0);
	cr_assert_eq(image_map(fd, &e.config), 0);
	e.config.generation = c.generation;
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, boss), 0);
	e.supervisor = boss[1];
}

static void sit(struct env *who, enum role role)
{
	who->role = role;
	who->index = 0;
	who->seat = seat_of(role, 0);
	cr_assert_eq(env_start(who), 0);
}

static void on_ring(struct env *who, uint32_t from, const struct ring_message *m)
{
	cr_assert_eq(from, seat_of(ROLE_CONTROL, 0));
	cr_assert_eq(m->type, expected_type);
	expected_type++;
	last_type = m->type;
	if (++rings == 200)
		loop_stop(&who->loop, 0);
}
static void on_turn(struct env *who)
{
	cr_assert_lt(++turns, 1000, "does not come to an end");
	(void)who;
}
static void on_config(struct env *who)
{
	cr_assert_not_null(env_config(who, who->config.generation));
	configs++;
}
static void on_routes(struct env *who)
{
	(void)who, routings++;
}
static void on_drain(struct env *who)
{
	(void)who, drains++;
}
static void on_stop(struct env *who, bool now)
{
	stops += now ? 10 : 1;
	loop_stop(&who->loop, 3);
}
static void on_notice(struct env *who, const struct notice *n)
{
	(void)who;
	cr_assert_eq(n->type, NOTICE_RESULT);
	cr_assert_str_eq(n->text, "fine");
	notices++;
}

static unsigned mappings_of(const char *name)
{
	char line[4096];
	unsigned n = 0;
	FILE *f = fopen("/proc/self/maps", "r");
	while (fgets(line, sizeof line, f))
		n += strstr(line, name) != NULL;
	fclose(f);
	return n;
}

static void tell(uint32_t type, int64_t value, const char *text, int fd)
{
	struct notice n = { .type = type, .value = value };
	strcpy(n.text, text);
	cr_assert_eq(notice_send(boss[0], &n, fd), 0);
}

Test(env, start_maps_what_the_seat_may_write, .init = supervise)
{
	sit(&e, ROLE_CDR);
	uint32_t cdr = seat_of(ROLE_CDR, 0), control = seat_of(ROLE_CONTROL, 0);
	cr_assert(e.region[cdr].writable);
	cr_assert_not(e.region[control].writable);
	cr_assert_null(e.region[seat_of(ROLE_SIGNALING, 0)].head);
	cr_assert_eq(e.roster, region_area(&e.region[0], AREA_ROSTER));
	cr_assert_eq(e.region[cdr].head->incarnation, 1);
	cr_assert_eq(e.region[cdr].head->ready, 0);
	cr_assert_gt(e.region[cdr].head->heartbeat_ms, 0);
	cr_assert_eq(e.region[cdr].head->config_generation, 1);
	cr_assert_eq(env_push(&e, seat_of(ROLE_ROUTING, 0), 1, NULL, 0, NULL, 0), -ENOENT);
	env_ready(&e);
	cr_assert_eq(e.region[cdr].head->ready, 1);
	struct notice n;
	int fd;
	cr_assert_eq(notice_receive(boss[0], &n, &fd), 0);
	cr_assert_eq(n.type, NOTICE_READY);
	cr_assert_eq(fd, -1);
	env_done(&e);
	cr_assert_null(e.region[cdr].head);
}

Test(env, a_region_of_another_seat_is_refused, .init = supervise)
{
	uint32_t cdr = seat_of(ROLE_CDR, 0), control = seat_of(ROLE_CONTROL, 0);
	int fd = e.region[cdr].fd;
	e.region[cdr].fd = e.region[control].fd;
	e.region[control].fd = fd;
	e.role = ROLE_CDR;
	e.seat = cdr;
	cr_assert_eq(env_start(&e), -EPROTO);
	e.seat = SEATS_MAX;
	cr_assert_eq(env_start(&e), -EINVAL);
}

Test(env, a_damaged_neighbour_does_not_keep_one_from_starting, .init = supervise)
{
	uint32_t control = seat_of(ROLE_CONTROL, 0);
	log_init("test", LOG_TEXT, LOG_ERROR, open("/dev/null", O_WRONLY));
	commit_u64(&e.region[control].head->magic, 0);
	sit(&e, ROLE_CDR);
	cr_assert_null(e.region[control].head);
	cr_assert_eq(env_push(&e, control, 1, NULL, 0, NULL, 0), -ENOENT);
	env_done(&e);
}

Test(env, rings_are_drained_in_batches, .init = supervise)
{
	struct env before = e;
	sit(&e, ROLE_CDR);
	e.on_ring = on_ring;
	e.on_turn = on_turn;
	other = before;
	other.config = (struct image){ 0 };
	other.supervisor = -1;
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++)
		other.region[seat].head = NULL;
	sit(&other, ROLE_CONTROL);
	for (uint32_t i = 0; i < 200; i++)
		cr_assert_eq(env_push(&other, seat_of(ROLE_CDR, 0), i, &i, 4, "payload", 7), 0);
	/* the first pushed and died before it rang: its successor rings */
	env_done(&other);
	memcpy(&other.region, &before.region, sizeof other.region);
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++)
		other.region[seat].head = NULL;
	sit(&other, ROLE_CONTROL);
	cr_assert_eq(other.region[other.seat].head->incarnation, 2);
	uint64_t n;
	read(e.doorbell[e.seat], &n, sizeof n); /* e's own kick of the start */
	other.on_turn = NULL;
	loop_stop(&other.loop, 0);
	other.loop.stop = false;
	other.loop.hook(&other.loop);
	cr_assert_eq(read(e.doorbell[e.seat], &n, sizeof n), sizeof n);
	cr_assert_eq(write(e.doorbell[e.seat], &n, sizeof n), sizeof n);
	cr_assert_eq(env_run(&e), 0);
	cr_assert_eq(rings, 200);
	cr_assert_eq(last_type, 199);
	cr_assert_eq(turns, 4, "200 messages in batches of 64");
	env_done(&e);
}

Test(env, messages_from_before_the_start_are_seen, .init = supervise)
{
	struct ring_end end;
	cr_assert_eq(ring_open(&e.region[seat_of(ROLE_CONTROL, 0)], &e.region[seat_of(ROLE_CDR, 0)], &end), 0);
	for (uint32_t i = 0; i < 200; i++)
		ring_push(&end, i, NULL, 0, NULL, 0);
	sit(&e, ROLE_CDR);
	e.on_ring = on_ring;
	cr_assert_eq(env_run(&e), 0);
	cr_assert_eq(rings, 200);
}

Test(env, notices_reach_their_callbacks, .init = supervise)
{
	struct config c = sample_config();
	int fd;
	sit(&e, ROLE_CDR);
	e.on_config = on_config;
	e.on_routes = on_routes;
	e.on_drain = on_drain;
	e.on_stop = on_stop;
	e.on_notice = on_notice;
	for (c.generation = 2; c.generation <= 6; c.generation++) {
		cr_assert_eq(image_make("config", &c, sizeof c, &fd), 0);
		tell(NOTICE_CONFIG, 0, "", fd);
		close(fd);
	}
	cr_assert_eq(image_make("routes", "routes", 6, &fd), 0);
	tell(NOTICE_ROUTES, 9, "", fd);
	close(fd);
	tell(NOTICE_DRAIN, 0, "", -1);
	tell(NOTICE_LOG, LOG_DEBUG, "", -1);
	tell(NOTICE_LOG, 99, "", -1);
	tell(NOTICE_RESULT, 0, "fine", -1);
	tell(NOTICE_STOP, 1, "", -1);
	cr_assert_eq(env_run(&e), 3);
	cr_assert_eq(configs, 5);
	cr_assert_eq(routings, 1);
	cr_assert_eq(drains, 1);
	cr_assert_eq(notices, 1);
	cr_assert_eq(stops, 10);
	cr_assert_eq(log_level(), LOG_DEBUG);
	cr_assert_eq(e.config.generation, 6);
	cr_assert_eq(e.region[e.seat].head->config_generation, 6);
	cr_assert_eq(e.region[e.seat].head->route_generation, 9);
	cr_assert_eq(memcmp(e.routes.p, "routes", 6), 0);
	cr_assert_eq(env_config(&e, 6), e.config.p);
	cr_assert_eq(env_config(&e, 2)->generation, 2, "the fourth before");
	cr_assert_null(env_config(&e, 1), "the fifth before is gone");
	cr_assert_eq(env_routes(&e, 9), e.routes.p);
	cr_assert_eq(mappings_of("memfd:config"), 5, "the one in use and four before");
	env_done(&e);
}

Test(env, what_is_no_configuration_is_refused, .init = supervise)
{
	struct config c = sample_config();
	int fd, null = open("/dev/null", O_RDWR);
	log_init("test", LOG_TEXT, LOG_ERROR, null);
	sit(&e, ROLE_CDR);
	e.on_config = on_config;
	c.generation = 2;
	c.magic++;
	cr_assert_eq(image_make("config", &c, sizeof c, &fd), 0);
	tell(NOTICE_CONFIG, 0, "", fd);
	tell(NOTICE_CONFIG, 0, "", -1);
	tell(NOTICE_CONFIG, 0, "", null);
	tell(NOTICE_STOP, 0, "", -1);
	cr_assert_eq(env_run(&e), 0);
	cr_assert_eq(configs, 0);
	cr_assert_eq(e.config.generation, 1);
	env_done(&e);
}

static void stop_after_five(struct env *who)
{
	if (++turns == 5)
		loop_stop(&who->loop, 7);
}

Test(env, work_goes_on_without_the_supervisor, .init = supervise)
{
	sit(&e, ROLE_CDR);
	e.on_turn = stop_after_five;
	e.loop.max_wait = 1;
	close(boss[0]);
	cr_assert_eq(env_run(&e), 7);
	struct notice n = { .type = NOTICE_EVENT };
	cr_assert_lt(env_notify(&e, &n, -1), 0);
	env_done(&e);
}

/* --- notices and images by themselves ---------------------------------------------------------------------------- */
Test(notice, carries_text_and_descriptor)
{
	int s[2], fd, p[2];
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s), 0);
	cr_assert_eq(pipe(p), 0);
	struct notice n = { .type = NOTICE_EVENT, .serial = 7, .value = -3, .text = "{}" }, got;
	memset(&got, 0xff, sizeof got);
	cr_assert_eq(notice_receive(s[1], &got, &fd), -EAGAIN);
	cr_assert_eq(notice_send(s[0], &n, p[1]), 0);
	cr_assert_eq(notice_receive(s[1], &got, &fd), 0);
	cr_assert_eq(got.type, NOTICE_EVENT);
	cr_assert_eq(got.serial, 7);
	cr_assert_eq(got.value, -3);
	cr_assert_str_eq(got.text, "{}");
	cr_assert_eq(write(fd, "x", 1), 1);
	cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	memset(n.text, 'x', sizeof n.text); /* without a zero: cut */
	cr_assert_eq(notice_send(s[0], &n, -1), 0);
	cr_assert_eq(notice_receive(s[1], &got, &fd), 0);
	cr_assert_eq(fd, -1);
	cr_assert_eq(strlen(got.text), NOTICE_TEXT - 1);
	cr_assert_eq(send(s[0], "abc", 3, 0), 3);
	cr_assert_eq(notice_receive(s[1], &got, &fd), -EPROTO);
	close(s[0]);
	cr_assert_eq(notice_receive(s[1], &got, &fd), -ECONNRESET);
}

Test(image, must_be_sealed)
{
	struct image i;
	int fd = memfd_create("open", MFD_ALLOW_SEALING);
	cr_assert_eq(write(fd, "x", 1), 1);
	cr_assert_eq(image_map(fd, &i), -EPERM);
	cr_assert_eq(fcntl(fd, F_GETFD), -1, "it is taken even so");
	cr_assert_eq(image_map(-1, &i), -EBADF);
	cr_assert_eq(image_make("x", "hello", 5, &fd), 0);
	cr_assert_lt(write(fd, "x", 1), 0);
	cr_assert_eq(image_map(fd, &i), 0);
	cr_assert_eq(i.size, 5);
	cr_assert_eq(memcmp(i.p, "hello", 5), 0);
	image_unmap(&i);
	cr_assert_null(i.p);
	image_unmap(&i);
	cr_assert_eq(image_make("empty", "", 0, &fd), 0);
	cr_assert_eq(image_map(fd, &i), -EINVAL);
}
