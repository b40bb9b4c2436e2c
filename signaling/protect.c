#include "signaling/protect.h"
#include "base/log.h"
#include "shm/location.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define BANS_MAX    32768u /* of all workers; of more the oldest is forgotten */
#define SWEEP_MS    1000u
#define FOLLOW_MS   100u   /* how often contacts of accounts are looked at, */
#define FOLLOW_MOST 512u   /* and how many at once */
#define LINES_A_SECOND 10u
#define TRUST_WAYS  4u
#define TRUST_MIN   4096u
#define TRUST_MAX   (1u << 20)

struct ban {
	struct addr addr;  /* family 0: free */
	uint32_t reason;   /* enum ban_reason */
	uint64_t until_ms;
	bool own;          /* in this worker's log */
};
struct trusted {
	uint64_t key, until_ms;
};
struct contacts { /* of one worker: how far they have been looked at */
	uint64_t position; /* location_changed() */
	uint32_t scan;     /* record to go on with when all have to be looked at; LOCATION_NONE: they have been */
};

struct protect { /* private: derived from the logs */
	const struct sources *own;
	const struct sources *of[WORKERS_MAX];
	uint64_t seen[WORKERS_MAX]; /* events of that worker that have been taken over */
	uint32_t n_workers;
	struct ban ban[BANS_MAX];
	struct index bans; /* key of the address -> place in ban[] */
	uint64_t swept_ms, followed_ms;
	struct contacts contacts[WORKERS_MAX];
	uint32_t next;     /* place to use next: a circle */
	struct trusted (*trusted)[TRUST_WAYS];
	uint32_t trust_mask; /* sets - 1 */
};

static uint64_t key_of(const struct sig *g, const struct addr *source)
{
	uint64_t k = hash_sip(&g->private_key, source->ip, source->family == 4 ? 4 : sizeof source->ip);
	return k ? k : 1;
}

static struct ban *find(struct sig *g, const struct addr *source, uint64_t key)
{
	struct protect *p = g->protect;
	for (uint32_t e = index_first(&p->bans, key); e != INDEX_NONE; e = index_next(&p->bans, e))
		if (addr_same_ip(&p->ban[e].addr, source))
			return &p->ban[e];
	return NULL;
}

static void forget(struct sig *g, struct ban *b)
{
	if (!b->addr.family)
		return;
	index_del(&g->protect->bans, (uint32_t)(b - g->protect->ban));
	b->addr.family = 0;
	g->n_banned--;
}

/* --- the logs ---------------------------------------------------------------------------------------------------- */

static void take_over(struct sig *g, const struct source_event *e, bool own, uint64_t now)
{
	struct protect *p = g->protect;
	uint64_t key = key_of(g, &e->addr);
	struct ban *b = find(g, &e->addr, key);
	if (e->reason == BAN_NONE || e->until_ms <= now) {
		if (b)
			forget(g, b);
		return;
	}
	if (!b) {
		b = &p->ban[p->next];
		p->next = (p->next + 1) % BANS_MAX;
		forget(g, b);
		*b = (struct ban){ .addr = e->addr };
		index_add(&p->bans, (uint32_t)(b - p->ban), key);
		g->n_banned++;
	}
	b->reason = e->reason;
	b->until_ms = e->until_ms > b->until_ms ? e->until_ms : b->until_ms;
	b->own |= own;
}

void protect_follow(struct sig *g)
{
	struct protect *p = g->protect;
	struct source_event e;
	for (uint32_t i = 0; i < p->n_workers; i++) {
		if (!p->of[i] || CMM_LOAD_SHARED(p->of[i]->events) == p->seen[i])
			continue;
		while (sources_next(p->of[i], &p->seen[i], &e))
			take_over(g, &e, p->of[i] == p->own, g->env->loop.now);
	}
}

int protect_open(struct sig *g)
{
	struct protect *p = g->protect = calloc(1, sizeof *p);
	uint32_t places = TRUST_MIN;
	while (places < 2ull * g->c->system.endpoints && places < TRUST_MAX)
		places *= 2;
	if (!p || index_init(&p->bans, BANS_MAX) < 0)
		return -ENOMEM;
	p->trust_mask = places / TRUST_WAYS - 1;
	p->trusted = calloc(places / TRUST_WAYS, sizeof *p->trusted);
	if (!p->trusted)
		return -ENOMEM;
	p->n_workers = g->c->system.signaling;
	for (uint32_t i = 0; i < WORKERS_MAX; i++)
		p->contacts[i].scan = LOCATION_NONE;
	for (uint32_t i = 0; i < p->n_workers; i++)
		p->of[i] = region_area(&g->env->region[seat_of(ROLE_SIGNALING, i)], AREA_SOURCES);
	p->own = region_area(&g->env->region[g->env->seat], AREA_SOURCES);
	g->n_banned = 0;
	protect_follow(g);
	return 0;
}

