/* The location table as its owner writes it: rooms for contacts, chains, and what a successor puts right. */
#include "shm/location.h"
#include <stdlib.h>

/* --- rooms: bit per unit, next fit --- */

static bool is_used(const struct location *l, uint32_t unit)
{
	return l->used[unit / 64] >> unit % 64 & 1;
}

static void mark(struct location *l, uint32_t unit, uint32_t n, bool used)
{
	for (uint32_t i = unit; i < unit + n; i++)
		if (used)
			l->used[i / 64] |= 1ull << i % 64;
		else
			l->used[i / 64] &= ~(1ull << i % 64);
}

/* first unit from `from` on that is used or not; `to`: there is none before it */
static uint32_t next_unit(const struct location *l, uint32_t from, uint32_t to, bool used)
{
	while (from < to) {
		uint64_t word = used ? l->used[from / 64] : ~l->used[from / 64];
		word &= ~0ull << from % 64;
		if (word) {
			uint32_t unit = from / 64 * 64 + (uint32_t)__builtin_ctzll(word);
			return unit < to ? unit : to;
		}
		from = from / 64 * 64 + 64;
	}
	return to;
}

static uint32_t search(const struct location *l, uint32_t from, uint32_t to, uint32_t n)
{
	while ((from = next_unit(l, from, to, false)) < to && n <= l->n_units - from) {
		uint32_t end = next_unit(l, from, from + n, true);
		if (end == from + n)
			return from;
		from = end;
	}
	return LOCATION_NONE;
}

static uint32_t take_room(struct location *l, uint32_t n)
{
	uint32_t unit = search(l, l->rover, l->n_units, n);
	if (unit == LOCATION_NONE)
		unit = search(l, 0, l->rover, n);
	if (unit == LOCATION_NONE)
		return LOCATION_NONE;
	mark(l, unit, n, true);
	l->rover = unit + n;
	return unit;
}

static uint32_t units(uint32_t bytes)
{
	return (bytes + LOCATION_UNIT - 1) / LOCATION_UNIT;
}

/* --- chains --- */

static const struct location_head *head_of(const struct location *l, uint64_t hash)
{
	return &l->heads[hash & l->mask];
}

static void chain_in(const struct location *l, uint32_t record)
{
	const struct location_record *r = &l->records[record];
	const struct location_head *head = head_of(l, r->hash);
	commit_release_u32(&r->next, head->first);
	commit_release_u32(&head->first, record + 1);
}

static void chain_out(const struct location *l, uint32_t record)
{
	const struct location_record *r = &l->records[record];
	const struct location_head *head = head_of(l, r->hash);
	const uint32_t *from = &head->first;
	for (uint32_t i = 0; *from && i <= l->n_records; i++) {
		if (*from == record + 1) {
			commit_release_u32(from, r->next);
			break;
		}
		from = &l->records[*from - 1].next;
	}
	commit_release_u32(&head->changes, head->changes + 1); /* before the record has another life */
}

/* --- what others learn --- */

static void log_change(struct location *l, uint32_t record)
{
	uint64_t n = l->front->changes;
	commit_u32(&l->front->changed[n % LOCATION_LOG], record);
	commit_release_u64(&l->front->changes, n + 1);
}

static void say_counts(struct location *l)
{
	commit_u32(&l->front->bindings, l->bindings);
	commit_u32(&l->front->accounts, l->n_records - l->n_free);
}

/* --- the owner's own view --- */

static const struct location_state *state_of(const struct location_record *r)
{
	return slot_now(&r->slot, r->copies, sizeof *r->copies);
}

struct span location_account(const struct location *l, uint32_t record)
{
	return (struct span){ l->records[record].account, l->records[record].account_n };
}

uint32_t location_find(const struct location *l, struct span account)
{
	uint64_t hash = location_hash(account);
	if (!l->n_records)
		return LOCATION_NONE;
	for (uint32_t at = head_of(l, hash)->first; at; at = l->records[at - 1].next)
		if (l->records[at - 1].hash == hash && l->records[at - 1].slot.state == SLOT_LIVE &&
			span_eq(location_account(l, at - 1), account))
			return at - 1;
	return LOCATION_NONE;
}

void location_get(const struct location *l, uint32_t record, struct location_set *ret_set)
{
	const struct location_state *s = state_of(&l->records[record]);
	const char *at = l->texts + (size_t)s->unit * LOCATION_UNIT;
	ret_set->n = s->contacts;
	for (uint32_t i = 0; i < s->contacts; i++) {
		memcpy(&ret_set->at[i].b, at, sizeof ret_set->at[i].b);
		const struct location_binding *b = &ret_set->at[i].b;
		const char *text = at + sizeof *b;
		at = text + location_text_room(b);
		for (int k = 0; k < LOCATION_TEXTS; k++) {
			ret_set->at[i].text[k] = (struct span){ text, b->n[k] };
			text += b->n[k];
		}
	}
}

