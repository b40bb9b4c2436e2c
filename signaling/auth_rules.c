#include "signaling/auth_rules.h"

struct auth_limits auth_limits(const struct config *c)
{
	return (struct auth_limits){ .challenges = (uint32_t)c->param[P_SS_SIP_AUTHENTICATION_RETRY],
		.timeout = (uint64_t)c->param[P_SS_SIP_AUTHENTICATION_TIMEOUT],
		.wrong = (uint32_t)c->param[P_SS_AUTHENTICATION_MAX_RETRY],
		.wrong_suspend = (uint64_t)c->param[P_SS_AUTHENTICATION_FAILED_SUSPEND],
		.failed = (uint32_t)c->param[P_SS_ENDPOINT_REGISTER_RETRY],
		.failed_suspend = (uint64_t)c->param[P_SS_ENDPOINT_REGISTER_SUSPEND] };
}

/* --- one attempt ------------------------------------------------------------------------------------------------- */

bool auth_under_way(const struct auth_state *a, uint64_t now)
{
	return a->begun_ms && now - a->last_ms <= AUTH_SILENCE_MS;
}

enum auth_verdict auth_attempt(struct auth_state *a, const struct auth_limits *l, enum auth_shown shown, uint64_t request, uint64_t now)
{
	bool repeated = auth_under_way(a, now) && request == a->request;
	if (repeated && (shown != SHOWN_RIGHT || a->over))
		return a->refused ? VERDICT_REFUSE : VERDICT_CHALLENGE;
	bool late = auth_under_way(a, now) && !a->over && now - a->begun_ms > l->timeout;
	bool answers = shown == SHOWN_WRONG || shown == SHOWN_RIGHT;
	if (!auth_under_way(a, now) || a->over || (late && !answers))
		*a = (struct auth_state){ 0 };
	if (shown == SHOWN_RIGHT && !late) {
		*a = (struct auth_state){ 0 };
		return VERDICT_PASS;
	}
	if (!a->begun_ms)
		a->begun_ms = now;
	a->last_ms = now;
	a->request = request;
	a->over = late && answers;
	a->refused = a->over || (shown != SHOWN_STALE && a->challenges >= l->challenges);
	if (!a->refused && shown != SHOWN_STALE)
		a->challenges++;
	return a->refused ? VERDICT_REFUSE : VERDICT_CHALLENGE;
}

/* --- a terminal or a source -------------------------------------------------------------------------------------- */

static bool suspend(struct auth_state *s, enum auth_reason reason, uint64_t ms, uint64_t now)
{
	bool already = auth_suspended(s, now);
	if (s->until_ms < now + ms) {
		s->until_ms = now + ms;
		s->reason = reason;
	}
	/* what comes after it is counted from the beginning */
	s->wrong = s->failed = s->several = 0;
	s->name = 0;
	return !already;
}

static bool count_wrong(struct auth_state *s, enum auth_kind kind, const struct auth_limits *l, const struct auth_counted *w)
{
	s->wrong++;
	if (kind == AUTH_SOURCE) {
		s->several |= s->name && s->name != w->name;
		s->name = w->name;
		if (!s->several)
			return false;
	}
	return l->wrong && s->wrong >= l->wrong;
}

static bool count_failed(struct auth_state *s, const struct auth_limits *l)
{
	s->failed++;
	return l->failed && s->failed >= l->failed;
}

bool auth_count(struct auth_state *s, enum auth_kind kind, const struct auth_limits *l, const struct auth_counted *w)
{
	bool by_password = false, by_registration = false, passwords = w->event == AUTH_WRONG || w->event == AUTH_WRONG_REGISTER;
	bool registrations = kind == AUTH_TERMINAL && (w->event == AUTH_FAILED_REGISTER || w->event == AUTH_WRONG_REGISTER);
	s->last_ms = w->now;
	if (passwords && s->request != w->request) {
		s->request = w->request;
		by_password = count_wrong(s, kind, l, w);
	}
	if (registrations && s->failed_request != w->request) {
		s->failed_request = w->request;
		by_registration = count_failed(s, l);
	}
	if (w->event == AUTH_RIGHT) {
		s->wrong = s->several = 0;
		s->name = 0;
	}
	if (w->event == AUTH_REGISTERED)
		s->failed = 0;
	bool news = false;
	if (by_password)
		news |= suspend(s, AUTH_PASSWORDS, l->wrong_suspend, w->now);
	if (by_registration)
		news |= suspend(s, AUTH_REGISTRATIONS, l->failed_suspend, w->now);
	return news;
}

bool auth_count_name(struct auth_state *s, const struct auth_counted *w)
{
	uint32_t recent = 0, place = 0;
	s->last_ms = w->now;
	for (uint32_t i = 0; i < AUTH_NAMES; i++) {
		if (s->names[i] && w->now - s->names_ms[i] > AUTH_SILENCE_MS)
			s->names[i] = 0;
		if (s->names[i] == w->name)
			return false;
		if (s->names[i])
			recent++;
		else
			place = i;
	}
	if (recent + 1 < AUTH_NAMES) {
		s->names[place] = w->name;
		s->names_ms[place] = w->now;
		return false;
	}
	memset(s->names, 0, sizeof s->names);
	return true;
}