static void append(struct sig *g, const struct addr *source, enum ban_reason reason, uint64_t until_ms)
{
	sources_append(g->protect->own, source, reason, until_ms);
	protect_follow(g);
}

static void forget_counts(struct sig *g, uint64_t key)
{
	const struct sources *s = g->protect->own;
	for (uint32_t way = 0; s && way < SOURCES_WAYS; way++) {
		if (s->count[key % SOURCES_SETS][way].key == key)
			commit_u64(&s->count[key % SOURCES_SETS][way].counted, 0);
		if (s->count[~key % SOURCES_SETS][way].key == ~key)
			commit_u64(&s->count[~key % SOURCES_SETS][way].counted, 0);
	}
}

bool protect_lift(struct sig *g, const struct addr *source)
{
	uint64_t key = key_of(g, source);
	struct ban *b = find(g, source, key);
	forget_counts(g, key);
	if (!b)
		return false;
	if (b->own)
		append(g, source, BAN_NONE, 0);
	else
		forget(g, b);
	return true;
}

/* --- who is spared ----------------------------------------------------------------------------------------------- */

static bool is_trusted(const struct sig *g, uint64_t key, uint64_t now)
{
	const struct trusted *set = g->protect->trusted[key & g->protect->trust_mask];
	for (uint32_t i = 0; i < TRUST_WAYS; i++)
		if (set[i].key == key)
			return set[i].until_ms > now;
	return false;
}

static bool exempt(const struct sig *g, const struct addr *source, uint64_t key)
{
	if (!source->family || is_trusted(g, key, g->env->loop.now))
		return true;
	return !g->c->protect.gateways && g->routes && routes_known_source(g->routes, g->c, source);
}

void protect_trust(struct sig *g, const struct addr *source, uint64_t until_ms)
{
	uint64_t key = key_of(g, source);
	struct trusted *set = g->protect->trusted[key & g->protect->trust_mask], *place = set;
	for (uint32_t i = 0; i < TRUST_WAYS && place->key != key; i++)
		if (set[i].key == key || set[i].until_ms < place->until_ms)
			place = &set[i];
	if (place->key != key)
		*place = (struct trusted){ .key = key };
	if (until_ms > place->until_ms)
		place->until_ms = until_ms;
	if (g->n_banned)
		protect_lift(g, source);
}

/* --- contacts of accounts, wherever they were registered: their addresses are trusted as long as they stay --- */

static void trust_record(struct sig *g, const struct region *r, uint32_t record)
{
	static struct location_contact at[LOCATION_CONTACTS]; /* large */
	int n = location_read_record(r, record, g->env->loop.now, at, LOCATION_CONTACTS);
	for (int i = 0; i < n; i++)
		protect_trust(g, &at[i].source, at[i].expires_ms);
}

static void follow_contacts(struct sig *g, uint32_t worker)
{
	const struct region *r = &g->env->region[seat_of(ROLE_SIGNALING, worker)];
	struct contacts *c = &g->protect->contacts[worker];
	bool missed = false;
	for (uint32_t i = 0; i < FOLLOW_MOST; i++) {
		uint32_t record = c->scan != LOCATION_NONE ? c->scan : location_changed(r, &c->position, &missed);
		if (missed) {
			record = c->scan = 0;
			missed = false;
		}
		if (record == LOCATION_NONE)
			return;
		if (c->scan != LOCATION_NONE && ++c->scan >= location_records(r))
			c->scan = LOCATION_NONE;
		trust_record(g, r, record);
	}
}

void protect_configure(struct sig *g)
{
	for (uint32_t i = 0; g->protect && g->n_banned && i < BANS_MAX; i++) {
		struct addr a = g->protect->ban[i].addr;
		if (a.family && exempt(g, &a, key_of(g, &a)))
			protect_lift(g, &a);
	}
}

/* --- counting ---------------------------------------------------------------------------------------------------- */

/* The place of a source, with its count of this second; what is oldest, then smallest, gives way. */
static const struct source_count *place_of(const struct sources *s, uint64_t key, uint64_t second)
{
	const struct source_count *set = s->count[key % SOURCES_SETS], *least = set;
	for (uint32_t i = 0; i < SOURCES_WAYS; i++) {
		if (set[i].key == key)
			return &set[i];
		if (set[i].counted < least->counted)
			least = &set[i];
	}
	commit_u64(&least->counted, second << 32);
	commit_u64(&least->key, key);
	return least;
}