uint64_t location_expiry(const struct location *l, uint32_t record)
{
	const struct location_record *r = &l->records[record];
	uint64_t first = 0;
	if (r->slot.state != SLOT_LIVE)
		return 0;
	const struct location_state *s = state_of(r);
	const char *at = l->texts + (size_t)s->unit * LOCATION_UNIT;
	for (uint32_t i = 0; i < s->contacts; i++) {
		struct location_binding b;
		memcpy(&b, at, sizeof b);
		if (!first || b.expires_ms < first)
			first = b.expires_ms;
		at += sizeof b + location_text_room(&b);
	}
	return first;
}

/* --- changing --- */

static const uint32_t text_max[LOCATION_TEXTS] = { [LOCATION_URI] = LOCATION_URI_MAX, [LOCATION_PATH] = LOCATION_PATH_MAX,
	[LOCATION_INSTANCE] = LOCATION_INSTANCE_MAX, [LOCATION_USER_AGENT] = LOCATION_USER_AGENT_MAX };

/* bytes the contacts take; 0: a text is too long */
static uint32_t measure(const struct location_set *set)
{
	uint32_t bytes = 0;
	for (uint32_t i = 0; i < set->n; i++) {
		uint32_t n = 0;
		for (int k = 0; k < LOCATION_TEXTS; k++) {
			if (set->at[i].text[k].n > text_max[k])
				return 0;
			n += (uint32_t)set->at[i].text[k].n;
		}
		bytes += (uint32_t)sizeof(struct location_binding) + (n + 7) / 8 * 8;
	}
	return bytes;
}

/* a room that nothing refers to */
static void fill_room(const struct location *l, uint32_t unit, const struct location_set *set)
{
	cmm_smp_wmb(); /* a reader that sees any of it also sees that the room's last record has gone on */
	char *at = commit_fill(l->texts + (size_t)unit * LOCATION_UNIT);
	for (uint32_t i = 0; i < set->n; i++) {
		struct location_binding b = set->at[i].b;
		for (int k = 0; k < LOCATION_TEXTS; k++)
			b.n[k] = (uint16_t)set->at[i].text[k].n;
		memcpy(at, &b, sizeof b);
		char *text = at + sizeof b;
		at = text + location_text_room(&b);
		for (int k = 0; k < LOCATION_TEXTS; k++)
			if (b.n[k]) {
				memcpy(text, set->at[i].text[k].p, b.n[k]);
				text += b.n[k];
			}
	}
}

static void fill_record(const struct location_record *r, struct span account)
{
	slot_claim(&r->slot);
	commit_u64(&r->hash, location_hash(account));
	commit_u32(&r->account_n, (uint32_t)account.n);
	commit_bytes(r->account, account.p, account.n);
}

static void remove_record(struct location *l, uint32_t record)
{
	const struct location_record *r = &l->records[record];
	const struct location_state s = *state_of(r);
	slot_free(&r->slot); /* decides */
	log_change(l, record);
	chain_out(l, record);
	mark(l, s.unit, units(s.bytes), false);
	l->free_record[l->n_free++] = record;
	l->bindings -= s.contacts;
	say_counts(l);
}

int location_put(struct location *l, struct span account, const struct location_set *set, uint32_t *ret_record)
{
	uint32_t record = location_find(l, account), bytes = measure(set), before = 0;
	bool known = record != LOCATION_NONE;
	if (set->n == 0) {
		if (known)
			remove_record(l, record);
		*ret_record = LOCATION_NONE;
		return 0;
	}
	if (set->n > LOCATION_CONTACTS || !account.n || account.n > LOCATION_ACCOUNT_MAX || !bytes)
		return -EMSGSIZE;
	struct location_state old = { 0 };
	if (known) {
		old = *state_of(&l->records[record]);
		before = old.contacts;
	}
	if ((!known && !l->n_free) || l->bindings - before + set->n > l->n_records)
		return -ENOSPC;
	uint32_t unit = take_room(l, units(bytes));
	if (unit == LOCATION_NONE)
		return -ENOSPC;
	fill_room(l, unit, set);
	struct location_state s = { unit, bytes, set->n, 0 };
	if (!known) {
		record = l->free_record[--l->n_free];
		fill_record(&l->records[record], account);
		chain_in(l, record);
	}
	const struct location_record *r = &l->records[record];
	slot_commit(&r->slot, r->copies, sizeof s, &s); /* decides */
	if (!known)
		slot_live(&r->slot); /* decides */
	log_change(l, record);
	if (known)
		mark(l, old.unit, units(old.bytes), false);
	l->bindings += set->n - before;
	say_counts(l);
	*ret_record = record;
	return 0;
}

