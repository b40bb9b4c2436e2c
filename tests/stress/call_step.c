/* call_crash does it to a build of its own; this does it to the code as released: one whole relayed call, and the signalling
 * worker is killed at each machine instruction of the commit interface that the call passes, as often as there are any; a
 * successor takes over and the call must come to its end with its one record and nothing left.
 *
 * Which instructions those are is what the compiler's line table says: all that stem from shm/commit.h, inlined wherever they
 * are, and what they call (memcpy). A breakpoint stands at the first of each run of them; from there the worker is stepped.
 * Between two of them nothing reaches shared memory (tests/lint_commit.py), so what lies there shows nothing new to a
 * successor but what was sent: one more point is taken 50 instructions behind each run. A copy of many bytes, which is one
 * instruction repeated or a loop of the C library, is a point at its begin and each 50th step.
 *
 * TANDEM_LONG=1: every point; else every k-th, from another one each time, within BUDGET_MS. */
#include "base/clock.h"
#include "peers.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define SKIPPED	  77
#define RUNS_MAX  16384
#define BEHIND	  50
#define BUDGET_MS 20000u
#define SAMPLES	  120u

extern const char __executable_start[];
struct run_of_code {
	uint64_t from, to;
	uint8_t byte; /* what stands at `from` */
};
static struct run_of_code code[RUNS_MAX];
static unsigned n_code;
static struct harness h;
static struct peers *p;

static const struct script script = { .name = "relayed", .number = "1", .steps = "rb", .code = 200, .records = 1 };

/* --- where the commit interface is ------------------------------------------------------------------------------- */

static int by_address(const void *a, const void *b)
{
	const struct run_of_code *x = a, *y = b;
	return x->from < y->from ? -1 : x->from > y->from;
}

static void add_code(uint64_t from, uint64_t to)
{
	if (from >= to)
		return;
	CHECK(n_code < RUNS_MAX, "too many");
	code[n_code++] = (struct run_of_code){ .from = from + (uintptr_t)__executable_start, .to = to + (uintptr_t)__executable_start };
}

/* rows "commit.h  59  0x1234  x": each holds until the next row of its sequence */
static bool read_line_table(void)
{
	char line[512], file[256], name[64];
	uint64_t from = 0;
	snprintf(name, sizeof name, "objdump --dwarf=decodedline /proc/%d/exe 2>/dev/null", (int)getpid());
	FILE *f = popen(name, "r"); /* NOLINT: a test's own command */
	bool inside = false;
	while (f && fgets(line, sizeof line, f)) {
		unsigned long long at;
		unsigned number;
		char mark[32];
		bool end = sscanf(line, "%255s %31s %llx", file, mark, &at) == 3 && mark[0] == '-';
		if (!end && sscanf(line, "%255s %u %llx", file, &number, &at) != 3)
			continue;
		if (inside)
			add_code(from, at);
		inside = !end && strcmp(file, "commit.h") == 0;
		from = at;
	}
	if (f)
		pclose(f);
	qsort(code, n_code, sizeof *code, by_address);
	unsigned n = 0;
	for (unsigned i = 0; i < n_code; i++) {
		if (n && code[i].from <= code[n - 1].to)
			code[n - 1].to = code[i].to > code[n - 1].to ? code[i].to : code[n - 1].to;
		else
			code[n++] = code[i];
	}
	n_code = n;
	for (unsigned i = 0; i < n_code; i++)
		code[i].byte = *(const uint8_t *)code[i].from;
	return n_code > 0;
}

static struct run_of_code *code_at(uint64_t pc)
{
	unsigned low = 0, high = n_code;
	while (low < high) {
		unsigned mid = (low + high) / 2;
		if (code[mid].to <= pc)
			low = mid + 1;
		else
			high = mid;
	}
	return low < n_code && code[low].from <= pc ? &code[low] : NULL;
}

/* --- the tracer: a thread, since the peers must go on meanwhile -------------------------------------------------- */

static struct {
	pid_t pid;
	int mem;
	uint64_t die_at, points; /* die_at 0: count only */
	atomic_bool armed, dead, quit;
	pthread_t thread;
} t;

static void put(uint64_t at, uint8_t byte)
{
	CHECK(pwrite(t.mem, &byte, 1, (off_t)at) == 1, "text of the worker: %s", strerror(errno));
}

static void breakpoints(bool set)
{
	for (unsigned i = 0; i < n_code; i++)
		put(code[i].from, set ? 0xcc : code[i].byte);
}

static uint64_t pc_of(int *ret_status, bool wait)
{
	struct user_regs_struct r;
	if (wait && (waitpid(t.pid, ret_status, __WALL) != t.pid || !WIFSTOPPED(*ret_status)))
		return 0;
	CHECK(!ptrace(PTRACE_GETREGS, t.pid, NULL, &r), "registers");
	return r.rip;
}

static void set_pc(uint64_t pc)
{
	struct user_regs_struct r;
	CHECK(!ptrace(PTRACE_GETREGS, t.pid, NULL, &r), "registers");
	r.rip = pc;
	CHECK(!ptrace(PTRACE_SETREGS, t.pid, NULL, &r), "registers");
}

static bool point(void)
{
	int status;
	t.points += !t.quit;
	if (!t.quit && (!t.die_at || t.points != t.die_at))
		return false;
	kill(t.pid, SIGKILL);
	while (waitpid(t.pid, &status, __WALL) == t.pid && WIFSTOPPED(status))
		;
	return true;
}

