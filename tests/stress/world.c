#include "world.h"
#include "shm/media.h"
#include <string.h>
#include <sys/mman.h>

#define RING_PAYLOAD 200u

/* --- checksums --------------------------------------------------------------------------------------------------- */
static uint64_t sum_of(const void *p, size_t n)
{
	const uint8_t *b = p;
	uint64_t h = 0xcbf29ce484222325ull;
	for (; n >= 8; n -= 8, b += 8) {
		uint64_t v;
		memcpy(&v, b, 8);
		h = (h ^ v) * 0x100000001b3ull;
		h ^= h >> 29;
	}
	for (; n; n--, b++)
		h = (h ^ *b) * 0x100000001b3ull;
	return h ? h : 1;
}

static uint64_t fill(char *p, size_t n, uint64_t seed)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		p[i] = (char)(seed >> 56);
	}
	return sum_of(p, n);
}

/* fields of the record that the test lends: stage_at the sum of the rest, end_at of the text, media_at of the message,
 * attempt_ms the step, answer_ms the call's id */
static uint64_t state_sum(const struct call_state *s)
{
	struct call_state copy;
	memcpy(&copy, s, sizeof copy);
	copy.stage_at = 0;
	return sum_of(&copy, sizeof copy);
}

static uint64_t entry_sum(const struct journal_entry *e)
{
	struct journal_entry copy;
	memcpy(&copy, e, sizeof copy);
	copy.pdd_ms = 0;
	return sum_of(&copy, sizeof copy);
}

