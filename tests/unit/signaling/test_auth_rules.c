/* When an attempt is refused, a terminal suspended, a source banned for unknown names: behaviour section 7, parameters "Inbound
 * registration, authentication". */
#include "signaling/auth_rules.h"
#include <criterion/criterion.h>

#define SECOND 1000u

static const struct auth_limits limits = { .challenges = 3, .timeout = 10 * SECOND, .wrong = 4, .wrong_suspend = 100 * SECOND, .failed = 5,
	.failed_suspend = 60 * SECOND };
static struct auth_state s;
static uint64_t now = 1000000, request;

static enum auth_verdict shows(enum auth_shown what)
{
	return auth_attempt(&s, &limits, what, ++request, now);
}

/* --- one attempt --- */

Test(auth_rules, challenges_are_counted)
{
	cr_expect_eq(shows(SHOWN_NOTHING), VERDICT_CHALLENGE);
	cr_expect_eq(shows(SHOWN_WRONG), VERDICT_CHALLENGE);
	cr_expect_eq(shows(SHOWN_WRONG), VERDICT_CHALLENGE);
	cr_expect_eq(shows(SHOWN_WRONG), VERDICT_REFUSE);
	cr_expect_eq(shows(SHOWN_NOTHING), VERDICT_REFUSE);
	cr_expect_eq(shows(SHOWN_STALE), VERDICT_CHALLENGE);
	cr_expect_eq(shows(SHOWN_RIGHT), VERDICT_PASS);
	cr_expect_eq(s.begun_ms, 0, "success ends the attempt, and its count with it");
	cr_expect_eq(shows(SHOWN_NOTHING), VERDICT_CHALLENGE);
}

Test(auth_rules, stale_ones_do_not_count)
{
	for (int i = 0; i < 20; i++)
		cr_expect_eq(shows(SHOWN_STALE), VERDICT_CHALLENGE);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(shows(SHOWN_WRONG), VERDICT_CHALLENGE);
	cr_expect_eq(shows(SHOWN_WRONG), VERDICT_REFUSE);
}

Test(auth_rules, repetitions_do_not_count)
{
	for (int i = 0; i < 9; i++)
		cr_expect_eq(auth_attempt(&s, &limits, SHOWN_NOTHING, 77, now), VERDICT_CHALLENGE);
	cr_expect_eq(s.challenges, 1);
	shows(SHOWN_WRONG);
	shows(SHOWN_WRONG);
	cr_expect_eq(shows(SHOWN_WRONG), VERDICT_REFUSE);
	cr_expect_eq(auth_attempt(&s, &limits, SHOWN_WRONG, request, now), VERDICT_REFUSE);
}

Test(auth_rules, too_late)
{
	shows(SHOWN_NOTHING);
	now += 10 * SECOND;
	struct auth_state in_time = s;
	cr_expect_eq(auth_attempt(&in_time, &limits, SHOWN_RIGHT, 99, now), VERDICT_PASS);
	now++;
	cr_expect_eq(shows(SHOWN_RIGHT), VERDICT_REFUSE);
	cr_expect(s.over);
	cr_expect_eq(auth_attempt(&s, &limits, SHOWN_RIGHT, request, now), VERDICT_REFUSE, "the same request again");
	cr_expect_eq(shows(SHOWN_NOTHING), VERDICT_CHALLENGE, "another begins anew");
	cr_expect_eq(s.challenges, 1);
	now += 11 * SECOND;
	cr_expect_eq(shows(SHOWN_WRONG), VERDICT_REFUSE);
	cr_expect_eq(shows(SHOWN_STALE), VERDICT_CHALLENGE);
	cr_expect_eq(shows(SHOWN_RIGHT), VERDICT_PASS);
}

Test(auth_rules, late_without_credentials_begins_anew)
{
	for (int i = 0; i < 4; i++)
		shows(SHOWN_WRONG);
	now += 11 * SECOND;
	cr_expect_eq(shows(SHOWN_NOTHING), VERDICT_CHALLENGE);
	cr_expect_eq(s.challenges, 1);
	cr_expect_eq(s.begun_ms, now);
}

Test(auth_rules, silence_ends_it)
{
	struct auth_limits slow = limits;
	slow.timeout = 120 * SECOND;
	for (int i = 0; i < 3; i++)
		auth_attempt(&s, &slow, SHOWN_WRONG, ++request, now);
	now += 60 * SECOND;
	cr_expect_eq(auth_attempt(&s, &slow, SHOWN_WRONG, ++request, now), VERDICT_REFUSE);
	now += 60 * SECOND + 1;
	cr_expect_not(auth_under_way(&s, now));
	cr_expect_eq(auth_attempt(&s, &slow, SHOWN_WRONG, ++request, now), VERDICT_CHALLENGE);
	cr_expect_eq(s.challenges, 1);
}

Test(auth_rules, no_challenge_at_all)
{
	struct auth_limits none = limits;
	none.challenges = 0;
	cr_expect_eq(auth_attempt(&s, &none, SHOWN_NOTHING, 1, now), VERDICT_REFUSE);
}

/* --- terminals and sources --- */

static bool counts(enum auth_kind kind, enum auth_event e, uint64_t name)
{
	return auth_count(&s, kind, &limits, &(struct auth_counted){ e, ++request, name, now });
}

