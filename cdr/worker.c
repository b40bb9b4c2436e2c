/* Exactly once. A record is in one of three states: in the journal only; in the file (journal_ack.written); on disk
 * (journal_ack.sequence), whereupon its place in the journal may be used again. Records of one journal are appended in
 * its order and each line ends with its serial. A restarted writer therefore reads the active file from the offset that
 * was acknowledged last and goes on behind the highest serial of each worker that it finds there. What makes this safe:
 *  - a torn last line is cut off first, so that a record counts only when all of it is there;
 *  - acknowledgements are stored sequence first, then offset; a rotated file has been acknowledged to its end before it
 *    is renamed, and the offset is set to 0 before that: death in between only makes the reading start earlier;
 *  - after a failed fdatasync the kernel may have dropped what it could not write: the file is cut back to what was
 *    synced before, and the rest is written again from the journal. */
#include "cdr/worker.h"
#include "base/clock.h"
#include "cdr/cdr_file.h"
#include "cdr/record.h"
#include "shm/counters.h"
#include "shm/journal.h"
#include "shm/messages.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define POLL_MS	     50u
#define RETRY_MS     1000u
#define SYNC_MS	     500u
#define STOP_MS	     10000u /* how long a stop waits for a disk that refuses */
#define STOP_NOW_MS  2000u
#define BATCH_BYTES  (512u * 1024u)
#define TURN_BATCHES 16u /* before the loop gets its turn */
#define READER_SHARE 64u /* records of one worker before the next one's */
#define LOG_EVERY    60u /* failures in a row */

struct reader { /* of one signalling worker's journal */
	const struct journal *journal;
	const struct journal_ack *ack;
	uint64_t capacity;
	uint64_t next;	 /* first one not in the file */
	uint64_t staged; /* first one not in the batch either */
};
struct cdr {
	struct env *e;
	struct wheel_timer timer;
	struct cdr_file file;
	char *dir;
	struct reader reader[WORKERS_MAX];
	uint32_t n_readers;
	char instance[RECORD_INSTANCE_MAX + 1];
	char *batch;
	uint64_t synced_ms; /* clock_ms() of the last sync */
	uint64_t stop_ms;   /* clock_ms() at which a stop gives up; 0: not stopping */
	uint32_t failures;  /* in a row */
	bool recovered;	    /* what an earlier incarnation wrote is known */
};

static const struct region_head *own(const struct cdr *c)
{
	return c->e->region[c->e->seat].head;
}

static const struct config *config_of(const struct cdr *c)
{
	return c->e->config.p;
}

static uint64_t tail_of(const struct reader *r)
{
	return __atomic_load_n(&r->journal->tail, __ATOMIC_ACQUIRE);
}

/* --- acknowledging ----------------------------------------------------------------------------------------------- */

static void acknowledge(struct cdr *c)
{
	for (uint32_t i = 0; i < c->n_readers; i++) {
		const struct journal_ack *ack = c->reader[i].ack;
		if (!c->reader[i].journal)
			continue;
		commit_release_u64(&ack->sequence, c->reader[i].next);
		if (ack->file_serial != c->file.serial) {
			commit_release_u64(&ack->file_offset, 0);
			commit_release_u64(&ack->file_serial, c->file.serial);
		}
		commit_release_u64(&ack->file_offset, c->file.synced);
	}
}

/* the active file is about to be another one: whoever starts now reads it from its beginning */
static void forget_offsets(struct cdr *c)
{
	for (uint32_t i = 0; i < c->n_readers; i++)
		if (c->reader[i].journal)
			commit_release_u64(&c->reader[i].ack->file_offset, 0);
}

static void rewind_readers(struct cdr *c)
{
	for (uint32_t i = 0; i < c->n_readers; i++) {
		struct reader *r = &c->reader[i];
		if (!r->journal)
			continue;
		r->next = r->ack->sequence;
		commit_u64(&r->ack->written, r->next);
	}
}

static int sync_records(struct cdr *c)
{
	int error = c->file.fd >= 0 ? cdr_file_sync(&c->file) : 0;
	if (error) {
		cdr_file_rewind(&c->file);
		rewind_readers(c);
		return error;
	}
	acknowledge(c);
	c->synced_ms = c->e->loop.now;
	return 0;
}

