#include "signaling/upstream.h"
#include "shm/registration.h"

#define SEEN	 256u
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
	return r && registration_server(r, ret_addr) == 0;
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