Test(auth_rules, wrong_passwords_in_a_row)
{
	for (int i = 0; i < 3; i++)
		cr_expect_not(counts(AUTH_TERMINAL, AUTH_WRONG, 1));
	cr_expect_not(counts(AUTH_TERMINAL, AUTH_RIGHT, 1));
	for (int i = 0; i < 3; i++)
		cr_expect_not(counts(AUTH_TERMINAL, AUTH_WRONG, 1));
	cr_expect_not(auth_suspended(&s, now));
	cr_expect(counts(AUTH_TERMINAL, AUTH_WRONG, 1));
	cr_expect(auth_suspended(&s, now + 100 * SECOND - 1) && !auth_suspended(&s, now + 100 * SECOND));
	cr_expect_eq(s.reason, AUTH_PASSWORDS);
	cr_expect_not(counts(AUTH_TERMINAL, AUTH_WRONG, 1), "said once");
}

Test(auth_rules, the_same_request_counts_once)
{
	for (int i = 0; i < 9; i++)
		auth_count(&s, AUTH_TERMINAL, &limits, &(struct auth_counted){ AUTH_WRONG_REGISTER, 5, 1, now });
	cr_expect_eq(s.wrong, 1);
	cr_expect_eq(s.failed, 1);
}

Test(auth_rules, failed_registrations)
{
	for (int i = 0; i < 4; i++)
		cr_expect_not(counts(AUTH_TERMINAL, AUTH_FAILED_REGISTER, 1));
	cr_expect_not(counts(AUTH_TERMINAL, AUTH_RIGHT, 1));
	cr_expect_eq(s.failed, 4, "a right password is no registration yet");
	cr_expect_not(counts(AUTH_TERMINAL, AUTH_REGISTERED, 1));
	for (int i = 0; i < 4; i++)
		counts(AUTH_TERMINAL, AUTH_FAILED_REGISTER, 1);
	cr_expect(counts(AUTH_TERMINAL, AUTH_FAILED_REGISTER, 1));
	cr_expect_eq(s.until_ms, now + 60 * SECOND);
	cr_expect_eq(s.reason, AUTH_REGISTRATIONS);
}

Test(auth_rules, a_wrong_password_of_a_registration_is_both)
{
	struct auth_limits l = limits;
	l.wrong = 0;
	for (int i = 0; i < 4; i++)
		cr_expect_not(auth_count(&s, AUTH_TERMINAL, &l, &(struct auth_counted){ AUTH_WRONG_REGISTER, ++request, 1, now }));
	cr_expect(auth_count(&s, AUTH_TERMINAL, &l, &(struct auth_counted){ AUTH_WRONG_REGISTER, ++request, 1, now }));
	cr_expect_eq(s.reason, AUTH_REGISTRATIONS);
}

Test(auth_rules, zero_is_never)
{
	struct auth_limits l = limits;
	l.wrong = l.failed = 0;
	for (int i = 0; i < 2000; i++)
		cr_assert_not(auth_count(&s, AUTH_TERMINAL, &l, &(struct auth_counted){ AUTH_WRONG_REGISTER, ++request, 1, now }));
}

Test(auth_rules, a_source_over_several_accounts)
{
	for (uint64_t name = 1; name < 4; name++)
		cr_expect_not(counts(AUTH_SOURCE, AUTH_WRONG, name));
	cr_expect(counts(AUTH_SOURCE, AUTH_WRONG, 4));
}

Test(auth_rules, a_source_with_one_account)
{
	for (int i = 0; i < 20; i++)
		cr_expect_not(counts(AUTH_SOURCE, AUTH_WRONG, 1), "that suspends the terminal, not the office behind the NAT");
	cr_expect(counts(AUTH_SOURCE, AUTH_WRONG, 2));
	memset(&s, 0, sizeof s);
	for (int i = 0; i < 20; i++)
		counts(AUTH_SOURCE, AUTH_FAILED_REGISTER, (uint64_t)i + 1);
	cr_expect_eq(s.failed, 0);
}

Test(auth_rules, after_a_suspension_counting_begins_anew)
{
	for (int i = 0; i < 4; i++)
		counts(AUTH_TERMINAL, AUTH_WRONG, 1);
	now += 100 * SECOND;
	for (int i = 0; i < 3; i++)
		cr_expect_not(counts(AUTH_TERMINAL, AUTH_WRONG, 1));
	cr_expect(counts(AUTH_TERMINAL, AUTH_WRONG, 1));
}

static bool names(uint64_t name)
{
	return auth_count_name(&s, &(struct auth_counted){ AUTH_UNKNOWN_NAME, 0, name, now });
}

Test(auth_rules, five_unknown_names)
{
	for (uint64_t i = 1; i <= 4; i++)
		for (int again = 0; again < 3; again++)
			cr_expect_not(names(i));
	cr_expect(names(5));
	cr_expect_not(names(6), "they are forgotten then");
}

Test(auth_rules, five_unknown_names_within_a_minute)
{
	for (uint64_t i = 1; i <= 20; i++) {
		cr_expect_not(names(i));
		now += 15 * SECOND + 1;
	}
	cr_expect_not(names(30));
	cr_expect(names(31));
}
