/* What two ends agree on, RFC 4028: its tables 1 and 2, and every request x what is in force, judged by the rules again. */
#include "signaling/session_timer.h"
#include <criterion/criterion.h>

enum { NONE = MSG_REFRESHER_NONE, UAC = MSG_REFRESHER_UAC, UAS = MSG_REFRESHER_UAS };
#define TTL 600

static const struct session_terms off = { 0 }, ours = { 300, SESSION_OURS }, theirs = { 300, SESSION_PEERS };

static void is(struct session_terms got, uint32_t interval, enum session_role role, int line)
{
	cr_expect(got.interval == interval && got.role == role, "line %d: %u s, role %d instead of %u s, role %d", line,
		got.interval, got.role, interval, role);
}
#define IS(got, interval, role) is(got, interval, role, __LINE__)

/* RFC 4028 table 2: who refreshes, by what the request says */
Test(session_timer, table_2)
{
	IS(session_timer_accept(&(struct session_asked){ 300, -1, NONE, false }, TTL, off), 300, SESSION_OURS);
	IS(session_timer_accept(&(struct session_asked){ 300, -1, NONE, true }, TTL, off), 300, SESSION_OURS);
	IS(session_timer_accept(&(struct session_asked){ 300, -1, UAC, true }, TTL, off), 300, SESSION_PEERS);
	IS(session_timer_accept(&(struct session_asked){ 300, -1, UAS, true }, TTL, off), 300, SESSION_OURS);
	/* one that does not support it cannot refresh, whatever a proxy wrote */
	IS(session_timer_accept(&(struct session_asked){ 300, -1, UAC, false }, TTL, off), 300, SESSION_OURS);
}

Test(session_timer, interval)
{
	static const struct {
		int32_t expires, min_se;
		uint32_t ttl, want;
	} rows[] = { { 1800, -1, 600, 600 }, { 300, -1, 600, 300 }, { -1, -1, 600, 600 }, { 90, 90, 600, 90 },
		{ 1800, 900, 600, 900 }, { 1800, 1800, 600, 1800 }, { -1, 1200, 600, 1200 }, { 120, -1, 90, 90 },
		{ 120, 120, 90, 120 }, { 600, 100, 600, 600 }, { INT32_MAX, -1, 7200, 7200 },
		{ INT32_MAX, INT32_MAX, 600, INT32_MAX }, { 300, 0, 600, 300 } };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct session_asked a = { rows[i].expires, rows[i].min_se, NONE, true };
		cr_expect_eq(session_timer_accept(&a, rows[i].ttl, off).interval, rows[i].want, "row %zu: %u", i,
			session_timer_accept(&a, rows[i].ttl, off).interval);
	}
}

Test(session_timer, too_small)
{
	for (int32_t expires = -1; expires < 200; expires++)
		cr_expect_eq(session_timer_too_small(&(struct session_asked){ expires, -1, NONE, true }),
			expires >= 0 && expires < 90);
}

/* every request on every state: the interval is never above what both can bear nor below what the peer can */
Test(session_timer, every_request)
{
	static const int32_t numbers[] = { -1, 90, 91, 300, 599, 600, 601, 1800, 7200 };
	static const struct session_terms *const states[] = { &off, &ours, &theirs };
	unsigned n = 0;
	for (size_t e = 0; e < 9; e++)
		for (size_t m = 0; m < 9; m++)
			for (uint8_t r = NONE; r <= UAS; r++)
				for (int tag = 0; tag < 2; tag++)
					for (size_t s = 0; s < 3; s++, n++) {
						struct session_asked a = { numbers[e], numbers[m], r, tag };
						struct session_terms t = session_timer_accept(&a, TTL, *states[s]);
						if (!tag && a.expires < 0) {
							if (states[s]->role == SESSION_OURS)
								IS(t, 300, SESSION_OURS);
							else
								IS(t, 0, SESSION_OFF);
							continue;
						}
						cr_expect(t.interval >= 90 &&
							  t.interval >= (uint32_t)(a.min_se < 0 ? 90 : a.min_se));
						cr_expect(t.interval <= TTL || (int32_t)t.interval == a.min_se);
						cr_expect(a.expires < 0 || (int32_t)t.interval <= a.expires ||
							  a.min_se > a.expires);
						bool peers =
							tag &&
							(r == UAC || (r == NONE && states[s]->role == SESSION_PEERS));
						cr_expect_eq(t.role, peers ? SESSION_PEERS : SESSION_OURS);
					}
	cr_expect_eq(n, 9u * 9 * 3 * 2 * 3);
}