/* --- opening ----------------------------------------------------------------------------------------------------- */

static void found(void *context, struct span line)
{
	struct cdr *c = context;
	struct record_serial s;
	if (record_read_serial(line, &s) < 0 || strcmp(s.instance, c->instance) != 0 || s.worker >= c->n_readers)
		return;
	struct reader *r = &c->reader[s.worker];
	if (r->journal && s.sequence >= r->next && s.sequence < tail_of(r))
		r->next = s.sequence + 1;
}

static int recover(struct cdr *c)
{
	uint64_t from = UINT64_MAX;
	for (uint32_t i = 0; i < c->n_readers; i++) {
		const struct journal_ack *ack = c->reader[i].ack;
		if (!c->reader[i].journal)
			continue;
		uint64_t offset = ack->file_serial == c->file.serial ? ack->file_offset : 0;
		if (offset < from)
			from = offset;
	}
	int error = from != UINT64_MAX ? cdr_file_scan(&c->file, from, found, c) : 0;
	if (error) {
		rewind_readers(c);
		return error;
	}
	for (uint32_t i = 0; i < c->n_readers; i++)
		if (c->reader[i].journal)
			commit_u64(&c->reader[i].ack->written, c->reader[i].next);
	c->recovered = true;
	return 0;
}

static int open_file(struct cdr *c)
{
	uint64_t serial = 1;
	if (c->file.fd >= 0)
		return 0;
	for (uint32_t i = 0; i < c->n_readers; i++)
		if (c->reader[i].journal && c->reader[i].ack->file_serial > serial)
			serial = c->reader[i].ack->file_serial;
	int error = c->file.dir >= 0 ? cdr_file_begin(&c->file) : cdr_file_open(&c->file, c->dir, serial);
	if (error)
		return error;
	if (!c->recovered)
		error = recover(c);
	if (error)
		cdr_file_close(&c->file);
	return error;
}

/* --- journal to file --------------------------------------------------------------------------------------------- */

static void skip_damaged(struct cdr *c, uint32_t worker, uint64_t sequence, uint64_t n)
{
	count_add(own(c), COUNT_CDRS_DAMAGED, n);
	log_error("journal of signaling/%u: %llu damaged records from %llu on left out", worker, (unsigned long long)n,
		(unsigned long long)sequence);
}

/* appends the next record of a reader to the batch, unless it is damaged */
static bool stage_one(struct cdr *c, uint32_t worker, struct out *o)
{
	struct reader *r = &c->reader[worker];
	struct journal_entry e; /* a copy: what has been checked cannot change any more */
	memcpy(&e, (const struct journal_entry *)(r->journal + 1) + r->staged % r->capacity, sizeof(e));
	struct record_serial s = { .worker = worker, .sequence = r->staged++ };
	memcpy(s.instance, c->instance, sizeof(s.instance));
	if (record_check(&e, s.sequence) < 0) {
		skip_damaged(c, worker, s.sequence, 1);
		return false;
	}
	record_format(&e, &s, o);
	return true;
}

/* up to READER_SHARE records; true when there are more */
static bool stage_reader(struct cdr *c, uint32_t worker, struct out *o, uint32_t *n)
{
	struct reader *r = &c->reader[worker];
	uint64_t tail = r->journal ? tail_of(r) : 0;
	if (!r->journal || tail <= r->staged)
		return false;
	if (tail - r->staged > r->capacity) {
		skip_damaged(c, worker, r->staged, tail - r->capacity - r->staged);
		r->staged = tail - r->capacity;
	}
	for (uint32_t i = 0; i < READER_SHARE && r->staged < tail && o->cap - o->n >= RECORD_MAX; i++)
		*n += stage_one(c, worker, o);
	return r->staged < tail;
}