/* what the other workers have counted of it in this second */
static uint64_t elsewhere(const struct sig *g, uint64_t key, uint64_t second)
{
	const struct protect *p = g->protect;
	uint64_t sum = 0;
	for (uint32_t i = 0; i < p->n_workers; i++) {
		if (!p->of[i] || p->of[i] == p->own)
			continue;
		const struct source_count *set = p->of[i]->count[key % SOURCES_SETS];
		for (uint32_t k = 0; k < SOURCES_WAYS; k++) {
			uint64_t counted = CMM_LOAD_SHARED(set[k].counted);
			if (CMM_LOAD_SHARED(set[k].key) == key && counted >> 32 == second)
				sum += (uint32_t)counted;
		}
	}
	return sum;
}

void protect_count(struct sig *g, const struct addr *source, enum ban_reason reason)
{
	const struct protect *p = g->protect;
	uint64_t second = clock_ms() / 1000, limit = g->c->protect.rate, key = key_of(g, source), sort = key;
	if (!p->own || !source->family)
		return;
	if (reason == BAN_CHALLENGED) {
		limit *= PROTECT_CHALLENGES;
		sort = ~key;
	}
	const struct source_count *c = place_of(p->own, sort, second);
	uint64_t n = c->counted >> 32 == second ? (uint32_t)c->counted + 1u : 1;
	commit_u64(&c->counted, second << 32 | n);
	/* over the limit together, one of the workers has counted its share of it at least */
	if (n * p->n_workers > limit && n + elsewhere(g, sort, second) > limit)
		protect_ban(g, source, reason);
}

/* --- bans -------------------------------------------------------------------------------------------------------- */

/* however many are banned, the log takes a few lines a second: forged sources cost nothing */
static bool may_log(uint64_t now)
{
	static uint64_t second;
	static uint32_t lines;
	if (second != now / 1000) {
		second = now / 1000;
		lines = 0;
	}
	return lines++ < LINES_A_SECOND;
}

static void tell(struct sig *g, const struct addr *source, enum ban_reason reason)
{
	char text[200], address[ADDR_TEXT_MAX];
	addr_format_ip(source, address, sizeof address);
	int n = snprintf(text, sizeof text, "%s is ignored for %u s: %s", address, g->c->protect.ban / 1000, ban_reason_text(reason));
	if (may_log(clock_ms()))
		log_warning("%s", text);
	struct message_event e = { .type = EVENT_SUSPENDED };
	env_push(g->env, seat_of(ROLE_CONTROL, 0), MESSAGE_EVENT, &e, sizeof e, text, (size_t)n);
}

void protect_ban(struct sig *g, const struct addr *source, enum ban_reason reason)
{
	uint64_t key = key_of(g, source), now = clock_ms();
	if (!g->protect->own || exempt(g, source, key) || find(g, source, key))
		return;
	append(g, source, reason, now + g->c->protect.ban);
	count_one(g->head, reason == BAN_GARBAGE ? COUNT_BANNED_GARBAGE : reason == BAN_NAMES ? COUNT_BANNED_NAMES : COUNT_BANNED_UNAUTHORISED);
	tell(g, source, reason);
}

bool protect_ignores(struct sig *g, const struct addr *source)
{
	struct ban *b = find(g, source, key_of(g, source));
	if (!b)
		return false;
	if (b->until_ms > g->env->loop.now) {
		count_one(g->head, COUNT_IGNORED);
		return true;
	}
	forget(g, b);
	return false;
}

void protect_turn(struct sig *g)
{
	struct protect *p = g->protect;
	if (g->env->loop.now - p->followed_ms >= FOLLOW_MS) {
		p->followed_ms = g->env->loop.now;
		for (uint32_t i = 0; i < p->n_workers; i++)
			follow_contacts(g, i);
	}
	if (g->env->loop.now - p->swept_ms < SWEEP_MS)
		return;
	p->swept_ms = g->env->loop.now;
	for (uint32_t i = 0; g->n_banned && i < BANS_MAX; i++)
		if (g->protect->ban[i].addr.family && g->protect->ban[i].until_ms <= g->env->loop.now)
			forget(g, &g->protect->ban[i]);
}

/* --- what comes first when there is too much ---------------------------------------------------------------------- */

#define GLANCE 2048u /* bytes that are looked at */

bool protect_is_new_call(const char *p, size_t n)
{
	if (n > GLANCE)
		n = GLANCE;
	if (n < 8 || memcmp(p, "INVITE ", 7) != 0)
		return false;
	const char *end = p + n, *line = p;
	while ((line = memchr(line, '\n', (size_t)(end - line))) && ++line + 4 < end) {
		if ((line[0] | 0x20) != 't' || ((line[1] | 0x20) == 'o' ? line[2] != ':' && line[2] != ' ' : line[1] != ':' && line[1] != ' '))
			continue;
		const char *over = memchr(line, '\n', (size_t)(end - line));
		return !memmem(line, (size_t)((over ? over : end) - line), "tag=", 4);
	}
	return true;
}
