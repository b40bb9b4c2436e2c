#include "signaling/session_timer.h"

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

struct session_asked session_timer_asked(const struct msg *m)
{
	bool tag = msg_has_option(&m->supported, SPAN("timer")) || msg_has_option(&m->require, SPAN("timer"));
	return (struct session_asked){ m->session_expires, m->min_se, (uint8_t)m->refresher, tag };
}

struct session_terms session_timer_accept(const struct session_asked *a, uint32_t ttl, struct session_terms now)
{
	if (!session_timer_supported(a))
		return now.role == SESSION_OURS ? now : (struct session_terms){ 0 };
	uint32_t want = a->expires >= 0 ? smaller((uint32_t)a->expires, ttl) : ttl;
	struct session_terms t = { larger(want, larger(SESSION_MIN_SE, a->min_se > 0 ? (uint32_t)a->min_se : 0)),
		SESSION_OURS };
	if (!a->tag) /* a proxy has put the header there: the peer itself cannot refresh (table 2) */
		return t;
	if (a->refresher == MSG_REFRESHER_UAC || (a->refresher == MSG_REFRESHER_NONE && now.role == SESSION_PEERS))
		t.role = SESSION_PEERS;
	return t;
}

struct session_terms session_timer_agreed(
	const struct session_asked *a, uint32_t ttl, uint32_t min_se, struct session_terms now)
{
	/* without the header there is no timer; to go on refreshing does no harm, to wait for refreshes would */
	if (a->expires < 0)
		return now.role == SESSION_OURS ? now : (struct session_terms){ 0 };
	uint32_t least = larger(SESSION_MIN_SE, min_se), interval = larger((uint32_t)a->expires, least);
	if (a->refresher == MSG_REFRESHER_UAS) /* its own interval, though longer than asked: it refreshes by that */
		return (struct session_terms){ interval, SESSION_PEERS };
	return (struct session_terms){ larger(smaller(interval, ttl), least), SESSION_OURS };
}

uint32_t session_timer_offer(uint32_t ttl, uint32_t min_se)
{
	return larger(ttl, min_se);
}

struct session_schedule session_timer_start(struct session_terms t, uint32_t segment, uint32_t grace, uint64_t now)
{
	struct session_schedule s = { 0 };
	if (!t.interval || t.role == SESSION_OFF)
		return s;
	s.expires_at = now + (t.interval + (uint64_t)grace) * 1000u;
	if (t.role == SESSION_OURS)
		s.refresh_at = now + t.interval * UINT64_C(1000) / segment;
	return s;
}

uint64_t session_timer_next(
	struct session_terms t, uint32_t segment, uint64_t refresh_at, uint64_t now, uint64_t interval_ends)
{
	uint64_t step = t.interval * UINT64_C(1000) / segment;
	if (!step)
		return 0;
	uint64_t next = refresh_at <= now ? refresh_at + ((now - refresh_at) / step + 1) * step : refresh_at;
	/* segments that do not divide the interval exactly must not leave room for one more at its very end */
	return next + step / 2 < interval_ends ? next : 0;
}
