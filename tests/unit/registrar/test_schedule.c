#include "rig.h"
#include <criterion/criterion.h>

#define ENTRY(id, keys) "{id: " id ", proxy: \"udp:%s\", domain: carrier.example, username: " id keys "}"

static struct rig r;
static struct got m;

static bool is_of(const struct got *got, const char *user)
{
	char text[128];
	snprintf(text, sizeof text, "<sip:%s@carrier.example>", user);
	return got_is(got, "To", text);
}

Test(schedule, first_registrations_are_spread)
{
	rig_make(&r, "[" ENTRY("a", "") "," ENTRY("b", "") "," ENTRY("c", "") "," ENTRY("d", ", enabled: off") "]", "");
	rig_advance(&r, 0);
	rig_expect(&r, &m);
	cr_expect(is_of(&m, "a"));
	rig_quiet(&r);
	rig_advance(&r, 99);
	rig_succeed(&r); /* keeps the pace */
	rig_quiet(&r);
	rig_advance(&r, 1);
	rig_expect(&r, &m);
	cr_expect(is_of(&m, "b"));
	rig_quiet(&r);
	rig_advance(&r, 100);
	rig_expect(&r, &m);
	cr_expect(is_of(&m, "c"));
	rig_advance(&r, 200);
	rig_quiet(&r);
	cr_expect_null(rig_state(&r, "d"));
	rig_done(&r);
}

Test(schedule, a_reload_keeps_what_stays)
{
	rig_make(&r, "[" ENTRY("a", "") "," ENTRY("b", "") "]", "");
	for (int i = 0; i < 2; i++) {
		rig_advance(&r, 100);
		rig_expect(&r, &m);
		rig_grant(&r, &m, 100);
	}
	uint64_t next = rig_next(&r);
	rig_config(&r, "[" ENTRY("b", ", period: 60, password: new") "," ENTRY("a", "") "]", "");
	rig_quiet(&r);
	cr_expect_eq(rig_next(&r), next);
	rig_advance(&r, 80000);
	rig_expect(&r, &m);
	rig_expect(&r, &m);
	cr_expect(is_of(&m, "b") && got_is(&m, "Expires", "60"), "the next one is by the new values");
	rig_done(&r);
}

Test(schedule, what_goes_is_taken_back)
{
	rig_make(&r, "[" ENTRY("a", "") "," ENTRY("b", "") "]", "");
	rig_advance(&r, 0);
	rig_expect(&r, &m);
	rig_grant(&r, &m, 100);
	rig_config(&r, "[]", "");
	cr_expect_null(rig_state(&r, "b"), "was not registered yet");
	rig_advance(&r, 1);
	rig_expect(&r, &m);
	cr_expect(is_of(&m, "a") && got_is(&m, "Expires", "0"));
	rig_config(&r, "[" ENTRY("a", "") "]", ""); /* comes back while it goes */
	rig_advance(&r, 300);
	rig_quiet(&r);
	rig_answer(&r, &m, 200, "");
	rig_advance(&r, 100);
	rig_expect(&r, &m);
	cr_expect(is_of(&m, "a") && got_is(&m, "Expires", "3600") && got_cseq(&m) == 1, "a life of its own");
	rig_done(&r);
}

Test(schedule, another_identity_waits_for_the_first_to_go)
{
	static const char *const others[] = { "[{id: a, proxy: \"udp:%s\", domain: carrier.example, username: z}]",
		"[{id: a, proxy: \"udp:%s\", domain: other.example, username: a}]",
		"[{id: a, proxy: \"udp:%s\", domain: carrier.example, username: a, host_name: h.example}]",
		"[{id: a, proxy: \"udp:127.0.0.2:9\", domain: carrier.example, username: a}]" };
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		rig_make(&r, "[" ENTRY("a", "") "]", "");
		rig_advance(&r, 0);
		rig_expect(&r, &m);
		rig_grant(&r, &m, 100);
		rig_config(&r, others[i], "");
		rig_advance(&r, 1);
		rig_expect(&r, &m);
		cr_expect(is_of(&m, "a") && got_is(&m, "Expires", "0"), "%s", m.text);
		rig_succeed(&r);
		rig_answer(&r, &m, 200, "");
		const struct registration_state *s = rig_state(&r, "a");
		cr_assert(s, "%zu", i);
		cr_expect_eq(s->phase, REGISTRATION_WAITING);
		cr_expect_eq(s->cseq, 0);
		rig_done(&r);
	}
}

Test(schedule, a_failed_one_is_tried_when_its_account_changes)
{
	rig_make(&r, "[" ENTRY("a", "") "]", "");
	rig_advance(&r, 0);
	rig_expect(&r, &m);
	rig_answer(&r, &m, 403, "");
	rig_config(&r, "[" ENTRY("a", "") "]", "");
	cr_expect_eq(rig_next(&r), 60000, "nothing has changed");
	rig_config(&r, "[" ENTRY("a", ", password: p") "]", "");
	rig_advance(&r, 100);
	rig_expect(&r, &m);
	rig_done(&r);
}

Test(schedule, more_than_the_limit_wait_for_room)
{
	char text[4096];
	size_t n = 0;
	text[n++] = '[';
	for (int i = 0; i < 10; i++) /* of 8 */
		n += (size_t)snprintf(text + n, sizeof text - n, "%s{id: e%d, proxy: \"udp:%%s\", username: e%d}", i ? ", " : "", i, i);
	snprintf(text + n, sizeof text - n, "]");
	rig_make(&r, text, "");
	cr_expect_eq(r.g.wanting, 2);
	rig_advance(&r, 2000);
	cr_expect_null(rig_state(&r, "e9"));
	for (int i = 0; i < 8; i++)
		rig_expect(&r, &m);
	rig_config(&r, "[{id: e8, proxy: \"udp:%s\", username: e8}]", "SS_SIP_USER_AGENT_SEND_UNREGISTER: off");
	cr_expect(rig_state(&r, "e8"));
	cr_expect_eq(r.g.wanting, 0);
	rig_done(&r);
}

Test(schedule, a_stop_that_was_none)
{
	rig_make(&r, "[" ENTRY("a", "") "]", "");
	rig_advance(&r, 0);
	rig_expect(&r, &m);
	rig_grant(&r, &m, 100);
	registrar_leave(&r.g, r.now);
	rig_advance(&r, 1);
	rig_expect(&r, &m);
	rig_answer(&r, &m, 200, "");
	rig_succeed(&r); /* and the system runs */
	rig_advance(&r, 200);
	rig_expect(&r, &m);
	cr_expect(got_is(&m, "Expires", "3600"));
	rig_done(&r);
}
