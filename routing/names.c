#include "routing/names.h"
#include "base/clock.h"
#include "base/log.h"
#include "routing/dns.h"
#include <stdio.h>
#include <stdlib.h>

#define TTL_MIN_MS   5000u
#define TTL_MAX_MS   3600000u
#define NONE_MS	     30000u /* no such name: asked again */
#define FAILED_MS    5000u  /* no answer: likewise */
#define UNDER_WAY    64u    /* questions at once */
#define WITHOUT_MS   5000u  /* no resolver, no memory */

struct entry {
	struct names *n;
	uint32_t generation; /* of the slot when it was asked for */
	bool listed, asking;
};

struct names {
	struct env *e;
	const struct region *own;
	struct dns *dns;
	struct addr servers[16];
	uint32_t n_servers, families;
	bool stale;	     /* the resolver did not answer: the system's may be set up anew */
	struct wheel_timer timer;
	struct entry *entry; /* of each place of AREA_NAMES */
	uint32_t *list, n_list, room; /* places that are in use */
	uint32_t under_way;
	void (*changed)(void *context);
	void *context;
};

static const struct name *place(const struct names *n, uint32_t i)
{
	return (const struct name *)region_area(n->own, AREA_NAMES) + i;
}

static const struct name_state *now_of(const struct names *n, uint32_t i)
{
	return slot_now(&place(n, i)->slot, place(n, i)->copies, sizeof(struct name_state));
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

static void due(struct wheel_timer *t, uint64_t now);

static void look_at(struct names *n, uint64_t at)
{
	if (!n->timer.next || at < n->timer.deadline)
		wheel_add(&n->e->loop.wheel, &n->timer, at, due);
}

static bool same_addresses(const struct name_state *a, const struct name_state *b)
{
	return a->n == b->n && memcmp(a->at, b->at, a->n * sizeof a->at[0]) == 0;
}

static void say(const struct name *name, const struct name_state *was, const struct name_state *is)
{
	char text[16 * ADDR_TEXT_MAX] = "";
	size_t n = 0;
	for (uint32_t i = 0; i < is->n && n + ADDR_TEXT_MAX + 2 < sizeof text; i++) {
		text[n] = ' ';
		n += 1 + addr_format(&is->at[i].addr, true, text + n + 1, sizeof text - n - 1);
	}
	if (is->status == NAME_RESOLVED && !same_addresses(was, is))
		log_info("%s is%s", name->host, text);
	else if (is->status != was->status && is->status == NAME_NONE)
		log_warning("%s: no such name, or it has no address", name->host);
	else if (is->status != was->status && is->status == NAME_FAILED)
		log_warning("%s: the resolver does not answer%s%s", name->host, is->n ? ", as before:" : "", text);
}

static uint64_t kept_ms(const struct name_state *s, uint32_t ttl_ms)
{
	if (s->status != NAME_RESOLVED)
		return s->status == NAME_NONE ? NONE_MS : FAILED_MS;
	return ttl_ms < TTL_MIN_MS ? TTL_MIN_MS : ttl_ms > TTL_MAX_MS ? TTL_MAX_MS : ttl_ms;
}

static void answered(void *context, const struct name_state *answer, uint32_t ttl_ms)
{
	struct entry *entry = context;
	struct names *n = entry->n;
	uint32_t i = (uint32_t)(entry - n->entry);
	const struct name *name = place(n, i);
	entry->asking = false;
	n->under_way--;
	look_at(n, clock_ms());
	if (!entry->listed || name->slot.generation != entry->generation)
		return;
	struct name_state was = *now_of(n, i), is = *answer;
	if (is.status == NAME_FAILED) { /* what was true last is the best there is */
		is.n = was.n;
		memcpy(is.at, was.at, sizeof is.at);
		n->stale = true;
	}
	is.due_ms = clock_ms() + kept_ms(&is, ttl_ms);
	say(name, &was, &is);
	names_put(n->own, i, &is);
	if (!same_addresses(&was, &is))
		n->changed(n->context);
}

/* --- questions --------------------------------------------------------------------------------------------------- */

static void resolver(struct names *n)
{
	int error;
	n->dns = dns_free(n->dns);
	n->under_way = 0;
	n->stale = false;
	for (uint32_t i = 0; i < n->room; i++)
		n->entry[i].asking = false;
	n->dns = dns_new(&n->e->loop, n->servers, n->n_servers, n->families, &error);
}

static bool ask(struct names *n, uint32_t i)
{
	const struct name *name = place(n, i);
	struct name_key key = { { name->host, name->host_n }, name->port, name->transport };
	n->entry[i].asking = true;
	n->entry[i].generation = name->slot.generation;
	n->under_way++;
	if (dns_ask(n->dns, &key, answered, &n->entry[i]) == 0)
		return true;
	n->entry[i].asking = false;
	n->under_way--;
	return false;
}

static void due(struct wheel_timer *t, uint64_t now)
{
	struct names *n = (struct names *)(void *)((char *)t - offsetof(struct names, timer));
	uint64_t next = UINT64_MAX;
	if (!n->dns || (n->stale && !n->under_way && !n->n_servers))
		resolver(n);
	if (!n->dns) {
		look_at(n, now + WITHOUT_MS);
		return;
	}
	for (uint32_t k = 0; k < n->n_list; k++) {
		uint32_t i = n->list[k];
		uint64_t at = now_of(n, i)->due_ms;
		if (n->entry[i].asking)
			continue;
		if (at <= now && n->under_way < UNDER_WAY && !ask(n, i))
			at = now + WITHOUT_MS;
		if (at > now && at < next) /* any answer comes back to here: what is due now has its turn then */
			next = at;
	}
	if (next != UINT64_MAX)
		look_at(n, next);
}

/* --- the configuration ------------------------------------------------------------------------------------------- */

static void want(struct names *n, const struct name_key *key)
{
	if (!key->host.n)
		return;
	uint32_t i = names_add(n->own, key);
	if (i == NAME_NOWHERE)
		log_error("no room for the name %.*s: it is not resolved before the next start", (int)key->host.n, key->host.p);
	else if (!n->entry[i].listed)
		n->list[n->n_list++] = i;
	if (i != NAME_NOWHERE)
		n->entry[i].listed = true;
}

static void collect(struct names *n, const struct config *c)
{
	n->n_list = 0;
	for (uint32_t i = 0; i < n->room; i++)
		n->entry[i].listed = false;
	for (uint32_t i = 0; i < c->routing_gateways.n; i++) {
		const struct cfg_routing_gateway *gw = cfg_routing(c, i);
		for (uint32_t k = 0; k < gw->hosts.n; k++) {
			struct name_key key = names_key(c, gw, k);
			want(n, &key);
		}
	}
	for (uint32_t i = 0; i < c->registrations.n; i++) {
		struct name_key key = names_proxy_key(c, &CFG_LIST(c, &c->registrations, struct cfg_registration)[i]);
		want(n, &key);
	}
	for (uint32_t i = 0; i < n->room; i++)
		if (!n->entry[i].listed && place(n, i)->slot.state == SLOT_LIVE)
			names_remove(n->own, i);
}

static bool new_resolver(struct names *n, const struct config *c)
{
	const struct cfg_listen *l = CFG_LIST(c, &c->sip.listen, struct cfg_listen);
	const struct addr *servers = CFG_LIST(c, &c->dns.servers, struct addr);
	uint32_t count = c->dns.servers.n < 16 ? c->dns.servers.n : 16, families = 0;
	for (uint32_t i = 0; i < c->sip.listen.n; i++)
		families |= 1u << l[i].addr.family;
	if (n->dns && families == n->families && count == n->n_servers && memcmp(servers, n->servers, count * sizeof *servers) == 0)
		return false;
	memcpy(n->servers, servers, count * sizeof *servers);
	n->n_servers = count;
	n->families = families;
	return true;
}

bool names_configure(struct names *n)
{
	const struct config *c = n->e->config.p;
	collect(n, c);
	bool anew = new_resolver(n, c);
	if (!n->n_list)
		return false;
	if (anew)
		resolver(n);
	look_at(n, clock_ms());
	return true;
}

struct names *names_new(struct env *e, void (*changed)(void *context), void *context)
{
	struct names *n = calloc(1, sizeof *n);
	if (!n)
		return NULL;
	n->e = e;
	n->own = &e->region[e->seat];
	n->room = region_count(n->own, AREA_NAMES);
	n->changed = changed;
	n->context = context;
	n->entry = calloc(n->room + 1u, sizeof *n->entry);
	n->list = calloc(n->room + 1u, sizeof *n->list);
	if (!n->entry || !n->list)
		return names_free(n);
	for (uint32_t i = 0; i < n->room; i++)
		n->entry[i].n = n;
	names_adopt(n->own);
	return n;
}

struct names *names_free(struct names *n)
{
	if (!n)
		return NULL;
	dns_free(n->dns);
	if (n->timer.next)
		wheel_del(&n->e->loop.wheel, &n->timer);
	free(n->entry);
	free(n->list);
	free(n);
	return NULL;
}
