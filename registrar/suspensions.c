#include "registrar/suspensions.h"
#include "base/clock.h"
#include "base/log.h"
#include "shm/auth.h"
#include "shm/counters.h"
#include "shm/messages.h"
#include <inttypes.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_NAME  "suspended"
#define FRESH_NAME "suspended.new"
#define LINE_BYTES   320u
#define AGAIN_MS   50u /* a worker's ring was full */

static struct suspensions {
	struct env *e;
	struct wheel_timer t;
	FILE *restoring;   /* NULL: that is over */
	uint64_t written;  /* hash of what the file says */
	bool complaining;
} p;

static size_t path_of(const char *name, char *ret_path, size_t cap)
{
	const struct config *c = p.e->config.p;
	return (size_t)snprintf(ret_path, cap, "%s/%s", cfg_str(c, c->system.state_dir), name);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void write_one(FILE *f, const struct auth_record *r, uint64_t now)
{
	char source[ADDR_TEXT_MAX];
	addr_format_ip(&r->source, source, sizeof source);
	uint64_t until = clock_wall_ms() + (r->copies[0].until_ms - now), second = until - until % 1000;
	fprintf(f, "%u %" PRIu64 " %u %s ", r->kind, second, r->copies[0].reason, source);
	for (uint32_t i = 0; i < r->name_n; i++)
		fprintf(f, "%02x", (unsigned char)r->name[i]);
	fputs(r->name_n ? "\n" : "-\n", f);
}

static char *compose(size_t *ret_n)
{
	struct auth_record r;
	char *text = NULL;
	uint64_t now = clock_ms();
	FILE *f = open_memstream(&text, ret_n);
	for (uint32_t worker = 0; f && worker < WORKERS_MAX; worker++) {
		const struct region *region = &p.e->region[seat_of(ROLE_SIGNALING, worker)];
		for (uint32_t i = 0; i < region_count(region, AREA_AUTH); i++)
			if (auth_read(region, i, &r) == 0 && r.kind != AUTH_ATTEMPT && r.copies[0].until_ms > now)
				write_one(f, &r, now);
	}
	if (f && fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

static int replace(const char *text, size_t n)
{
	char path[1024], fresh[1024];
	if (path_of(FILE_NAME, path, sizeof path) >= sizeof path || path_of(FRESH_NAME, fresh, sizeof fresh) >= sizeof fresh)
		return -ENAMETOOLONG;
	FILE *f = fopen(fresh, "we");
	if (!f)
		return -errno;
	bool good = fwrite(text, 1, n, f) == n && fflush(f) == 0 && fdatasync(fileno(f)) == 0;
	int error = good ? 0 : -errno;
	if (fclose(f) != 0 && !error)
		error = -errno;
	return error ? error : rename(fresh, path) < 0 ? -errno : 0;
}

static void keep(void)
{
	static const struct hash_key key = { 1, 2 };
	size_t n = 0;
	char *text = compose(&n);
	uint64_t hash = text && n ? hash_sip(&key, text, n) : 0;
	int r = text && hash != p.written ? replace(text, n) : 0;
	if (r == 0 && text)
		p.written = hash;
	if (r < 0) {
		count_one(p.e->region[p.e->seat].head, COUNT_STATE_ERRORS);
		if (!p.complaining)
			log_error("system.state_dir: " FILE_NAME ": %s", strerror(-r));
	}
	p.complaining = r < 0;
	free(text);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static bool read_name(const char *hex, struct message_auth *m)
{
	size_t n = strcmp(hex, "-") == 0 ? 0 : strlen(hex);
	if (n % 2 || n / 2 > sizeof m->text)
		return false;
	for (m->name_n = 0; m->name_n < n / 2; m->name_n++) {
		char two[3] = { hex[2 * m->name_n], hex[2 * m->name_n + 1], 0 }, *end;
		m->text[m->name_n] = (char)strtoul(two, &end, 16);
		if (*end)
			return false;
	}
	return true;
}

static bool read_line(const char *line, struct message_auth *m)
{
	char source[64], name[2 * MESSAGE_NAME + 1];
	unsigned long long until;
	unsigned kind, reason;
	memset(m, 0, sizeof *m);
	if (sscanf(line, "%u %llu %u %63s %128s", &kind, &until, &reason, source, name) != 5 || addr_parse(span_of(source), &m->source) < 0 || !read_name(name, m))
		return false;
	uint64_t wall = clock_wall_ms();
	m->kind = kind;
	m->event = AUTH_RESTORED;
	m->name = reason;
	m->request = until > wall ? clock_ms() + (until - wall) : 0;
	return (kind == AUTH_TERMINAL && m->name_n) || (kind == AUTH_SOURCE && !m->name_n);
}

static uint32_t owner(const struct message_auth *m)
{
	char ip[sizeof m->source.ip];
	memcpy(ip, m->source.ip, sizeof ip);
	uint32_t partition = m->kind == AUTH_TERMINAL ? steer_hash(m->text, m->name_n) : steer_hash(ip, sizeof ip);
	return CMM_LOAD_SHARED(p.e->roster->partition[partition]);
}

/* true: all of it has been given to its owners */
static bool restore(void)
{
	char line[LINE_BYTES];
	struct message_auth m;
	for (;;) {
		long at = ftell(p.restoring);
		if (!fgets(line, sizeof line, p.restoring))
			return true;
		if (!read_line(line, &m) || !m.request)
			continue;
		if (env_push(p.e, seat_of(ROLE_SIGNALING, owner(&m)), MESSAGE_AUTH, &m, sizeof m, NULL, 0) == -EAGAIN) {
			fseek(p.restoring, at, SEEK_SET);
			return false;
		}
	}
}

static void due(struct wheel_timer *t, uint64_t now)
{
	uint32_t pause = SUSPENSIONS_MS;
	if (!p.restoring) {
		keep();
	} else if (restore()) {
		fclose(p.restoring);
		p.restoring = NULL;
	} else {
		pause = AGAIN_MS;
	}
	wheel_add(&p.e->loop.wheel, t, now + pause, due);
}

void suspensions_open(struct env *e)
{
	const struct config *c = e->config.p;
	char path[1024];
	p = (struct suspensions){ .e = e };
	if (!c->system.state_dir.n)
		return;
	/* a successor of a dead registrar finds the tables as they are */
	if (e->region[e->seat].head->incarnation <= 1 && path_of(FILE_NAME, path, sizeof path) < sizeof path)
		p.restoring = fopen(path, "re");
	wheel_add(&e->loop.wheel, &p.t, clock_ms() + AGAIN_MS, due);
}

void suspensions_close(void)
{
	if (p.e && p.t.next && !p.restoring)
		keep();
}
