/* A writer, a reader of its calls, a consumer of its ring and a reader of its journal, all at full speed; writer and
 * consumer are killed at arbitrary instructions and started again. Seconds to run: first argument, default 5. */
#include "base/clock.h"
#include "world.h"
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t seed = 88172645463325252ull;
static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static void write_for_ever(struct world *w)
{
	seed ^= (uint64_t)getpid() << 20;
	world_adopt(w);
	for (;;) {
		uint32_t i = next_random() % WORLD_CALLS;
		bool room = w->journal->tail - __atomic_load_n(&w->memory->acked, __ATOMIC_ACQUIRE) + WORLD_CALLS <
			    w->journal->capacity;
		if (!world_live(w, i))
			world_begin(w, i);
		else if (w->state[i].journal || (room && next_random() % 8 == 0))
			world_end(w, i);
		else
			world_step(w, i);
	}
}
static void consume_for_ever(struct world *w)
{
	for (;;)
		if (!world_consume(w, 100))
			usleep(100);
}
static void look_for_ever(struct world *w)
{
	uint64_t ids[64];
	for (;;) {
		world_look(w, false);
		world_read_journal(w, ids, 64);
	}
}

static pid_t start(struct world *w, void (*part)(struct world *))
{
	pid_t parent = getpid(), pid = fork();
	CHECK(pid >= 0, "fork");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	part(w);
	_exit(0);
}

static bool end(pid_t pid)
{
	int status;
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, &status, 0) == pid, "waitpid");
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

int main(int argc, char **argv)
{
	static struct world w;
	uint64_t until = clock_ms() + 1000 * (uint64_t)(argc > 1 ? atoi(argv[1]) : 5), deaths = 0;
	bool well = true;
	world_make(&w);
	pid_t writer = start(&w, write_for_ever), consumer = start(&w, consume_for_ever),
	      reader = start(&w, look_for_ever);
	while (well && clock_ms() < until) {
		usleep((useconds_t)(next_random() % 15000));
		well = end(writer);
		deaths++;
		if (deaths % 16 == 0)
			world_look(&w, true);
		writer = start(&w, write_for_ever);
		if (well && deaths % 3 == 0) {
			well = end(consumer);
			consumer = start(&w, consume_for_ever);
		}
	}
	well = end(writer) && well;
	well = end(consumer) && well;
	well = end(reader) && well;
	CHECK(well, "one of them found a fault, see above");
	world_look(&w, true);
	world_consume(&w, UINT32_MAX);
	world_adopt(&w);
	for (uint32_t i = 0; i < WORLD_CALLS; i++)
		if (world_live(&w, i))
			world_end(&w, i);
	world_must_be_empty(&w);
	world_forget(&w);
	struct memory *m = w.memory;
	printf("%llu deaths, %llu calls, %llu messages (%llu repeated), %llu records, %llu reads (%llu busy)\n",
		(unsigned long long)deaths, (unsigned long long)m->next_id, (unsigned long long)m->consumed,
		(unsigned long long)m->repeats, (unsigned long long)m->records, (unsigned long long)m->reads,
		(unsigned long long)m->busy);
	CHECK(m->gaps <= deaths && m->repeats <= deaths / 3, "messages lost (%llu) or repeated",
		(unsigned long long)m->gaps);
	CHECK(m->consumed > 1000 && m->records > 100 && m->reads - m->busy > 1000,
		"too little happened to mean anything");
	return 0;
}
