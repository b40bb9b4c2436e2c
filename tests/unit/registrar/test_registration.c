#include "rig.h"
#include <criterion/criterion.h>

#define UP  "[{id: up, proxy: \"udp:%s\", domain: carrier.example, username: u, password: secret}]"
#define ONE "[{id: up, proxy: \"udp:%s\", domain: carrier.example, username: u, password: secret, "
#define CHALLENGE(nonce, more) "WWW-Authenticate: Digest realm=\"carrier\", nonce=\"" nonce "\", qop=\"auth\"" more "\r\n"

static struct rig r;
static struct got m, before;

static void start(const char *registrations, const char *parameters)
{
	rig_make(&r, registrations, parameters);
	rig_advance(&r, 0);
	rig_expect(&r, &m);
}

static void in_state(enum registration_phase phase)
{
	const struct registration_state *s = rig_state(&r, "up");
	cr_assert(s);
	cr_expect_eq(s->phase, phase, "%s: %s", registration_state_text(s), s->error);
}

Test(registration, a_request_has_what_it_must)
{
	char text[RIG_MESSAGE], contact[128];
	start(UP, "");
	cr_expect(strncmp(m.text, "REGISTER sip:carrier.example SIP/2.0\r\n", 38) == 0, "%s", m.text);
	snprintf(contact, sizeof contact, "<sip:u@127.0.0.1:%u>;expires=3600", r.sip.port);
	cr_expect(got_is(&m, "Contact", contact) && got_is(&m, "Expires", "3600") && got_is(&m, "Max-Forwards", "70"));
	cr_expect(got_is(&m, "To", "<sip:u@carrier.example>") && got_is(&m, "CSeq", "1 REGISTER") && got_is(&m, "Authorization", ""));
	cr_expect(strncmp(got_header(&m, "From", text, sizeof text), "<sip:u@carrier.example>;tag=", 28) == 0);
	in_state(REGISTRATION_REGISTERING);
	rig_done(&r);
}

Test(registration, challenged_granted_refreshed)
{
	char text[RIG_MESSAGE];
	start(UP, "");
	rig_answer(&r, &m, 100, "");
	rig_quiet(&r);
	rig_answer(&r, &m, 401, CHALLENGE("n1", ""));
	before = m;
	rig_expect(&r, &m);
	cr_expect(got_cseq(&m) == 2 && strstr(got_header(&m, "Authorization", text, sizeof text), "nc=00000001"));
	rig_answer(&r, &before, 200, ""); /* to the first one: too late */
	in_state(REGISTRATION_REGISTERING);
	rig_grant(&r, &m, 100);
	in_state(REGISTRATION_REGISTERED);
	cr_expect_eq(rig_next(&r), 80000);
	rig_answer(&r, &m, 403, ""); /* a second answer */
	in_state(REGISTRATION_REGISTERED);
	rig_advance(&r, 79999);
	rig_quiet(&r);
	rig_advance(&r, 1);
	rig_expect(&r, &m);
	cr_expect(got_cseq(&m) == 3 && strstr(got_header(&m, "Authorization", text, sizeof text), "nc=00000002"));
	rig_done(&r);
}

Test(registration, second_refusal_is_a_failure)
{
	start(UP, "SS_SIP_USER_AGENT_RETRY_DELAY: 30");
	rig_answer(&r, &m, 401, CHALLENGE("n1", ""));
	rig_expect(&r, &m);
	rig_answer(&r, &m, 401, CHALLENGE("n2", ", stale=true")); /* no refusal */
	rig_expect(&r, &m);
	rig_answer(&r, &m, 401, CHALLENGE("n3", ", stale=true")); /* who says it twice means something else */
	rig_quiet(&r);
	in_state(REGISTRATION_FAILED);
	cr_expect_str_eq(rig_state(&r, "up")->error, "401: the credentials are refused");
	cr_expect_eq(rig_next(&r), 30000);
	for (int i = 0; i < 3; i++) { /* always the same */
		rig_advance(&r, 30000);
		rig_expect(&r, &m);
		rig_answer(&r, &m, 503, "Retry-After: 5\r\n");
		cr_expect_eq(rig_next(&r), 30000);
	}
	rig_done(&r);
}

