#include "signaling/bindings.h"
#include "signaling/contact.h"
#include "base/log.h"
#include <errno.h>
#include <stdlib.h>

#define MOVE_PAUSE_MS 50u /* until a full ring is tried again */
#define REVIEW_MOST   4096u /* records looked at in one go after a reload */

struct bindings_timer { /* of a record */
	struct wheel_timer t;
	struct sig *g;
};

static void expired(struct wheel_timer *t, uint64_t now);

/* --- what subscribers learn --- */

static void tell(struct sig *g, uint32_t type, struct span account, struct span uri)
{
	struct message_event e = { .type = type };
	char text[LOCATION_ACCOUNT_MAX + 1 + LOCATION_URI_MAX];
	struct out o = out_init(text, sizeof text);
	out_span(&o, account);
	out_char(&o, 0);
	out_span(&o, uri);
	if (!o.full)
		ring_push(&g->env->out[seat_of(ROLE_CONTROL, 0)], MESSAGE_EVENT, &e, sizeof e, o.p, o.n);
}

static bool has(const struct location_set *set, const struct location_set *of, uint32_t i)
{
	for (uint32_t k = 0; k < set->n; k++)
		if (set->at[k].b.first_ms == of->at[i].b.first_ms && set->at[k].b.reg_id == of->at[i].b.reg_id &&
		    span_eq(set->at[k].text[LOCATION_URI], of->at[i].text[LOCATION_URI]))
			return true;
	return false;
}

static void tell_changes(struct sig *g, struct span account, const struct location_set *before, const struct location_set *after, uint64_t now)
{
	for (uint32_t i = 0; i < before->n; i++) {
		bool over = before->at[i].b.expires_ms <= now;
		if (has(after, before, i))
			continue;
		if (over)
			count_one(g->head, COUNT_ENDPOINTS_EXPIRED);
		tell(g, over ? EVENT_ENDPOINT_EXPIRED : EVENT_ENDPOINT_UNREGISTERED, account, before->at[i].text[LOCATION_URI]);
	}
	for (uint32_t i = 0; i < after->n; i++)
		if (!has(before, after, i))
			tell(g, EVENT_ENDPOINT_REGISTERED, account, after->at[i].text[LOCATION_URI]);
}

/* --- changing --- */

static void watch(struct sig *g, uint32_t record)
{
	struct bindings_timer *t = &g->binding_timer[record];
	uint64_t at = location_expiry(&g->location, record);
	t->g = g;
	if (at)
		wheel_add(&g->env->loop.wheel, &t->t, at, expired);
	else
		wheel_del(&g->env->loop.wheel, &t->t);
}

/* without telling anybody */
static int put_quietly(struct sig *g, struct span account, const struct location_set *set)
{
	uint32_t record = location_find(&g->location, account), fresh;
	int r = location_put(&g->location, account, set, &fresh);
	if (r < 0)
		return r;
	if (record != LOCATION_NONE)
		watch(g, record);
	if (fresh != LOCATION_NONE && fresh != record)
		watch(g, fresh);
	return 0;
}

int bindings_put(struct sig *g, struct span account, const struct location_set *set, uint64_t now)
{
	static struct location_set before;
	uint32_t record = location_find(&g->location, account);
	before.n = 0;
	if (record != LOCATION_NONE)
		location_get(&g->location, record, &before);
	int r = put_quietly(g, account, set);
	if (r == 0) /* rooms given up keep their bytes until the next change */
		tell_changes(g, account, &before, set, now);
	return r;
}

static void drop(struct location_set *set, uint32_t i)
{
	memmove(&set->at[i], &set->at[i + 1], (set->n - i - 1) * sizeof set->at[0]);
	set->n--;
}

static void drop_expired(struct location_set *set, uint64_t now)
{
	for (uint32_t i = set->n; i-- > 0;)
		if (set->at[i].b.expires_ms <= now)
			drop(set, i);
}

