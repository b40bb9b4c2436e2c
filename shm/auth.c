#include "shm/auth.h"
#include "shm/copy.h"
#include <errno.h>

static const char *const reasons[AUTH_REASON_COUNT] = {
#define X(id, text) [id] = (text),
	AUTH_REASONS(X)
#undef X
};

const char *auth_reason_text(uint32_t reason)
{
	return reason < AUTH_REASON_COUNT && reasons[reason] ? reasons[reason] : "";
}

static uint64_t power_of_two(uint64_t low, uint64_t high, uint64_t wanted)
{
	uint64_t n = low;
	while (n < wanted && n < high)
		n *= 2;
	return n;
}

uint64_t auth_records(const struct config *c)
{
	return power_of_two(1024, 16384, c->system.endpoints / 4);
}

/* Room for the nonces of five minutes, three and a half times as many as endpoints: a set that is full makes somebody ask again. */
uint64_t nonce_sets(const struct config *c)
{
	return power_of_two(1024, 65536, c->system.endpoints / 2);
}

uint64_t auth_key(const struct hash_key *key, enum auth_kind kind, struct span name, const struct addr *source, struct span call_id)
{
	struct {
		uint64_t name, call_id;
		uint8_t ip[16];
		uint32_t family, kind;
	} whole = { hash_sip(key, name.p, name.n), call_id.n ? hash_sip(key, call_id.p, call_id.n) : 0, { 0 }, source->family, (uint32_t)kind };
	memcpy(whole.ip, source->ip, sizeof whole.ip);
	uint64_t h = hash_sip(key, &whole, sizeof whole);
	return h ? h : 1;
}

size_t auth_who(struct span name, const struct addr *source, char ret_text[AUTH_WHO_MAX])
{
	size_t n = 0;
	for (size_t i = 0; i < name.n && i < AUTH_NAME_MAX; i++) {
		unsigned char c = (unsigned char)name.p[i];
		ret_text[n++] = (char)(c > ' ' && c < 0x7f && c != '"' && c != '\\' ? c : '?');
	}
	if (n)
		ret_text[n++] = '@';
	return n + addr_format_ip(source, ret_text + n, AUTH_WHO_MAX - n);
}

/* --- reading --- */

static const struct auth_record *set_of(const struct region *r, uint64_t key)
{
	const struct auth_record *all = region_area(r, AREA_AUTH);
	return all ? all + (key & (region_count(r, AREA_AUTH) / AUTH_WAYS - 1)) * AUTH_WAYS : NULL;
}

