/* The location table as every process reads it; its owner writes it in location_owner.c. */
#include "shm/location.h"
#include "shm/copy.h"

_Static_assert(sizeof(struct location_front) % 64 == 0 && sizeof(struct location_record) == 128, "a record is two cache lines");

/* --- layout --- */

uint64_t location_share(const struct config *c)
{
	uint64_t n = c->system.signaling;
	/* accounts are spread by a hash, so workers get unequal shares */
	return c->system.endpoints ? ((uint64_t)c->system.endpoints * 5 + 4 * n - 1) / (4 * n) + 64 : 0;
}

uint64_t location_heads(uint64_t share)
{
	uint64_t n = 1;
	while (n < share)
		n *= 2;
	return share ? n : 0;
}

/* 640 bytes for each contact, of which an ordinary one needs 320; any room of LOCATION_CONTACTS contacts fits. */
uint64_t location_units(uint64_t share)
{
	return share * 10;
}

uint64_t location_hash(struct span text)
{
	uint64_t h = 0xcbf29ce484222325ull; /* FNV-1a, then the finaliser of MurmurHash3 */
	for (size_t i = 0; i < text.n; i++)
		h = (h ^ (unsigned char)text.p[i]) * 0x100000001b3ull;
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdull;
	h ^= h >> 33;
	return h;
}

/* --- reading --- */

#define AHEAD 5u /* units of a room that one contact usually has */

struct table {
	const struct location_front *front;
	const struct location_record *records;
	const struct location_head *heads;
	const char *texts;
	uint32_t n_records, n_heads;
	uint64_t size; /* of the texts */
};

static bool open_table(const struct region *r, struct table *t)
{
	t->front = region_area(r, AREA_BINDINGS);
	t->heads = region_area(r, AREA_BINDING_HEADS);
	t->texts = region_area(r, AREA_BINDING_TEXTS);
	if (!t->front || !t->heads || !t->texts)
		return false;
	t->records = (const struct location_record *)(t->front + 1);
	t->n_records = region_count(r, AREA_BINDINGS);
	t->n_heads = region_count(r, AREA_BINDING_HEADS);
	t->size = (uint64_t)region_count(r, AREA_BINDING_TEXTS) * LOCATION_UNIT;
	return true;
}

