/* The cdr process against deaths, full disks, damage and reloads: whatever happens, each record is in the files exactly
 * once. This program is the supervisor and all signalling workers; the process under test is forked from it. */
#include "base/clock.h"
#include "cdr/record.h"
#include "cdr/worker.h"
#include "entry.h"
#include "shm/counters.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS 2u
#define MANY	200000u /* records of one worker at most */

static struct env e;
static int boss;
static char base[64];
static uint8_t *found[WORKERS];

#define CHECK(condition, ...)                                                                                          \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);                                \
			fprintf(stderr, __VA_ARGS__);                                                                  \
			fprintf(stderr, "\n");                                                                         \
			exit(1);                                                                                       \
		}                                                                                                      \
	} while (0)

/* --- the world around it ----------------------------------------------------------------------------------------- */

static int make_config(const char *dir, uint64_t generation, uint64_t rotate_size, bool to_file)
{
	size_t n = strlen(dir), size = sizeof(struct config) + n + 1;
	struct config *c = calloc(1, size);
	int fd;
	*c = (struct config){ .magic = CONFIG_MAGIC, .size = size, .generation = generation };
	c->system.signaling = WORKERS;
	c->system.media = 1;
	c->system.calls = 400;
	c->media.port_low = 30000;
	c->media.port_high = 30099;
	c->param[P_SS_CDR_RECORD_TO_FILE] = to_file;
	c->cdr.rotate_size = rotate_size;
	c->cdr.rotate_age = 3600000;
	c->cdr.dir = (struct cfg_text){ sizeof(struct config), (uint32_t)n };
	memcpy((char *)c + sizeof(struct config), dir, n);
	CHECK(image_make("config", c, size, &fd) == 0, "no image");
	free(c);
	return fd;
}

static void make_seat(enum role role, uint32_t index)
{
	struct region_head head;
	uint32_t seat = seat_of(role, index);
	CHECK(region_plan(e.config.p, role, index, &head) == 0 && region_make(&head, &e.region[seat]) == 0,
		"no region");
	e.doorbell[seat] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

static void world(const char *dir, uint64_t rotate_size, bool to_file)
{
	int pair[2];
	for (uint32_t seat = 0; seat < SEATS_MAX && e.config.p; seat++) {
		if (e.doorbell[seat] >= 0)
			close(e.doorbell[seat]);
		if (e.region[seat].fd > 0) {
			region_unmap(&e.region[seat]);
			close(e.region[seat].fd);
		}
	}
	memset(&e, 0, sizeof(e));
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++)
		e.doorbell[seat] = -1;
	CHECK(image_map(make_config(dir, 1, rotate_size, to_file), &e.config) == 0, "no configuration");
	e.config.generation = 1;
	make_seat(ROLE_SUPERVISOR, 0);
	make_seat(ROLE_CDR, 0);
	for (uint32_t i = 0; i < WORKERS; i++) {
		make_seat(ROLE_SIGNALING, i);
		memset(found[i], 0, MANY);
	}
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0, "no sockets");
	boss = pair[0];
	e.supervisor = pair[1];
	e.role = ROLE_CDR;
	e.seat = seat_of(ROLE_CDR, 0);
	strcpy(((struct roster *)commit_fill(region_area(&e.region[seat_of(ROLE_SUPERVISOR, 0)], AREA_ROSTER)))
			->instance,
		"t3st");
}

static pid_t start(uint64_t crash, rlim_t file_limit)
{
	pid_t pid = fork();
	CHECK(pid >= 0, "no process");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	struct rlimit limit = { file_limit, RLIM_INFINITY };
	setrlimit(RLIMIT_FSIZE, &limit);
	log_init("cdr", LOG_TEXT, LOG_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
	crash_count = 0;
	crash_at = crash;
	_exit(cdr_main(&e));
}

static const struct journal *journal(uint32_t worker)
{
	return region_area(&e.region[seat_of(ROLE_SIGNALING, worker)], AREA_JOURNAL);
}
static const struct journal_ack *ack(uint32_t worker)
{
	return (const struct journal_ack *)region_area(&e.region[e.seat], AREA_ACKS) + worker;
}
static uint64_t acknowledged(uint32_t worker)
{
	return __atomic_load_n(&ack(worker)->sequence, __ATOMIC_ACQUIRE);
}
static uint64_t counter(enum counter id)
{
	return e.region[e.seat].head->counter[id];
}

/* what a signalling worker does at the end of a call; false: no place */
static bool publish(uint32_t worker)
{
	const struct journal *j = journal(worker);
	if (j->tail - acknowledged(worker) >= j->capacity || j->tail >= MANY)
		return false;
	struct journal_entry entry = entry_full(j->tail);
	entry.call_id.b[15] = (uint8_t)worker;
	memcpy(commit_fill(journal_at(j, j->tail)), &entry, sizeof(entry));
	commit_release_u64(&j->tail, j->tail + 1);
	return true;
}
static void publish_some(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		publish(i % WORKERS);
}

static bool settled(void)
{
	for (uint32_t i = 0; i < WORKERS; i++)
		if (acknowledged(i) != journal(i)->tail)
			return false;
	return true;
}
static bool settles_within(uint64_t ms)
{
	for (uint64_t until = clock_ms() + ms; !settled() && clock_ms() < until;)
		usleep(5000);
	return settled();
}

static void stop(pid_t pid)
{
	struct notice n = { .type = NOTICE_STOP };
	int status;
	CHECK(notice_send(boss, &n, -1) == 0, "cannot tell it to stop");
	CHECK(waitpid(pid, &status, 0) == pid, "lost it");
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "stopped with status %x", status);
	CHECK(settled(), "stopped before all was acknowledged");
}