static int write_batch(struct cdr *c, bool *ret_more)
{
	struct out o = out_init(c->batch, BATCH_BYTES);
	uint32_t n = 0;
	bool more = true;
	for (uint32_t i = 0; i < c->n_readers; i++)
		c->reader[i].staged = c->reader[i].next;
	while (more && o.cap - o.n >= RECORD_MAX) {
		more = false;
		for (uint32_t i = 0; i < c->n_readers; i++)
			more |= stage_reader(c, i, &o, &n);
	}
	int error = o.n ? cdr_file_append(&c->file, o.p, o.n, clock_wall_ms()) : 0;
	if (error)
		return error;
	for (uint32_t i = 0; i < c->n_readers; i++) {
		struct reader *r = &c->reader[i];
		if (r->staged == r->next)
			continue;
		r->next = r->staged;
		commit_u64(&r->ack->written, r->next);
	}
	count_add(own(c), COUNT_CDRS, n);
	*ret_more = more;
	return 0;
}

/* records that wait for the next sync: any at all, and so many that a journal might get full */
static bool sync_is_due(const struct cdr *c, bool hurry)
{
	bool any = false;
	for (uint32_t i = 0; i < c->n_readers; i++) {
		const struct reader *r = &c->reader[i];
		if (!r->journal)
			continue;
		any |= r->next != r->ack->sequence;
		hurry |= r->next - r->ack->sequence > r->capacity / 4;
	}
	return any && (hurry || c->e->loop.now - c->synced_ms >= SYNC_MS);
}

/* A file that somebody has moved away is finished too; its name is theirs. */
static int rotate(struct cdr *c)
{
	uint64_t wall = clock_wall_ms();
	const struct config *config = config_of(c);
	bool large = config->cdr.rotate_size && c->file.size >= config->cdr.rotate_size;
	bool old = config->cdr.rotate_age && wall >= c->file.born_ms + config->cdr.rotate_age;
	bool gone = cdr_file_gone(&c->file);
	if (!gone && (c->file.size == 0 || !(large || old)))
		return 0;
	int error = sync_records(c);
	if (error)
		return error;
	forget_offsets(c);
	if (gone)
		cdr_file_close(&c->file);
	else
		error = cdr_file_rotate(&c->file, wall);
	return error ? error : open_file(c);
}

static int write_records(struct cdr *c, bool *ret_more)
{
	int error = open_file(c);
	*ret_more = true;
	for (uint32_t i = 0; !error && *ret_more && i < TURN_BATCHES; i++) {
		error = write_batch(c, ret_more);
		if (!error && sync_is_due(c, false))
			error = sync_records(c);
		if (!error)
			error = rotate(c);
	}
	return error;
}

/* SS_CDR_RECORD_TO_FILE off */
static int discard_records(struct cdr *c)
{
	int error = sync_records(c);
	for (uint32_t i = 0; !error && i < c->n_readers; i++) {
		struct reader *r = &c->reader[i];
		if (!r->journal)
			continue;
		r->next = tail_of(r);
		commit_u64(&r->ack->written, r->next);
	}
	if (!error)
		acknowledge(c);
	return error;
}

/* --- process ----------------------------------------------------------------------------------------------------- */

static uint64_t waiting(const struct cdr *c)
{
	uint64_t n = 0;
	for (uint32_t i = 0; i < c->n_readers; i++)
		if (c->reader[i].journal && tail_of(&c->reader[i]) > c->reader[i].ack->sequence)
			n += tail_of(&c->reader[i]) - c->reader[i].ack->sequence;
	return n;
}

static void alarm_failure(struct cdr *c, const char *why)
{
	struct message_event m = { .type = EVENT_ALARM };
	char text[512];
	int n = snprintf(text, sizeof(text), "records cannot be written to %s: %s; %llu wait, trying again every second", c->dir, why,
		(unsigned long long)waiting(c));
	size_t length = n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
	log_error("alarm: %s", text);
	env_push(c->e, seat_of(ROLE_CONTROL, 0), MESSAGE_EVENT, &m, sizeof(m), text, length);
}

static void tell(struct cdr *c, int error)
{
	if (error) {
		count_one(own(c), COUNT_CDR_ERRORS);
		if (c->failures++ % LOG_EVERY == 0)
			alarm_failure(c, error == -EWOULDBLOCK ? "another softswitch writes there" : strerror(-error));
	} else if (c->failures) {
		log_info("records are written to %s again", c->dir);
		c->failures = 0;
	}
}