static uint32_t load(const uint32_t *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

/* what has been copied and cannot be right was being written: the caller finds out by the slot */
static bool binding_fits(const struct location_binding *b, uint32_t room)
{
	return b->n[LOCATION_URI] <= LOCATION_URI_MAX && b->n[LOCATION_PATH] <= LOCATION_PATH_MAX &&
	       b->n[LOCATION_INSTANCE] <= LOCATION_INSTANCE_MAX && b->n[LOCATION_USER_AGENT] <= LOCATION_USER_AGENT_MAX &&
	       (uint32_t)b->n[0] + b->n[1] + b->n[2] + b->n[3] <= room;
}

static void fill_contact(const struct location_binding *b, const char *texts, struct location_contact *ret)
{
	struct span *of[LOCATION_TEXTS] = { &ret->uri, &ret->path, &ret->instance, &ret->user_agent };
	size_t n = (size_t)b->n[0] + b->n[1] + b->n[2] + b->n[3];
	char *at = ret->text + LOCATION_ACCOUNT_MAX;
	copy_racing(at, texts, n);
	for (int i = 0; i < LOCATION_TEXTS; i++) {
		*of[i] = (struct span){ at, b->n[i] };
		at += b->n[i];
	}
	ret->source = b->source;
	ret->target = b->target;
	ret->expires_ms = b->expires_ms;
	ret->registered_ms = b->registered_ms;
	ret->reg_id = b->reg_id;
	ret->cseq = b->cseq;
	ret->q = b->q;
	ret->listen = b->listen;
	ret->behind_nat = b->behind_nat;
	ret->binding = *b;
}

struct wish { /* which contacts of a record */
	uint64_t now;
	struct span account; /* n 0: whosever */
	uint32_t first, n;   /* of those that are there, in the order they came */
	uint32_t cap;        /* how many at most */
	bool best;           /* by q, then the one that registered last */
};

struct found {
	uint32_t n;
	struct {
		struct location_binding b;
		const char *texts;
	} at[LOCATION_CONTACTS];
};

static bool better(const struct location_binding *a, const struct location_binding *b)
{
	return a->q != b->q ? a->q > b->q : a->registered_ms > b->registered_ms;
}

static void sort(struct found *f)
{
	for (uint32_t i = 1; i < f->n; i++)
		for (uint32_t k = i; k && better(&f->at[k].b, &f->at[k - 1].b); k--) {
			__typeof__(f->at[0]) t = f->at[k];
			f->at[k] = f->at[k - 1];
			f->at[k - 1] = t;
		}
}

/* -EBUSY: it has changed for certain */
static int find_contacts(const struct table *t, const struct location_state *s, const struct wish *w, struct found *ret)
{
	uint64_t at = (uint64_t)s->unit * LOCATION_UNIT, end = at + s->bytes;
	ret->n = 0;
	if (end > t->size || s->contacts > LOCATION_CONTACTS)
		return -EBUSY;
	for (uint32_t i = 0; i < s->contacts && i < w->first + w->n; i++) {
		struct location_binding *b = &ret->at[ret->n].b;
		if (at > end || end - at < sizeof *b)
			return -EBUSY;
		copy_racing(b, t->texts + at, sizeof *b);
		at += sizeof *b;
		if (!binding_fits(b, (uint32_t)(end - at)))
			return -EBUSY;
		ret->at[ret->n].texts = t->texts + at;
		at += location_text_room(b);
		if (i >= w->first && b->expires_ms > w->now)
			ret->n++;
	}
	return 0;
}

/* one try: what it finds is only true if the slot has not changed meanwhile */
static int copy_contacts(const struct table *t, const struct location_record *r, const struct location_state *s,
	const struct wish *w, struct location_contact *ret)
{
	_Alignas(8) char account[LOCATION_ACCOUNT_MAX];
	struct found f;
	if (s->unit < t->size / LOCATION_UNIT) /* all cache misses at once */
		for (uint32_t i = 0; i < AHEAD; i++)
			__builtin_prefetch(t->texts + ((size_t)s->unit + i) * LOCATION_UNIT);
	uint32_t account_n = CMM_LOAD_SHARED(r->account_n);
	if (account_n > LOCATION_ACCOUNT_MAX)
		return -EBUSY;
	copy_racing(account, r->account, account_n);
	if (w->account.n && !span_eq(w->account, (struct span){ account, account_n }))
		return -ENOENT;
	int error = find_contacts(t, s, w, &f);
	if (error)
		return error;
	if (w->best)
		sort(&f);
	uint32_t n = f.n < w->cap ? f.n : w->cap;
	for (uint32_t i = 0; i < n; i++) {
		fill_contact(&f.at[i].b, f.at[i].texts, &ret[i]);
		memcpy(ret[i].text, account, account_n);
		ret[i].account = (struct span){ ret[i].text, account_n };
	}
	return (int)n;
}

static int read_record(const struct table *t, uint32_t record, const struct wish *w, struct location_contact *ret)
{
	const struct location_record *r = &t->records[record];
	for (int i = 0; i < SLOT_TRIES; i++) {
		struct slot seen = { 0 };
		struct location_state s;
		int error = slot_read_seen(&r->slot, r->copies, sizeof s, &seen, &s);
		if (error)
			return error;
		int n = copy_contacts(t, r, &s, w, ret);
		if (!slot_unchanged(&r->slot, &seen) || n == -EBUSY)
			continue;
		for (int k = 0; k < n; k++) {
			ret[k].generation = seen.generation;
			ret[k].commit = seen.commit;
		}
		return n;
	}
	return -EBUSY;
}

/* one walk along a chain; LOCATION_NONE: not in it, for all that was seen */
static uint32_t walk(const struct table *t, const struct location_head *head, uint64_t hash, const struct wish *w,
	struct location_contact *ret, int *ret_n)
{
	uint32_t next = load(&head->first);
	for (uint32_t steps = 0; next && next <= t->n_records && steps < t->n_records; steps++) {
		const struct location_record *r = &t->records[next - 1];
		__builtin_prefetch(r->account);
		if (CMM_LOAD_SHARED(r->hash) == hash) {
			*ret_n = read_record(t, next - 1, w, ret);
			if (*ret_n != -ENOENT)
				return next - 1;
		}
		next = load(&r->next);
	}
	return LOCATION_NONE;
}

uint32_t location_lookup_in(const struct region *signaling, struct span account, uint64_t now, struct location_contact *ret, uint32_t cap)
{
	struct table t;
	if (!account.n || account.n > LOCATION_ACCOUNT_MAX || !open_table(signaling, &t))
		return 0;
	struct wish w = { .now = now, .account = account, .n = LOCATION_CONTACTS, .cap = cap, .best = true };
	uint64_t hash = location_hash(account);
	const struct location_head *head = &t.heads[hash & (t.n_heads - 1)];
	for (int i = 0; i < SLOT_TRIES; i++) {
		uint32_t changes = load(&head->changes);
		int n = 0;
		if (walk(&t, head, hash, &w, ret, &n) != LOCATION_NONE && n >= 0)
			return (uint32_t)n;
		cmm_smp_rmb();
		if (n == 0 && load(&head->changes) == changes)
			return 0;
	}
	return 0;
}

uint32_t location_seat(const struct env *e, struct span account)
{
	uint32_t worker = e->roster ? CMM_LOAD_SHARED(e->roster->partition[steer_hash(account.p, account.n)]) : WORKERS_MAX;
	return worker < WORKERS_MAX ? seat_of(ROLE_SIGNALING, worker) : SEATS_MAX;
}

uint32_t location_lookup(const struct env *e, struct span account, uint64_t now, struct location_contact *ret, uint32_t cap)
{
	uint32_t seat = location_seat(e, account);
	return seat < SEATS_MAX ? location_lookup_in(&e->region[seat], account, now, ret, cap) : 0;
}

/* --- going through all --- */

uint32_t location_records(const struct region *signaling)
{
	return region_count(signaling, AREA_BINDINGS);
}

uint32_t location_slots(const struct region *signaling)
{
	uint32_t n = location_records(signaling);
	return n <= UINT32_MAX / LOCATION_CONTACTS ? n * LOCATION_CONTACTS : UINT32_MAX;
}

int location_read(const struct region *signaling, uint32_t slot, uint64_t now, struct location_contact *ret)
{
	struct table t;
	if (!open_table(signaling, &t) || slot / LOCATION_CONTACTS >= t.n_records)
		return -ENOENT;
	struct wish w = { .now = now, .first = slot % LOCATION_CONTACTS, .n = 1, .cap = 1 };
	int n = read_record(&t, slot / LOCATION_CONTACTS, &w, ret);
	return n < 0 ? n : n == 0 ? -ENOENT : 0;
}

int location_read_record(const struct region *signaling, uint32_t record, uint64_t now, struct location_contact *ret, uint32_t cap)
{
	struct table t;
	if (!open_table(signaling, &t) || record >= t.n_records)
		return -ENOENT;
	struct wish w = { .now = now, .n = LOCATION_CONTACTS, .cap = cap };
	return read_record(&t, record, &w, ret);
}

uint32_t location_count(const struct region *signaling)
{
	struct table t;
	return open_table(signaling, &t) ? CMM_LOAD_SHARED(t.front->bindings) : 0;
}

uint32_t location_changed(const struct region *signaling, uint64_t *position, bool *ret_missed)
{
	struct table t;
	*ret_missed = false;
	if (!open_table(signaling, &t))
		return LOCATION_NONE;
	uint64_t changes = __atomic_load_n(&t.front->changes, __ATOMIC_ACQUIRE);
	if (changes == *position)
		return LOCATION_NONE;
	if (changes - *position <= LOCATION_LOG) {
		uint32_t record = CMM_LOAD_SHARED(t.front->changed[*position % LOCATION_LOG]);
		cmm_smp_rmb();
		changes = CMM_LOAD_SHARED(t.front->changes);
		/* the entry that is being written does not count as there */
		if (changes - *position < LOCATION_LOG && record < t.n_records) {
			++*position;
			return record;
		}
	}
	*ret_missed = true;
	*position = changes;
	return LOCATION_NONE;
}
