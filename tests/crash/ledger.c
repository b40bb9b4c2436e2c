#include "ledger.h"
#include "shm/call.h"
#include "shm/capacity.h"
#include "shm/media.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define HANG_MS 2000u /* until silence is a hang, supervisor/policy.h */
#define TICK_MS 400u  /* until that is seen */

/* --- tables ------------------------------------------------------------------------------------------------------ */

/* the regions of all processes are memfds of the supervisor */
static void look_at_region(const struct region *r)
{
	const struct call *calls = region_area(r, AREA_CALLS);
	const struct media_leg *legs = region_area(r, AREA_MEDIA_LEGS);
	const struct capacity_cell *cells = region_area(r, AREA_CAPACITY);
	uint32_t n_calls = 0, n_legs = 0, n_lines = 0;
	for (uint32_t i = 0; i < region_count(r, AREA_CALLS); i++)
		n_calls += calls[i].slot.state != SLOT_FREE;
	for (uint32_t i = 0; i < region_count(r, AREA_MEDIA_LEGS); i++)
		n_legs += legs[i].slot.state != SLOT_FREE;
	for (uint32_t i = 0; i < region_count(r, AREA_CAPACITY); i++)
		n_lines += cells[i].calls != 0;
	if (!n_calls && !n_legs && !n_lines)
		return;
	printf("%s/%u: %u call slots, %u port pairs and %u capacity cells are not free\n", role_name(r->head->role),
		r->head->index, n_calls, n_legs, n_lines);
	run.failures++;
}

void ledger_tables(void)
{
	uint32_t seen = 0;
	for (int i = 0; i < 1024; i++) {
		char path[64], name[256];
		struct region r = { 0 };
		snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)run.pid, i);
		ssize_t n = readlink(path, name, sizeof name - 1);
		if (n <= 0)
			continue;
		name[n] = 0;
		if (!strstr(name, "memfd:tandem-signaling"))
			continue;
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || region_map(fd, false, &r) < 0) {
			printf("%s cannot be looked at\n", name);
			run.failures++;
			continue;
		}
		look_at_region(&r);
		region_unmap(&r);
		close(fd);
		seen++;
	}
	if (seen < run.workers) {
		printf("only %u regions of %u signalling workers were found\n", seen, run.workers);
		run.failures++;
	}
}

/* --- gaps -------------------------------------------------------------------------------------------------------- */

enum beside { BESIDE_MEDIA, BESIDE_MEDIA_STOP, BESIDE_OTHER, BESIDE_NONE, BESIDE_KINDS };
static const char *const beside_text[] = { "a media worker's death", "a media worker that hung", "another's death",
	"nobody's death" };
static struct {
	uint32_t n, longest, over;
	uint64_t lost;
} found[BESIDE_KINDS];

static enum beside beside(const struct gap *g)
{
	enum beside best = BESIDE_NONE;
	for (uint32_t i = 0; i < n_killed; i++) {
		const struct kill *k = &killed[i];
		uint64_t end = (k->back ? k->back : k->at) + 500;
		if (g->to < k->at || g->from > end)
			continue;
		bool media = strncmp(k->name, "media", 5) == 0;
		enum beside b = !media ? BESIDE_OTHER : k->signal == SIGSTOP ? BESIDE_MEDIA_STOP : BESIDE_MEDIA;
		if (best == BESIDE_NONE || (best == BESIDE_OTHER && media) || b == BESIDE_MEDIA_STOP)
			best = b;
	}
	return best;
}

/* what this machine does to a packet on its own: the longest gap when nobody had died */
static uint32_t noise(void)
{
	uint32_t longest = 0;
	for (uint32_t i = 0; i < rtp_total.n_gaps; i++) {
		const struct gap *g = &rtp_total.gap[i];
		if (!g->lost && g->ms > longest && beside(g) == BESIDE_NONE)
			longest = g->ms;
	}
	return longest;
}

