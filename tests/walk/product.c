/* The softswitch under test: started from a configuration made here, asked through its status socket, ended by pid. */
#include "walk.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int write_config(const char *path)
{
	FILE *f = fopen(path, "we");
	uint32_t limit = run.kills ? 6 : 1; /* s: a hang that is waited for must not look like a silent gateway */
	if (!f)
		return -errno;
	fprintf(f,
		"system: {name: walk, run_dir: %s/run, workers: {signaling: %u, media: %u}, limits: {calls: 20000}, "
		"drain_timeout: 3}\n",
		run.dir, run.workers, run.kills ? 2 : 1);
	fprintf(f, "log: {level: warning}\nsip: {listen: [\"udp:%s.1:5060\"]}\n", run.net);
	fprintf(f, "media: {address: %s.1, ports: %s, proxy: %s}\ncdr: {dir: %s/cdr}\n", run.net, run.rtp ? "20000-35999" : "30000-30199",
		run.rtp ? "on" : "off", run.dir);
	fprintf(f, "parameters: {SS_SIP_RESEND_INTERVAL: \"0.2,0.4,0.8,1,1,1\"}\n");
	fprintf(f, "mapping_gateways: [{id: customer, addresses: [\"%s.2:5070\"]}]\nrouting_gateways:\n", run.net);
	for (uint32_t i = 0; i < GATEWAYS; i++)
		fprintf(f,
			"  - {id: gw-%c, address: \"%s.%u:5080\", prefixes: [\"1\"], priority: %u,\n"
			"     timeouts: {invite: %u, trying: %u, session_progress: %u, session_progress_sdp: %u, ringing: %u}}\n",
			'a' + i, run.net, 11 + i, 10 + i, limit, limit, limit, 2 * limit, 2 * limit);
	return fclose(f) ? -errno : 0;
}

static int ask(const char *command, char *answer, size_t cap)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct timeval limit = { 5, 0 };
	size_t n = 0;
	snprintf(sa.sun_path, sizeof sa.sun_path, "%.80s/run/status.sock", run.dir);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	if (connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0 ||
		dprintf(fd, "{\"id\":1,\"cmd\":\"%s\",\"args\":{}}\n", command) < 0) {
		close(fd);
		return -errno;
	}
	while (n < cap - 1) {
		ssize_t r = read(fd, answer + n, cap - 1 - n);
		if (r <= 0)
			break;
		n += (size_t)r;
		if (answer[n - 1] == '\n')
			break;
	}
	close(fd);
	answer[n] = 0;
	return n && answer[n - 1] == '\n' && strstr(answer, "\"ok\":true") ? 0 : -EIO;
}

/* sum of a number that occurs under `key` anywhere in the answer */
static int64_t sum(const char *json, const char *key)
{
	char quoted[64];
	int64_t total = 0;
	int n = snprintf(quoted, sizeof quoted, "\"%s\":", key);
	for (const char *p = strstr(json, quoted); p; p = strstr(p, quoted)) {
		p += n;
		total += strtoll(p, NULL, 10);
	}
	return total;
}

static char answer[1 << 20];

/* of all supervisors: what they have started outlives them */
static pid_t sessions[4096];
static uint32_t n_sessions;

void product_spawn(bool adopt)
{
	char path[192], log[192];
	snprintf(path, sizeof path, "%s/tandem.yaml", run.dir);
	snprintf(log, sizeof log, "%s/tandem.log", run.dir);
	run.pid = fork();
	if (run.pid == 0) {
		int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
		setsid();
		dup2(fd, 1);
		dup2(fd, 2);
		execl(run.program, run.program, "-c", path, adopt ? "--adopt" : NULL, NULL);
		_exit(127);
	}
	sessions[n_sessions++ % 4096] = run.pid;
}

int product_start(void)
{
	char path[192];
	snprintf(path, sizeof path, "%s/tandem.yaml", run.dir);
	int r = write_config(path);
	if (r < 0)
		return r;
	product_spawn(false);
	for (int i = 0; i < 600 && run.pid > 0; i++) {
		if (ask("status", answer, sizeof answer) == 0 && strstr(answer, "\"running\""))
			return 0;
		if (waitpid(run.pid, NULL, WNOHANG) == run.pid)
			run.pid = 0;
		usleep(50000);
	}
	return -ETIMEDOUT;
}

int product_calls(void)
{
	if (ask("status", answer, sizeof answer) < 0)
		return -1;
	int64_t calls = sum(answer, "calls");
	if (ask("gateways", answer, sizeof answer) < 0)
		return -1;
	calls += sum(answer, "calls");
	if (ask("calls", answer, sizeof answer) < 0)
		return calls ? (int)calls : -1;
	for (const char *p = strstr(answer, "\"worker\":"); p; p = strstr(p + 1, "\"worker\":"))
		calls++;
	return (int)calls;
}