/* --- a successor --- */

/* no room lies in another, nor outside of the texts; damaged records are given up rather than believed */
static bool adopt_record(struct location *l, const struct location_record *r)
{
	const struct location_state *s = state_of(r);
	uint32_t n = units(s->bytes);
	if (!s->contacts || s->contacts > LOCATION_CONTACTS || n > l->n_units || s->unit > l->n_units - n ||
		r->account_n > LOCATION_ACCOUNT_MAX || r->hash != location_hash((struct span){ r->account, r->account_n }))
		return false;
	for (uint32_t i = s->unit; i < s->unit + n; i++)
		if (is_used(l, i))
			return false;
	size_t at = (size_t)s->unit * LOCATION_UNIT, end = at + s->bytes;
	for (uint32_t i = 0; i < s->contacts; i++) {
		struct location_binding b;
		if (end - at < sizeof b)
			return false;
		memcpy(&b, l->texts + at, sizeof b);
		at += sizeof b;
		if (location_text_room(&b) > end - at)
			return false;
		at += location_text_room(&b);
	}
	mark(l, s->unit, n, true);
	l->bindings += s->contacts;
	return true;
}

/* Chains keep what is live, each record once; a reader on its way is warned. In an empty one there is nothing to miss. */
static void adopt_chain(const struct location *l, const struct location_head *head, uint8_t *chained)
{
	const uint32_t *from = &head->first;
	if (!*from)
		return;
	for (uint32_t i = 0; *from; i++) {
		uint32_t at = *from;
		const struct location_record *r = at <= l->n_records ? &l->records[at - 1] : NULL;
		if (r && r->slot.state == SLOT_LIVE && !chained[at - 1] && head_of(l, r->hash) == head) {
			chained[at - 1] = 1;
			from = &r->next;
		} else if (r && !chained[at - 1] && i < l->n_records) { /* a circle would be damage */
			commit_release_u32(from, r->next);
		} else {
			commit_release_u32(from, 0);
		}
	}
	commit_release_u32(&head->changes, head->changes + 1);
}

static void adopt(struct location *l, uint8_t *chained)
{
	for (uint32_t i = 0; i < l->n_records; i++) {
		const struct location_record *r = &l->records[i];
		if (r->slot.state != SLOT_FREE && (r->slot.state != SLOT_LIVE || !adopt_record(l, r)))
			slot_free(&r->slot);
	}
	for (uint32_t i = 0; i <= l->mask; i++)
		adopt_chain(l, &l->heads[i], chained);
	for (uint32_t i = l->n_records; i-- > 0;)
		if (l->records[i].slot.state == SLOT_FREE)
			l->free_record[l->n_free++] = i;
		else if (!chained[i])
			chain_in(l, i);
	commit_release_u64(&l->front->changes, l->front->changes + LOCATION_LOG + 1); /* the last change may not have been logged */
	say_counts(l);
}

int location_open(struct location *l, const struct region *own)
{
	*l = (struct location){ .own = own };
	const struct location_front *front = region_area(own, AREA_BINDINGS);
	uint32_t n = region_count(own, AREA_BINDINGS);
	if (!front || !n)
		return 0; /* no room for anybody */
	l->front = front;
	l->records = (const struct location_record *)(front + 1);
	l->heads = region_area(own, AREA_BINDING_HEADS);
	l->texts = region_area(own, AREA_BINDING_TEXTS);
	l->mask = region_count(own, AREA_BINDING_HEADS) - 1;
	l->n_units = region_count(own, AREA_BINDING_TEXTS);
	l->n_records = n;
	l->used = calloc(l->n_units / 64 + 1, sizeof *l->used);
	l->free_record = calloc(n, sizeof *l->free_record);
	uint8_t *chained = calloc(n, 1);
	if (l->used && l->free_record && chained)
		adopt(l, chained);
	free(chained);
	if (l->used && l->free_record && chained)
		return 0;
	location_done(l);
	return -ENOMEM;
}

void location_done(struct location *l)
{
	free(l->used);
	free(l->free_record);
	*l = (struct location){ 0 };
}
