/* Random walks: walk [--walks N] [--rate N] [--loss PERMILLE] [--twice PERMILLE] [--reorder PERMILLE] [--seed N] [--only WALK]
 *                    [--workers N] [--keep] [--kills N [--interval MS] [--targets ROLES] [--signals NAMES] [--rtp CALLS] [--gap-limit MS]
 *                    [--report FILE]] TANDEM
 * Starts the softswitch, takes the walks, waits until nothing is left, and judges each of them. Exit status 0: nothing is wrong;
 * 1: something is, and the ladders say what; 2: usage. */
#include "../crash/ledger.h"
#include <getopt.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct run run = { .walks = 3000, .rate = 500, .workers = 2, .loss = 50, .twice = 50, .reorder = 30, .only = -1, .interval = 500, .gap_limit = 100 };

static struct wheel_timer tick;
static uint64_t began, ended, asked_at;
static uint64_t memory_warm;
static int left = -1;

static void end_of_run(struct wheel_timer *t, uint64_t now)
{
	/* peers first: once they are through, ask the softswitch, and not often */
	if (!ended)
		ended = now;
	if (now - asked_at >= 500) {
		asked_at = now;
		left = product_calls();
		if (left == 0 && run.parcels == 0 && now - ended > 3000) {
			loop_stop(&run.loop, 0);
			return;
		}
	}
	if (now - ended > 120000) {
		loop_stop(&run.loop, 1);
		return;
	}
	wheel_add(&run.loop.wheel, t, now + 100, end_of_run);
}

static void start_some(struct wheel_timer *t, uint64_t now)
{
	uint64_t due = (now - began) * run.rate / 1000 + 1;
	while (run.started < run.walks && run.started < due && !(run.kills && killer_done())) {
		struct walk *w = &run.walk[run.started];
		w->index = run.started++;
		w->rng = run.seed * 0x9e3779b97f4a7c15ull + w->index * 0xd1342543de82ef95ull;
		w->wire_rng = ~w->rng;
		draw(&w->rng, 2);
		script_caller(w);
		if (run.only < 0 || run.only == w->index)
			caller_begin(w);
		if (w->index == run.walks / 4)
			memory_warm = product_memory();
	}
	if (run.kills && killer_done())
		run.walks = run.started;
	if (run.started < run.walks)
		wheel_add(&run.loop.wheel, t, now + 1, start_some);
	else
		wheel_add(&run.loop.wheel, t, now + 100, end_of_run);
}

static int usage(void)
{
	fprintf(stderr, "usage: walk [--walks N] [--rate N] [--loss PERMILLE] [--twice PERMILLE] [--reorder PERMILLE] "
			"[--seed N] [--only WALK] "
			"[--workers N] [--keep] TANDEM\n");
	return 2;
}

static bool keep;

static int options(int argc, char **argv)
{
	static const struct option list[] = { { "walks", 1, 0, 'n' }, { "rate", 1, 0, 'r' }, { "loss", 1, 0, 'l' },
		{ "twice", 1, 0, 't' }, { "reorder", 1, 0, 'o' }, { "seed", 1, 0, 's' }, { "only", 1, 0, 'w' },
		{ "workers", 1, 0, 'p' }, { "keep", 0, 0, 'k' }, { "kills", 1, 0, 'K' }, { "interval", 1, 0, 'i' }, { "targets", 1, 0, 'T' },
		{ "signals", 1, 0, 'S' }, { "rtp", 1, 0, 'R' }, { "gap-limit", 1, 0, 'g' }, { "report", 1, 0, 'O' }, { 0 } };
	run.seed = clock_ns() % 1000000;
	for (int c; (c = getopt_long(argc, argv, "", list, NULL)) != -1;) {
		uint64_t v = optarg ? strtoull(optarg, NULL, 10) : 0;
		switch (c) {
		case 'n':
			run.walks = (uint32_t)v;
			break;
		case 'r':
			run.rate = (uint32_t)v;
			break;
		case 'l':
			run.loss = (uint32_t)v;
			break;
		case 't':
			run.twice = (uint32_t)v;
			break;
		case 'o':
			run.reorder = (uint32_t)v;
			break;
		case 's':
			run.seed = v;
			break;
		case 'w':
			run.only = (int64_t)v;
			run.loud = true;
			break;
		case 'p':
			run.workers = (uint32_t)v;
			break;
		case 'k':
			keep = true;
			break;
		case 'K':
			run.kills = (uint32_t)v;
			run.loss = run.twice = run.reorder = 0;
			break;
		case 'i':
			run.interval = (uint32_t)v;
			break;
		case 'T':
			run.targets = optarg;
			break;
		case 'S':
			run.signals = optarg;
			break;
		case 'R':
			run.rtp = (uint32_t)v;
			break;
		case 'g':
			run.gap_limit = (uint32_t)v;
			break;
		case 'O':
			run.report = optarg;
			break;
		default:
			return usage();
		}
	}
	if (optind + 1 != argc || !run.walks || !run.rate || !run.workers)
		return usage();
	run.program = argv[optind];
	return 0;
}

