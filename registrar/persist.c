#include "registrar/persist.h"
#include "base/clock.h"
#include "base/log.h"
#include "registrar/endpoint_line.h"
#include "shm/counters.h"
#include "shm/messages.h"
#include "shm/upkeep.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME  "endpoints"
#define FRESH_NAME "endpoints.new"
#define BAD_NAME   "endpoints.bad"
#define BUFFER     (2u * ENDPOINT_LINE_MAX)
#define BUSY_MS    5u    /* between two pieces of a long work */
#define LOOK_MS    100u  /* between two looks for changes */
#define SYNC_MS    500u  /* between two fdatasync() */
#define RETRY_MS   1000u /* after trouble */
#define PIECE      2000u /* records of a snapshot looked at in one piece */
#define SLACK      (1u << 20) /* bytes of changes that are always borne */

struct line { /* of the file being restored */
	struct endpoint_key key;
	size_t at, n;
};

struct sink { /* a file being written; fd -1: none */
	int fd;
	struct out o;
	uint64_t size;
};

enum phase { PHASE_OPEN, PHASE_RESTORE, PHASE_SETTLE, PHASE_RUN };

static struct persist {
	struct env *e;
	const struct upkeep *upkeep;
	struct wheel_timer t;
	enum phase phase;
	int dir;
	struct sink file, fresh;      /* in force; the snapshot under way */
	uint64_t snapshot_size;       /* of `file`, without what was added since */
	uint64_t position[WORKERS_MAX]; /* in the change logs */
	uint32_t worker, record;      /* where the snapshot goes on */
	uint64_t sync_ms;             /* last fdatasync() */
	bool dirty, complaining;
	char *text;                   /* the file being restored */
	struct line *lines;
	uint32_t n_lines, next_line, restored;
} p = { .dir = -1, .file.fd = -1, .fresh.fd = -1 };

static struct location_contact contacts[LOCATION_CONTACTS]; /* large */

static const struct config *config(void)
{
	return p.e->config.p;
}

static struct endpoint_clock clock_now(void)
{
	return (struct endpoint_clock){ clock_wall_ms(), clock_ms() };
}

static const struct region *table(uint32_t worker)
{
	return &p.e->region[seat_of(ROLE_SIGNALING, worker)];
}

/* --- trouble --- */

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* what was written may be torn: everything again, a little later */
static void fail(const char *what, int error)
{
	count_one(p.e->region[p.e->seat].head, COUNT_STATE_ERRORS);
	if (!p.complaining)
		log_error("system.state_dir %s: %s: %s; endpoints are not kept until that is over", cfg_str(config(), config()->system.state_dir),
			what, strerror(error));
	p.complaining = true;
	close_fd(&p.file.fd);
	close_fd(&p.fresh.fd);
}

/* --- writing --- */

static bool flush(struct sink *s)
{
	size_t at = 0;
	while (s->fd >= 0 && at < s->o.n) {
		ssize_t n = write(s->fd, s->o.p + at, s->o.n - at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			s->o.n = 0;
			fail("writing", n < 0 ? errno : EIO);
			return false;
		}
		at += (size_t)n;
		s->size += (uint64_t)n;
	}
	s->o.n = 0;
	return true;
}

static void put(struct sink *s, const struct endpoint_clock *clock, struct endpoint_key key, uint32_t n)
{
	if (s->fd < 0)
		return;
	if (s->o.cap - s->o.n < ENDPOINT_LINE_MAX && !flush(s))
		return;
	s->o.full = false;
	endpoint_line_write(&s->o, config(), clock, key, contacts, n);
	p.dirty = true;
}

