/* Switching to the next gateway: policy x what was seen x event, all of it, against the rules of the behaviour's section 3. */
#include "signaling/switch.h"
#include <criterion/criterion.h>

#define BIT(n) (1u << (n))
enum { POLICY_SDP = BIT(0), POLICY_RTP = BIT(1), POLICY_BUSY = BIT(2), POLICY_TIMEOUT = BIT(3), POLICY_CONNECT = BIT(4), POLICY_ALL = BIT(5) };
enum { SEEN_GONE = BIT(0), SEEN_RTP = BIT(1), SEEN_SDP = BIT(2), SEEN_RANG = BIT(3), SEEN_MORE = BIT(4), SEEN_ALL = BIT(5) };

/* What an event is to the rules, written down, not computed. LISTED: on the stop list of those policies that have one. */
enum { IS_2XX = BIT(0), IS_LISTED = BIT(1), IS_BUSY = BIT(2), IS_INVITE_TIMEOUT = BIT(3), IS_RANG = BIT(4) };
static const uint16_t stop_list[] = { 404, 486, 503, 603 };
static const struct happening {
	enum end_reason failure;
	uint16_t code;
	unsigned is;
	uint16_t told;
	enum end_reason ends; /* the call's reason when it ends with this attempt */
} happenings[] = {
	{ END_REJECTED, 200, IS_2XX, 200, END_NORMAL },
	{ END_REJECTED, 202, IS_2XX, 202, END_NORMAL },
	{ END_REJECTED, 180, 0, 503, END_REJECTED }, /* no final response, but it must not reach the caller as one */
	{ END_REJECTED, 300, 0, 503, END_REJECTED },
	{ END_REJECTED, 302, 0, 503, END_REJECTED },
	{ END_REJECTED, 399, 0, 503, END_REJECTED },
	{ END_REJECTED, 400, 0, 400, END_REJECTED },
	{ END_REJECTED, 401, 0, 503, END_REJECTED },
	{ END_REJECTED, 403, 0, 403, END_REJECTED },
	{ END_REJECTED, 404, IS_LISTED, 404, END_REJECTED },
	{ END_REJECTED, 407, 0, 503, END_REJECTED },
	{ END_REJECTED, 408, 0, 408, END_REJECTED },
	{ END_REJECTED, 480, 0, 480, END_REJECTED },
	{ END_REJECTED, 486, IS_BUSY | IS_LISTED, 486, END_BUSY },
	{ END_REJECTED, 487, 0, 487, END_REJECTED },
	{ END_REJECTED, 488, 0, 488, END_REJECTED },
	{ END_REJECTED, 500, 0, 500, END_REJECTED },
	{ END_REJECTED, 503, IS_LISTED, 503, END_REJECTED },
	{ END_REJECTED, 600, IS_BUSY | IS_RANG, 600, END_BUSY },
	{ END_REJECTED, 603, IS_RANG | IS_LISTED, 603, END_REJECTED },
	{ END_REJECTED, 699, IS_RANG, 699, END_REJECTED },
	{ END_INVITE_TIMEOUT, 0, IS_INVITE_TIMEOUT, 408, END_INVITE_TIMEOUT },
	{ END_TRYING_TIMEOUT, 0, 0, 408, END_TRYING_TIMEOUT },
	{ END_PROGRESS_TIMEOUT, 0, 0, 408, END_PROGRESS_TIMEOUT },
	{ END_NO_ANSWER, 0, IS_RANG, 480, END_NO_ANSWER },
};
static const struct {
	uint32_t limit, attempts;
	bool used_up;
} limits[] = { { UINT32_MAX, 1, false }, { UINT32_MAX, 33, false }, { 0, 1, true }, { 1, 1, false }, { 1, 2, true }, { 3, 3, false },
	{ 3, 4, true }, { 32, 32, false }, { 32, 33, true } };

/* The rules in their order; the first that holds decides. A rule holds under a policy that has all of `policy` and none of
 * `no_policy` when the event is any of `event` or any of `seen` was seen. */