void bindings_get(struct sig *g, struct span account, uint64_t now, struct location_set *ret_set)
{
	uint32_t record = location_find(&g->location, account);
	ret_set->n = 0;
	if (record == LOCATION_NONE)
		return;
	location_get(&g->location, record, ret_set);
	drop_expired(ret_set, now);
}

static struct span copy_account(const struct sig *g, uint32_t record, char text[LOCATION_ACCOUNT_MAX])
{
	struct span account = location_account(&g->location, record);
	memcpy(text, account.p, account.n);
	return (struct span){ text, account.n };
}

static void expired(struct wheel_timer *t, uint64_t now)
{
	struct bindings_timer *bt = (struct bindings_timer *)t;
	struct sig *g = bt->g;
	char text[LOCATION_ACCOUNT_MAX];
	static struct location_set set;
	uint32_t record = (uint32_t)(bt - g->binding_timer);
	struct span account = copy_account(g, record, text);
	uint64_t due = location_expiry(&g->location, record);
	if (!due || due > now) {
		watch(g, record);
		return;
	}
	location_get(&g->location, record, &set);
	drop_expired(&set, now);
	/* no room to write the others down: tried again, readers see by themselves who has expired */
	if (bindings_put(g, account, &set, now) < 0)
		wheel_add(&g->env->loop.wheel, t, now + 1000, expired);
}

bool bindings_room(const struct sig *g, uint32_t more)
{
	uint64_t n = more;
	for (uint32_t i = 0; i < g->c->system.signaling; i++)
		n += location_count(&g->env->region[seat_of(ROLE_SIGNALING, i)]);
	return n <= g->c->system.endpoints;
}

/* --- from another process --- */

static bool read_message(const void *message, size_t n, struct span *ret_account, struct location_set *ret_set)
{
	struct message_binding m;
	if (n < sizeof m)
		return false;
	memcpy(&m, message, sizeof m);
	struct span rest = { (const char *)message + sizeof m, n - sizeof m };
	if (!m.account_n || m.account_n > LOCATION_ACCOUNT_MAX || m.account_n > rest.n || !m.b.n[LOCATION_URI])
		return false;
	*ret_account = (struct span){ rest.p, m.account_n };
	rest = (struct span){ rest.p + m.account_n, rest.n - m.account_n };
	ret_set->n = 1;
	ret_set->at[0].b = m.b;
	for (int i = 0; i < LOCATION_TEXTS; i++) {
		if (m.b.n[i] > rest.n)
			return false;
		ret_set->at[0].text[i] = (struct span){ rest.p, m.b.n[i] };
		rest = (struct span){ rest.p + m.b.n[i], rest.n - m.b.n[i] };
	}
	return true;
}

/* the place of the contact in `set`: the same one, a further one, or the oldest one's; LOCATION_NONE: it is not wanted */
static uint32_t place(const struct location_set *set, const struct location_set *one, uint32_t max)
{
	static struct msg_address a;
	struct contact c = { .from = &a, .uri = one->at[0].text[LOCATION_URI], .instance = one->at[0].text[LOCATION_INSTANCE],
		.reg_id = one->at[0].b.reg_id };
	if (uri_parse(c.uri, &a.u) < 0)
		return LOCATION_NONE;
	uint32_t at = contact_find(set, &c), oldest = 0;
	if (at == set->n && set->n >= max) {
		for (uint32_t i = 1; i < set->n; i++)
			if (set->at[i].b.registered_ms < set->at[oldest].b.registered_ms)
				oldest = i;
		at = oldest;
	}
	if (at < set->n && set->at[at].b.registered_ms >= one->at[0].b.registered_ms)
		return LOCATION_NONE;
	return at;
}

static uint32_t owner(const struct sig *g, struct span account)
{
	return CMM_LOAD_SHARED(g->env->roster->partition[steer_hash(account.p, account.n)]);
}

