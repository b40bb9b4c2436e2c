/* The routing process, run as the supervisor would. */
#include "../tables/image.h"
#include "routing/worker.h"
#include "tables/route.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct env e;
static int boss;
static pid_t pid;

static int config_image(uint64_t generation, const char *prefixes)
{
	struct image_writer w = image_begin();
	struct cfg_routing_gateway g = image_routing(&w, "gw", prefixes);
	struct config *c = image_end(&w, NULL, 0, &g, 1, image_sort, 4);
	int fd;
	c->generation = generation;
	c->system.signaling = c->system.media = 1;
	c->system.calls = 10;
	c->media.port_low = 30000;
	c->media.port_high = 30019;
	cr_assert_eq(image_make("config", c, c->size, &fd), 0);
	free(c);
	return fd;
}

static void make_seat(enum role role)
{
	struct region_head head;
	uint32_t seat = seat_of(role, 0);
	cr_assert_eq(region_plan(e.config.p, role, 0, &head), 0);
	cr_assert_eq(region_make(&head, &e.region[seat]), 0);
	e.doorbell[seat] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

static void start(void)
{
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		log_init("routing", LOG_TEXT, LOG_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
		_exit(routing_main(&e));
	}
}

static void set_up(void)
{
	int pair[2];
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++)
		e.doorbell[seat] = -1;
	cr_assert_eq(image_map(config_image(1, "88"), &e.config), 0);
	e.config.generation = 1;
	make_seat(ROLE_SUPERVISOR);
	make_seat(ROLE_ROUTING);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	boss = pair[0];
	e.supervisor = pair[1];
	e.role = ROLE_ROUTING;
	e.seat = seat_of(ROLE_ROUTING, 0);
}
static void tear_down(void)
{
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}
TestSuite(routing, .init = set_up, .fini = tear_down, .timeout = 20);

/* the next notice, which must be of that type */
static void hear(uint32_t type, struct notice *ret_notice, int *ret_fd)
{
	struct pollfd p = { boss, POLLIN, 0 };
	cr_assert_eq(poll(&p, 1, 5000), 1, "silence");
	cr_assert_eq(notice_receive(boss, ret_notice, ret_fd), 0);
	cr_assert_eq(ret_notice->type, type);
}

static bool takes(const struct image *i, const char *callee)
{
	struct addr a;
	addr_parse(SPAN("127.0.0.9:5060"), &a);
	cr_assert_eq(routes_verify(i->p, i->size), 0);
	cr_assert_eq(routes_gateway_at(i->p, e.config.p, &a), 0);
	uint16_t out[4];
	bool matched;
	struct route_query q = { span_of(callee), SPAN(""), CONFIG_NONE };
	routes_find(i->p, e.config.p, &q, &(struct route_view){ 0 }, out, 0, &matched, NULL, NULL);
	return matched;
}

static void stop(void)
{
	struct notice n = { .type = NOTICE_STOP };
	int status;
	cr_assert_eq(notice_send(boss, &n, -1), 0);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	pid = 0;
}

Test(routing, publishes_at_start_and_with_each_configuration)
{
	struct notice n;
	struct image i;
	int fd;
	start();
	hear(NOTICE_ROUTES, &n, &fd);
	cr_assert_eq(image_map(fd, &i), 0, "sealed");
	cr_assert_eq(n.value, 1);
	cr_assert_eq(routes_generation(i.p), 1);
	cr_assert_eq(routes_config_generation(i.p), 1);
	cr_assert(takes(&i, "8801") && !takes(&i, "99"));
	hear(NOTICE_READY, &n, &fd);

	n = (struct notice){ .type = NOTICE_CONFIG };
	fd = config_image(2, "99");
	cr_assert_eq(notice_send(boss, &n, fd), 0);
	close(fd);
	hear(NOTICE_ROUTES, &n, &fd);
	cr_assert_eq(image_map(fd, &i), 0);
	cr_assert_eq(n.value, 2);
	cr_assert_eq(routes_config_generation(i.p), 2);
	cr_assert(takes(&i, "99") && !takes(&i, "8801"));
	stop();
}

Test(routing, successor_does_not_repeat_what_is_published)
{
	struct notice n;
	int fd;
	start();
	hear(NOTICE_ROUTES, &n, &fd);
	cr_assert_eq(image_map(fd, &e.routes), 0);
	e.routes.generation = (uint64_t)n.value;
	hear(NOTICE_READY, &n, &fd);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	start();
	hear(NOTICE_READY, &n, &fd);
	stop();
}

Test(routing, successor_goes_on_with_the_generation)
{
	struct notice n;
	struct image i;
	int fd;
	start();
	hear(NOTICE_ROUTES, &n, &fd);
	cr_assert_eq(image_map(fd, &e.routes), 0);
	e.routes.generation = 41;
	hear(NOTICE_READY, &n, &fd);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	image_unmap(&e.config);
	cr_assert_eq(image_map(config_image(2, "99"), &e.config), 0);
	e.config.generation = 2;
	start();
	hear(NOTICE_ROUTES, &n, &fd);
	cr_assert_eq(image_map(fd, &i), 0);
	cr_assert_eq(n.value, 42);
	cr_assert_eq(routes_config_generation(i.p), 2);
	hear(NOTICE_READY, &n, &fd);
	stop();
}

Test(routing, waits_for_a_supervisor_that_does_not_read)
{
	struct notice n = { .type = NOTICE_EVENT };
	int fd, filled = 0;
	for (uint32_t i = 0; i < sizeof(n.text) - 1; i++)
		n.text[i] = 'x';
	while (notice_send(e.supervisor, &n, -1) == 0)
		filled++;
	cr_assert_gt(filled, 0);
	start();
	usleep(100000);
	for (int i = 0; i < filled; i++)
		hear(NOTICE_EVENT, &n, &fd);
	hear(NOTICE_ROUTES, &n, &fd);
	cr_assert_geq(fd, 0);
	stop();
}
