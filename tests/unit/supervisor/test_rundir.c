/* The lock on RUN_DIR: held as long as any process that inherited it lives. */
#include "supervisor/rundir.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64];
static const struct identity self;

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/tandem-rundir-XXXXXX");
	cr_assert(mkdtemp(dir));
}

static void teardown(void)
{
	char command[128];
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	cr_assert_eq(system(command), 0);
}

TestSuite(rundir, .init = setup, .fini = teardown);

static bool exists(const char *name)
{
	char path[128];
	cr_assert_eq(rundir_path(dir, name, path, sizeof(path)), 0);
	return access(path, F_OK) == 0;
}

Test(rundir, directories)
{
	char path[128];
	struct stat st;
	snprintf(path, sizeof(path), "%s/a/b/c", dir);
	mode_t old = umask(077);
	cr_expect_eq(directory_make(path, 0750, &self), 0);
	umask(old);
	cr_expect_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0750, "whatever the umask: %o", st.st_mode);
	cr_expect_eq(chmod(path, 0700), 0);
	cr_expect_eq(directory_make(path, 0750, &self), 0);
	cr_expect_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0700, "one that was there stays as it is");
	cr_expect_eq(directory_make("", 0750, &self), -ENOENT);
	snprintf(path, sizeof(path), "%s/file", dir);
	fclose(fopen(path, "w"));
	cr_expect_eq(directory_make(path, 0750, &self), -ENOTDIR);
}

Test(rundir, path_is_bounded)
{
	char path[7];
	cr_expect_eq(rundir_path("/run", "ab", path, sizeof(path)), -ENAMETOOLONG);
	cr_expect_eq(rundir_path("/run", "a", path, sizeof(path)), 0);
	cr_expect_str_eq(path, "/run/a");
}

/* a process that has done `what` and lives until the test lets it go */
struct other {
	pid_t pid;
	int end;
};
static struct other other_process(void (*what)(void))
{
	int end[2], ready[2];
	char byte = 0;
	cr_assert_eq(pipe(end), 0);
	cr_assert_eq(pipe(ready), 0);
	struct other o = { .pid = fork(), .end = end[1] };
	if (o.pid == 0) {
		close(end[1]);
		what();
		if (write(ready[1], &byte, 1) == 1 && read(end[0], &byte, 1) == 0)
			_exit(0);
		_exit(1);
	}
	close(end[0]);
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	return o;
}

static void let_go(const struct other *o)
{
	close(o->end);
	cr_assert_eq(waitpid(o->pid, NULL, 0), o->pid);
}

static void lock_it(void)
{
	int fd;
	pid_t holder;
	if (rundir_lock(dir, &fd, &holder))
		_exit(1);
}

Test(rundir, second_instance_is_refused_with_the_pid_of_the_first)
{
	int fd = -1;
	pid_t holder = -1;
	struct other first = other_process(lock_it);
	cr_expect_eq(rundir_lock(dir, &fd, &holder), -EBUSY);
	cr_expect_eq(holder, first.pid);
	cr_expect_eq(rundir_join(dir, &fd), -EBUSY);
	let_go(&first);
	cr_expect_eq(rundir_lock(dir, &fd, &holder), 0, "free again");
	close(fd);
}

static int inherited;
static void sit_on_seven(void)
{
	if (rundir_sit(inherited, 7))
		_exit(1);
}

Test(rundir, seats_tell_who_sits_there)
{
	pid_t holder;
	cr_assert_eq(rundir_lock(dir, &inherited, &holder), 0);
	cr_expect_eq(rundir_sitting(inherited, 7), 0);
	struct other worker = other_process(sit_on_seven);
	cr_expect_eq(rundir_sitting(inherited, 7), worker.pid);
	cr_expect_eq(rundir_sitting(inherited, 6), 0);
	cr_expect_eq(rundir_sit(inherited, 7), -EBUSY);
	kill(worker.pid, SIGKILL);
	cr_assert_eq(waitpid(worker.pid, NULL, 0), worker.pid);
	close(worker.end);
	cr_expect_eq(rundir_sitting(inherited, 7), 0, "whatever it died of");
	close(inherited);
}

Test(rundir, lock_lives_in_the_workers_of_a_dead_supervisor)
{
	int fd = -1, end[2], ready[2];
	char byte = 0;
	pid_t holder = -1, worker;
	cr_assert_eq(pipe(end), 0);
	cr_assert_eq(pipe(ready), 0);
	pid_t supervisor = fork();
	if (supervisor == 0) {
		cr_assert_eq(rundir_lock(dir, &fd, &holder), 0);
		rundir_write_pid(dir);
		worker = fork();
		if (worker == 0) { /* lives until the test closes its pipe */
			close(end[1]);
			if (write(ready[1], &byte, 1) == 1 && read(end[0], &byte, 1) == 0)
				_exit(0);
		}
		_exit(0);
	}
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	cr_assert_eq(waitpid(supervisor, NULL, 0), supervisor);
	cr_expect_eq(rundir_lock(dir, &fd, &holder), -EBUSY);
	cr_expect_eq(holder, 0, "nobody to name: %d", holder);
	cr_expect_eq(rundir_join(dir, &fd), 0, "for the next supervisor");
	close(fd);
	close(end[1]);
	int r = -EBUSY;
	for (int i = 0; i < 100 && r == -EBUSY; i++) {
		usleep(20000);
		r = rundir_lock(dir, &fd, &holder);
	}
	cr_expect_eq(r, 0, "all gone: %d", r);
}

Test(rundir, clean_leaves_nothing)
{
	int fd = -1;
	pid_t holder;
	cr_assert_eq(rundir_lock(dir, &fd, &holder), 0);
	cr_assert_eq(rundir_write_pid(dir), 0);
	cr_expect(exists("tandem.pid"));
	cr_expect_not(exists("tandem.pid.new"));
	rundir_clean(dir);
	cr_expect_not(exists("tandem.pid"));
	cr_expect_not(exists("lock"));
	/* the old lock is still held, but guards nothing any more: a newcomer gets its own */
	int other = -1;
	cr_expect_eq(rundir_lock(dir, &other, &holder), 0);
	close(other);
	close(fd);
}