static void finish(struct cdr *c, int error)
{
	if (!error && waiting(c) == 0) {
		loop_stop(&c->e->loop, 0);
	} else if (c->e->loop.now >= c->stop_ms) {
		log_error("stopped with %llu records unwritten: %s", (unsigned long long)waiting(c), strerror(-error));
		loop_stop(&c->e->loop, 1);
	}
}

static void poll_journals(struct wheel_timer *t, uint64_t now)
{
	struct cdr *c = (struct cdr *)(void *)((char *)t - offsetof(struct cdr, timer));
	bool more = false;
	int error = config_of(c)->param[P_SS_CDR_RECORD_TO_FILE] ? write_records(c, &more) : discard_records(c);
	if (!error && c->stop_ms && sync_is_due(c, true))
		error = sync_records(c);
	tell(c, error);
	if (c->stop_ms)
		finish(c, error);
	uint64_t wait = more ? 1 : POLL_MS;
	if (error)
		wait = c->stop_ms ? 4 * POLL_MS : RETRY_MS;
	wheel_add(&c->e->loop.wheel, t, now + wait, poll_journals);
}

static void on_stop(struct env *e, bool now)
{
	struct cdr *c = e->context;
	c->stop_ms = e->loop.now + (now ? STOP_NOW_MS : STOP_MS);
	wheel_add(&e->loop.wheel, &c->timer, e->loop.now, poll_journals);
}

/* another directory: what is in the old one is finished there first, or written anew to the new one */
static void on_config(struct env *e)
{
	struct cdr *c = e->context;
	const char *dir = cfg_str(config_of(c), config_of(c)->cdr.dir);
	if (strcmp(dir, c->dir) == 0)
		return;
	char *copy = strdup(dir);
	if (!copy) {
		log_error("cdr.dir stays %s: %s", c->dir, strerror(ENOMEM));
		return;
	}
	tell(c, sync_records(c));
	forget_offsets(c);
	cdr_file_close(&c->file);
	free(c->dir);
	c->dir = copy;
}

static void open_readers(struct cdr *c)
{
	const struct env *e = c->e;
	const struct journal_ack *acks = region_area(&e->region[e->seat], AREA_ACKS);
	uint32_t n = region_count(&e->region[e->seat], AREA_ACKS);
	c->n_readers = n < WORKERS_MAX ? n : WORKERS_MAX;
	for (uint32_t i = 0; i < c->n_readers; i++) {
		const struct region *worker = &e->region[seat_of(ROLE_SIGNALING, i)];
		struct reader *r = &c->reader[i];
		r->ack = acks + i;
		r->capacity = region_count(worker, AREA_JOURNAL);
		r->journal = r->capacity ? region_area(worker, AREA_JOURNAL) : NULL;
		r->next = r->ack->sequence;
	}
}

static int cdr_init(struct cdr *c, struct env *e)
{
	*c = (struct cdr){ .e = e, .file = CDR_FILE_NONE };
	c->batch = malloc(BATCH_BYTES);
	c->dir = strdup(cfg_str(config_of(c), config_of(c)->cdr.dir));
	if (!c->batch || !c->dir)
		return -ENOMEM;
	record_instance(e->roster ? e->roster->instance : "", sizeof(e->roster->instance), c->instance);
	open_readers(c);
	c->recovered = own(c)->incarnation <= 1; /* nobody was here before */
	c->synced_ms = e->loop.now;
	e->context = c;
	e->on_stop = on_stop;
	e->on_config = on_config;
	return 0;
}

int cdr_main(struct env *e)
{
	static struct cdr c;
	int error = env_start(e);
	if (error) {
		log_error("cannot start: %s", strerror(-error));
		return 1;
	}
	/* a file that may not grow is an error like any other: the records wait */
	signal(SIGXFSZ, SIG_IGN);
	error = cdr_init(&c, e);
	int code = 1;
	if (error) {
		log_error("cannot start: %s", strerror(-error));
	} else {
		wheel_add(&e->loop.wheel, &c.timer, e->loop.now, poll_journals);
		env_ready(e);
		code = env_run(e);
	}
	cdr_file_close(&c.file);
	free(c.batch);
	free(c.dir);
	env_done(e);
	return code;
}
