/* When a dead process is started again, and when a silent one counts as hung. */
#include <signal.h>
#include "supervisor/policy.h"
#include <criterion/criterion.h>

struct death_row {
	const char *what;
	struct policy_death death;
	struct policy_restart expected;
};

Test(policy, restart)
{
	static const struct death_row rows[] = {
		{ "after long service", { .ready = true, .service_ms = 60000, .quick_deaths = 4 }, { 0, 0, false } },
		{ "at the limit it is no quick one", { .ready = true, .service_ms = 1000, .quick_deaths = 4 },
			{ 0, 0, false } },
		{ "the first quick one", { .ready = true, .service_ms = 999 }, { 1, 0, false } },
		{ "never in service", { .ready = false, .quick_deaths = 2 }, { 3, 0, false } },
		{ "the fourth", { .ready = true, .service_ms = 0, .quick_deaths = 3 }, { 4, 0, false } },
		{ "the fifth", { .ready = true, .service_ms = 0, .quick_deaths = 4 }, { 5, 1000, true } },
		{ "the sixth", { .ready = false, .quick_deaths = 5 }, { 6, 2000, true } },
		{ "the eighth", { .ready = false, .quick_deaths = 7 }, { 8, 4000, true } },
		{ "the ninth", { .ready = false, .quick_deaths = 8 }, { 9, 5000, true } },
		{ "the hundredth", { .ready = false, .quick_deaths = 99 }, { 100, 5000, true } },
		{ "by order, early", { .wanted = true, .ready = true, .service_ms = 1, .quick_deaths = 4 },
			{ 4, 0, false } },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy_restart r = policy_restart(&rows[i].death);
		cr_expect_eq(r.quick_deaths, rows[i].expected.quick_deaths, "%s: %u", rows[i].what, r.quick_deaths);
		cr_expect_eq(r.delay_ms, rows[i].expected.delay_ms, "%s: %u", rows[i].what, r.delay_ms);
		cr_expect_eq(r.alarm, rows[i].expected.alarm, "%s", rows[i].what);
	}
}

Test(policy, hang)
{
	static const struct {
		const char *what;
		struct policy_pulse pulse;
		bool hung;
	} rows[] = {
		{ "on time", { ROLE_SIGNALING, 10000, 9600, 1000, 0, true }, false },
		{ "just within", { ROLE_SIGNALING, 10000, 8000, 1000, 0, true }, false },
		{ "too long", { ROLE_SIGNALING, 10000, 7999, 1000, 0, true }, true },
		{ "media too", { ROLE_MEDIA, 10000, 7999, 1000, 0, true }, true },
		{ "the heartbeat is the predecessor's", { ROLE_SIGNALING, 10000, 2000, 9000, 0, true }, false },
		{ "the machine stood still", { ROLE_SIGNALING, 10000, 2000, 1000, 9000, true }, false },
		{ "it stood still long ago", { ROLE_SIGNALING, 12000, 2000, 1000, 9000, true }, true },
		{ "adopting", { ROLE_SIGNALING, 10000, 2000, 2000, 0, false }, false },
		{ "adopting for ever", { ROLE_SIGNALING, 12001, 2000, 2000, 0, false }, true },
		{ "routing builds a large table", { ROLE_ROUTING, 11000, 2000, 1000, 0, true }, false },
		{ "routing hangs", { ROLE_ROUTING, 13000, 2000, 1000, 0, true }, true },
		{ "cdr waits for the disk", { ROLE_CDR, 30000, 2000, 1000, 0, true }, false },
		{ "cdr hangs", { ROLE_CDR, 33000, 2000, 1000, 0, true }, true },
		{ "heartbeat of the next millisecond", { ROLE_SIGNALING, 10000, 10001, 1000, 0, true }, false },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(policy_hung(&rows[i].pulse), rows[i].hung, "%s", rows[i].what);
}

Test(policy, a_hang_is_noticed_within_two_seconds_of_the_last_sign)
{
	cr_expect_eq(policy_silence_ms(ROLE_SIGNALING), 2000);
	cr_expect_eq(policy_silence_ms(ROLE_MEDIA), 2000);
	cr_expect_eq(policy_silence_ms(ROLE_CONTROL), 2000);
	cr_expect_lt(POLICY_TICK_MS, POLICY_LATE_MS);
}

Test(policy, own_fault)
{
	static const int own[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT }, others[] = { SIGKILL, SIGTERM, SIGINT, SIGHUP, SIGSTOP, 0 };
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		cr_expect(policy_own_fault(own[i]), "signal %d", own[i]);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		cr_expect_not(policy_own_fault(others[i]), "signal %d", others[i]);
}
