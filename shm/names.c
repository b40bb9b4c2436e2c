#include "shm/names.h"
#include "base/hash.h"
#include "base/uuid.h"

#define ROOM_SPARE 1024u

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

static struct span bare(struct span host)
{
	if (host.n && host.p[host.n - 1] == '.')
		host.n--;
	return host;
}

/* names come from the configuration, not from the network: no key is needed */
static uint64_t hash_of(const struct name_key *k)
{
	uint64_t h = 0xcbf29ce484222325ull;
	struct span host = bare(k->host);
	for (size_t i = 0; i < host.n; i++)
		h = (h ^ (unsigned char)lower(host.p[i])) * 0x100000001b3ull;
	h = (h ^ k->port) * 0x100000001b3ull;
	h = (h ^ k->transport) * 0x100000001b3ull;
	return h ^ h >> 29;
}

static const struct name *table(const struct region *r, uint32_t *ret_n)
{
	*ret_n = region_count(r, AREA_NAMES);
	return region_area(r, AREA_NAMES);
}

static bool is_it(const struct name *n, const struct name_key *k, uint64_t hash)
{
	struct span host = bare(k->host);
	if (CMM_LOAD_SHARED(n->slot.state) != SLOT_LIVE || n->hash != hash || n->port != k->port || n->transport != k->transport ||
	    n->host_n != host.n)
		return false;
	for (size_t i = 0; i < host.n; i++)
		if (n->host[i] != lower(host.p[i]))
			return false;
	return true;
}

