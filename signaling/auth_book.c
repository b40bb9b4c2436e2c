#include "signaling/auth_book.h"
#include "base/log.h"
#include "signaling/auth.h"
#include "signaling/protect.h"

#define LINES_A_SECOND 10u

static const struct region *region_of(const struct sig *g, uint32_t worker)
{
	return &g->env->region[seat_of(ROLE_SIGNALING, worker)];
}

uint32_t auth_owner(const struct sig *g, struct span account)
{
	return CMM_LOAD_SHARED(g->env->roster->partition[steer_hash(account.p, account.n)]);
}

static uint32_t owner_of(const struct sig *g, const struct auth_place *at)
{
	char ip[sizeof at->source.ip];
	if (at->kind == AUTH_TERMINAL)
		return auth_owner(g, at->name);
	memcpy(ip, at->source.ip, sizeof ip);
	return auth_owner(g, (struct span){ ip, sizeof ip });
}

static struct auth_place place_of(const struct sig *g, enum auth_kind kind, const struct auth_asker *a)
{
	struct auth_place at = { kind, kind == AUTH_SOURCE ? (struct span){ 0 } : a->name, a->source, 0 };
	at.key = auth_key(&g->private_key, kind, at.name, &at.source, (struct span){ 0 });
	return at;
}

/* zeroes when nothing is known */
static void state_of(const struct sig *g, uint32_t worker, uint64_t key, struct auth_state *ret_state)
{
	if (auth_look(region_of(g, worker), key, ret_state) < 0)
		memset(ret_state, 0, sizeof *ret_state);
}

/* --- attempts ---------------------------------------------------------------------------------------------------- */

void book_attempt(const struct sig *g, const struct auth_asker *a, struct span call_id, struct auth_state *ret_state)
{
	state_of(g, g->env->index, auth_key(&g->private_key, AUTH_ATTEMPT, a->name, &a->source, call_id), ret_state);
}

void book_attempt_put(struct sig *g, const struct auth_asker *a, struct span call_id, const struct auth_state *state)
{
	const struct auth_place at = { AUTH_ATTEMPT, a->name, a->source, auth_key(&g->private_key, AUTH_ATTEMPT, a->name, &a->source, call_id) };
	auth_put(region_of(g, g->env->index), &at, state, a->now);
}

/* --- suspensions ------------------------------------------------------------------------------------------------- */

bool book_suspended(const struct sig *g, const struct auth_asker *a)
{
	struct auth_state s;
	const struct auth_place terminal = place_of(g, AUTH_TERMINAL, a), source = place_of(g, AUTH_SOURCE, a);
	state_of(g, owner_of(g, &terminal), terminal.key, &s);
	if (auth_suspended(&s, a->now))
		return true;
	state_of(g, owner_of(g, &source), source.key, &s);
	return auth_suspended(&s, a->now);
}

/* however many are suspended, the log takes a few lines a second */
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

static void tell(struct sig *g, const struct auth_place *at, const struct auth_state *s, uint64_t now)
{
	char who[AUTH_WHO_MAX], text[AUTH_WHO_MAX + 100];
	struct out o = out_init(text, sizeof text - 1);
	const struct message_event e = { .type = EVENT_SUSPENDED };
	out_bytes(&o, who, auth_who(at->name, &at->source, who));
	out_lit(&o, " is suspended for ");
	out_u64(&o, (s->until_ms - now + 999) / 1000);
	out_lit(&o, " s: ");
	out_span(&o, span_of(auth_reason_text(s->reason)));
	text[o.n] = 0;
	count_one(g->head, COUNT_SUSPENDED);
	if (may_log(now))
		log_warning("%s", text);
	env_push(g->env, seat_of(ROLE_CONTROL, 0), MESSAGE_EVENT, &e, sizeof e, text, o.n);
}

/* the owner's: counts and says when that is news; the state afterwards */
static void apply(struct sig *g, const struct auth_place *at, const struct auth_counted *what, struct auth_state *ret_state)
{
	const struct auth_limits l = auth_limits(g->c);
	state_of(g, g->env->index, at->key, ret_state);
	bool last = what->event == AUTH_UNKNOWN_NAME && auth_count_name(ret_state, what);
	bool news = what->event != AUTH_UNKNOWN_NAME && auth_count(ret_state, at->kind, &l, what);
	auth_put(region_of(g, g->env->index), at, ret_state, what->now);
	if (news)
		tell(g, at, ret_state, what->now);
	if (last)
		protect_ban(g, &at->source, BAN_NAMES);
}