/* --- making ------------------------------------------------------------------------------------------------------ */
void world_make(struct world *w)
{
	struct config c = { .magic = CONFIG_MAGIC };
	struct region_head head;
	memset(w, 0, sizeof *w);
	c.system.signaling = 1;
	c.system.media = 1;
	c.system.calls = 1;
	c.media.port_low = 30000;
	c.media.port_high = 30099;
	CHECK(!region_plan(&c, ROLE_SIGNALING, 0, &head) && !region_make(&head, &w->worker), "worker's region");
	CHECK(!region_plan(&c, ROLE_CONTROL, 0, &head) && !region_make(&head, &w->control), "control's region");
	CHECK(!region_map(w->worker.fd, false, &w->view), "view");
	CHECK(!ring_open(&w->worker, &w->control, &w->ring), "ring");
	w->calls = region_area(&w->worker, AREA_CALLS);
	w->journal = region_area(&w->worker, AREA_JOURNAL);
	w->cell = region_area(&w->worker, AREA_CAPACITY);
	w->memory = mmap(NULL, sizeof *w->memory, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(w->memory != MAP_FAILED, "memory");
	w->memory->next_id = w->memory->next_sequence = 1;
}

/* --- the writer -------------------------------------------------------------------------------------------------- */
static void commit(struct world *w, uint32_t i)
{
	struct call_state *s = &w->state[i];
	s->stage_at = state_sum(s);
	slot_commit(&w->calls[i].slot, w->calls[i].copies, sizeof *s, s);
}

static void new_text(struct world *w, struct call_state *s, uint32_t n)
{
	char *p = block_alloc(&w->blocks, n, &s->text);
	CHECK(p, "blocks leaked: no text of %u bytes left", n);
	s->text_used = n;
	s->end_at = fill(p, n, s->answer_ms * 1000 + s->attempt_ms);
}

static void new_message(struct world *w, struct call_state *s, uint32_t n)
{
	struct call_txn *t = &s->txn[s->attempt_ms % CALL_TXNS];
	char *p = block_alloc(&w->blocks, n, &t->message);
	CHECK(p, "blocks leaked: no message of %u bytes left", n);
	t->message_n = n;
	t->key = fill(p, n, s->answer_ms * 1000 + s->attempt_ms + 500);
}

static void push(struct world *w, const struct call_state *s)
{
	char payload[RING_PAYLOAD];
	struct order o = { .id = s->answer_ms, .step = s->attempt_ms, .sequence = w->memory->next_sequence };
	size_t n = o.sequence * 37 % sizeof payload;
	o.sum = fill(payload, n, o.sequence);
	w->memory->next_sequence++;
	int r = ring_push(&w->ring, 7, &o, sizeof o, payload, n);
	CHECK(!r || r == -EAGAIN, "push: %d", r);
	if (r)
		w->memory->next_sequence--;
}

void world_begin(struct world *w, uint32_t i)
{
	const struct call *c = &w->calls[i];
	struct call_state *s = &w->state[i];
	memset(s, 0, sizeof *s);
	s->answer_ms = w->memory->next_id++;
	commit_seq_u32(&w->cell->calls, w->cell->calls + 1);
	slot_claim(&c->slot);
	commit_u64(&c->start_ms, s->answer_ms);
	new_text(w, s, 300);
	commit(w, i);
	slot_live(&c->slot);
	push(w, s);
}

void world_step(struct world *w, uint32_t i)
{
	static const uint32_t sizes[] = { 100, 512, 900, 2048, 3000 };
	struct call_state *s = &w->state[i];
	s->attempt_ms++;
	struct call_txn *t = &s->txn[s->attempt_ms % CALL_TXNS];
	block_retire(&w->blocks, t->message);
	new_message(w, s, sizes[s->attempt_ms % 5]);
	if (s->attempt_ms % 3 == 0) {
		block_retire(&w->blocks, s->text);
		new_text(w, s, sizes[(s->attempt_ms + s->answer_ms) % 5]);
	}
	commit(w, i);
	push(w, s);
	commit_u32(&w->calls[i].slot.sent, w->calls[i].slot.commit);
	blocks_settle(&w->blocks);
}

static void write_record(struct world *w, uint32_t i)
{
	struct call_state *s = &w->state[i];
	const struct journal *j = w->journal;
	struct journal_entry e;
	memset(&e, 0, sizeof e);
	e.sequence = j->tail;
	e.start_ms = s->answer_ms;
	fill(e.text, sizeof e.text, s->answer_ms);
	e.pdd_ms = entry_sum(&e);
	commit_bytes(journal_at(j, e.sequence), &e, sizeof e);
	s->phase = CALL_ENDING;
	s->journal = e.sequence + 1;
	commit(w, i);
	slot_closing(&w->calls[i].slot);
	commit_release_u64(&j->tail, e.sequence + 1);
}

void world_end(struct world *w, uint32_t i)
{
	struct call_state *s = &w->state[i];
	if (!s->journal)
		write_record(w, i);
	slot_free(&w->calls[i].slot);
	commit_seq_u32(&w->cell->calls, w->cell->calls - 1);
	block_retire(&w->blocks, s->text);
	for (uint32_t t = 0; t < CALL_TXNS; t++)
		block_retire(&w->blocks, s->txn[t].message);
	blocks_settle(&w->blocks);
}

bool world_live(const struct world *w, uint32_t i)
{
	return w->calls[i].slot.state != SLOT_FREE;
}

/* What a dead writer left of one call; returns how many blocks it holds. */
static uint32_t adopt_call(struct world *w, uint32_t i)
{
	const struct call *c = &w->calls[i];
	struct call_state *s = &w->state[i];
	uint32_t n = 1; /* the text */
	memcpy(s, slot_now(&c->slot, c->copies, sizeof *s), sizeof *s);
	CHECK(state_sum(s) == s->stage_at, "adopter finds call %u torn", i);
	CHECK(c->start_ms == s->answer_ms, "adopter finds a constant of another life");
	CHECK(!blocks_mark(&w->blocks, s->text), "text block used twice");
	for (uint32_t t = 0; t < CALL_TXNS; t++)
		if (s->txn[t].message) {
			n++;
			CHECK(!blocks_mark(&w->blocks, s->txn[t].message), "message block used twice");
		}
	if (s->journal == w->journal->tail + 1) {
		const struct journal_entry *e = journal_at(w->journal, s->journal - 1);
		CHECK(e->sequence == s->journal - 1 && entry_sum(e) == e->pdd_ms, "named record is not whole");
		commit_release_u64(&w->journal->tail, s->journal);
	}
	return n;
}

void world_adopt(struct world *w)
{
	uint32_t calls = 0, n = 0;
	CHECK(!blocks_begin(&w->blocks, &w->worker), "memory");
	for (uint32_t i = 0; i < WORLD_CALLS; i++) {
		if (w->calls[i].slot.state == SLOT_FILLING)
			slot_free(&w->calls[i].slot);
		if (!world_live(w, i))
			continue;
		calls++;
		n += adopt_call(w, i);
	}
	blocks_open(&w->blocks);
	CHECK(blocks_in_use(&w->blocks) == n, "blocks leaked: %u in use, %u referred to", blocks_in_use(&w->blocks), n);
	commit_u32(&w->cell->calls, calls);
}

void world_forget(struct world *w)
{
	blocks_done(&w->blocks);
}

/* --- the others -------------------------------------------------------------------------------------------------- */
static void look_at_message(const struct block_plan *plan, const struct call_state *s, const struct call_txn *t)
{
	const void *p = block_at(plan, t->message);
	CHECK(p && t->message_n <= block_capacity(t->message) && sum_of(p, t->message_n) == t->key,
		"message of call %llu not whole at step %llu", (unsigned long long)s->answer_ms,
		(unsigned long long)s->attempt_ms);
}

void world_look(struct world *w, bool still)
{
	static uint64_t text[CALL_TEXT_MAX / 8];
	const struct call *calls = region_area(&w->view, AREA_CALLS);
	const struct block_plan *plan = region_area(&w->view, AREA_BLOCKS);
	for (uint32_t i = 0; i < WORLD_CALLS; i++) {
		struct call_state s;
		uint32_t generation = 0;
		if (!slot_read(&calls[i].slot, calls[i].copies, sizeof s, &generation, &s))
			CHECK(state_sum(&s) == s.stage_at, "reader sees call %u torn", i);
		generation = 0;
		CHECK(__atomic_load_n(&calls[i].slot.state, __ATOMIC_RELAXED) <= SLOT_CLOSING, "state of call %u", i);
		int r = call_read(&calls[i], plan, &generation, &s, text);
		w->memory->reads++;
		w->memory->busy += r == -EBUSY;
		CHECK(r == 0 || r == -ENOENT || (!still && r == -EBUSY), "call_read: %d", r);
		if (r)
			continue;
		/* call_read() clears texts beyond the block: the test has none, so the sum still holds */
		CHECK(state_sum(&s) == s.stage_at, "reader sees call %u torn", i);
		CHECK(sum_of(text, s.text_used) == s.end_at, "reader sees another text than the state's");
		for (uint32_t t = 0; still && t < CALL_TXNS; t++)
			if (s.txn[t].message)
				look_at_message(plan, &s, &s.txn[t]);
	}
}

uint32_t world_consume(struct world *w, uint32_t most)
{
	struct memory *m = w->memory;
	uint32_t n = 0;
	for (const struct ring_message *r; n < most && (r = ring_peek(&w->ring)); n++) {
		struct order o;
		char payload[RING_PAYLOAD];
		CHECK(r->type == 7 && r->size >= sizeof o && r->size < sizeof o + RING_PAYLOAD,
			"message type %u size %u", r->type, r->size);
		memcpy(&o, r + 1, sizeof o);
		size_t size = r->size - sizeof o;
		memcpy(payload, (const char *)(r + 1) + sizeof o, size);
		CHECK(size == o.sequence * 37 % RING_PAYLOAD && sum_of(payload, size) == o.sum, "message not whole");
		CHECK(o.sequence >= m->consumed, "message %llu after %llu", (unsigned long long)o.sequence,
			(unsigned long long)m->consumed);
		if (o.sequence == m->consumed)
			m->repeats++;
		else
			m->gaps += o.sequence - m->consumed - 1;
		m->consumed = o.sequence;
		ring_pop(&w->ring);
	}
	return n;
}

uint32_t world_read_journal(struct world *w, uint64_t *ret_ids, uint32_t most)
{
	const struct journal *j = region_area(&w->view, AREA_JOURNAL);
	uint64_t tail = __atomic_load_n(&j->tail, __ATOMIC_ACQUIRE);
	uint32_t n = 0;
	for (; w->memory->acked < tail && n < most; n++) {
		const struct journal_entry *e = journal_at(j, w->memory->acked);
		CHECK(e->sequence == w->memory->acked, "record out of order");
		CHECK(entry_sum(e) == e->pdd_ms, "record not whole");
		ret_ids[n] = e->start_ms;
		w->memory->records++;
		__atomic_store_n(&w->memory->acked, e->sequence + 1, __ATOMIC_RELEASE);
	}
	return n;
}

void world_must_be_empty(struct world *w)
{
	for (uint32_t i = 0; i < WORLD_CALLS; i++)
		CHECK(!world_live(w, i), "call %u is still there", i);
	CHECK(w->cell->calls == 0, "capacity taken by nobody: %u", w->cell->calls);
	CHECK(blocks_in_use(&w->blocks) == 0, "blocks leaked: %u", blocks_in_use(&w->blocks));
}
