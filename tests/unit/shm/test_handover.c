/* Descriptors go over to a new supervisor whole, only to who may have them, and whoever answers may die. */
#include "sample.h"
#include "shm/handover.h"
#include "shm/layout.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORTS 700u /* several packets */

static struct env e, taken;
static char dir[64], path[96];

static void setup(void)
{
	memset(&e, 0, sizeof e);
	snprintf(dir, sizeof dir, "/tmp/tandem-handover-XXXXXX");
	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/%s", dir, HANDOVER_SOCKET);
	handover_forget(&e);
	const enum role roles[] = { ROLE_SUPERVISOR, ROLE_CONTROL, ROLE_CDR };
	for (unsigned i = 0; i < 3; i++) {
		uint32_t seat = seat_of(roles[i], 0);
		cr_assert_eq(sample_region(roles[i], 0, &e.region[seat]), 0);
		e.doorbell[seat] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	}
	e.port_socket = calloc(PORTS, sizeof *e.port_socket);
	e.n_port_sockets = PORTS;
	for (uint32_t i = 0; i < PORTS; i++)
		e.port_socket[i] = i == 5 ? -1 : eventfd(i, EFD_NONBLOCK | EFD_CLOEXEC);
	e.sip[LISTEN_MAX - 1][WORKERS_MAX - 1] = eventfd(4711, EFD_NONBLOCK | EFD_CLOEXEC);
	e.n_listen = 3;
	cr_assert_eq(image_make("routes", "image", 5, &e.routes.fd), 0);
	e.routes.generation = 12;
	e.owner = geteuid();
	e.supervisor = -1;
	cr_assert_eq(handover_listen(path, &e.door), 0);
}

static void teardown(void)
{
	unlink(path);
	cr_expect_eq(rmdir(dir), 0);
}

TestSuite(handover, .init = setup, .fini = teardown, .timeout = 30);

static pid_t process(enum role role)
{
	pid_t pid = fork();
	if (pid)
		return pid;
	e.role = role;
	e.seat = seat_of(role, 0);
	_exit(env_start(&e) ? 1 : env_run(&e));
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

static uint64_t count_of(int fd)
{
	uint64_t n = 0;
	cr_expect_eq(read(fd, &n, sizeof n), sizeof n);
	return n;
}

Test(handover, everything_arrives_at_its_place)
{
	struct handover_head head;
	struct stat a, b;
	pid_t pid = process(ROLE_CDR);
	cr_assert_eq(handover_take(path, 5000, &taken, &head), 0);
	cr_expect_eq(taken.n_listen, 3);
	cr_expect_eq(taken.n_port_sockets, PORTS);
	cr_expect_eq(taken.port_socket[5], -1, "none stays none");
	cr_expect_eq(count_of(taken.port_socket[PORTS - 1]), PORTS - 1);
	cr_expect_eq(count_of(taken.port_socket[204]), 204);
	cr_expect_eq(count_of(taken.sip[LISTEN_MAX - 1][WORKERS_MAX - 1]), 4711);
	cr_expect_eq(taken.sip[0][0], -1);
	cr_expect_eq(taken.routes.generation, 12);
	cr_expect_eq(taken.config.fd, -1);
	uint32_t seat = seat_of(ROLE_CDR, 0);
	cr_assert_eq(fstat(e.region[seat].fd, &a), 0);
	cr_assert_eq(fstat(taken.region[seat].fd, &b), 0);
	cr_expect_eq(a.st_ino, b.st_ino);
	cr_expect_eq(region_map(taken.region[seat].fd, false, &taken.region[seat]), 0);
	cr_expect_eq(head.layout_hash, layout_hash());
	handover_drop(&taken);
	cr_expect_eq(taken.region[seat].fd, -1);
	end(pid);
}

Test(handover, any_process_will_do_and_a_hung_one_is_passed_over)
{
	struct handover_head head;
	pid_t hung = process(ROLE_CDR), other = process(ROLE_CONTROL);
	usleep(50000);
	kill(hung, SIGSTOP);
	for (int i = 0; i < 5; i++) {
		cr_expect_eq(handover_take(path, 5000, &taken, &head), 0);
		handover_drop(&taken);
	}
	end(other);
	cr_expect_eq(handover_take(path, 700, &taken, &head), -ETIMEDOUT, "only the hung one is left");
	cr_expect_eq(taken.door, -1);
	kill(hung, SIGCONT);
	cr_expect_eq(handover_take(path, 5000, &taken, &head), 0);
	handover_drop(&taken);
	end(hung);
}

Test(handover, nobody)
{
	struct handover_head head;
	close(e.door);
	cr_expect_eq(handover_take(path, 50, &taken, &head), -ECONNREFUSED);
	cr_expect_eq(handover_take("/nowhere/at/all", 50, &taken, &head), -ENOENT);
}

Test(handover, nonsense_is_sent_away)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char byte;
	pid_t pid = process(ROLE_CDR);
	strcpy(sa.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(fd, (const struct sockaddr *)&sa, sizeof sa), 0);
	cr_assert_eq(send(fd, "hello", 5, 0), 5);
	cr_expect_leq(recv(fd, &byte, 1, 0), 0);
	close(fd);
	end(pid);
}

Test(handover, strangers_are_sent_away)
{
	struct handover_head head;
	if (geteuid() != 0)
		cr_skip_test("needs to become somebody else");
	pid_t pid = process(ROLE_CDR);
	cr_assert_eq(chmod(dir, 0755), 0);
	cr_assert_eq(chmod(path, 0666), 0);
	pid_t stranger = fork();
	int status;
	if (stranger == 0)
		_exit(setresuid(65534, 65534, 65534) || handover_take(path, 300, &taken, &head) == 0);
	cr_assert_eq(waitpid(stranger, &status, 0), stranger);
	cr_expect_eq(status, 0);
	end(pid);
}