enum { POLICY_LIST = BIT(6) };                          /* the gateway has a stop list */
enum { SEEN_USED_UP = BIT(6), SEEN_NO_MORE = BIT(7) };  /* the switch limit; no candidate left */
static const struct rule {
	enum switch_rule rule;
	unsigned policy, no_policy, event, seen;
} rules[] = {
	{ SWITCH_CALLER_GONE, 0, 0, 0, SEEN_GONE },
	{ SWITCH_CONNECTED, 0, 0, IS_2XX, 0 },
	{ SWITCH_CODE_LISTED, POLICY_LIST, 0, IS_LISTED, 0 },
	{ SWITCH_BUSY, POLICY_BUSY, 0, IS_BUSY, 0 },
	{ SWITCH_RTP, POLICY_RTP, 0, 0, SEEN_RTP },
	{ SWITCH_SDP, POLICY_SDP, 0, 0, SEEN_SDP },
	{ SWITCH_TIMEOUT, POLICY_TIMEOUT, 0, IS_INVITE_TIMEOUT, 0 },
	{ SWITCH_RANG, 0, POLICY_CONNECT, IS_RANG, SEEN_RANG },
	{ SWITCH_LIMIT, 0, 0, 0, SEEN_USED_UP },
	{ SWITCH_NO_CANDIDATE, 0, 0, 0, SEEN_NO_MORE },
};

static enum switch_rule expected(unsigned policy, unsigned seen, unsigned is)
{
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		const struct rule *r = &rules[i];
		if ((policy & r->policy) == r->policy && !(policy & r->no_policy) && ((is & r->event) || (seen & r->seen)))
			return r->rule;
	}
	return SWITCH_NEXT;
}

static void one(unsigned policy, bool has_list, unsigned limit, unsigned seen_bits, const struct happening *h, unsigned *count)
{
	struct switch_policy p = { .after_sdp = policy & POLICY_SDP, .after_rtp_start = policy & POLICY_RTP, .after_user_busy = policy & POLICY_BUSY,
		.after_invite_timeout = policy & POLICY_TIMEOUT, .until_connect = policy & POLICY_CONNECT, .response_codes = stop_list,
		.n_response_codes = has_list ? sizeof stop_list / sizeof *stop_list : 0, .limit = limits[limit].limit };
	struct switch_seen seen = { .caller_gone = seen_bits & SEEN_GONE, .rtp = seen_bits & SEEN_RTP, .sdp = seen_bits & SEEN_SDP,
		.rang = seen_bits & SEEN_RANG, .attempts = limits[limit].attempts, .more = seen_bits & SEEN_MORE };
	struct switch_event e = { h->failure, h->code };
	struct switch_result r = switch_decide(&p, &seen, &e);
	enum switch_rule want = expected(policy | (has_list ? POLICY_LIST : 0),
		seen_bits | (limits[limit].used_up ? SEEN_USED_UP : 0) | (seen_bits & SEEN_MORE ? 0 : SEEN_NO_MORE), h->is);
	++count[want];
	cr_assert_eq(r.rule, want, "policy %x%s limit %u/%u seen %x: %s %u: \"%s\" instead of \"%s\"", policy, has_list ? " and list" : "",
		limits[limit].attempts, limits[limit].limit, seen_bits, end_reason_info(h->failure)->text, h->code, switch_rule_text(r.rule),
		switch_rule_text(want));
	if (want == SWITCH_NEXT)
		return;
	uint16_t code = want == SWITCH_CALLER_GONE ? 487 : h->told;
	enum end_reason reason = want == SWITCH_CALLER_GONE ? END_CANCELLED : want == SWITCH_LIMIT ? END_SWITCH_LIMIT : h->ends;
	cr_assert_eq(r.code, code, "%u becomes %u instead of %u", h->code, r.code, code);
	cr_assert_eq(r.reason, reason, "%u, rule %u: reason %u instead of %u", h->code, want, r.reason, reason);
}

Test(switch, every_policy_sight_and_event)
{
	unsigned count[SWITCH_NO_CANDIDATE + 1] = { 0 };
	for (unsigned policy = 0; policy < POLICY_ALL; policy++)
		for (unsigned list = 0; list < 2; list++)
			for (unsigned limit = 0; limit < sizeof limits / sizeof *limits; limit++)
				for (unsigned seen = 0; seen < SEEN_ALL; seen++)
					for (size_t i = 0; i < sizeof happenings / sizeof *happenings; i++)
						one(policy, list, limit, seen, &happenings[i], count);
	for (unsigned r = 0; r <= SWITCH_NO_CANDIDATE; r++)
		cr_expect_gt(count[r], 100, "rule \"%s\" is hardly tested", switch_rule_text((enum switch_rule)r));
}

