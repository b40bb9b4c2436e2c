/* The routing worker dies at every single store to the table of names, a signalling worker at every one to its log of bans: what
 * others read is whole each time, and a successor carries on. */
#include "shm/names.h"
#include "shm/sources.h"
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

#define PORTS 9u /* a state is written with one of these ports in all of its addresses */

static struct region names;
static const struct sources *bans;
static const struct name_key keys[] = { { SPAN("one.example"), 0, 0 }, { SPAN("two.example"), 5060, 1 } };

static void make(void)
{
	struct config c = { .magic = CONFIG_MAGIC, .size = sizeof c };
	struct region_head head;
	c.system.signaling = c.system.media = 1;
	c.media.port_low = 30000;
	c.media.port_high = 30009;
	CHECK(region_plan(&c, ROLE_ROUTING, 0, &head) == 0, "plan");
	CHECK(region_make(&head, &names) == 0, "make");
	bans = mmap(NULL, sizeof *bans, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(bans != MAP_FAILED, "mmap");
}

static struct name_state state(uint16_t port)
{
	struct name_state s = { .status = NAME_RESOLVED, .n = NAME_ADDRESSES, .due_ms = port };
	for (uint32_t i = 0; i < NAME_ADDRESSES; i++)
		s.at[i].addr = (struct addr){ .ip = { 127, 0, 0, (uint8_t)i }, .family = 4, .port = port };
	return s;
}

static struct addr source(uint8_t i)
{
	return (struct addr){ .ip = { 10, 0, i, i }, .family = 4 };
}

static void life(uint64_t start)
{
	names_adopt(&names);
	for (uint16_t round = 1; round < PORTS; round++) {
		for (uint32_t i = 0; i < 2; i++) {
			struct name_state s = state(round);
			names_put(&names, names_add(&names, &keys[i]), &s);
		}
		struct addr a = source((uint8_t)round);
		sources_append(bans, &a, round % 2 ? BAN_GARBAGE : BAN_NONE, start + round);
	}
	names_remove(&names, names_find(&names, &keys[0]));
}

static void look(uint64_t events)
{
	for (uint32_t k = 0; k < 2; k++) {
		struct name_state s;
		int r = names_read(&names, &keys[k], &s);
		CHECK(r == 0 || r == -ENOENT, "read: %d", r);
		if (r || s.status == NAME_PENDING)
			continue;
		struct name_state whole = state((uint16_t)s.due_ms);
		CHECK(s.due_ms && s.due_ms < PORTS && memcmp(&s, &whole, sizeof s) == 0, "a torn record of port %u", (unsigned)s.due_ms);
	}
	struct source_event e;
	uint64_t next = events;
	while (sources_next(bans, &next, &e)) {
		struct addr a = source(e.addr.ip[2]);
		CHECK(e.until_ms == events + e.addr.ip[2] && addr_same_ip(&a, &e.addr), "a torn event");
		CHECK((e.reason == BAN_GARBAGE) == (e.addr.ip[2] % 2 == 1), "another event's reason");
	}
}

int main(void)
{
	uint64_t n = 1;
	make();
	for (bool through = false; !through; n++) {
		uint64_t events = bans->events;
		pid_t pid = fork();
		CHECK(pid >= 0, "fork");
		if (!pid) {
			crash_at = n;
			life(events);
			_exit(0);
		}
		int status;
		CHECK(waitpid(pid, &status, 0) == pid, "waitpid");
		through = WIFEXITED(status);
		CHECK(through ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGKILL, "status %x", status);
		look(events);
		names_adopt(&names);
		uint32_t used = 0, room = region_count(&names, AREA_NAMES);
		for (uint32_t i = 0; i < room; i++)
			used += ((const struct name *)region_area(&names, AREA_NAMES))[i].slot.state != SLOT_FREE;
		CHECK(used <= 2, "%u places in use", used);
	}
	printf("%llu points\n", (unsigned long long)n - 2);
	CHECK(n > 100, "too few points: is every store one?");
	return 0;
}
