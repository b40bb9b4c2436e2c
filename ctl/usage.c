/* CPU time and memory of the other processes, from /proc. */
#include "base/clock.h"
#include "ctl/control.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FIELD_UTIME 14 /* proc(5), /proc/PID/stat */
#define FIELD_STIME 15
#define FIELD_RSS   24

static bool read_stat(uint32_t pid, uint64_t *ret_ticks, uint64_t *ret_rss_pages)
{
	char path[48], text[1024];
	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return false;
	text[n] = 0;
	const char *p = strrchr(text, ')'); /* the name before it may hold anything */
	uint64_t ticks = 0, rss = 0;
	for (int field = 3; p && (p = strchr(p, ' ')); field++) {
		p++;
		if (field == FIELD_UTIME || field == FIELD_STIME)
			ticks += strtoull(p, NULL, 10);
		else if (field == FIELD_RSS)
			rss = strtoull(p, NULL, 10);
	}
	*ret_ticks = ticks;
	*ret_rss_pages = rss;
	return true;
}

void control_sample(struct control *k)
{
	uint64_t now = clock_ms(), ticks, pages;
	double ms_per_tick = 1000.0 / (double)sysconf(_SC_CLK_TCK);
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++) {
		struct usage *u = &k->usage[seat];
		uint32_t pid = CMM_LOAD_SHARED(k->env->roster->seat[seat].pid);
		if (!pid || !read_stat(pid, &ticks, &pages)) {
			*u = (struct usage){ 0 };
			continue;
		}
		if (u->pid != pid) { /* since its start, as far as is known */
			*u = (struct usage){ .pid = pid,
				.at_ms = CMM_LOAD_SHARED(k->env->roster->seat[seat].started_ms) };
		}
		if (now > u->at_ms)
			u->cpu_percent = 100.0 * (double)(ticks - u->ticks) * ms_per_tick / (double)(now - u->at_ms);
		u->ticks = ticks;
		u->at_ms = now;
		u->rss_kb = pages * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
	}
}
