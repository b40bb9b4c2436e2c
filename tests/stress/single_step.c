/* What crash_points does to a build of its own, done to the code as released: the writer is stepped by ptrace, and after
 * each single machine instruction a reader and a consumer look at what it has stored, which is what its death there would
 * leave. Evenly spread over the instructions it is killed indeed, and another carries on. The writer claims, commits and
 * frees a slot and pushes to a ring, since that is all the interface there is. */
#include "world.h"
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEPS_AT_MOST 60000u /* up to all deaths together: bounds the time, a step takes tens of microseconds */
#define SKIPPED	      77

struct state {
	uint64_t value[12];
};
struct record {
	struct slot slot;
	struct state copies[2];
};

static struct world w;
static const struct record *record; /* shared */
static uint64_t *value;		    /* shared: last one whose commit was begun */
static uint64_t *order;		    /* shared: last one whose push was begun */
static uint64_t next = 1;	    /* order that is to come */

static void commit(void)
{
	struct state s;
	++*value;
	for (unsigned i = 0; i < 12; i++)
		s.value[i] = *value + i;
	slot_commit(&record->slot, record->copies, sizeof s, &s);
}

static void push(void)
{
	uint64_t body[3];
	++*order;
	for (unsigned i = 0; i < 3; i++)
		body[i] = *order + i;
	CHECK(!ring_push(&w.ring, 1, body, 16, body + 2, 8), "push");
}

static void act(void)
{
	slot_claim(&record->slot);
	commit();
	slot_live(&record->slot);
	push();
	commit();
	commit();
	push();
	slot_closing(&record->slot);
	slot_free(&record->slot);
}

static void check_slot(void)
{
	struct state s;
	uint32_t any = 0, state = record->slot.state;
	int r = slot_read(&record->slot, record->copies, sizeof s, &any, &s);
	CHECK(r == (state == SLOT_LIVE || state == SLOT_CLOSING ? 0 : -ENOENT), "slot_read: %d in state %u", r, state);
	if (!r)
		for (unsigned i = 0; i < 12; i++)
			CHECK(s.value[i] == s.value[0] + i, "torn");
	if (!r)
		CHECK(s.value[0] == *value || s.value[0] + 1 == *value, "a commit is lost");
}

static void check_ring(void)
{
	const struct ring_message *m;
	for (; (m = ring_peek(&w.ring)); next++) {
		uint64_t body[3];
		CHECK(m->type == 1 && m->size == sizeof body, "message of %u bytes", m->size);
		memcpy(body, m + 1, sizeof body);
		CHECK(body[0] == next && body[1] == next + 1 && body[2] == next + 2,
			"message not whole or out of order");
		ring_pop(&w.ring);
	}
	CHECK(next == *order || next == *order + 1, "a message is lost");
}

static void look(void)
{
	check_slot();
	check_ring();
}

/* Kills it after n instructions. Returns how many it took, fewer than n when it came to its end. */
static uint64_t step(uint64_t n)
{
	pid_t pid = fork();
	int status;
	CHECK(pid >= 0, "fork");
	if (!pid) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(SKIPPED);
		raise(SIGSTOP);
		act();
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid, "waitpid");
	if (WIFEXITED(status))
		exit(WEXITSTATUS(status) == SKIPPED ? SKIPPED : 1);
	for (uint64_t i = 0; i < n; i++) {
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL))
			exit(SKIPPED);
		CHECK(waitpid(pid, &status, 0) == pid, "waitpid");
		if (WIFEXITED(status)) {
			CHECK(WEXITSTATUS(status) == 0, "writer failed");
			return i;
		}
		CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP, "writer stopped by %x", status);
		look();
	}
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, &status, 0) == pid, "waitpid");
	return n;
}

int main(void)
{
	world_make(&w);
	record = mmap(NULL, sizeof *record, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	value = mmap(NULL, 16, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(record != MAP_FAILED && value != MAP_FAILED, "memory");
	order = value + 1;
	act(); /* the dynamic linker's work is not to be stepped through */
	look();
	uint64_t all = step(UINT64_MAX), stride = all * all / 2 / STEPS_AT_MOST + 1, kills = 0;
	for (uint64_t n = 1; n <= all; n += stride, kills++) {
		step(n);
		slot_free(&record->slot); /* as an adopter does */
		next = *order + 1;	  /* what was not pushed is not coming any more */
	}
	printf("%llu instructions, %llu deaths\n", (unsigned long long)all, (unsigned long long)kills);
	CHECK(all > 300 && kills > 3, "too few to mean anything");
	return 0;
}