static uint32_t load(const uint32_t *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

int auth_look(const struct region *signaling, uint64_t key, struct auth_state *ret_state)
{
	const struct auth_record *set = set_of(signaling, key);
	for (uint32_t i = 0; set && i < AUTH_WAYS; i++) {
		uint32_t generation = load(&set[i].slot.generation); /* before the key: another life's key is another's state */
		if (load(&set[i].slot.state) != SLOT_LIVE || CMM_LOAD_SHARED(set[i].key) != key)
			continue;
		cmm_smp_rmb();
		return slot_read(&set[i].slot, set[i].copies, sizeof set[i].copies[0], &generation, ret_state) ? -ENOENT : 0;
	}
	return -ENOENT;
}

int auth_read(const struct region *signaling, uint32_t i, struct auth_record *ret_record)
{
	const struct auth_record *all = region_area(signaling, AREA_AUTH), *a = &all[i];
	if (!all || i >= region_count(signaling, AREA_AUTH))
		return -ENOENT;
	uint32_t generation = load(&a->slot.generation);
	if (load(&a->slot.state) != SLOT_LIVE)
		return -ENOENT;
	copy_racing(ret_record, a, offsetof(struct auth_record, copies));
	int r = slot_read(&a->slot, a->copies, sizeof a->copies[0], &generation, &ret_record->copies[0]);
	if (ret_record->name_n > AUTH_NAME_MAX)
		ret_record->name_n = 0;
	return r;
}

/* --- the owner --- */

static const struct auth_state *now_of(const struct auth_record *a)
{
	return slot_now(&a->slot, a->copies, sizeof a->copies[0]);
}

void auth_adopt(const struct region *own)
{
	const struct auth_record *all = region_area(own, AREA_AUTH);
	for (uint32_t i = 0; all && i < region_count(own, AREA_AUTH); i++)
		if (all[i].slot.state == SLOT_FILLING)
			slot_free(&all[i].slot);
}

bool auth_matters(enum auth_kind kind, const struct auth_state *s, uint64_t now)
{
	if (kind == AUTH_ATTEMPT)
		return s->begun_ms && now - s->last_ms <= AUTH_SILENCE_MS;
	bool names = false;
	for (uint32_t i = 0; i < AUTH_NAMES; i++)
		names |= s->names[i] && now - s->names_ms[i] <= AUTH_SILENCE_MS;
	return s->wrong || s->failed || s->until_ms > now || names;
}

/* what may give way: the smaller, the sooner */
static uint64_t worth(const struct auth_record *a, uint64_t now)
{
	const struct auth_state *s = now_of(a);
	uint64_t age = now > s->last_ms ? now - s->last_ms : 0, young = UINT32_MAX - (age < UINT32_MAX ? age : UINT32_MAX);
	if (a->slot.state != SLOT_LIVE)
		return 0;
	if (!auth_matters((enum auth_kind)a->kind, s, now))
		return 1;
	uint64_t rank = a->kind == AUTH_ATTEMPT ? 1 : s->until_ms > now ? 3 : 2;
	return rank << 32 | young;
}

static void fill(const struct auth_record *a, const struct auth_place *at, const struct auth_state *state)
{
	if (a->slot.state != SLOT_FREE)
		slot_free(&a->slot);
	slot_claim(&a->slot);
	struct auth_record *f = commit_fill(a); /* FILLING: nobody reads it */
	f->key = at->key;
	f->source = at->source;
	f->source.port = 0;
	f->source.bits = 0;
	f->kind = (uint32_t)at->kind;
	f->name_n = (uint32_t)(at->name.n < AUTH_NAME_MAX ? at->name.n : AUTH_NAME_MAX);
	memcpy(f->name, at->name.n ? at->name.p : "", f->name_n);
	slot_commit(&a->slot, a->copies, sizeof *state, state);
	slot_live(&a->slot);
}

void auth_put(const struct region *own, const struct auth_place *at, const struct auth_state *state, uint64_t now)
{
	const struct auth_record *set = set_of(own, at->key), *least = set;
	bool matters = auth_matters(at->kind, state, now);
	for (uint32_t i = 0; set && i < AUTH_WAYS; i++) {
		const struct auth_record *a = &set[i];
		if (a->slot.state == SLOT_LIVE && a->key == at->key) {
			if (matters)
				slot_commit(&a->slot, a->copies, sizeof *state, state);
			else
				slot_free(&a->slot);
			return;
		}
		if (worth(a, now) < worth(least, now))
			least = a;
	}
	if (set && matters)
		fill(least, at, state);
}

void auth_drop(const struct region *own, uint32_t i)
{
	const struct auth_record *all = region_area(own, AREA_AUTH);
	if (all && i < region_count(own, AREA_AUTH) && all[i].slot.state == SLOT_LIVE)
		slot_free(&all[i].slot);
}

/* --- nonces --- */

#define WINDOW 32u /* counts below the highest one that may still come */

static const struct nonce_set *nonce_set(const struct region *own, const struct hash_key *key, uint64_t id)
{
	const struct nonce_set *all = region_area(own, AREA_NONCES);
	return all + (hash_sip(key, &id, sizeof id) & (region_count(own, AREA_NONCES) - 1));
}

uint32_t nonce_floor(const struct region *own, const struct hash_key *key, uint64_t id)
{
	return (uint32_t)nonce_set(own, key, id)->floor;
}

static const struct nonce_record *nonce_find(const struct nonce_set *set, uint64_t id)
{
	for (uint32_t i = 0; i < NONCE_WAYS; i++)
		if (set->at[i].id == id)
			return &set->at[i];
	return NULL;
}

static bool was_used(uint64_t used, uint32_t count)
{
	uint32_t high = (uint32_t)(used >> 32), below = high - count;
	if (count > high)
		return false;
	return !below || below > WINDOW || (used >> (below - 1) & 1);
}

enum nonce_use nonce_look(const struct region *own, const struct hash_key *key, uint64_t id, uint32_t count)
{
	const struct nonce_record *n = nonce_find(nonce_set(own, key, id), id);
	if (!n)
		return NONCE_FIRST;
	return was_used(n->used, count) || count == NONCE_ONCE ? NONCE_REPLAYED : NONCE_AGAIN;
}

static uint64_t with(uint64_t used, uint32_t count)
{
	uint32_t high = (uint32_t)(used >> 32), window = (uint32_t)used;
	if (count < high)
		return used | 1ull << (high - count - 1);
	uint32_t step = count - high;
	if (high && step <= WINDOW)
		window = (step < WINDOW ? window << step : 0) | 1u << (step - 1);
	else
		window = 0;
	return (uint64_t)count << 32 | window;
}

void nonce_use(const struct region *own, const struct hash_key *key, uint64_t id, uint32_t count)
{
	const struct nonce_set *set = nonce_set(own, key, id);
	const struct nonce_record *n = nonce_find(set, id), *oldest = set->at;
	if (n) {
		commit_u64(&n->used, with(n->used, count));
		return;
	}
	for (uint32_t i = 0; i < NONCE_WAYS; i++)
		if ((uint32_t)set->at[i].id < (uint32_t)oldest->id) /* free ones have 0 */
			oldest = &set->at[i];
	if (oldest->id) {
		uint32_t made = (uint32_t)oldest->id;
		if (made > set->floor)
			commit_release_u64(&set->floor, made);
		commit_release_u64(&oldest->id, 0);
	}
	commit_u64(&oldest->used, with(0, count));
	commit_release_u64(&oldest->id, id);
}