Test(session_timer, agreed)
{
	/* no Session-Expires in the 2xx: no timer; what we do already goes on */
	IS(session_timer_agreed(&(struct session_asked){ -1, -1, NONE, true }, TTL, 0, off), 0, SESSION_OFF);
	IS(session_timer_agreed(&(struct session_asked){ -1, -1, NONE, false }, TTL, 0, ours), 300, SESSION_OURS);
	IS(session_timer_agreed(&(struct session_asked){ -1, -1, NONE, false }, TTL, 0, theirs), 0, SESSION_OFF);
	IS(session_timer_agreed(&(struct session_asked){ 600, -1, UAC, true }, TTL, 0, off), 600, SESSION_OURS);
	IS(session_timer_agreed(&(struct session_asked){ 600, -1, UAS, true }, TTL, 0, off), 600, SESSION_PEERS);
	IS(session_timer_agreed(&(struct session_asked){ 600, -1, NONE, true }, TTL, 0, off), 600, SESSION_OURS);
	IS(session_timer_agreed(&(struct session_asked){ 120, -1, UAC, true }, TTL, 0, ours), 120, SESSION_OURS);
	/* never below what our request allowed, never above our own longest unless a 422 asked for it */
	IS(session_timer_agreed(&(struct session_asked){ 30, -1, UAC, true }, TTL, 0, off), 90, SESSION_OURS);
	IS(session_timer_agreed(&(struct session_asked){ 1800, -1, UAC, true }, TTL, 0, off), 600, SESSION_OURS);
	IS(session_timer_agreed(&(struct session_asked){ 1800, -1, UAS, true }, TTL, 0, off), 1800, SESSION_PEERS);
	IS(session_timer_agreed(&(struct session_asked){ 120, -1, UAC, true }, 90, 120, off), 120, SESSION_OURS);
}

Test(session_timer, offer)
{
	cr_expect_eq(session_timer_offer(600, 0), 600);
	cr_expect_eq(session_timer_offer(90, 120), 120);
	cr_expect_eq(session_timer_offer(600, 120), 600);
}

Test(session_timer, schedule)
{
	struct session_schedule s = session_timer_start(off, 2, 5, 1000);
	cr_expect(!s.refresh_at && !s.expires_at);
	s = session_timer_start(theirs, 2, 0, 1000);
	cr_expect(!s.refresh_at && s.expires_at == 301000);
	s = session_timer_start(ours, 2, 5, 1000);
	cr_expect(s.refresh_at == 151000 && s.expires_at == 306000);
}

/* one interval without an answer: tried at every segment but the last, which is its end */
Test(session_timer, segments)
{
	for (uint32_t interval = 90; interval <= 7200; interval += 37)
		for (uint32_t segment = 2; segment <= 10; segment++) {
			struct session_terms t = { interval, SESSION_OURS };
			struct session_schedule s = session_timer_start(t, segment, 0, 5000);
			unsigned tries = 0;
			for (uint64_t at = s.refresh_at, next; at; at = next) {
				tries++;
				cr_assert_eq(at, 5000 + tries * (uint64_t)(interval * 1000 / segment));
				next = session_timer_next(t, segment, at, at + 3, s.expires_at);
			}
			cr_expect_eq(tries, segment - 1, "%u s in %u: %u tries", interval, segment, tries);
		}
}

/* a try that was late, or whose answer was waited for, does not move the others */
Test(session_timer, next_after_a_long_wait)
{
	struct session_terms t = { 90, SESSION_OURS };
	cr_expect_eq(session_timer_next(t, 10, 9000, 9001, 90000), 18000);
	cr_expect_eq(session_timer_next(t, 10, 9000, 41000, 90000), 45000);
	cr_expect_eq(session_timer_next(t, 10, 72000, 72000, 90000), 81000);
	cr_expect_eq(session_timer_next(t, 10, 81000, 81000, 90000), 0);
	cr_expect_eq(session_timer_next(t, 2, 45000, 45000, 90000), 0);
}