static void kill_it(pid_t pid)
{
	int status;
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "died by itself: %x", status);
}

/* --- what is in the files ---------------------------------------------------------------------------------------- */

static void read_line(const char *text, size_t n)
{
	struct record_serial s;
	char id[64];
	CHECK(record_read_serial((struct span){ text, n }, &s) == 0, "not a record: %.*s", (int)n, text);
	CHECK(strcmp(s.instance, "t3st") == 0 && s.worker < WORKERS && s.sequence < MANY, "foreign: %.*s", (int)n,
		text);
	struct journal_entry entry = entry_full(s.sequence);
	entry.call_id.b[15] = (uint8_t)s.worker;
	struct out o = out_init((char[8192]){ 0 }, 8192);
	record_format(&entry, &s, &o);
	CHECK(o.n == n + 1 && memcmp(o.p, text, n) == 0, "not as it was: %.*s", (int)n, text);
	snprintf(id, sizeof(id), "%u/%llu", s.worker, (unsigned long long)s.sequence);
	CHECK(found[s.worker][s.sequence]++ == 0, "%s is there twice", id);
}

static uint32_t read_directory(const char *dir)
{
	DIR *d = opendir(dir);
	uint32_t files = 0;
	for (struct dirent *f = d ? readdir(d) : NULL; f; f = readdir(d)) {
		char path[512], *line = NULL;
		size_t cap = 0;
		if (f->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%.255s", dir, f->d_name);
		FILE *in = fopen(path, "r");
		CHECK(in, "%s", path);
		for (ssize_t n; (n = getline(&line, &cap, in)) > 0;) {
			CHECK(line[n - 1] == '\n', "%s ends within a line", path);
			read_line(line, (size_t)n - 1);
		}
		free(line);
		fclose(in);
		unlink(path);
		files++;
	}
	if (d)
		closedir(d);
	rmdir(dir);
	return files;
}

static void nothing_is_missing(uint32_t worker, uint64_t except)
{
	for (uint64_t i = 0; i < journal(worker)->tail; i++)
		CHECK(found[worker][i] == (i != except), "record %u/%llu", worker, (unsigned long long)i);
}

static const char *directory(const char *name)
{
	static char path[2][128];
	static unsigned which;
	char *p = path[which++ % 2];
	snprintf(p, sizeof(path[0]), "%s/%s", base, name);
	return p;
}

/* --- tests ------------------------------------------------------------------------------------------------------- */

static void random_deaths(uint32_t deaths)
{
	const char *dir = directory("deaths");
	unsigned seed = (unsigned)clock_us();
	printf("# seed %u\n", seed);
	srandom(seed);
	world(dir, 30000, true);
	for (uint32_t i = 0; i < deaths; i++) {
		pid_t pid = start(0, RLIM_INFINITY);
		uint64_t until = clock_us() + (uint64_t)(random() % (i % 4 ? 20000 : 200000));
		do {
			publish_some((uint32_t)random() % 12);
			usleep((unsigned)random() % 2000);
		} while (clock_us() < until);
		kill_it(pid);
	}
	pid_t pid = start(0, RLIM_INFINITY);
	publish_some(50);
	stop(pid);
	uint32_t files = read_directory(dir);
	for (uint32_t i = 0; i < WORKERS; i++)
		nothing_is_missing(i, UINT64_MAX);
	printf("# %u deaths, %llu records, %u files\n", deaths,
		(unsigned long long)(journal(0)->tail + journal(1)->tail), files);
	CHECK(files > 3, "hardly any rotation");
	CHECK(journal(0)->tail > journal(0)->capacity, "the journal was never full");
}

/* dies before each store to shared memory in turn */
static void death_at_every_store(void)
{
	const char *dir = directory("stores");
	uint64_t point = 1;
	int status = 0;
	world(dir, 4000, true);
	for (bool dead = true; dead && point < 1000; point++) {
		publish_some(7); /* some 5 KB: a rotation now and then */
		pid_t pid = start(point, RLIM_INFINITY);
		for (uint64_t until = clock_ms() + 5000; !settled() && clock_ms() < until;) {
			if (waitpid(pid, &status, WNOHANG) == pid) {
				pid = 0;
				break;
			}
			usleep(1000);
		}
		if (pid) { /* did all there was to do without coming to that store; stops, or dies of it while stopping */
			struct notice n = { .type = NOTICE_STOP };
			notice_send(boss, &n, -1);
			waitpid(pid, &status, 0);
		}
		dead = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
		CHECK(dead || (WIFEXITED(status) && WEXITSTATUS(status) == 0), "store %llu: %x",
			(unsigned long long)point, status);
	}
	stop(start(0, RLIM_INFINITY));
	read_directory(dir);
	for (uint32_t i = 0; i < WORKERS; i++)
		nothing_is_missing(i, UINT64_MAX);
	printf("# died at %llu stores\n", (unsigned long long)point - 2);
	CHECK(point > 20, "too few stores");
}

static void full_disk(void)
{
	const char *dir = directory("full");
	world(dir, 0, true);
	pid_t pid = start(0, 10000);
	publish_some(100);
	CHECK(!settles_within(800), "100 records fit into 10,000 bytes");
	uint64_t errors = counter(COUNT_CDR_ERRORS);
	CHECK(errors > 0, "no error counted");
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	CHECK(prlimit(pid, RLIMIT_FSIZE, &unlimited, NULL) == 0, "prlimit");
	CHECK(settles_within(3000), "does not go on when there is room");
	stop(pid);
	read_directory(dir);
	for (uint32_t i = 0; i < WORKERS; i++)
		nothing_is_missing(i, UINT64_MAX);
	CHECK(counter(COUNT_CDRS) == 100, "counted %llu", (unsigned long long)counter(COUNT_CDRS));
}

static void damage(void)
{
	const char *dir = directory("damage");
	world(dir, 0, true);
	publish_some(60);
	struct journal_entry *bad = commit_fill(journal_at(journal(1), 7));
	bad->callee_out.n = 65535;
	stop(start(0, RLIM_INFINITY));
	read_directory(dir);
	nothing_is_missing(0, UINT64_MAX);
	nothing_is_missing(1, 7);
	CHECK(counter(COUNT_CDRS_DAMAGED) == 1, "counted %llu", (unsigned long long)counter(COUNT_CDRS_DAMAGED));
}

static void switched_off(void)
{
	const char *dir = directory("off");
	world(dir, 0, false);
	pid_t pid = start(0, RLIM_INFINITY);
	publish_some(60);
	CHECK(settles_within(3000), "not acknowledged");
	stop(pid);
	CHECK(read_directory(dir) == 0, "a file was made");
}

static void reload_with_another_directory(void)
{
	struct notice n = { .type = NOTICE_CONFIG };
	const char *first = directory("first"), *second = directory("second");
	world(first, 0, true);
	pid_t pid = start(0, RLIM_INFINITY);
	publish_some(40);
	usleep(80000); /* written, not acknowledged yet */
	int fd = make_config(second, 2, 0, true);
	CHECK(notice_send(boss, &n, fd) == 0, "cannot reload");
	close(fd);
	usleep(80000);
	publish_some(30);
	CHECK(settles_within(3000), "not acknowledged");
	stop(pid);
	CHECK(read_directory(first) == 1 && read_directory(second) == 1, "both have a file");
	for (uint32_t i = 0; i < WORKERS; i++)
		nothing_is_missing(i, UINT64_MAX);
}

int main(void)
{
	strcpy(base, "/tmp/tandem-stress-cdr-XXXXXX");
	CHECK(mkdtemp(base), "no directory");
	for (uint32_t i = 0; i < WORKERS; i++)
		found[i] = calloc(MANY, 1);
	damage();
	switched_off();
	reload_with_another_directory();
	full_disk();
	death_at_every_store();
	random_deaths(150);
	rmdir(base);
	return 0;
}
