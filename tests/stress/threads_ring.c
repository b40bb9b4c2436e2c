/* Ring and slots as two threads over one mapping: what separate processes do, where the thread sanitizer can see it
 * (-Db_sanitize=thread). */
#include "world.h"
#include <pthread.h>
#include <sched.h>

#define MESSAGES 20000u

static struct world w;
static uint32_t stop;

static void *write_all(void *unused)
{
	(void)unused;
	world_adopt(&w);
	while (w.memory->next_sequence < MESSAGES) {
		uint32_t i = (uint32_t)(w.memory->next_sequence % WORLD_CALLS);
		uint64_t before = w.memory->next_sequence;
		if (!world_live(&w, i))
			world_begin(&w, i);
		else if (w.state[i].attempt_ms > 5 && w.journal->tail + 1 < w.journal->capacity)
			world_end(&w, i);
		else
			world_step(&w, i);
		if (w.memory->next_sequence == before)
			sched_yield(); /* the ring is full */
	}
	for (uint32_t i = 0; i < WORLD_CALLS; i++)
		if (world_live(&w, i))
			world_end(&w, i);
	world_must_be_empty(&w);
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void *consume_all(void *unused)
{
	(void)unused;
	for (bool last = false; !last;) {
		last = __atomic_load_n(&stop, __ATOMIC_ACQUIRE);
		if (!world_consume(&w, 1000))
			sched_yield();
	}
	return NULL;
}

int main(void)
{
	pthread_t writer, consumer;
	uint64_t ids[64];
	world_make(&w);
	CHECK(!pthread_create(&writer, NULL, write_all, NULL) && !pthread_create(&consumer, NULL, consume_all, NULL),
		"threads");
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		world_look(&w, false);
		world_read_journal(&w, ids, 64);
	}
	pthread_join(writer, NULL);
	pthread_join(consumer, NULL);
	world_consume(&w, UINT32_MAX);
	CHECK(w.memory->consumed + 1 == w.memory->next_sequence, "messages lost");
	while (world_read_journal(&w, ids, 64))
		;
	CHECK(w.memory->records == w.memory->next_id - 1, "records lost");
	world_forget(&w);
	return 0;
}