Test(registration, challenges_that_get_nothing)
{
	static const struct {
		const char *keys, *lines, *error;
	} rows[] = {
		{ "realm: other}]", CHALLENGE("n", ""), "401: the challenge is of another realm" },
		{ "realm: carrier}]", "WWW-Authenticate: Basic realm=\"carrier\"\r\n", "401: no challenge that can be answered" },
		{ "realm: carrier}]", "Proxy-Authenticate: Digest realm=\"carrier\", nonce=\"n\"\r\n", "401: no challenge that can be answered" },
		{ "realm: carrier}]", "", "401: no challenge that can be answered" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[512];
		snprintf(text, sizeof text, "%s%s", ONE, rows[i].keys);
		start(text, "");
		rig_answer(&r, &m, 401, rows[i].lines);
		rig_quiet(&r);
		cr_expect_str_eq(rig_state(&r, "up")->error, rows[i].error);
		rig_done(&r);
	}
	start("[{id: up, proxy: \"udp:%s\", username: u}]", "");
	rig_answer(&r, &m, 401, CHALLENGE("n", ""));
	rig_quiet(&r);
	cr_expect_str_eq(rig_state(&r, "up")->error, "401: there is no password");
	rig_done(&r);
}

Test(registration, what_was_granted)
{
	static const struct {
		const char *period, *lines;
		uint64_t next, expires;
	} rows[] = {
		{ "auto", "", 2880000, 3600000 },                                       /* as asked */
		{ "auto", "Expires: 200\r\n", 160000, 200000 },
		{ "auto", "Expires: 200\r\nContact: <sip:u@%h>;expires=50\r\n", 40000, 50000 },
		{ "auto", "Expires: 200\r\nContact: <sip:u@%h>\r\n", 160000, 200000 },
		{ "auto", "Contact: <sip:u@other>;expires=5, <sip:u@%h>;expires=70\r\n", 56000, 70000 },
		{ "auto", "Contact: <sip:u@other>;expires=5\r\n", 2880000, 3600000 },     /* not ours */
		{ "auto", "m: <sip:a@x>;expires=1,<sip:b@x>,<sip:c@x>,<sip:d@x>\r\nContact: <sip:e@x>\r\nContact: <sip:f@x>, <sip:u@%h>;expires=60\r\n", 48000, 60000 },
		{ "60", "", 30000, 60000 },
		{ "60", "Contact: <sip:u@%h>;expires=20\r\n", 10000, 20000 },
		{ "60", "Contact: <sip:u@%h>;expires=500\r\n", 30000, 500000 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char entry[512], host[32], lines[1024], *at;
		snprintf(entry, sizeof entry, "%speriod: %s}]", ONE, rows[i].period);
		start(entry, "");
		snprintf(host, sizeof host, "127.0.0.1:%u", r.sip.port);
		snprintf(lines, sizeof lines, "%s", rows[i].lines);
		while ((at = strstr(lines, "%h"))) {
			memmove(at + strlen(host), at + 2, strlen(at + 2) + 1);
			memcpy(at, host, strlen(host));
		}
		rig_answer(&r, &m, 200, lines);
		cr_expect_eq(rig_next(&r), rows[i].next, "%zu: %llu", i, (unsigned long long)rig_next(&r));
		cr_expect_eq(rig_state(&r, "up")->expires_ms - r.now, rows[i].expires, "%zu", i);
		rig_done(&r);
	}
}

Test(registration, granted_nothing_is_a_failure)
{
	start(UP, "");
	rig_grant(&r, &m, 0);
	in_state(REGISTRATION_FAILED);
	cr_expect_eq(rig_state(&r, "up")->expires_ms, 0);
	rig_done(&r);
}

Test(registration, too_brief)
{
	start(ONE "period: 30}]", "");
	rig_answer(&r, &m, 423, "Min-Expires: 100\r\n");
	rig_expect(&r, &m);
	cr_expect(got_is(&m, "Expires", "100"));
	rig_answer(&r, &m, 423, "Min-Expires: 200\r\n");
	rig_expect(&r, &m);
	rig_answer(&r, &m, 423, "Min-Expires: 400\r\n"); /* enough */
	rig_quiet(&r);
	in_state(REGISTRATION_FAILED);
	rig_done(&r);
	start(UP, "");
	rig_answer(&r, &m, 423, "Min-Expires: 3600\r\n"); /* no more than was asked */
	rig_quiet(&r);
	in_state(REGISTRATION_FAILED);
	rig_done(&r);
}

Test(registration, redirected)
{
	char contact[128];
	start(UP, "");
	snprintf(contact, sizeof contact, "Contact: <sip:there@127.0.0.1:%u>\r\n", r.upstream.port);
	rig_answer(&r, &m, 302, contact);
	rig_expect(&r, &m);
	cr_expect(strncmp(m.text, "REGISTER sip:there@127.0.0.1:", 29) == 0);
	rig_answer(&r, &m, 301, contact); /* once */
	rig_quiet(&r);
	in_state(REGISTRATION_FAILED);
	rig_advance(&r, 60000);
	rig_expect(&r, &m);
	cr_expect(strncmp(m.text, "REGISTER sip:carrier.example ", 29) == 0, "the proxy again");
	rig_answer(&r, &m, 302, "Contact: <sip:name.example>\r\n"); /* a name */
	rig_quiet(&r);
	in_state(REGISTRATION_FAILED);
	rig_done(&r);
}

Test(registration, resends_and_gives_up)
{
	start(UP, "SS_SIP_RESEND_INTERVAL: \"0.5,1,2\", SS_SIP_SEND_RETRY: 2");
	before = m;
	static const uint64_t waits[] = { 500, 1000 };
	for (size_t i = 0; i < 2; i++) {
		rig_advance(&r, waits[i] - 1);
		rig_quiet(&r);
		rig_advance(&r, 1);
		rig_expect(&r, &m);
		cr_expect(m.n == before.n && memcmp(m.text, before.text, m.n) == 0, "the same bytes");
	}
	rig_advance(&r, 499);
	in_state(REGISTRATION_REGISTERING);
	rig_advance(&r, 1);
	in_state(REGISTRATION_FAILED);
	cr_expect_eq(rig_state(&r, "up")->last_code, 408);
	rig_quiet(&r);
	rig_answer(&r, &m, 200, ""); /* too late */
	in_state(REGISTRATION_FAILED);
	rig_done(&r);
}

Test(registration, a_failed_refresh_keeps_what_is_left)
{
	start(UP, "SS_SIP_USER_AGENT_RETRY_DELAY: 30");
	rig_grant(&r, &m, 100);
	rig_advance(&r, 80000);
	rig_expect(&r, &m);
	rig_answer(&r, &m, 500, "");
	in_state(REGISTRATION_FAILED);
	cr_expect_eq(rig_next(&r), 20000, "it expires");
	rig_advance(&r, 19999);
	cr_expect_neq(registration_at(&r.env, 0)->until_ms, 0);
	rig_advance(&r, 1);
	cr_expect_eq(registration_at(&r.env, 0)->until_ms, 0);
	in_state(REGISTRATION_FAILED);
	rig_advance(&r, 10000);
	rig_expect(&r, &m);
	rig_grant(&r, &m, 100);
	in_state(REGISTRATION_REGISTERED);
	rig_done(&r);
}

Test(registration, a_successor_carries_on)
{
	char id[128], other[128], text[RIG_MESSAGE];
	start(UP, "");
	got_header(&m, "Call-ID", id, sizeof id);
	before = m;
	rig_succeed(&r);
	rig_quiet(&r);
	rig_advance(&r, 499);
	rig_succeed(&r);
	rig_quiet(&r);
	rig_advance(&r, 1);
	rig_expect(&r, &m);
	cr_expect(m.n == before.n && memcmp(m.text, before.text, m.n) == 0);
	rig_answer(&r, &m, 401, CHALLENGE("n1", ""));
	rig_expect(&r, &m);
	rig_succeed(&r);
	rig_quiet(&r);
	rig_grant(&r, &m, 100);
	rig_succeed(&r);
	rig_advance(&r, 79999);
	rig_succeed(&r);
	rig_quiet(&r);
	rig_advance(&r, 1);
	rig_expect(&r, &m);
	cr_expect_str_eq(got_header(&m, "Call-ID", other, sizeof other), id);
	cr_expect(got_cseq(&m) == 3 && strstr(got_header(&m, "Authorization", text, sizeof text), "nc=00000002"));
	rig_done(&r);
}

Test(registration, a_successor_sends_what_was_committed_and_not_sent)
{
	start(UP, "");
	const struct registration *reg = registration_at(&r.env, 0);
	*(uint32_t *)(uintptr_t)&reg->slot.sent = reg->slot.commit - 1;
	before = m;
	rig_succeed(&r);
	rig_expect(&r, &m);
	cr_expect(m.n == before.n && memcmp(m.text, before.text, m.n) == 0);
	rig_succeed(&r);
	rig_quiet(&r);
	rig_done(&r);
}

Test(registration, a_successor_that_comes_late_sends_what_is_due)
{
	start(UP, "");
	r.now += 3000; /* nobody was there */
	rig_succeed(&r);
	rig_advance(&r, 0);
	rig_expect(&r, &m);
	rig_quiet(&r);
	cr_expect_eq(rig_next(&r), 1000, "the next one by the list from now on");
	rig_done(&r);
}

Test(registration, taken_back)
{
	start(UP, "");
	rig_grant(&r, &m, 100);
	rig_drain(&r);
	registrar_leave(&r.g, r.now);
	cr_expect_eq(r.g.leaving, 1);
	rig_advance(&r, 1);
	rig_expect(&r, &m);
	cr_expect(got_is(&m, "Expires", "0"));
	rig_succeed(&r);
	rig_answer(&r, &m, 401, CHALLENGE("n1", ""));
	rig_expect(&r, &m);
	cr_expect(got_is(&m, "Expires", "0"));
	rig_answer(&r, &m, 200, "");
	in_state(REGISTRATION_UNREGISTERED);
	cr_expect_eq(r.g.leaving, 0);
	cr_expect_eq(rig_next(&r), UINT64_MAX);
	rig_done(&r);
}

Test(registration, taken_back_with_a_request_under_way)
{
	start(UP, "");
	registrar_leave(&r.g, r.now);
	rig_quiet(&r); /* waits for the answer */
	rig_grant(&r, &m, 100);
	rig_expect(&r, &m);
	cr_expect(got_is(&m, "Expires", "0") && got_cseq(&m) == 2);
	rig_done(&r);
	start(UP, "SS_SIP_RESEND_INTERVAL: \"3,1\"");
	registrar_leave(&r.g, r.now);
	rig_advance(&r, 1000); /* but not for long */
	rig_expect(&r, &m);
	cr_expect(got_is(&m, "Expires", "0"));
	rig_advance(&r, 4000);
	in_state(REGISTRATION_UNREGISTERED);
	cr_expect_str_eq(rig_state(&r, "up")->error, "no answer in time");
	rig_done(&r);
	start(UP, "");
	registrar_leave(&r.g, r.now);
	rig_answer(&r, &m, 403, ""); /* there is nothing to take back */
	rig_quiet(&r);
	in_state(REGISTRATION_UNREGISTERED);
	rig_done(&r);
}

Test(registration, not_taken_back_when_that_is_off)
{
	start(UP, "SS_SIP_USER_AGENT_SEND_UNREGISTER: off");
	rig_grant(&r, &m, 100);
	registrar_leave(&r.g, r.now);
	rig_advance(&r, 10000);
	rig_quiet(&r);
	in_state(REGISTRATION_UNREGISTERED);
	rig_done(&r);
}

Test(registration, orders)
{
	start(UP, "");
	registration_order(&r.g, 0, true, r.now); /* one is under way */
	rig_quiet(&r);
	rig_grant(&r, &m, 100);
	registration_order(&r.g, 0, false, r.now);
	rig_advance(&r, 1);
	rig_expect(&r, &m);
	rig_answer(&r, &m, 200, "");
	in_state(REGISTRATION_UNREGISTERED);
	rig_config(&r, UP, "");
	rig_succeed(&r);
	rig_advance(&r, 1000000);
	rig_quiet(&r); /* until the operator wants it again */
	registration_order(&r.g, 0, true, r.now);
	rig_expect(&r, &m);
	cr_expect(got_is(&m, "Expires", "3600") && got_cseq(&m) == 3);
	registration_order(&r.g, 0, false, r.now);
	rig_grant(&r, &m, 100);
	rig_expect(&r, &m);
	registration_order(&r.g, 0, true, r.now); /* he changes his mind */
	rig_expect(&r, &m);
	cr_expect(got_is(&m, "Expires", "3600"));
	rig_done(&r);
}

Test(registration, the_longest_texts_fit)
{
	static char text[4096], name[256];
	memset(name, 'x', 250);
	memcpy(name + 60, ".", 1);
	memcpy(name + 120, ".", 1);
	memcpy(name + 180, ".", 1);
	int n = snprintf(text, sizeof text, "[{id: up, proxy: \"udp:%%s\", domain: %s, host_name: %s, username: \"%.64s\", password: \"%s\", auth_user: \"%.128s\", realm: \"%.128s\"}]",
		name, name, "################################################################", name, name, name);
	cr_assert(n < (int)sizeof text);
	rig_make(&r, text, "");
	rig_advance(&r, 0);
	cr_assert(rig_receive(&r, &m), "%s", rig_state(&r, "up")->error);
	static char challenge[1024];
	snprintf(challenge, sizeof challenge, "WWW-Authenticate: Digest realm=\"%.128s\", nonce=\"%s\", opaque=\"%.100s\", algorithm=SHA-256, qop=\"auth\"\r\n", name, name, name);
	rig_answer(&r, &m, 401, challenge);
	in_state(REGISTRATION_REGISTERING);
	rig_expect(&r, &m);
	cr_expect(strstr(m.text, "\r\n\r\n"));
	rig_done(&r);
}