/* a record that has changed */
static void put_change(uint32_t worker, uint32_t record, const struct endpoint_clock *clock)
{
	int n = location_read_record(table(worker), record, clock->mono_ms, contacts, LOCATION_CONTACTS);
	if (n == -EBUSY) /* it is changing again: that will be in the log, too */
		return;
	put(&p.file, clock, (struct endpoint_key){ worker, record }, n > 0 ? (uint32_t)n : 0);
	put(&p.fresh, clock, (struct endpoint_key){ worker, record }, n > 0 ? (uint32_t)n : 0);
}

/* false: some are missing from the logs, only a snapshot helps */
static bool put_changes(const struct endpoint_clock *clock)
{
	bool all = true;
	for (uint32_t worker = 0; worker < WORKERS_MAX; worker++) {
		bool missed;
		uint32_t record;
		while ((record = location_changed(table(worker), &p.position[worker], &missed)) != LOCATION_NONE)
			put_change(worker, record, clock);
		all = all && !missed;
	}
	return all;
}

/* --- the snapshot --- */

static void begin_snapshot(const struct endpoint_clock *clock)
{
	close_fd(&p.fresh.fd);
	p.fresh.o.n = 0;
	p.fresh.size = 0;
	put_changes(clock); /* what is missed here is in the snapshot */
	p.fresh.fd = openat(p.dir, FRESH_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (p.fresh.fd < 0) {
		fail(FRESH_NAME, errno);
		return;
	}
	out_lit(&p.fresh.o, ENDPOINT_LINE_HEAD);
	p.worker = p.record = 0;
}

static void finish_snapshot(void)
{
	if (!flush(&p.fresh))
		return;
	if (fdatasync(p.fresh.fd) < 0 || renameat(p.dir, FRESH_NAME, p.dir, FILE_NAME) < 0 || fsync(p.dir) < 0) {
		fail(FILE_NAME, errno);
		return;
	}
	close_fd(&p.file.fd);
	p.file.fd = p.fresh.fd;
	p.file.size = p.snapshot_size = p.fresh.size;
	p.file.o.n = 0;
	p.fresh.fd = -1;
	if (p.complaining)
		log_info("system.state_dir: endpoints are kept again");
	p.complaining = p.dirty = false;
}

static void go_on_with_snapshot(const struct endpoint_clock *clock)
{
	for (uint32_t looked = 0; p.worker < WORKERS_MAX; p.worker++, p.record = 0) {
		uint32_t records = location_records(table(p.worker));
		for (; p.record < records; p.record++) {
			if (looked++ == PIECE) {
				if (flush(&p.fresh)) /* on its way to the disk, so that the last sync is short */
					sync_file_range(p.fresh.fd, 0, 0, SYNC_FILE_RANGE_WRITE);
				return;
			}
			int n = location_read_record(table(p.worker), p.record, clock->mono_ms, contacts, LOCATION_CONTACTS);
			if (n > 0)
				put(&p.fresh, clock, (struct endpoint_key){ p.worker, p.record }, (uint32_t)n);
			if (p.fresh.fd < 0)
				return;
		}
	}
	finish_snapshot();
}

/* --- restoring --- */

static int by_key(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	if (x->key.worker != y->key.worker)
		return x->key.worker < y->key.worker ? -1 : 1;
	if (x->key.record != y->key.record)
		return x->key.record < y->key.record ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* *ret_text: the file, to be freed; NULL: there is none. 0, -ENOMEM, -errno */
static int read_file(char **ret_text, size_t *ret_n)
{
	struct stat st;
	int fd = openat(p.dir, FILE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), r = 0;
	*ret_text = NULL;
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	char *text = r ? NULL : malloc((size_t)st.st_size + 1);
	size_t n = 0;
	while (text && n < (size_t)st.st_size) {
		ssize_t got = read(fd, text + n, (size_t)st.st_size - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			r = -errno;
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	close(fd);
	if (!text || r) {
		free(text);
		return r ? r : -ENOMEM;
	}
	*ret_text = text;
	*ret_n = n;
	return 0;
}

/* the last line of each record; the file's first is its head */
static int collect(struct span text)
{
	uint32_t cap = 0, n = 0, damaged = 0;
	struct span rest = text;
	span_line(&rest);
	for (size_t i = 0; i < text.n; i++)
		cap += text.p[i] == '\n';
	p.lines = calloc(cap + 1u, sizeof *p.lines);
	if (!p.lines)
		return -ENOMEM;
	while (rest.n && memchr(rest.p, '\n', rest.n)) { /* what has no end is torn */
		struct span line = span_line(&rest);
		struct line *l = &p.lines[n];
		if (endpoint_line_key(line, &l->key) < 0) {
			damaged++;
			continue;
		}
		l->at = (size_t)(line.p - text.p);
		l->n = line.n;
		n++;
	}
	if (damaged)
		log_warning("system.state_dir: %u damaged lines of " FILE_NAME " are left out", damaged);
	qsort(p.lines, n, sizeof *p.lines, by_key);
	for (uint32_t i = 0; i < n; i++)
		if (i + 1 == n || p.lines[i].key.worker != p.lines[i + 1].key.worker || p.lines[i].key.record != p.lines[i + 1].key.record)
			p.lines[p.n_lines++] = p.lines[i];
	return 0;
}

static int begin_restore(void)
{
	size_t n = 0, head = sizeof ENDPOINT_LINE_HEAD - 1;
	free(p.text);
	free(p.lines);
	p.lines = NULL;
	p.n_lines = p.next_line = p.restored = 0;
	int r = read_file(&p.text, &n);
	if (r || !p.text)
		return r;
	if (n < head || memcmp(p.text, ENDPOINT_LINE_HEAD, head) != 0) {
		log_error("system.state_dir: " FILE_NAME " is not a file of endpoints of this version: it is now " BAD_NAME);
		renameat(p.dir, FILE_NAME, p.dir, BAD_NAME);
		return 0;
	}
	return collect((struct span){ p.text, n });
}

static bool give(const struct location_contact *at)
{
	struct message_binding m = { .b = at->binding, .account_n = (uint32_t)at->account.n };
	char body[LOCATION_ACCOUNT_MAX + LOCATION_TEXT_MAX];
	const struct span pieces[] = { at->account, at->uri, at->path, at->instance, at->user_agent };
	struct out o = out_init(body, sizeof body);
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
		out_span(&o, pieces[i]);
	uint32_t seat = location_seat(p.e, at->account);
	return o.full || seat == SEATS_MAX || env_push(p.e, seat, MESSAGE_BINDING, &m, sizeof m, o.p, o.n) != -EAGAIN;
}

/* false: the rings are full */
static bool go_on_with_restore(const struct endpoint_clock *clock)
{
	for (; p.next_line < p.n_lines; p.next_line++) {
		const struct line *l = &p.lines[p.next_line];
		uint32_t n;
		if (endpoint_line_read((struct span){ p.text + l->at, l->n }, config(), clock, contacts, &n) < 0)
			continue;
		for (uint32_t i = 0; i < n; i++)
			if (contacts[i].expires_ms > clock->mono_ms && !give(&contacts[i]))
				return false; /* those before are given again: known, they change nothing */
		for (uint32_t i = 0; i < n; i++)
			p.restored += contacts[i].expires_ms > clock->mono_ms;
	}
	return true;
}

/* whether the workers have taken all that was given to them */
static bool all_taken(void)
{
	for (uint32_t worker = 0; worker < WORKERS_MAX; worker++) {
		const struct ring_end *end = &p.e->out[seat_of(ROLE_SIGNALING, worker)];
		if (end->ring && ring_waiting(end))
			return false;
	}
	return true;
}

static void end_restore(void)
{
	free(p.lines);
	free(p.text);
	p.lines = NULL;
	p.text = NULL;
	commit_release_u32(&p.upkeep->restored, 1);
	count_add(p.e->region[p.e->seat].head, COUNT_ENDPOINTS_RESTORED, p.restored);
	if (p.restored)
		log_info("%u contacts of endpoints restored from system.state_dir", p.restored);
}

/* --- in pieces --- */

static int open_directory(void)
{
	const char *path = cfg_str(config(), config()->system.state_dir);
	p.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p.dir < 0)
		return -errno;
	if (flock(p.dir, LOCK_EX | LOCK_NB) < 0) {
		int r = errno == EWOULDBLOCK ? -EBUSY : -errno;
		close_fd(&p.dir);
		return r;
	}
	return 0;
}

static uint64_t open_phase(void)
{
	int r = open_directory();
	if (!r && !p.upkeep->restored)
		r = begin_restore();
	if (r) {
		fail("opening", -r);
		close_fd(&p.dir);
		return RETRY_MS;
	}
	p.phase = p.upkeep->restored ? PHASE_RUN : PHASE_RESTORE;
	return BUSY_MS;
}

static uint64_t restore_phase(const struct endpoint_clock *clock)
{
	if (go_on_with_restore(clock))
		p.phase = PHASE_SETTLE;
	return BUSY_MS;
}

static uint64_t settle_phase(void)
{
	if (all_taken()) {
		end_restore();
		p.phase = PHASE_RUN;
	}
	return BUSY_MS;
}

static void sync_file(uint64_t now)
{
	if (!p.dirty || p.file.fd < 0 || now - p.sync_ms < SYNC_MS)
		return;
	p.sync_ms = now;
	p.dirty = false;
	if (fdatasync(p.file.fd) < 0)
		fail("syncing", errno);
}

static uint64_t run_phase(const struct endpoint_clock *clock)
{
	bool all = put_changes(clock);
	flush(&p.file);
	if (!all || (p.fresh.fd < 0 && (p.file.fd < 0 || p.file.size > 2 * p.snapshot_size + SLACK)))
		begin_snapshot(clock);
	if (p.fresh.fd >= 0)
		go_on_with_snapshot(clock);
	sync_file(clock->mono_ms);
	return p.fresh.fd >= 0 ? BUSY_MS : p.file.fd < 0 ? RETRY_MS : LOOK_MS;
}

static void due(struct wheel_timer *t, uint64_t now)
{
	struct endpoint_clock clock = clock_now();
	uint64_t pause = p.phase == PHASE_OPEN	      ? open_phase()
			 : p.phase == PHASE_RESTORE ? restore_phase(&clock)
			 : p.phase == PHASE_SETTLE  ? settle_phase()
						    : run_phase(&clock);
	wheel_add(&p.e->loop.wheel, t, now + pause, due);
}

int persist_open(struct env *e)
{
	const struct config *c = e->config.p;
	p = (struct persist){ .e = e, .dir = -1, .file.fd = -1, .fresh.fd = -1 };
	p.upkeep = region_area(&e->region[e->seat], AREA_UPKEEP);
	if (!c->system.state_dir.n || !p.upkeep)
		return 0;
	char *buffers = malloc(2ul * BUFFER);
	if (!buffers)
		return -ENOMEM;
	p.file.o = out_init(buffers, BUFFER);
	p.fresh.o = out_init(buffers + BUFFER, BUFFER);
	due(&p.t, clock_ms());
	return 0;
}

void persist_close(void)
{
	if (p.phase == PHASE_RUN) {
		struct endpoint_clock clock = clock_now();
		do
			run_phase(&clock);
		while (p.fresh.fd >= 0);
		if (p.file.fd >= 0)
			fdatasync(p.file.fd);
	}
	if (p.e && p.file.o.p)
		wheel_del(&p.e->loop.wheel, &p.t);
	close_fd(&p.file.fd);
	close_fd(&p.fresh.fd);
	close_fd(&p.dir);
	free(p.file.o.p);
	free(p.lines);
	free(p.text);
	p = (struct persist){ .dir = -1, .file.fd = -1, .fresh.fd = -1 };
}
