#include "killer.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN 64u
#define LOOK_MS	 10u
#define LONGEST	 30000u /* for a successor */

struct process {
	pid_t pid;
	char name[16];
};

struct kill *killed;
uint32_t n_killed;
static struct wheel_timer timer;
static uint64_t rng, next;

const char *killer_signal(int number)
{
	return number == SIGKILL ? "KILL" : number == SIGSEGV ? "SEGV" : number == SIGSTOP ? "STOP" : "ABRT";
}

static bool name_of(pid_t pid, char name[16])
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
	FILE *f = fopen(path, "re");
	bool good = f && fgets(name, 16, f);
	name[good ? strcspn(name, "\n") : 0] = 0;
	if (f)
		fclose(f);
	return good;
}

/* The supervisor's children, and those of dead ones, that have been seen and still are what they were. */
static uint32_t children(struct process *p)
{
	static struct process known[CHILDREN];
	static uint32_t n_known;
	char path[64], line[4096];
	uint32_t n = 0;
	for (uint32_t i = 0; i < n_known; i++) {
		char name[16];
		if (name_of(known[i].pid, name) && strcmp(name, known[i].name) == 0)
			p[n++] = known[i];
	}
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)run.pid, (int)run.pid);
	FILE *f = fopen(path, "re");
	char *at = f && fgets(line, sizeof line, f) ? line : NULL;
	while (at && n < CHILDREN) {
		char *end;
		bool there = false;
		long pid = strtol(at, &end, 10);
		if (end == at)
			break;
		at = end;
		for (uint32_t i = 0; i < n; i++)
			there |= p[i].pid == pid;
		p[n].pid = (pid_t)pid;
		n += !there && name_of((pid_t)pid, p[n].name);
	}
	if (f)
		fclose(f);
	memcpy(known, p, n * sizeof *p);
	n_known = n;
	return n;
}

static bool wants_supervisor(void)
{
	return !run.targets || strstr(run.targets, "supervisor");
}

static bool is_target(const char *name)
{
	char role[16];
	snprintf(role, sizeof role, "%.*s", (int)strcspn(name, "/"), name);
	return run.targets ? strstr(run.targets, role) != NULL : strncmp(role, "tandem", 6) != 0;
}

/* SIGKILL mostly; a stopped one costs two seconds until it is noticed */
static int draw_signal(void)
{
	static const struct {
		const char *name;
		int signal;
		uint32_t share;
	} all[] = { { "KILL", SIGKILL, 60 }, { "SEGV", SIGSEGV, 30 }, { "STOP", SIGSTOP, 10 } };
	uint32_t total = 0;
	for (size_t i = 0; i < 3; i++)
		total += !run.signals || strstr(run.signals, all[i].name) ? all[i].share : 0;
	uint32_t at = draw(&rng, total ? total : 1);
	for (size_t i = 0; i < 3; i++) {
		uint32_t share = !run.signals || strstr(run.signals, all[i].name) ? all[i].share : 0;
		if (at < share)
			return all[i].signal;
		at -= share;
	}
	return SIGKILL;
}

static void kill_one(uint64_t now)
{
	struct process p[CHILDREN + 1];
	uint32_t n = children(p), m = 0;
	for (uint32_t i = 0; i < n; i++)
		if (is_target(p[i].name))
			p[m++] = p[i];
	if (wants_supervisor()) {
		p[m] = (struct process){ .pid = run.pid, .name = "supervisor" };
		m++;
	}
	if (!m)
		return;
	struct process *victim = &p[draw(&rng, m)];
	struct kill *k = &killed[n_killed];
	*k = (struct kill){ .at = now, .pid = victim->pid, .signal = draw_signal() };
	memcpy(k->name, victim->name, sizeof k->name);
	/* these are allowed 10 and 30 s of silence: nobody waits for them */
	if (k->signal == SIGSTOP && (strcmp(k->name, "routing") == 0 || strcmp(k->name, "cdr") == 0))
		k->signal = SIGKILL;
	bool supervisor = k->pid == run.pid;
	if (supervisor && k->signal == SIGSTOP) /* nobody watches it but the service manager */
		k->signal = SIGKILL;
	k->at = clock_ms();
	if (supervisor)
		children(p); /* from here on they are nobody's */
	if (kill(k->pid, k->signal) == 0)
		n_killed++;
	if (supervisor) {
		waitpid(k->pid, NULL, 0);
		product_spawn(true);
	}
}

static bool supervisor_is_back(void)
{
	char path[192], text[32] = "";
	snprintf(path, sizeof path, "%s/run/tandem.pid", run.dir);
	FILE *f = fopen(path, "re");
	bool good = f && fgets(text, sizeof text, f) && atoi(text) == (int)run.pid;
	if (f)
		fclose(f);
	return good;
}

static bool is_back(struct kill *k, uint64_t now)
{
	struct process p[CHILDREN + 1];
	uint32_t n = children(p);
	if (strcmp(k->name, "supervisor") == 0) {
		k->back = supervisor_is_back() ? now : 0;
		return k->back;
	}
	for (uint32_t i = 0; i < n; i++)
		if (p[i].pid != k->pid && strcmp(p[i].name, k->name) == 0) {
			k->back = now;
			return true;
		}
	return false;
}

static void tick(struct wheel_timer *t, uint64_t now)
{
	struct kill *last = n_killed ? &killed[n_killed - 1] : NULL;
	now = clock_ms();
	bool waiting = last && !last->back && !is_back(last, now);
	if (waiting && now - last->at > LONGEST) {
		printf("no successor of %s (pid %d, %s) after %u s\n", last->name, (int)last->pid,
			killer_signal(last->signal), LONGEST / 1000);
		run.failures++;
		run.kills = n_killed;
		return;
	}
	if (!waiting && now >= next && n_killed < run.kills) {
		kill_one(now);
		uint64_t after = 1 + draw(&rng, 2 * run.interval);
		next = now + after;
	}
	if (n_killed < run.kills || !killed[n_killed - 1].back)
		wheel_add(&run.loop.wheel, t, now + LOOK_MS, tick);
}

bool killer_done(void)
{
	return !run.kills || (n_killed >= run.kills && (!n_killed || killed[n_killed - 1].back));
}

int killer_open(void)
{
	if (!run.kills)
		return 0;
	killed = calloc(run.kills, sizeof *killed);
	if (!killed)
		return -ENOMEM;
	rng = run.seed * 0x9e3779b97f4a7c15ull + 1;
	next = clock_ms() + 1000;
	wheel_add(&run.loop.wheel, &timer, next, tick);
	return 0;
}