/* to the owner, by ring when that is another worker; what the state will be as far as can be seen from here */
static void count(struct sig *g, const struct auth_place *at, const struct auth_counted *what, struct auth_state *ret_state)
{
	const struct auth_limits l = auth_limits(g->c);
	uint32_t owner = owner_of(g, at);
	if (owner == g->env->index) {
		apply(g, at, what, ret_state);
		return;
	}
	struct message_auth m = { .kind = at->kind, .event = what->event, .key = at->key, .request = what->request, .name = what->name, .source = at->source };
	m.name_n = (uint32_t)(at->name.n < sizeof m.text ? at->name.n : sizeof m.text);
	memcpy(m.text, at->name.n ? at->name.p : "", m.name_n);
	if (env_push(g->env, seat_of(ROLE_SIGNALING, owner), MESSAGE_AUTH, &m, sizeof m, NULL, 0) < 0)
		count_one(g->head, COUNT_HANDED_LOST);
	state_of(g, owner, at->key, ret_state);
	if (what->event != AUTH_UNKNOWN_NAME)
		auth_count(ret_state, at->kind, &l, what);
}

/* success need not be told where nothing is held against anybody */
static bool clears_nothing(const struct sig *g, const struct auth_place *at, enum auth_event event)
{
	struct auth_state s;
	if (event != AUTH_RIGHT && event != AUTH_REGISTERED)
		return false;
	state_of(g, owner_of(g, at), at->key, &s);
	return event == AUTH_RIGHT ? !s.wrong : !s.failed;
}

bool book_count(struct sig *g, const struct auth_asker *a, enum auth_event event)
{
	const struct auth_counted what = { event, a->request, hash_sip(&g->private_key, a->name.p, a->name.n), a->now };
	const struct auth_place terminal = place_of(g, AUTH_TERMINAL, a), source = place_of(g, AUTH_SOURCE, a);
	struct auth_state s = { 0 };
	bool suspended = false;
	if (!clears_nothing(g, &terminal, event)) {
		count(g, &terminal, &what, &s);
		suspended = auth_suspended(&s, a->now);
	}
	if (event == AUTH_FAILED_REGISTER || event == AUTH_REGISTERED || clears_nothing(g, &source, event))
		return suspended;
	count(g, &source, &what, &s);
	return suspended || auth_suspended(&s, a->now);
}

void book_unknown(struct sig *g, const struct auth_asker *a)
{
	const struct auth_counted what = { AUTH_UNKNOWN_NAME, a->request, hash_sip(&g->private_key, a->name.p, a->name.n), a->now };
	const struct auth_place source = place_of(g, AUTH_SOURCE, a);
	struct auth_state s;
	count(g, &source, &what, &s);
}

/* --- messages ---------------------------------------------------------------------------------------------------- */

static void restored(struct sig *g, struct auth_place *at, const struct message_auth *m)
{
	struct auth_state s;
	uint64_t now = clock_ms();
	at->key = auth_key(&g->private_key, at->kind, at->name, &at->source, (struct span){ 0 });
	state_of(g, g->env->index, at->key, &s);
	if (m->request <= s.until_ms)
		return;
	s.last_ms = now;
	s.until_ms = m->request;
	s.reason = (uint32_t)m->name;
	auth_put(region_of(g, g->env->index), at, &s, now);
}

void auth_message(struct sig *g, const struct message_auth *m)
{
	struct auth_state s;
	struct auth_place at = { (enum auth_kind)m->kind, { m->text, m->name_n }, m->source, m->key };
	if ((m->kind != AUTH_TERMINAL && m->kind != AUTH_SOURCE) || m->event > AUTH_RESTORED || m->name_n > sizeof m->text)
		return;
	if (m->event == AUTH_RESTORED) {
		restored(g, &at, m);
		return;
	}
	apply(g, &at, &(struct auth_counted){ (enum auth_event)m->event, m->request, m->name, clock_ms() }, &s);
}

static bool concerns(const struct auth_record *r, const struct message_unsuspend *m)
{
	if (m->source.family && !addr_same_ip(&r->source, &m->source))
		return false;
	return !m->name_n || (r->name_n == m->name_n && memcmp(r->name, m->name, m->name_n) == 0);
}

void auth_unsuspend(struct sig *g, const struct message_unsuspend *m)
{
	const struct region *own = region_of(g, g->env->index);
	struct auth_record r;
	if (m->name_n > sizeof m->name || (!m->name_n && !m->source.family))
		return;
	for (uint32_t i = 0; i < region_count(own, AREA_AUTH); i++)
		if (auth_read(own, i, &r) == 0 && concerns(&r, m))
			auth_drop(own, i);
}