uint32_t names_find(const struct region *r, const struct name_key *k)
{
	uint32_t n;
	const struct name *t = table(r, &n);
	uint64_t hash = hash_of(k);
	for (uint32_t i = 0; t && n && i < NAME_PROBES && i < n; i++) {
		uint32_t at = (uint32_t)((hash + i) % n);
		if (is_it(&t[at], k, hash))
			return at;
	}
	return NAME_NOWHERE;
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

int names_read(const struct region *r, const struct name_key *key, struct name_state *ret_state)
{
	uint32_t n, i = names_find(r, key);
	if (i == NAME_NOWHERE)
		return -ENOENT;
	const struct name *e = &table(r, &n)[i];
	uint32_t generation = 0;
	int error = slot_read(&e->slot, e->copies, sizeof e->copies[0], &generation, ret_state);
	/* the place may have got another owner between the two looks */
	if (!error && !is_it(e, key, hash_of(key)))
		return -ENOENT;
	if (!error && ret_state->n > NAME_ADDRESSES)
		return -EBUSY; /* a damaged record */
	return error;
}

/* RFC 2782: of one priority, one after the other is drawn with its share of what is left; weight 0 is all but never first */
static void draw(struct name_address *a, uint32_t n)
{
	uint64_t random = uuid_random();
	for (uint32_t i = 0; i + 1 < n; i++) {
		uint32_t same = 1, sum = 0, taken = 0;
		while (i + same < n && a[i + same].priority == a[i].priority)
			same++;
		if (same == 1)
			continue;
		for (uint32_t k = 0; k < same; k++)
			sum += a[i + k].weight;
		random = random * 0xd1342543de82ef95ull + 0x2545f4914f6cdd1dull;
		if (!sum)
			continue; /* in the order of the answer */
		uint32_t left = (uint32_t)((random >> 32) % sum);
		while (taken + 1 < same && left >= a[i + taken].weight)
			left -= a[i + taken++].weight;
		struct name_address chosen = a[i + taken];
		for (; taken; taken--)
			a[i + taken] = a[i + taken - 1];
		a[i] = chosen;
	}
}

static int lookup(const struct env *e, const struct name_key *key, struct name_state *ret_state)
{
	return names_read(&e->region[seat_of(ROLE_ROUTING, 0)], key, ret_state);
}

int names_lookup(const struct env *e, struct span host, uint16_t port, uint8_t transport, struct addr *ret, uint32_t cap)
{
	struct name_key key = { host, port, transport };
	struct name_state s;
	int r = lookup(e, &key, &s);
	if (r < 0)
		return r == -ENOENT ? r : 0;
	if (s.n > 1)
		draw(s.at, s.n);
	uint32_t n = s.n < cap ? s.n : cap;
	for (uint32_t i = 0; i < n; i++)
		ret[i] = s.at[i].addr;
	return (int)n;
}

const char *names_reason(const struct env *e, struct span host, uint16_t port, uint8_t transport)
{
	struct name_key key = { host, port, transport };
	struct name_state s;
	if (lookup(e, &key, &s) < 0)
		return "name not resolved yet";
	if (s.n)
		return "";
	return s.status == NAME_NONE ? "no such name" : s.status == NAME_FAILED ? "name not resolved: no answer" : "name not resolved yet";
}

/* --- gateways ---------------------------------------------------------------------------------------------------- */

struct name_key names_key(const struct config *c, const struct cfg_routing_gateway *gw, uint32_t i)
{
	struct name_key key = { .transport = (uint8_t)gw->transport };
	if (i < gw->hosts.n && i < gw->addresses.n) {
		key.host = cfg_span(c, CFG_LIST(c, &gw->hosts, struct cfg_text)[i]);
		key.port = CFG_LIST(c, &gw->addresses, struct addr)[i].port;
	}
	return key;
}

struct name_key names_proxy_key(const struct config *c, const struct cfg_registration *r)
{
	struct name_key key = { .port = (uint16_t)r->proxy_port, .transport = (uint8_t)r->proxy_transport };
	if (!r->proxy.family)
		key.host = cfg_span(c, r->proxy_host);
	return key;
}

uint32_t names_gateway(const struct env *e, const struct config *c, const struct cfg_routing_gateway *gw, struct addr *ret, uint32_t cap)
{
	const struct addr *a = CFG_LIST(c, &gw->addresses, struct addr);
	uint32_t n = 0;
	for (uint32_t i = 0; i < gw->addresses.n && n < cap; i++) {
		struct name_key key = names_key(c, gw, i);
		int found = key.host.n ? names_lookup(e, key.host, key.port, key.transport, ret + n, cap - n) : 0;
		if (!key.host.n)
			ret[n++] = a[i];
		else if (found > 0)
			n += (uint32_t)found;
	}
	return n;
}

const char *names_gateway_reason(const struct env *e, const struct config *c, const struct cfg_routing_gateway *gw)
{
	struct addr any;
	const char *reason = "";
	if (!gw->hosts.n || names_gateway(e, c, gw, &any, 1))
		return "";
	for (uint32_t i = 0; i < gw->hosts.n && !*reason; i++) {
		struct name_key key = names_key(c, gw, i);
		reason = names_reason(e, key.host, key.port, key.transport);
	}
	return *reason ? reason : "name not resolved yet";
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

uint32_t names_add(const struct region *r, const struct name_key *key)
{
	uint32_t n, i = names_find(r, key);
	const struct name *t = table(r, &n);
	uint64_t hash = hash_of(key);
	struct span host = bare(key->host);
	if (i != NAME_NOWHERE || !t || !n || !host.n || host.n >= NAME_HOST)
		return i;
	for (uint32_t k = 0; k < NAME_PROBES && k < n; k++) {
		const struct name *e = &t[(hash + k) % n];
		char text[NAME_HOST];
		if (e->slot.state != SLOT_FREE)
			continue;
		for (size_t c = 0; c < host.n; c++)
			text[c] = lower(host.p[c]);
		slot_claim(&e->slot);
		struct name *fresh = commit_fill(e); /* FILLING: nobody reads it */
		fresh->hash = hash;
		fresh->port = key->port;
		fresh->transport = key->transport;
		fresh->host_n = (uint8_t)host.n;
		memcpy(fresh->host, text, host.n);
		slot_commit(&e->slot, e->copies, sizeof e->copies[0], &(struct name_state){ .status = NAME_PENDING });
		slot_live(&e->slot);
		return (uint32_t)((hash + k) % n);
	}
	return NAME_NOWHERE;
}

void names_put(const struct region *r, uint32_t i, const struct name_state *state)
{
	uint32_t n;
	const struct name *t = table(r, &n);
	if (t && i < n && t[i].slot.state == SLOT_LIVE)
		slot_commit(&t[i].slot, t[i].copies, sizeof t[i].copies[0], state);
}

void names_remove(const struct region *r, uint32_t i)
{
	uint32_t n;
	const struct name *t = table(r, &n);
	if (t && i < n)
		slot_free(&t[i].slot);
}

void names_adopt(const struct region *r)
{
	uint32_t n;
	const struct name *t = table(r, &n);
	for (uint32_t i = 0; t && i < n; i++)
		if (t[i].slot.state != SLOT_FREE && t[i].slot.state != SLOT_LIVE)
			slot_free(&t[i].slot);
}

uint32_t names_room(const struct config *c)
{
	uint64_t n = c->registrations.n;
	for (uint32_t i = 0; i < c->routing_gateways.n; i++)
		n += cfg_routing(c, i)->hosts.n;
	n = 2 * n + ROOM_SPARE;
	return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}