void ledger_gaps(void)
{
	uint32_t machine = noise();
	if (machine > run.gap_limit)
		printf("this machine was too busy to judge gaps by %u ms: without any death there was one of %u ms\n",
			run.gap_limit, machine);
	for (uint32_t i = 0; i < rtp_total.n_gaps; i++) {
		const struct gap *g = &rtp_total.gap[i];
		enum beside b = beside(g);
		uint32_t limit = run.gap_limit + machine + (b == BESIDE_MEDIA_STOP ? HANG_MS + TICK_MS : 0);
		found[b].n++;
		found[b].lost += g->lost;
		if (g->ms > found[b].longest)
			found[b].longest = g->ms;
		if (g->ms <= limit)
			continue;
		if (found[b].over++ < 5)
			printf("RTP of walk %u: a gap of %u ms with %u packets lost, beside %s\n", g->walk, g->ms,
				g->lost, beside_text[b]);
	}
	for (int b = 0; b < BESIDE_KINDS; b++)
		run.failures += found[b].over;
}

/* --- figures ----------------------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static void print_role(FILE *f, const char *role)
{
	uint64_t *ms = calloc(n_killed + 1, sizeof *ms);
	uint32_t n = 0, by[4] = { 0 };
	for (uint32_t i = 0; ms && i < n_killed; i++) {
		const struct kill *k = &killed[i];
		if (strncmp(k->name, role, strlen(role)) != 0)
			continue;
		by[k->signal == SIGKILL ? 0 : k->signal == SIGSEGV ? 1 : 2]++;
		if (k->signal != SIGSTOP && k->back)
			ms[n++] = k->back - k->at;
	}
	if (n || by[2]) {
		qsort(ms, n, sizeof *ms, by_value);
		fprintf(f, "| %s | %u | %u | %u | %llu | %llu |\n", role, by[0], by[1], by[2],
			n ? (unsigned long long)ms[n / 2] : 0, n ? (unsigned long long)ms[n - 1] : 0);
	}
	free(ms);
}

void ledger_print(FILE *f, int records, double seconds)
{
	static const char *const roles[] = { "signaling", "media", "routing", "registrar", "cdr", "control",
		"supervisor" };
	const struct rtp_total *r = &rtp_total;
	fprintf(f, "%u processes killed in %.0f s under %u calls a second, RTP on up to %u calls; seed %llu.\n\n",
		n_killed, seconds, run.rate, run.rtp, (unsigned long long)run.seed);
	fprintf(f, "| process | SIGKILL | SIGSEGV | SIGSTOP | successor forked, ms, median | longest "
		   "|\n|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
		print_role(f, roles[i]);
	fprintf(f,
		"\n| calls | |\n|---|---|\n| begun | %u |\n| datagrams to the softswitch, from it | %llu, %llu |\n| "
		"records | %d |\n| refused for overload | %u |\n| found wrong | %u |\n",
		run.started, (unsigned long long)run.sent, (unsigned long long)run.received, records, run.refused,
		run.failures);
	if (!r->streams)
		return;
	fprintf(f,
		"\n| RTP | |\n|---|---|\n| streams | %u |\n| packets sent, received | %llu, %llu |\n| lost between two "
		"that came | %llu |\n"
		"| streams of which nothing was heard in 1 s | %u |\n| this program was late, ms in all | %llu |\n",
		r->streams, (unsigned long long)r->sent, (unsigned long long)r->received, (unsigned long long)r->lost,
		r->silent, (unsigned long long)r->stalled_ms);
	fprintf(f, "\n| gaps beside | number | longest, ms | packets lost | over the limit |\n|---|---|---|---|---|\n");
	for (int b = 0; b < BESIDE_KINDS; b++)
		fprintf(f, "| %s | %u | %u | %llu | %u |\n", beside_text[b], found[b].n, found[b].longest,
			(unsigned long long)found[b].lost, found[b].over);
}
