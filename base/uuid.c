#include "base/uuid.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#define COUNTER_MAX  0xfffu /* rand_a, used as a counter: RFC 9562 section 6.2 method 1 */
#define BACKWARD_MAX 10000u /* ms: a clock set back further is followed, else ids would carry a wrong time for long */

/* The generator must not be shared with a forked child, else both would make the same ids. The page is cleared by the
 * kernel in the child (MADV_WIPEONFORK), which costs nothing per call; where that is refused the pid is compared. */
struct generator {
	uint64_t s[4]; /* xoshiro256++ */
	uint64_t last_ms;
	uint32_t counter;
	pid_t pid;
	bool seeded;
};

static struct generator *generator_page;
static struct generator generator_plain;

static struct generator *generator_map(void)
{
	void *page = mmap(NULL, sizeof(struct generator), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return &generator_plain;
	if (madvise(page, sizeof(struct generator), MADV_WIPEONFORK) < 0) {
		munmap(page, sizeof(struct generator));
		return &generator_plain;
	}
	return page;
}

static void seed(struct generator *g)
{
	ssize_t n;
	*g = (struct generator){ .pid = getpid() };
	do
		n = getrandom(g->s, sizeof(g->s), 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(g->s))
		abort(); /* without a seed ids would not be unique */
	g->s[0] |= 1;	 /* the state must not be all zero */
	g->seeded = true;
}

static struct generator *generator(void)
{
	if (!generator_page)
		generator_page = generator_map();
	struct generator *g = generator_page;
	if (!g->seeded || (g == &generator_plain && g->pid != getpid()))
		seed(g);
	return g;
}

static inline uint64_t rotate_left(uint64_t v, int by)
{
	return v << by | v >> (64 - by);
}

uint64_t uuid_random(void)
{
	uint64_t *s = generator()->s;
	uint64_t result = rotate_left(s[0] + s[3], 23) + s[0], t = s[1] << 17;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate_left(s[3], 45);
	return result;
}

void uuid_make(uint64_t wall_ms, struct uuid *ret_uuid)
{
	struct generator *g = generator();
	uint64_t low = uuid_random();
	if (wall_ms > g->last_ms || wall_ms + BACKWARD_MAX < g->last_ms) {
		g->last_ms = wall_ms;
		g->counter = (uint32_t)(uuid_random() & COUNTER_MAX >> 1); /* the upper half is left for counting */
	} else if (++g->counter > COUNTER_MAX) {
		g->last_ms++; /* runs ahead of the clock until it catches up */
		g->counter = 0;
	}
	for (int i = 0; i < 6; i++)
		ret_uuid->b[i] = (uint8_t)(g->last_ms >> (40 - 8 * i));
	ret_uuid->b[6] = (uint8_t)(0x70 | g->counter >> 8);
	ret_uuid->b[7] = (uint8_t)g->counter;
	for (int i = 0; i < 8; i++)
		ret_uuid->b[8 + i] = (uint8_t)(low >> (56 - 8 * i));
	ret_uuid->b[8] = (uint8_t)(0x80 | (ret_uuid->b[8] & 0x3f));
}

static bool dash_at(int i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

void uuid_format(const struct uuid *u, char text[UUID_TEXT + 1])
{
	int digit = 0;
	for (int i = 0; i < UUID_TEXT; i++) {
		if (dash_at(i)) {
			text[i] = '-';
			continue;
		}
		text[i] = "0123456789abcdef"[u->b[digit / 2] >> (digit % 2 ? 0 : 4) & 15];
		digit++;
	}
	text[UUID_TEXT] = 0;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int uuid_parse(const char *text, struct uuid *ret_uuid)
{
	struct uuid u = { { 0 } };
	int digit = 0;
	for (int i = 0; i < UUID_TEXT; i++) {
		int v = dash_at(i) ? (text[i] == '-' ? 0 : -1) : hex_value(text[i]);
		if (v < 0)
			return -EINVAL; /* also the end of a text that is too short */
		if (dash_at(i))
			continue;
		u.b[digit / 2] = (uint8_t)(u.b[digit / 2] << 4 | v);
		digit++;
	}
	if (text[UUID_TEXT])
		return -EINVAL;
	*ret_uuid = u;
	return 0;
}