static int prepare(void)
{
	char text[64];
	const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	pid_t pid = getpid();
	snprintf(run.dir, sizeof run.dir, "%s/tandem-walk-XXXXXX", base);
	if (!mkdtemp(run.dir))
		return -1;
	snprintf(run.net, sizeof run.net, "127.%d.%d", 210 + pid % 40,
		pid / 40 % 250); /* of its own: several runs at once */
	snprintf(text, sizeof text, "%s.1:5060", run.net);
	run.walk = calloc(run.walks, sizeof *run.walk);
	if (!run.walk || addr_parse(span_of(text), &run.target) < 0 || loop_init(&run.loop) < 0)
		return -1;
	run.loop.max_wait = 10;
	int r = wire_open();
	return r < 0 ? r : rtp_open();
}

static void print_log(void)
{
	char path[192], line[1024];
	snprintf(path, sizeof path, "%s/tandem.log", run.dir);
	FILE *f = fopen(path, "re");
	for (int n = 0; f && n < 40 && fgets(line, sizeof line, f); n++)
		if (strstr(line, "error") || strstr(line, "died") || strstr(line, "ERROR"))
			printf("log: %s", line);
	if (f)
		fclose(f);
}

static void print_ledger(int records)
{
	double seconds = (double)(clock_ms() - began) / 1000;
	FILE *f = run.report ? fopen(run.report, "we") : NULL;
	ledger_print(stdout, records, seconds);
	if (f)
		ledger_print(f, records, seconds);
	if (f && fclose(f))
		perror(run.report);
}

static void judge(int looped)
{
	bool restarted = !run.kills && product_restarted();
	uint64_t memory = product_memory();
	if (run.kills)
		ledger_tables();
	int status = product_stop();
	int records = product_records();
	if (looped) {
		printf("%d calls are left after two minutes\n", left);
		run.failures++;
	}
	if (restarted) {
		printf("a worker was restarted\n");
		run.failures++;
	}
	if (!run.kills && memory > memory_warm + (8u << 20)) {
		printf("memory grew from %llu to %llu KB\n", (unsigned long long)memory_warm / 1024,
			(unsigned long long)memory / 1024);
		run.failures++;
	}
	if (status != 0) {
		printf("the softswitch ended with %d\n", status);
		run.failures++;
	}
	if (run.broken) {
		printf("%llu datagrams that are no message or went to the wrong side\n",
			(unsigned long long)run.broken);
		run.failures++;
	}
	for (uint32_t i = 0; i < run.walks; i++)
		verdict(&run.walk[i]);
	if (run.rtp)
		ledger_gaps();
	if (run.failures)
		print_log();
	if (run.kills)
		print_ledger(records);
	printf("%u walks, seed %llu: %llu datagrams to the softswitch, %llu from it, %llu lost, %d records, private "
	       "memory %llu -> %llu KB, %.0f s: "
	       "%u wrong\n",
		run.only < 0 ? run.walks : 1, (unsigned long long)run.seed, (unsigned long long)run.sent,
		(unsigned long long)run.received, (unsigned long long)run.lost, records,
		(unsigned long long)memory_warm / 1024, (unsigned long long)memory / 1024,
		(double)(clock_ms() - began) / 1000, run.failures);
}

static void remove_dir(void)
{
	char command[256];
	snprintf(command, sizeof command, "rm -rf '%s'", run.dir);
	if (keep)
		printf("kept: %s\n", run.dir);
	else if (system(command) != 0)
		perror(run.dir);
}

int main(int argc, char **argv)
{
	int r = options(argc, argv);
	if (r)
		return r;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (prepare() < 0 || product_start() < 0) {
		fprintf(stderr, "walk: %s does not start in %s\n", run.program, run.dir);
		product_end();
		return 1;
	}
	if (killer_open() < 0)
		return 1;
	began = clock_ms();
	memory_warm = product_memory();
	wheel_add(&run.loop.wheel, &tick, began + 1, start_some);
	judge(loop_run(&run.loop));
	product_end();
	remove_dir();
	return run.failures ? 1 : 0;
}