/* one instruction; false: it is gone */
static bool step(uint64_t *pc)
{
	int status;
	struct run_of_code *c = code_at(*pc);
	bool there = c && c->from == *pc;
	if (there)
		put(*pc, c->byte);
	CHECK(!ptrace(PTRACE_SINGLESTEP, t.pid, NULL, NULL), "step");
	uint64_t now = pc_of(&status, true);
	if (!now)
		return false;
	if (there)
		put(*pc, 0xcc);
	*pc = now;
	return true;
}

/* from a breakpoint through the interface and a little beyond; true: killed */
static bool walk_through(uint64_t pc)
{
	const uint64_t begin = (uintptr_t)__executable_start, end = begin + (64u << 20);
	unsigned copied = 0, behind = 0;
	bool called = false; /* by the interface: a copy */
	for (uint64_t before = 0; behind < BEHIND; before = pc) {
		bool of_library = pc < begin || pc >= end, inside = code_at(pc) != NULL;
		if (inside)
			behind = 0;
		if (inside && pc != before) {
			called = true;
			copied = 0;
			if (point())
				return true;
		} else if (inside || (of_library && called)) {
			if (++copied % 50 == 0 && point())
				return true;
		} else {
			called = false;
			behind++;
		}
		if (!step(&pc))
			return false;
	}
	return point();
}

static void *trace(void *unused)
{
	int status;
	(void)unused;
	CHECK(!ptrace(PTRACE_SEIZE, t.pid, NULL, NULL) && !ptrace(PTRACE_INTERRUPT, t.pid, NULL, NULL), "ptrace: %s", strerror(errno));
	CHECK(waitpid(t.pid, &status, __WALL) == t.pid && WIFSTOPPED(status), "interrupt");
	breakpoints(true);
	t.armed = true;
	for (;;) {
		CHECK(!ptrace(PTRACE_CONT, t.pid, NULL, NULL), "continue");
		if (waitpid(t.pid, &status, __WALL) != t.pid || !WIFSTOPPED(status))
			break;
		if (WSTOPSIG(status) != SIGTRAP || status >> 16)
			continue;
		uint64_t pc = pc_of(&status, false) - 1;
		if (!code_at(pc))
			continue;
		set_pc(pc);
		if (walk_through(pc))
			break;
	}
	t.dead = true;
	return NULL;
}

static void start_traced(uint64_t die_at)
{
	char path[64];
	harness_start(&h, 0);
	snprintf(path, sizeof path, "/proc/%d/mem", (int)h.pid);
	t.pid = h.pid;
	t.die_at = die_at;
	t.points = 0;
	t.dead = t.armed = t.quit = false;
	t.mem = open(path, O_RDWR | O_CLOEXEC);
	CHECK(t.mem >= 0 && !pthread_create(&t.thread, NULL, trace, NULL), "tracer");
	while (!t.armed)
		usleep(100);
}

/* --- */

static void finish_traced(void)
{
	t.quit = true; /* at its next heartbeat */
	pthread_join(t.thread, NULL);
	close(t.mem);
	h.pid = 0;
}

/* one call whose worker dies at that point; returns the points it passed */
static uint64_t one_call(uint64_t die_at)
{
	bool traced = true;
	uint64_t until = clock_ms() + 30000;
	start_traced(die_at);
	peers_call(p, &h.sip, &script, true);
	do {
		peers_turn(p, 1);
		if (traced && t.dead) {
			finish_traced();
			traced = false;
			harness_fork(&h, 0);
		}
		CHECK(clock_ms() < until, "no end at point %llu", (unsigned long long)die_at);
	} while (peers_running(p) || harness_calls(&h));
	if (traced)
		finish_traced();
	else
		harness_kill(&h);
	harness_idle(&h, 0);
	peers_records(p, &h, true);
	return t.points;
}

int main(void)
{
#ifndef __x86_64__
	printf("registers and breakpoints are those of x86-64\n");
	return SKIPPED;
#endif
	bool all = getenv("TANDEM_LONG") != NULL;
	if (!read_line_table()) {
		printf("no line table, or no objdump: where the commit interface is in this build is not known\n");
		return SKIPPED;
	}
	p = peers_new();
	harness_make(&h, &(struct harness_options){ .caller = peers_caller(p), .gateway = { peers_gateway(p, 0), peers_gateway(p, 1) }, .gateways = 2,
		.media = "on", .ports = "10000-31999", .calls = 8, .parameters = "SS_SIP_RESEND_INTERVAL: \"0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1\"" });
	uint64_t points = one_call(0), begun = clock_ms(), deaths = 0;
	uint64_t stride = all || points < SAMPLES ? 1 : points / SAMPLES;
	CHECK(points > 150, "only %llu points in a call", (unsigned long long)points);
	for (uint64_t n = 1 + (all ? 0 : (uint64_t)getpid() % stride); n <= points && (all || clock_ms() - begun < BUDGET_MS); n += stride, deaths++)
		one_call(n);
	harness_start(&h, 0);
	harness_finish(&h);
	printf("%u runs of code, %llu points in a call; died at %llu of them\n", n_code, (unsigned long long)points, (unsigned long long)deaths);
	return 0;
}