bool product_restarted(void)
{
	return ask("workers", answer, sizeof answer) < 0 || sum(answer, "restarts") != 0;
}

/* field `index` of /proc/PID/stat behind the name */
static int session_of(const char *pid)
{
	char path[64], text[512];
	int session = -1;
	snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
	FILE *f = fopen(path, "re");
	const char *end = f && fgets(text, sizeof text, f) ? strrchr(text, ')') : NULL;
	if (end && sscanf(end + 1, " %*c %*d %*d %d", &session) != 1)
		session = -1;
	if (f)
		fclose(f);
	return session;
}

static bool is_ours(const char *pid)
{
	int of = session_of(pid);
	for (uint32_t i = 0; i < n_sessions && i < 4096; i++)
		if (sessions[i] == of)
			return true;
	return false;
}

uint64_t product_memory(void)
{
	DIR *d = opendir("/proc");
	uint64_t total = 0;
	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
		char path[64], line[256];
		if (e->d_name[0] < '1' || e->d_name[0] > '9' || !is_ours(e->d_name))
			continue;
		snprintf(path, sizeof path, "/proc/%.20s/status", e->d_name);
		FILE *f = fopen(path, "re");
		while (f && fgets(line, sizeof line, f))
			if (strncmp(line, "RssAnon:", 8) == 0)
				total += strtoull(line + 8, NULL, 10) * 1024;
		if (f)
			fclose(f);
	}
	if (d)
		closedir(d);
	return total;
}

/* --- records --- */

static struct span field(const char *line, const char *key)
{
	char quoted[64];
	int n = snprintf(quoted, sizeof quoted, "\"%s\":", key);
	const char *p = strstr(line, quoted);
	if (!p)
		return (struct span){ "", 0 };
	p += n;
	if (*p == '"') {
		const char *end = strchr(++p, '"');
		return (struct span){ p, end ? (size_t)(end - p) : 0 };
	}
	return (struct span){ p, strcspn(p, ",}") };
}

static void one_record(const char *line)
{
	struct span in = field(line, "sip_call_id_in"), egress = field(line, "egress"), by = field(line, "ended_by"),
		    reason = field(line, "reason");
	struct leg *caller = leg_find(in);
	if (!caller || caller->place) {
		printf("a record of a call that nobody made: %s\n", line);
		run.failures++;
		return;
	}
	struct walk *w = caller->walk;
	if (w->n_records == WALK_LEGS) {
		printf("walk %u: too many records\n", w->index);
		run.failures++;
		return;
	}
	struct span out = field(line, "sip_call_id_out");
	w->record[w->n_records++] = (struct record){ .attempt = (uint8_t)strtoul(field(line, "attempt").p, NULL, 10),
		.final = field(line, "final").p[0] == 't',
		.code = (uint16_t)strtoul(field(line, "code").p, NULL, 10),
		.ended_by = !by.n			  ? 0
			    : span_eq(by, SPAN("callee")) ? 'g'
							  : by.p[0],
		.egress = egress.n == 4 ? egress.p[3] : 0,
		.reason = strndup(reason.p, reason.n),
		.leg = out.n ? leg_find(out) : NULL };
}

int product_records(void)
{
	char path[512], *line = NULL;
	size_t cap = 0;
	int n = 0;
	snprintf(path, sizeof path, "%s/cdr", run.dir);
	DIR *d = opendir(path);
	if (!d)
		return -errno;
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		if (!strstr(e->d_name, ".jsonl"))
			continue;
		snprintf(path, sizeof path, "%s/cdr/%s", run.dir, e->d_name);
		FILE *f = fopen(path, "re");
		for (; f && getline(&line, &cap, f) > 0; n++)
			one_record(line);
		if (f)
			fclose(f);
	}
	free(line);
	closedir(d);
	return n;
}

/* --- the end --- */

int product_stop(void)
{
	int status = -1;
	if (run.pid <= 0)
		return -1;
	kill(run.pid, SIGTERM);
	for (int i = 0; i < 400; i++) {
		if (waitpid(run.pid, &status, WNOHANG) == run.pid) {
			run.pid = 0;
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		}
		usleep(50000);
	}
	return -1;
}

/* whatever of its session is left */
void product_end(void)
{
	if (run.pid <= 0)
		return;
	DIR *d = opendir("/proc");
	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && is_ours(e->d_name))
			kill((pid_t)strtol(e->d_name, NULL, 10), SIGKILL);
	if (d)
		closedir(d);
	waitpid(run.pid, NULL, 0);
}