void bindings_take(struct sig *g, const void *message, size_t n)
{
	static struct location_set one, set;
	struct span account;
	uint64_t now = clock_ms();
	if (!read_message(message, n, &account, &one))
		return;
	if (owner(g, account) != g->env->index) { /* the partitions have changed on its way; lost, it is there again with its next REGISTER */
		env_push(g->env, seat_of(ROLE_SIGNALING, owner(g, account) % WORKERS_MAX), MESSAGE_BINDING, message, n, NULL, 0);
		return;
	}
	uint32_t i = config_account(g->c, account);
	if (i == CONFIG_NONE || !cfg_account(g->c, i)->enabled || one.at[0].b.expires_ms <= now)
		return;
	bindings_get(g, account, now, &set);
	uint32_t at = place(&set, &one, cfg_account(g->c, i)->max_contacts);
	if (at == LOCATION_NONE || (at == set.n && !bindings_room(g, 1)))
		return;
	if (one.at[0].b.listen >= g->n_listen)
		one.at[0].b.listen = 0;
	set.at[at] = one.at[0];
	if (at == set.n)
		set.n++;
	if (put_quietly(g, account, &set) < 0) /* it is no news */
		log_warning("no room for a contact of account %.*s", (int)account.n, account.p);
}

/* --- a start, a reload --- */

static bool give(struct sig *g, uint32_t worker, struct span account, const struct location_set *set)
{
	char body[LOCATION_ACCOUNT_MAX + LOCATION_TEXT_MAX];
	for (uint32_t i = 0; i < set->n; i++) {
		struct message_binding m = { .b = set->at[i].b, .account_n = (uint32_t)account.n };
		struct out o = out_init(body, sizeof body);
		out_span(&o, account);
		for (int k = 0; k < LOCATION_TEXTS; k++)
			out_span(&o, set->at[i].text[k]);
		if (o.full || env_push(g->env, seat_of(ROLE_SIGNALING, worker), MESSAGE_BINDING, &m, sizeof m, o.p, o.n) < 0)
			return false;
	}
	return true;
}

/* false: later */
static bool review(struct sig *g, uint32_t record)
{
	static struct location_set set;
	char text[LOCATION_ACCOUNT_MAX];
	struct span account = copy_account(g, record, text);
	uint32_t i = config_account(g->c, account), worker = owner(g, account);
	if (i != CONFIG_NONE && cfg_account(g->c, i)->enabled && worker == g->env->index)
		return true;
	location_get(&g->location, record, &set);
	bool moves = i != CONFIG_NONE && worker != g->env->index && worker < g->c->system.signaling;
	if (moves && !give(g, worker, account, &set))
		return false;
	set.n = 0;
	if (moves) /* nothing has happened to it */
		put_quietly(g, account, &set);
	else
		bindings_put(g, account, &set, clock_ms());
	return true;
}

static uint32_t reviewed; /* records; the others follow piece by piece, so that no call waits for them */

static void review_all(struct wheel_timer *t, uint64_t now)
{
	struct bindings_timer *bt = (struct bindings_timer *)t;
	struct sig *g = bt->g;
	for (uint32_t n = 0; reviewed < g->location.n_records; reviewed++) {
		bool moved = n < REVIEW_MOST && (!location_expiry(&g->location, reviewed) || review(g, reviewed));
		if (moved && ++n)
			continue;
		wheel_add(&g->env->loop.wheel, t, now + (n == REVIEW_MOST ? 1 : MOVE_PAUSE_MS), review_all);
		return;
	}
}

void bindings_configure(struct sig *g)
{
	static struct bindings_timer again;
	again.g = g;
	reviewed = 0;
	review_all(&again.t, clock_ms());
}

int bindings_open(struct sig *g)
{
	int r = location_open(&g->location, &g->env->region[g->env->seat]);
	if (r < 0)
		return r;
	g->binding_timer = calloc((size_t)g->location.n_records + 1, sizeof *g->binding_timer);
	if (!g->binding_timer)
		return -ENOMEM;
	for (uint32_t i = 0; i < g->location.n_records; i++)
		watch(g, i);
	if (g->location.bindings)
		log_info("%u contacts of endpoints are known", g->location.bindings);
	bindings_configure(g);
	return 0;
}
