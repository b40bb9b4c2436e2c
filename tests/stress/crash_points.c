/* The signature test: a writer is killed at its first, second, third... store to shared memory, and each time the others
 * must see a whole state, and its successor must carry on without a leak, a double use or a lost or doubled record. The
 * successor is killed too, at a point that varies, and succeeded in turn. Prints how many points there were. */
#include "world.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef TANDEM_CRASHPOINTS
#error "to be built with crash points"
#endif

/* Two calls side by side, so that one's blocks may be mistaken for the other's. */
static void life(struct world *w)
{
	world_adopt(w);
	world_begin(w, 0);
	world_step(w, 0);
	world_begin(w, 1);
	for (int i = 0; i < 3; i++) {
		world_step(w, 1);
		world_step(w, 0);
	}
	world_end(w, 0);
	world_begin(w, 0); /* the slot's next life */
	world_step(w, 0);
	world_end(w, 1);
	world_end(w, 0);
}

static void succession(struct world *w)
{
	world_adopt(w);
	for (uint32_t i = 0; i < WORLD_CALLS; i++) {
		if (!world_live(w, i))
			continue;
		if (!w->state[i].journal)
			world_step(w, i);
		world_end(w, i);
	}
	world_must_be_empty(w);
}

/* true: it got through; false: it was killed at point n */
static bool run(struct world *w, void (*part)(struct world *), uint64_t n)
{
	pid_t pid = fork();
	CHECK(pid >= 0, "fork");
	if (!pid) {
		crash_at = n;
		part(w);
		_exit(0);
	}
	int status;
	CHECK(waitpid(pid, &status, 0) == pid, "waitpid");
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return false;
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "point %llu: status %x", (unsigned long long)n, status);
	return true;
}

/* calls that are visible must end up with one record each, none with two */
struct expected {
	uint64_t seen[WORLD_CALLS];
	uint32_t n;
};

static void note_visible(struct world *w, struct expected *e)
{
	e->n = 0;
	for (uint32_t i = 0; i < WORLD_CALLS; i++) {
		const struct call *c = &w->calls[i];
		if (c->slot.state == SLOT_LIVE || c->slot.state == SLOT_CLOSING)
			e->seen[e->n++] = c->start_ms;
	}
}

static void check_records(struct world *w, const struct expected *e, uint64_t first_id)
{
	uint64_t ids[64];
	uint32_t n = world_read_journal(w, ids, 64);
	for (uint32_t i = 0; i < n; i++) {
		CHECK(ids[i] >= first_id && ids[i] < w->memory->next_id, "record of call %llu",
			(unsigned long long)ids[i]);
		for (uint32_t k = 0; k < i; k++)
			CHECK(ids[k] != ids[i], "two records of call %llu", (unsigned long long)ids[i]);
	}
	for (uint32_t i = 0; i < e->n; i++) {
		uint32_t found = 0;
		for (uint32_t k = 0; k < n; k++)
			found += ids[k] == e->seen[i];
		CHECK(found == 1, "no record of call %llu", (unsigned long long)e->seen[i]);
	}
}

static void look_around(struct world *w)
{
	world_look(w, true);
	/* sequences are given out before the push: the last one may not have got there, and is given out again */
	world_consume(w, UINT32_MAX);
	CHECK(w->memory->consumed + 2 >= w->memory->next_sequence, "messages lost: %llu of %llu",
		(unsigned long long)w->memory->consumed, (unsigned long long)w->memory->next_sequence);
	w->memory->next_sequence = w->memory->consumed + 1;
}

int main(void)
{
	static struct world w;
	uint64_t n = 1, successors = 0;
	world_make(&w);
	for (bool through = false; !through; n++) {
		struct expected e;
		uint64_t first_id = w.memory->next_id;
		through = run(&w, life, n);
		look_around(&w);
		note_visible(&w, &e);
		while (!run(&w, succession, successors++ % 211 + 1))
			look_around(&w);
		look_around(&w);
		check_records(&w, &e, first_id);
	}
	printf("%llu points, %llu successors, %llu records\n", (unsigned long long)n - 2,
		(unsigned long long)successors, (unsigned long long)w.memory->records);
	CHECK(n > 300, "too few points: is every store one?");
	return 0;
}
