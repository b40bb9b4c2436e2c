/* The location table's owner is killed at its first, second, third... store, its successor too: what others see of an account is
 * what it was before the change under way or what it is after, all of its contacts together, and nothing leaks. */
#include "world.h"
#include "shm/location.h"
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef TANDEM_CRASHPOINTS
#error "to be built with crash points"
#endif

#define ACCOUNTS 6u
#define STEPS	 40u

struct progress { /* outside of what is tested */
	uint32_t step;			/* under way */
	uint32_t version[ACCOUNTS];	/* 0: not registered; else of all its contacts, whose number it gives */
	uint32_t account, next_version; /* of that step */
};
static struct progress *progress;
static struct region region;

static void account_name(uint32_t i, char name[8])
{
	snprintf(name, 8, "a%u", i);
}

static uint32_t contacts_of(uint32_t version)
{
	return version ? 1 + version % 3 : 0;
}

/* a text that tells account, contact and version, and is as long as the version says */
static uint32_t write_uri(uint32_t account, uint32_t contact, uint32_t version, char *text)
{
	uint32_t n = (uint32_t)snprintf(text, LOCATION_URI_MAX, "sip:%u.%u.%u.", account, contact, version);
	uint32_t end = n + version * 37 % 400;
	memset(text + n, 'x', end - n);
	return end;
}

static void put(struct location *l, uint32_t account, uint32_t version)
{
	static char text[4][LOCATION_URI_MAX];
	static struct location_set set;
	char name[8];
	uint32_t record;
	set.n = contacts_of(version);
	for (uint32_t i = 0; i < set.n; i++) {
		memset(&set.at[i], 0, sizeof set.at[i]);
		set.at[i].b.expires_ms = UINT64_MAX;
		set.at[i].b.cseq = version;
		set.at[i].b.q = 1000;
		set.at[i].b.registered_ms = 10 - i;
		set.at[i].text[LOCATION_URI] = (struct span){ text[i], write_uri(account, i, version, text[i]) };
	}
	account_name(account, name);
	CHECK(location_put(l, span_of(name), &set, &record) == 0, "no room for %s", name);
}

/* one change, noted before and after */
static void step(struct location *l, uint32_t account, uint32_t version)
{
	progress->account = account;
	progress->next_version = version;
	__atomic_store_n(&progress->step, progress->step + 1, __ATOMIC_RELEASE);
	put(l, account, version);
	progress->version[account] = version;
}

static void life(uint64_t seed)
{
	struct location l;
	CHECK(location_open(&l, &region) == 0, "open");
	for (uint32_t i = 0; i < STEPS; i++) {
		uint32_t number = (uint32_t)(seed * 31 + i * 7);
		step(&l, number % ACCOUNTS, number % 5 == 0 ? 0 : (uint32_t)seed * STEPS + i + 1);
	}
	location_done(&l);
}

/* what everybody sees of an account; UINT32_MAX: what nobody wrote */
static uint32_t seen_version(uint32_t account)
{
	static struct location_contact at[LOCATION_CONTACTS];
	char name[8], text[LOCATION_URI_MAX];
	account_name(account, name);
	uint32_t n = location_lookup_in(&region, span_of(name), 0, at, LOCATION_CONTACTS);
	if (!n)
		return 0;
	uint32_t version = at[0].cseq;
	if (n != contacts_of(version))
		return UINT32_MAX;
	for (uint32_t i = 0; i < n; i++)
		if (!span_eq(at[i].uri, (struct span){ text, write_uri(account, i, version, text) }) ||
			!span_eq(at[i].account, span_of(name)))
			return UINT32_MAX;
	return version;
}

/* the change under way when the writer died is decided now, by what is seen */
static void look(void)
{
	uint32_t bindings = 0;
	for (uint32_t i = 0; i < ACCOUNTS; i++) {
		uint32_t seen = seen_version(i);
		CHECK(seen == progress->version[i] || (i == progress->account && seen == progress->next_version),
			"account %u has %u, not %u or %u (step %u)", i, seen, progress->version[i], progress->next_version, progress->step);
		progress->version[i] = seen;
		bindings += contacts_of(seen);
	}
	progress->next_version = progress->version[progress->account];
	(void)bindings;
}

/* A successor finds just what is seen, and every place else is free. */
static void succession(uint64_t seed)
{
	(void)seed;
	struct location l;
	uint32_t bindings = 0, accounts = 0, used = 0, free_before;
	CHECK(location_open(&l, &region) == 0, "open");
	for (uint32_t i = 0; i < ACCOUNTS; i++) {
		bindings += contacts_of(progress->version[i]);
		accounts += progress->version[i] != 0;
	}
	CHECK(l.bindings == bindings && location_count(&region) == bindings, "%u bindings, not %u", l.bindings, bindings);
	CHECK(l.n_free == l.n_records - accounts, "%u free records", l.n_free);
	free_before = l.n_free;
	for (uint32_t i = 0; i < ACCOUNTS; i++)
		step(&l, i, 0);
	for (uint32_t i = 0; i <= l.n_units / 64; i++)
		used += (uint32_t)__builtin_popcountll(l.used[i]);
	CHECK(!used && l.n_free == l.n_records && l.n_free >= free_before, "%u units leaked", used);
	for (uint32_t i = 0; i < ACCOUNTS; i++) /* for the next life */
		step(&l, i, 1000 + i);
	location_done(&l);
}

/* true: it got through; false: it was killed at point n */
static bool run(void (*part)(uint64_t), uint64_t seed, uint64_t n)
{
	pid_t pid = fork();
	CHECK(pid >= 0, "fork");
	if (!pid) {
		crash_at = n;
		part(seed);
		_exit(0);
	}
	int status;
	CHECK(waitpid(pid, &status, 0) == pid, "waitpid");
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return false;
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "point %llu: status %x", (unsigned long long)n, status);
	return true;
}

static void make(void)
{
	static struct config c = { .magic = CONFIG_MAGIC, .size = sizeof c, .generation = 1 };
	struct region_head head;
	c.system.signaling = c.system.media = 1;
	c.system.calls = 1;
	c.system.endpoints = 1;
	c.media.port_low = 30000;
	c.media.port_high = 30001;
	CHECK(region_plan(&c, ROLE_SIGNALING, 0, &head) == 0 && region_make(&head, &region) == 0, "region");
	progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(progress != MAP_FAILED, "mmap");
}

int main(void)
{
	uint64_t n = 1, successors = 0;
	make();
	for (bool through = false; !through; n++) {
		through = run(life, n, n);
		look();
		while (!run(succession, n, successors++ % 2003 * 3 + 1))
			look();
		look();
	}
	printf("%llu points, %llu successors\n", (unsigned long long)n - 2, (unsigned long long)successors);
	CHECK(n > 400, "too few points: is every store one?");
	return 0;
}
