#include "shm/registration.h"
#include "shm/copy.h"

uint64_t registration_hash(struct span id)
{
	uint64_t h = 0xcbf29ce484222325ull; /* FNV-1a: the ids are the operator's own */
	for (size_t i = 0; i < id.n; i++)
		h = (h ^ (unsigned char)id.p[i]) * 0x100000001b3ull;
	return h ? h : 1;
}

struct span registration_text(const struct registration_account *a, enum registration_text t)
{
	size_t at = 0;
	for (int i = 0; i < (int)t; i++)
		at += a->n[i];
	if (at + a->n[t] > REGISTRATION_TEXTS) /* a damaged record */
		return (struct span){ "", 0 };
	return (struct span){ a->text + at, a->n[t] };
}

const struct registration *registration_at(const struct env *e, uint32_t slot)
{
	const struct region *r = &e->region[seat_of(ROLE_REGISTRAR, 0)];
	const struct registration *all = region_area(r, AREA_REGISTRATIONS);
	return all && slot < region_count(r, AREA_REGISTRATIONS) ? all + slot : NULL;
}

static bool is_it(const struct registration *r, uint64_t hash, struct span id)
{
	return r && CMM_LOAD_SHARED(r->id_hash) == hash && CMM_LOAD_SHARED(r->slot.state) == SLOT_LIVE && span_eq(registration_id(r), id);
}

uint32_t registration_find(const struct env *e, struct span id, uint32_t hint)
{
	uint64_t hash = registration_hash(id);
	uint32_t n = region_count(&e->region[seat_of(ROLE_REGISTRAR, 0)], AREA_REGISTRATIONS);
	if (is_it(registration_at(e, hint), hash, id))
		return hint;
	for (uint32_t i = 0; i < n; i++)
		if (is_it(registration_at(e, i), hash, id))
			return i;
	return REGISTRATION_NOWHERE;
}

int registration_addresses(const struct registration *r, struct addr ret_addrs[2])
{
	for (int i = 0; i < SLOT_TRIES; i++) {
		struct slot seen = { .generation = CMM_LOAD_SHARED(r->slot.generation), .commit = __atomic_load_n(&r->slot.commit, __ATOMIC_ACQUIRE) };
		const struct registration_state *s = &r->copies[seen.commit & 1];
		bool redirected = CMM_LOAD_SHARED(s->redirected);
		copy_racing(&ret_addrs[0], &s->server, sizeof ret_addrs[0]);
		copy_racing(&ret_addrs[1], &s->elsewhere, sizeof ret_addrs[1]);
		if (slot_unchanged(&r->slot, &seen))
			return ret_addrs[0].family != 4 && ret_addrs[0].family != 6 ? 0 : redirected ? 2 : 1;
	}
	return CMM_LOAD_SHARED(r->slot.state) == SLOT_LIVE ? -EBUSY : 0;
}

const char *registration_state_text(const struct registration_state *s)
{
	static const char *const texts[] = { [REGISTRATION_WAITING] = "waiting",
		[REGISTRATION_UNRESOLVED] = "unresolved",
		[REGISTRATION_REGISTERING] = "registering",
		[REGISTRATION_REGISTERED] = "registered",
		[REGISTRATION_FAILED] = "failed",
		[REGISTRATION_UNREGISTERED] = "unregistered" };
	if (s->request == REQUEST_UNREGISTER || (s->leave && s->phase != REGISTRATION_UNREGISTERED))
		return "unregistering";
	return s->phase < sizeof texts / sizeof *texts ? texts[s->phase] : "?";
}
