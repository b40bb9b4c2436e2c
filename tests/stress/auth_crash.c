/* A worker is killed at each of its stores into what it remembers of terminals and nonces (shm/auth.h): whoever looks sees what was
 * before the event or what is after it, nothing that was used is fresh again, and the successor carries on. */
#include "shm/auth.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef TANDEM_CRASHPOINTS
#error "to be built with crash points"
#endif

#define CHECK(condition, ...)                                                            \
	do {                                                                             \
		if (!(condition)) {                                                      \
			fprintf(stderr, "%s:%d: [%s] ", __FILE__, __LINE__, #condition); \
			fprintf(stderr, __VA_ARGS__);                                    \
			fputc('\n', stderr);                                             \
			exit(1);                                                         \
		}                                                                        \
	} while (0)

#define KEYS   (AUTH_WAYS + 3)
#define STEPS  (KEYS * 3 + 6)
#define NONCES (AUTH_WAYS + 3)
#define USES   (NONCES * 4)

static const struct hash_key key = { 3, 4 };
static struct region region;
static struct shared {
	uint32_t step; /* being worked on */
} *shared;

/* one set of records and one of nonces, so that everything meets everything */
static void make(void)
{
	size_t front = sizeof(struct region_head), auth = AUTH_WAYS * sizeof(struct auth_record);
	size_t at = (front + auth + 63) / 64 * 64, size = at + sizeof(struct nonce_set);
	static size_t mapped;
	if (!mapped) {
		region.head = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		CHECK(region.head != MAP_FAILED && shared != MAP_FAILED, "mmap");
		mapped = region.size = size;
	}
	struct region_head *h = commit_fill(region.head);
	memset(h, 0, size);
	h->area[AREA_AUTH].at = front;
	h->area[AREA_AUTH].n = AUTH_WAYS;
	h->area[AREA_NONCES].at = at;
	h->area[AREA_NONCES].n = 1;
	shared->step = 0;
}

/* --- records --- */

static struct auth_place place(uint32_t i)
{
	static const struct span names[KEYS] = { { "alice", 5 }, { "bob", 3 }, { "carol", 5 }, { "dave", 4 }, { "eve", 3 }, { "frank", 5 },
		{ "grace", 5 }, { "heidi", 5 }, { "ivan", 4 }, { "judy", 4 }, { "mallory", 7 } };
	struct auth_place at = { i % 3 ? AUTH_TERMINAL : AUTH_SOURCE, i % 3 ? names[i] : (struct span){ 0 }, { .ip = { 10, 0, 0, (uint8_t)i }, .family = 4 }, 0 };
	at.key = auth_key(&key, at.kind, at.name, &at.source, (struct span){ 0 });
	return at;
}

static void record_step(uint32_t step)
{
	uint32_t i = step % KEYS, round = step / KEYS;
	uint64_t now = 1000 + step;
	struct auth_state s = { .last_ms = now, .request = step * 1000003ull, .wrong = step + 1, .failed = ~step, .name = step * 77ull };
	if (round == 1 && i % 2)
		s.until_ms = now + 100000;
	if (round == 2 && i % 3 == 0)
		s.wrong = s.failed = 0; /* nothing is left */
	const struct auth_place at = place(i);
	auth_put(&region, &at, &s, now);
}

static void records(void)
{
	auth_adopt(&region);
	for (; shared->step < STEPS; shared->step++)
		record_step(shared->step);
}

struct seen {
	int there;
	struct auth_state s;
};
static struct seen expected[STEPS + 1][KEYS];

static void look(struct seen *ret)
{
	for (uint32_t i = 0; i < KEYS; i++) {
		memset(&ret[i], 0, sizeof ret[i]);
		ret[i].there = auth_look(&region, place(i).key, &ret[i].s) == 0;
		if (!ret[i].there)
			memset(&ret[i].s, 0, sizeof ret[i].s);
	}
}

static void compare_records(uint64_t n)
{
	struct seen now[KEYS];
	struct auth_record r;
	uint32_t step = shared->step;
	look(now);
	for (uint32_t i = 0; i < KEYS; i++)
		CHECK(memcmp(&now[i], &expected[step][i], sizeof now[i]) == 0 || (step < STEPS && memcmp(&now[i], &expected[step + 1][i], sizeof now[i]) == 0) ||
			      (step < STEPS && !now[i].there && !expected[step + 1][i].there),
			"point %llu: record %u is neither as before step %u nor as after it", (unsigned long long)n, i, step);
	for (uint32_t i = 0; i < AUTH_WAYS; i++)
		if (auth_read(&region, i, &r) == 0) {
			uint32_t host = r.source.ip[3];
			const struct auth_place at = place(host < KEYS ? host : 0);
			CHECK(r.key == at.key && span_eq((struct span){ r.name, r.name_n }, at.name) && r.kind == (uint32_t)at.kind,
				"point %llu: place %u says it is another's", (unsigned long long)n, i);
		}
}

/* --- nonces --- */

static uint64_t nonce_of(uint32_t use)
{
	return (uint64_t)(use % NONCES + 1) << 32 | (100 + use % NONCES);
}

/* some twice, some backwards */
static uint32_t count_of(uint32_t use)
{
	static const uint32_t counts[] = { 3, 1, 2, 60 };
	return counts[use / NONCES];
}

static enum nonce_use try_use(uint32_t use)
{
	uint64_t id = nonce_of(use);
	if ((uint32_t)id <= nonce_floor(&region, &key, id))
		return NONCE_REPLAYED; /* stale */
	return nonce_look(&region, &key, id, count_of(use));
}

static void nonces(void)
{
	for (; shared->step < USES; shared->step++)
		if (try_use(shared->step) != NONCE_REPLAYED)
			nonce_use(&region, &key, nonce_of(shared->step), count_of(shared->step));
}

static void compare_nonces(uint64_t n)
{
	for (uint32_t use = 0; use < shared->step && use < USES; use++)
		CHECK(try_use(use) == NONCE_REPLAYED, "point %llu: use %u of step %u could be made again", (unsigned long long)n, use, shared->step);
}

/* --- the deaths --- */

/* false: it was killed at point n */
static bool run(void (*part)(void), uint64_t n)
{
	pid_t pid = fork();
	int status;
	CHECK(pid >= 0, "fork");
	if (!pid) {
		crash_at = n;
		part();
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid, "waitpid");
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return false;
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "point %llu: status %x", (unsigned long long)n, (unsigned)status);
	return true;
}

static uint64_t every_point(void (*part)(void), void (*compare)(uint64_t n), uint32_t steps)
{
	for (uint64_t n = 1;; n++) {
		make();
		if (run(part, n))
			return n - 1;
		compare(n);
		if (!run(part, n % 13 + 1)) /* the successor dies too */
			compare(n);
		CHECK(run(part, 0) && shared->step == steps, "point %llu: the successor did not finish", (unsigned long long)n);
		compare(n);
	}
}

int main(void)
{
	make();
	for (uint32_t step = 0; step < STEPS; step++) {
		record_step(step);
		look(expected[step + 1]);
	}
	uint64_t of_records = every_point(records, compare_records, STEPS);
	uint64_t of_nonces = every_point(nonces, compare_nonces, USES);
	CHECK(of_records > 200 && of_nonces > 50, "too few points: %llu, %llu", (unsigned long long)of_records, (unsigned long long)of_nonces);
	printf("killed at each of %llu stores to records and %llu to nonces\n", (unsigned long long)of_records, (unsigned long long)of_nonces);
	return 0;
}