/* Q.850 causes that the tables and RFC 3398 section 8.2.6.1 name */
Test(switch, causes_of_codes)
{
	static const uint16_t want[][2] = { { 400, 41 }, { 401, 21 }, { 402, 21 }, { 403, 21 }, { 404, 1 }, { 405, 63 }, { 406, 79 }, { 407, 21 },
		{ 408, 102 }, { 410, 22 }, { 413, 127 }, { 414, 127 }, { 415, 79 }, { 416, 127 }, { 420, 127 }, { 421, 127 }, { 423, 127 },
		{ 480, 18 }, { 481, 41 }, { 482, 25 }, { 483, 25 }, { 484, 28 }, { 485, 1 }, { 486, 17 }, { 487, 16 }, { 500, 41 }, { 501, 79 },
		{ 502, 38 }, { 503, 41 }, { 504, 102 }, { 505, 127 }, { 513, 127 }, { 600, 17 }, { 603, 21 }, { 604, 1 }, { 200, 16 },
		{ 299, 16 }, { 499, 31 }, { 699, 31 } };
	for (size_t i = 0; i < sizeof want / sizeof *want; i++)
		cr_expect_eq(cause_of(want[i][0]), want[i][1], "%u: cause %u instead of %u", want[i][0], cause_of(want[i][0]), want[i][1]);
}

/* The closed list: what the caller is told without any attempt (the table), by our own time-outs, and at the end. */
Test(switch, end_reasons)
{
	static const struct {
		enum end_reason r;
		uint16_t code, cause;
	} want[] = {
		{ END_NOT_AUTHORISED, 403, 21 }, { END_LOCKED, 403, 21 }, { END_FILTERED, 403, 21 },
		{ END_NO_ROUTE, 404, 1 },
		{ END_INCOMPLETE, 484, 28 },
		{ END_NO_GATEWAY, 503, 34 }, { END_INGRESS_LIMIT, 503, 34 },
		{ END_NOT_REGISTERED, 480, 20 },
		{ END_NO_CODEC, 488, 88 },
		{ END_OVERLOAD, 503, 42 }, { END_DRAINING, 503, 42 },
		{ END_INVITE_TIMEOUT, 408, 102 }, { END_TRYING_TIMEOUT, 408, 102 }, { END_PROGRESS_TIMEOUT, 408, 102 },
		{ END_NO_ANSWER, 480, 19 },
		{ END_BUSY, 486, 17 }, { END_CANCELLED, 487, 16 }, { END_NORMAL, 200, 16 }, { END_SWITCH_LIMIT, 503, 34 },
		{ END_TOO_MANY_HOPS, 483, 25 }, { END_LOOP, 482, 25 }, { END_EXTENSION, 420, 79 }, { END_BAD_REQUEST, 400, 95 },
	};
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		const struct end_reason_info *info = end_reason_info(want[i].r);
		cr_expect_eq(info->code, want[i].code, "%s: %u", info->text, info->code);
		cr_expect_eq(info->cause, want[i].cause, "%s: cause %u", info->text, info->cause);
	}
}

Test(switch, every_reason_has_its_own_name)
{
	for (enum end_reason a = END_NONE; a < END_REASON_COUNT; a++) {
		cr_expect_not_null(end_reason_info(a)->text);
		cr_expect(a == END_NONE || end_reason_info(a)->text[0]);
		for (enum end_reason b = END_NONE; b < a; b++)
			cr_expect_str_neq(end_reason_info(a)->text, end_reason_info(b)->text);
	}
	cr_expect_not_null(end_reason_info(END_REASON_COUNT), "out of range is answered, not followed");
}

Test(switch, rules_have_texts)
{
	for (unsigned r = 0; r <= SWITCH_NO_CANDIDATE; r++)
		cr_expect_str_neq(switch_rule_text((enum switch_rule)r), "?");
	cr_expect_str_eq(switch_rule_text((enum switch_rule)(SWITCH_NO_CANDIDATE + 1)), "?");
}
