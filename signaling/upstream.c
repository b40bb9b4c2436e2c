#include "signaling/upstream.h"
#include "shm/registration.h"

#define SEEN	 131072u /* more than there can be */
#define AGAIN_MS 100u /* an entry that is nowhere is looked for so often */

const struct cfg_registration *upstream_of(const struct config *c, const struct cfg_routing_gateway *gw)
{
	return gw->via_registration < c->registrations.n ? CFG_LIST(c, &c->registrations, struct cfg_registration) + gw->via_registration : NULL;
}

/* NULL: it has no record */
static const struct registration *record_of(const struct sig *g, uint32_t entry)
{
	static struct {
		uint32_t slot;
		uint64_t at; /* clock_ms(): not found then */
	} seen[SEEN];
	const struct cfg_registration *r = CFG_LIST(g->c, &g->c->registrations, struct cfg_registration) + entry;
	uint32_t *slot = &seen[entry % SEEN].slot;
	uint64_t *at = &seen[entry % SEEN].at, now = g->env->loop.now;
	if (*slot == REGISTRATION_NOWHERE && now < *at + AGAIN_MS)
		return NULL;
	if (!*at)
		*slot = entry; /* at a start the registrar takes them in their order */
	*slot = registration_find(g->env, cfg_span(g->c, r->id), *slot);
	*at = now;
	return registration_at(g->env, *slot);
}

bool upstream_down(const struct sig *g, const struct cfg_routing_gateway *gw)
{
	if (!upstream_of(g->c, gw))
		return false;
	const struct registration *r = record_of(g, gw->via_registration);
	return !r || CMM_LOAD_SHARED(r->until_ms) <= g->env->loop.now;
}

bool upstream_address(const struct sig *g, const struct cfg_routing_gateway *gw, struct addr *ret_addr)
{
	const struct registration *r = upstream_of(g->c, gw) ? record_of(g, gw->via_registration) : NULL;
	struct addr at[2];
	if (!r || registration_addresses(r, at) <= 0)
		return false;
	*ret_addr = at[0];
	return true;
}

bool upstream_user(const struct sig *g, const struct cfg_routing_gateway *gw, struct digest_user *ret_user, struct span *ret_realm)
{
	const struct cfg_registration *r = upstream_of(g->c, gw);
	*ret_realm = r ? cfg_span(g->c, r->realm) : (struct span){ 0 };
	if (gw->username.n || !r)
		*ret_user = (struct digest_user){ cfg_span(g->c, gw->username), cfg_span(g->c, gw->password) };
	else
		*ret_user = (struct digest_user){ cfg_span(g->c, r->auth_user), cfg_span(g->c, r->password) };
	return ret_user->name.n && (gw->username.n || ret_user->password.n);
}

/* --- calls that arrive --- */

static uint64_t key_of(const struct sig *g, struct span user)
{
	return hash_sip(&g->private_key, user.p, user.n);
}

/* entries by user name, made anew with each configuration; NULL: out of memory */
static const struct index *users(const struct sig *g)
{
	static struct index by_user;
	static const struct config *made_of;
	static uint64_t generation;
	const struct cfg_registration *r = CFG_LIST(g->c, &g->c->registrations, struct cfg_registration);
	if (made_of == g->c && generation == g->c->generation)
		return &by_user;
	index_done(&by_user);
	made_of = NULL;
	if (index_init(&by_user, g->c->registrations.n) < 0)
		return NULL;
	for (uint32_t i = 0; i < g->c->registrations.n; i++)
		if (r[i].enabled)
			index_add(&by_user, i, key_of(g, cfg_span(g->c, r[i].username)));
	made_of = g->c;
	generation = g->c->generation;
	return &by_user;
}

/* its proxy, or where a redirection has led us */
static bool is_there(const struct registration *r, const struct addr *source)
{
	struct addr at[2];
	int n = r ? registration_addresses(r, at) : 0;
	for (int i = 0; i < n; i++)
		if (addr_same_ip(&at[i], source))
			return true;
	return false;
}

uint32_t upstream_at(const struct sig *g, const struct event *ev)
{
	struct span user = uri_user(&ev->m->ruri);
	const struct index *by_user = g->c->registrations.n && user.n ? users(g) : NULL;
	if (!by_user)
		return CONFIG_NONE;
	for (uint32_t i = index_first(by_user, key_of(g, user)); i != INDEX_NONE; i = index_next(by_user, i)) {
		const struct cfg_registration *r = CFG_LIST(g->c, &g->c->registrations, struct cfg_registration) + i;
		if (span_eq(cfg_span(g->c, r->username), user) && is_there(record_of(g, i), &ev->source))
			return i;
	}
	return CONFIG_NONE;
}
