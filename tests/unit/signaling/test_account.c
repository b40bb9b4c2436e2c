/* Calls to accounts: several contacts at once (behaviour section 7), failures of branches (RFC 3261 section 16.7), forwarding. */
#include "scene.h"
#include "base/clock.h"
#include "shm/call.h"
#include <criterion/criterion.h>
#include <unistd.h>

TestSuite(account, .timeout = 40);

#define PHONES 3
static struct agent phone[PHONES];
static struct dialog p[PHONES];
static const char *const of_phones[PHONES] = { "ada", "bob", "cyd" };

#define ACCOUNTS(more) "accounts: [{id: \"1001\", password: p, max_contacts: 5" more "}, {id: \"1002\", password: p}, {id: \"1003\", password: p}]\n"

/* the caller calls 1001, which is at `n` phones */
static void phones(struct harness_options o, unsigned n)
{
	struct harness_contact at[PHONES] = { 0 };
	agent_open(&caller, "caller", "127.0.1.2");
	agent_open(&gw_a, "alpha", "127.0.2.1");
	agent_open(&gw_b, "beta", "127.0.2.2");
	for (unsigned i = 0; i < PHONES; i++) {
		char ip[16];
		snprintf(ip, sizeof ip, "127.0.3.%u", i + 1);
		agent_open(&phone[i], of_phones[i], ip);
		at[i].addr = &phone[i].addr;
		at[i].q = 900 - 100 * i;
	}
	o.caller = &caller.addr;
	o.gateway[0] = &gw_a.addr;
	o.gateway[1] = &gw_b.addr;
	o.gateways = 2;
	if (!o.sections)
		o.sections = ACCOUNTS("");
	harness_make(&h, &o);
	if (n)
		harness_register(&h, "1001", at, n);
	/* 1002 is at the last phone, so that it can be forwarded to */
	if (n < PHONES)
		harness_register(&h, "1002", &at[PHONES - 1], 1);
	harness_start(&h, 0);
	dialog_init(&a, &caller, &h.sip, "1001");
}

static void called(unsigned n)
{
	dialog_send(&a, "INVITE", NULL, OFFER);
	for (unsigned i = 0; i < n; i++)
		dialog_take(&p[i], &phone[i], 3000);
}

static void ring(unsigned i)
{
	bool again = agent_count(&caller, "180"); /* what the caller is told of the next one is the same */
	dialog_reply(&p[i], &p[i].invite, 180, NULL, NULL);
	if (again)
		agent_again(&caller, "180", 3000);
	else
		dialog_expect(&a, "180");
}

static void fails(unsigned i, unsigned code)
{
	dialog_reply(&p[i], &p[i].invite, code, NULL, NULL);
	dialog_expect(&p[i], "ACK");
}

static void is_cancelled(unsigned i)
{
	const struct sip *cancel = dialog_expect(&p[i], "CANCEL");
	cr_expect_str_eq(sip_branch(cancel), sip_branch(&p[i].invite));
	dialog_reply(&p[i], cancel, 200, NULL, NULL);
	fails(i, 487);
}

static void answers(unsigned i)
{
	dialog_reply(&p[i], &p[i].invite, 200, NULL, ANSWER);
	dialog_expect(&a, "200 INVITE");
	dialog_ack(&a, NULL);
	dialog_expect(&p[i], "ACK");
	p[i].cseq = 0;
}

static const struct sip *told(unsigned code)
{
	char what[24];
	snprintf(what, sizeof what, "%u INVITE", code);
	const struct sip *m = dialog_expect(&a, what);
	dialog_ack_failure(&a, m);
	return m;
}

static const struct journal_entry *recorded(bool final, unsigned attempt, unsigned code, const char *reason, const char *egress, const char *account)
{
	const struct journal_entry *e = harness_record(&h);
	record_must(e, final, attempt, code, reason);
	cr_expect(record_text_is(e, e->egress, egress), "egress %.*s", (int)e->egress.n, e->text + e->egress.at);
	cr_expect(record_text_is(e, e->account, account), "account %.*s", (int)e->account.n, e->text + e->account.at);
	return e;
}

static void over(void)
{
	scene_over();
	for (unsigned i = 0; i < PHONES; i++) {
		agent_must_not_know(&caller, of_phones[i]);
		agent_must_not_know(&phone[i], "caller.private");
	}
}

/* --- all contacts at once --- */

Test(account, the_first_answer_wins_and_the_others_are_cancelled)
{
	phones((struct harness_options){ 0 }, 3);
	called(3);
	for (unsigned i = 0; i < 3; i++) {
		char uri[96], where[ADDR_TEXT_MAX];
		addr_format(&phone[i].addr, false, where, sizeof where);
		snprintf(uri, sizeof uri, "INVITE sip:phone@%s SIP/2.0\r\n", where);
		cr_expect(!strncmp(p[i].invite.text, uri, strlen(uri)), "%.60s", p[i].invite.text);
		cr_expect_str_eq(sip_header(&p[i].invite, "Call-ID", 0), sip_header(&p[0].invite, "Call-ID", 0));
		cr_expect_str_eq(sip_header(&p[i].invite, "From", 0), sip_header(&p[0].invite, "From", 0));
		cr_expect_str_eq(sip_header(&p[i].invite, "CSeq", 0), sip_header(&p[0].invite, "CSeq", 0));
		cr_expect(i == 0 || strcmp(sip_branch(&p[i].invite), sip_branch(&p[0].invite)));
		cr_expect(strstr(sip_header(&p[i].invite, "To", 0), "<sip:1001@"));
	}
	for (unsigned i = 0; i < 3; i++)
		ring(i);
	answers(1);
	is_cancelled(0);
	is_cancelled(2);
	scene_bye(&a, &p[1]);
	const struct journal_entry *e = recorded(true, 1, 200, "normal", "1001", "1001");
	cr_expect(record_text_is(e, e->callee_out, "1001") && addr_eq(&e->target_out, &phone[1].addr));
	over();
}

Test(account, the_callee_hangs_up_and_requests_go_to_who_has_answered)
{
	phones((struct harness_options){ 0 }, 2);
	called(2);
	ring(0);
	ring(1);
	answers(0);
	is_cancelled(1);
	dialog_send(&a, "INFO", NULL, "application/dtmf\nSignal=1\r\n");
	dialog_reply(&p[0], dialog_expect(&p[0], "INFO"), 200, NULL, NULL);
	dialog_expect(&a, "200 INFO");
	scene_bye(&p[0], &a);
	recorded(true, 1, 200, "normal", "1001", "1001");
	over();
}

/* who has said nothing yet gets its CANCEL when it does */
Test(account, a_contact_that_has_said_nothing_is_cancelled_when_it_does)
{
	phones((struct harness_options){ 0 }, 2);
	called(2);
	answers(0);
	dialog_reply(&p[1], &p[1].invite, 180, NULL, NULL);
	is_cancelled(1);
	scene_bye(&a, &p[0]);
	recorded(true, 1, 200, "normal", "1001", "1001");
	over();
}

Test(account, a_second_answer_is_acknowledged_and_ended)
{
	phones((struct harness_options){ 0 }, 2);
	called(2);
	ring(0);
	ring(1);
	answers(0);
	const struct sip *cancel = dialog_expect(&p[1], "CANCEL");
	dialog_reply(&p[1], cancel, 200, NULL, NULL);
	dialog_reply(&p[1], &p[1].invite, 200, NULL, ANSWER2); /* it had answered before */
	dialog_expect(&p[1], "ACK");
	dialog_reply(&p[1], dialog_expect(&p[1], "BYE"), 200, NULL, NULL);
	agent_quiet(&caller, 50);
	scene_bye(&a, &p[0]);
	recorded(true, 1, 200, "normal", "1001", "1001");
	over();
}

Test(account, the_caller_cancels_all)
{
	phones((struct harness_options){ 0 }, 3);
	called(3);
	ring(0);
	ring(2);
	dialog_reply(&p[1], &p[1].invite, 100, NULL, NULL);
	usleep(20000);
	dialog_cancel(&a);
	dialog_expect(&a, "200 CANCEL");
	told(487);
	for (unsigned i = 0; i < 3; i++)
		is_cancelled(i);
	recorded(true, 1, 487, "cancelled", "1001", "1001");
	over();
}

/* --- failures --- */

struct failures {
	unsigned code[3], told;
	const char *reason;
};
static void all_fail(struct failures f)
{
	phones((struct harness_options){ 0 }, 3);
	called(3);
	for (unsigned i = 0; i < 3; i++) {
		agent_quiet(&caller, 5);
		fails(i, f.code[i]);
	}
	told(f.told);
	recorded(true, 1, f.told, f.reason, "1001", "1001");
	over();
}
Test(account, the_best_failure_counts_busy) { all_fail((struct failures){ { 480, 486, 500 }, 486, "busy" }); }
Test(account, the_best_failure_counts_class) { all_fail((struct failures){ { 500, 404, 503 }, 404, "rejected by gateway" }); }
Test(account, the_best_failure_counts_first_of_equals) { all_fail((struct failures){ { 480, 404, 480 }, 480, "rejected by gateway" }); }
Test(account, the_best_failure_counts_unsupported) { all_fail((struct failures){ { 486, 415, 480 }, 415, "rejected by gateway" }); }

Test(account, a_6xx_is_the_callees_and_ends_it_for_all)
{
	phones((struct harness_options){ 0 }, 3);
	called(3);
	ring(0);
	ring(1);
	fails(2, 603);
	told(603);
	is_cancelled(0);
	is_cancelled(1);
	recorded(true, 1, 603, "rejected by gateway", "1001", "1001");
	over();
}

Test(account, a_dead_contact_does_not_keep_the_others_from_failing)
{
	phones((struct harness_options){ .parameters = "SS_SIP_RESEND_INTERVAL: \"0.1\"" }, 2);
	called(2);
	fails(0, 486);
	told(486);
	recorded(true, 1, 486, "busy", "1001", "1001");
	over();
}

Test(account, one_contact_asks_for_a_longer_session_and_gets_its_invite_again)
{
	phones((struct harness_options){ 0 }, 2);
	a.cseq = 0;
	dialog_send(&a, "INVITE", "Supported: timer\r\nSession-Expires: 600\r\n", OFFER);
	dialog_take(&p[0], &phone[0], 3000);
	dialog_take(&p[1], &phone[1], 3000);
	ring(1);
	dialog_reply(&p[0], &p[0].invite, 422, "Min-SE: 1200\r\n", NULL);
	dialog_expect(&p[0], "ACK");
	struct dialog again;
	dialog_take(&again, &phone[0], 3000);
	cr_expect(!strncmp(again.invite.text, p[0].invite.text, 40), "the same Request-URI: %.60s", again.invite.text);
	cr_expect_gt(again.invite.cseq, p[0].invite.cseq);
	cr_expect(strstr(sip_header(&again.invite, "Min-SE", 0), "1200"));
	cr_expect_str_eq(sip_header(&again.invite, "To", 0), sip_header(&p[0].invite, "To", 0), "not in the dialog of who rings");
	p[0] = again;
	answers(0);
	is_cancelled(1);
	scene_bye(&a, &p[0]);
	recorded(true, 1, 200, "normal", "1001", "1001");
	over();
}

/* --- where it is --- */

Test(account, headers_of_a_contact_are_not_in_the_request_uri)
{
	struct harness_contact at = { .addr = &phone[0].addr, .uri = "sip:ada@10.1.2.3:5066;line=7?Subject=x&Replaces=y", .behind_nat = true };
	phones((struct harness_options){ 0 }, 0);
	harness_kill(&h);
	harness_register(&h, "1001", &at, 1);
	harness_start(&h, 0);
	called(1);
	cr_expect(strstr(p[0].invite.text, "INVITE sip:ada@10.1.2.3:5066;line=7 SIP/2.0\r\n") == p[0].invite.text, "%.80s", p[0].invite.text);
	fails(0, 486);
	told(486);
	recorded(true, 1, 486, "busy", "1001", "1001");
	over();
}

Test(account, behind_nat_it_is_reached_where_it_came_from_and_by_its_path)
{
	struct harness_contact at[2];
	phones((struct harness_options){ 0 }, 0);
	harness_kill(&h);
	at[0] = (struct harness_contact){ .addr = &phone[0].addr, .uri = "sip:ada@10.1.2.3:5066;line=7", .behind_nat = true };
	at[1] = (struct harness_contact){ .addr = &phone[1].addr, .uri = "sip:bob@10.1.2.4", .path = "<sip:edge.example;lr>, <sip:inner.example;lr>" };
	harness_register(&h, "1001", at, 2);
	harness_start(&h, 0);
	called(2);
	cr_expect(strstr(p[0].invite.text, "INVITE sip:ada@10.1.2.3:5066;line=7 SIP/2.0\r\n") == p[0].invite.text);
	cr_expect_str_eq(sip_header(&p[0].invite, "Route", 0), "");
	cr_expect(strstr(p[1].invite.text, "INVITE sip:bob@10.1.2.4 SIP/2.0\r\n") == p[1].invite.text);
	cr_expect_str_eq(sip_header(&p[1].invite, "Route", 0), "<sip:edge.example;lr>, <sip:inner.example;lr>");
	ring(1);
	fails(1, 486);
	fails(0, 486);
	told(486);
	recorded(true, 1, 486, "busy", "1001", "1001");
	over();
}

static void refused(struct harness_options o, unsigned code, const char *reason, unsigned cause)
{
	char q850[32];
	snprintf(q850, sizeof q850, "cause=%u", cause);
	phones(o, 0);
	dialog_send(&a, "INVITE", NULL, OFFER);
	cr_expect(strstr(sip_header(told(code), "Reason", 0), q850));
	record_must(harness_record(&h), true, 0, code, reason);
	over();
}
Test(account, not_registered) { refused((struct harness_options){ 0 }, 480, "not registered", 20); }
Test(account, locked_in) { refused((struct harness_options){ .sections = ACCOUNTS(", lock: in") }, 403, "locked", 21); }
Test(account, locked_all) { refused((struct harness_options){ .sections = ACCOUNTS(", lock: all") }, 403, "locked", 21); }
Test(account, disabled) { refused((struct harness_options){ .sections = ACCOUNTS(", enabled: off") }, 403, "locked", 21); }
Test(account, forwarded_in_a_circle)
{
	refused((struct harness_options){ .sections = "accounts: [{id: \"1001\", password: p, forward: {unconditional: \"1003\"}},"
						      " {id: \"1003\", password: p, forward: {unconditional: \"1001\"}}]\n" }, 482, "loop", 25);
}
Test(account, forwarded_to_itself)
{
	refused((struct harness_options){ .sections = ACCOUNTS(", forward: {offline: \"1001\"}") }, 480, "not registered", 20);
}
Test(account, forwarded_to_where_nothing_leads)
{
	refused((struct harness_options){ .sections = ACCOUNTS(", forward: {offline: \"999\"}") }, 404, "no route", 1);
}

Test(account, an_account_wins_over_prefixes_and_its_lines_are_counted)
{
	static struct dialog second;
	phones((struct harness_options){ .sections = ACCOUNTS(", line_limit: 1, lock: out") }, 1); /* 1001 fits the prefix of both gateways */
	called(1);
	ring(0);
	dialog_init(&second, &caller, &h.sip, "1001");
	dialog_send(&second, "INVITE", NULL, OFFER);
	const struct sip *m = dialog_expect(&second, "503 INVITE");
	cr_expect_str_eq(sip_header(m, "Retry-After", 0), "");
	dialog_ack_failure(&second, m);
	record_must(harness_record(&h), true, 0, 503, "no gateway available");
	answers(0);
	harness_kill(&h); /* the successor counts the same */
	harness_start(&h, 0);
	dialog_init(&second, &caller, &h.sip, "1001");
	dialog_send(&second, "INVITE", NULL, OFFER);
	dialog_ack_failure(&second, dialog_expect(&second, "503 INVITE"));
	record_must(harness_record(&h), true, 0, 503, "no gateway available");
	scene_bye(&a, &p[0]);
	recorded(true, 1, 200, "normal", "1001", "1001");
	agent_quiet(&gw_a, 10);
	over();
}

/* --- forwarding --- */

#define FORWARD(what) { .sections = ACCOUNTS(", forward: {" what "}") }

static void at_gateway(const char *reason)
{
	char expected[64];
	snprintf(expected, sizeof expected, "@%s", "127.0.0.1");
	dialog_take(&b, &gw_a, 3000);
	cr_expect(!strncmp(b.invite.text, "INVITE sip:15557777@", 20), "%.60s", b.invite.text);
	const char *diversion = sip_header(&b.invite, "Diversion", 0);
	cr_expect(strstr(diversion, "<sip:1001@") && strstr(diversion, reason) && !strstr(diversion, "forwarded"), "%s", diversion);
	cr_expect(strstr(diversion, expected), "%s", diversion);
	cr_expect(strstr(sip_header(&b.invite, "From", 0), "sip:5550001@"), "the caller stays who it is");
	dialog_reply(&b, &b.invite, 200, NULL, ANSWER);
	dialog_expect(&a, "200 INVITE");
	dialog_ack(&a, NULL);
	dialog_expect(&b, "ACK");
	b.cseq = 0;
	scene_bye(&a, &b);
}

static void forwarded_at_once(struct harness_options o, unsigned n, const char *reason)
{
	phones(o, n);
	dialog_send(&a, "INVITE", NULL, OFFER);
	at_gateway(reason);
	const struct journal_entry *e = recorded(true, 1, 200, "normal", "gw-a", "1001");
	cr_expect(record_text_is(e, e->callee_in, "1001") && record_text_is(e, e->callee_out, "15557777"));
	over();
}
Test(account, forwarded_unconditionally)
{
	forwarded_at_once((struct harness_options)FORWARD("unconditional: \"15557777\", offline: \"1002\""), 1, "reason=unconditional");
}
Test(account, forwarded_by_period)
{
	forwarded_at_once((struct harness_options)FORWARD("period: {number: \"15557777\"}, offline: \"1002\""), 1, "reason=time-of-day");
}
Test(account, forwarded_offline)
{
	forwarded_at_once((struct harness_options)FORWARD("offline: \"15557777\", busy: \"1002\""), 0, "reason=unavailable");
}

Test(account, forwarded_when_all_are_busy)
{
	phones((struct harness_options)FORWARD("busy: \"15557777\""), 2);
	called(2);
	ring(1);
	fails(0, 480);
	fails(1, 486);
	at_gateway("reason=user-busy");
	recorded(false, 1, 486, "rejected by gateway", "1001", "1001");
	const struct journal_entry *e = recorded(true, 2, 200, "normal", "gw-a", "1001");
	cr_expect(record_text_is(e, e->callee_out, "15557777"));
	over();
}

Test(account, forwarded_on_no_answer)
{
	phones((struct harness_options){ .sections = ACCOUNTS(", forward: {no_answer: \"15557777\"}"), .parameters = "SS_SIP_TIMEOUT_RINGING: 1" }, 2);
	called(2);
	ring(0);
	ring(1);
	is_cancelled(0);
	is_cancelled(1);
	at_gateway("reason=no-answer");
	recorded(false, 1, 480, "no answer", "1001", "1001");
	recorded(true, 2, 200, "normal", "gw-a", "1001");
	over();
}

/* ten phones in one call: it has fewer places for transactions than there are CANCELs and INVITEs in that event */
Test(account, forwarded_on_no_answer_from_five_to_five)
{
	static struct agent many[10];
	static struct dialog d[10];
	struct harness_contact at[10] = { 0 };
	agent_open(&caller, "caller", "127.0.1.2");
	agent_open(&gw_a, "alpha", "127.0.2.1");
	for (unsigned i = 0; i < 10; i++) {
		char ip[16];
		snprintf(ip, sizeof ip, "127.0.4.%u", i + 1);
		agent_open(&many[i], "phone", ip);
		at[i].addr = &many[i].addr;
	}
	harness_make(&h, &(struct harness_options){ .caller = &caller.addr, .gateway = { &gw_a.addr }, .gateways = 1, .parameters = "SS_SIP_TIMEOUT_RINGING: 1",
				 .sections = "accounts: [{id: \"1001\", password: p, max_contacts: 5, forward: {no_answer: \"1002\"}},"
					     " {id: \"1002\", password: p, max_contacts: 5}]\n" });
	harness_register(&h, "1001", at, 5);
	harness_register(&h, "1002", at + 5, 5);
	harness_start(&h, 0);
	dialog_init(&a, &caller, &h.sip, "1001");
	dialog_send(&a, "INVITE", NULL, OFFER);
	for (unsigned i = 0; i < 5; i++) {
		dialog_take(&d[i], &many[i], 3000);
		dialog_reply(&d[i], &d[i].invite, 180, NULL, NULL);
	}
	for (unsigned i = 0; i < 10; i++) {
		if (i >= 5) {
			dialog_take(&d[i], &many[i], 3000);
			dialog_reply(&d[i], &d[i].invite, 180, NULL, NULL);
		} else {
			const struct sip *cancel = agent_expect(&many[i], "CANCEL", 3000);
			cr_expect_str_eq(sip_branch(cancel), sip_branch(&d[i].invite));
			dialog_reply(&d[i], cancel, 200, NULL, NULL);
			dialog_reply(&d[i], &d[i].invite, 487, NULL, NULL);
			agent_expect(&many[i], "ACK", 3000);
		}
	}
	dialog_reply(&d[7], &d[7].invite, 200, NULL, ANSWER);
	dialog_expect(&a, "180");
	dialog_expect(&a, "200 INVITE");
	dialog_ack(&a, NULL);
	dialog_expect(&d[7], "ACK");
	for (unsigned i = 5; i < 10; i++)
		if (i != 7) {
			const struct sip *cancel = agent_expect(&many[i], "CANCEL", 3000);
			dialog_reply(&d[i], cancel, 200, NULL, NULL);
			dialog_reply(&d[i], &d[i].invite, 487, NULL, NULL);
			agent_expect(&many[i], "ACK", 3000);
		}
	d[7].cseq = 0;
	scene_bye(&a, &d[7]);
	recorded(false, 1, 480, "no answer", "1001", "1001");
	recorded(true, 2, 200, "normal", "1002", "1001");
	harness_finish(&h);
}

static struct agent many[5];
static struct dialog five[5];

/* the caller calls 1001, which rings at five phones */
static void five_ring(void)
{
	static const char *const name[] = { "one", "two", "three", "four", "five" };
	struct harness_contact at[5] = { 0 };
	agent_open(&caller, "caller", "127.0.1.2");
	agent_open(&gw_a, "alpha", "127.0.2.1");
	for (unsigned i = 0; i < 5; i++) {
		char ip[16];
		snprintf(ip, sizeof ip, "127.0.5.%u", i + 1);
		agent_open(&many[i], name[i], ip);
		at[i].addr = &many[i].addr;
	}
	harness_make(&h, &(struct harness_options){ .caller = &caller.addr, .gateway = { &gw_a.addr }, .gateways = 1,
				 .sections = "accounts: [{id: \"1001\", password: p, max_contacts: 5}]\n" });
	harness_register(&h, "1001", at, 5);
	harness_start(&h, 0);
	dialog_init(&a, &caller, &h.sip, "1001");
	dialog_send(&a, "INVITE", NULL, OFFER);
	for (unsigned i = 0; i < 5; i++) {
		dialog_take(&five[i], &many[i], 3000);
		dialog_reply(&five[i], &five[i].invite, 180, NULL, NULL);
	}
	dialog_expect(&a, "180");
}

/* All five answer at once: one has the call, four are acknowledged and hung up, whatever place their transactions had to leave. */
Test(account, five_answers_at_once)
{
	five_ring();
	for (unsigned i = 0; i < 5; i++)
		dialog_reply(&five[i], &five[i].invite, 200, NULL, ANSWER);
	dialog_expect(&a, "200 INVITE");
	dialog_ack(&a, NULL);
	dialog_expect(&five[0], "ACK");
	for (unsigned i = 1; i < 5; i++) {
		dialog_reply(&five[i], agent_expect(&many[i], "CANCEL", 3000), 200, NULL, NULL);
		agent_expect(&many[i], "ACK", 3000);
		dialog_reply(&five[i], agent_expect(&many[i], "BYE", 3000), 200, NULL, NULL);
	}
	five[0].cseq = 0;
	scene_bye(&a, &five[0]);
	recorded(true, 1, 200, "normal", "1001", "1001");
	harness_finish(&h);
}

/* every place is taken when the caller gives up: there is none for the first CANCEL */
Test(account, all_five_are_cancelled_with_no_place_left)
{
	five_ring();
	agent_quiet(&caller, 100); /* until all five have rung */
	dialog_send(&a, "INFO", NULL, NULL);
	const struct sip *info = agent_expect(&many[4], "INFO", 3000);
	dialog_cancel(&a);
	dialog_expect(&a, "200 CANCEL");
	dialog_ack_failure(&a, dialog_expect(&a, "487 INVITE"));
	for (unsigned i = 0; i < 5; i++) {
		dialog_reply(&five[i], agent_expect(&many[i], "CANCEL", 3000), 200, NULL, NULL);
		dialog_reply(&five[i], &five[i].invite, 487, NULL, NULL);
		agent_expect(&many[i], "ACK", 3000);
	}
	dialog_reply(&five[4], info, 481, NULL, NULL);
	recorded(true, 1, 487, "cancelled", "1001", "1001");
	harness_finish(&h);
}

Test(account, forwarded_when_no_contact_says_anything)
{
	phones((struct harness_options){ .sections = ACCOUNTS(", forward: {offline: \"15557777\"}"),
		       .parameters = "SS_SIP_RESEND_INTERVAL: \"0.1\"" }, 2);
	called(2);
	at_gateway("reason=unavailable");
	recorded(false, 1, 408, "invite timeout", "1001", "1001");
	recorded(true, 2, 200, "normal", "gw-a", "1001");
	over();
}

/* by one account to the next, and from there to a gateway: who forwarded last is on top and is who calls on */
Test(account, forwarded_again)
{
	phones((struct harness_options){ .sections = "accounts: [{id: \"1001\", password: p, forward: {busy: \"1003\"}},"
						      " {id: \"1003\", password: p, forward: {offline: \"1002\"}},"
						      " {id: \"1002\", password: p, forward: {busy: \"15557777\", no_answer: \"1001\"}}]\n" }, 1);
	called(1);
	fails(0, 486);
	dialog_take(&p[2], &phone[2], 3000);
	cr_expect(strstr(sip_header(&p[2].invite, "Diversion", 0), "<sip:1003@"));
	cr_expect(strstr(sip_header(&p[2].invite, "Diversion", 1), "<sip:1001@"));
	cr_expect(strstr(sip_header(&p[2].invite, "To", 0), "<sip:1002@"));
	fails(2, 486);
	dialog_take(&b, &gw_a, 3000);
	cr_expect(strstr(sip_header(&b.invite, "Diversion", 0), "<sip:1002@"));
	dialog_reply(&b, &b.invite, 503, NULL, NULL); /* it is the gateways' turn now, one after the other */
	dialog_expect(&b, "ACK");
	dialog_take(&b, &gw_b, 3000);
	cr_expect(strstr(sip_header(&b.invite, "Diversion", 2), "<sip:1001@"));
	dialog_reply(&b, &b.invite, 404, NULL, NULL);
	dialog_expect(&b, "ACK");
	told(404);
	recorded(false, 1, 486, "rejected by gateway", "1001", "1001");
	recorded(false, 2, 486, "rejected by gateway", "1002", "1003");
	recorded(false, 3, 503, "rejected by gateway", "gw-a", "1002");
	recorded(true, 4, 404, "rejected by gateway", "gw-b", "1002");
	over();
}

/* a circle ends where it closes, with what happened there */
Test(account, forwarded_back)
{
	phones((struct harness_options){ .sections = "accounts: [{id: \"1001\", password: p, forward: {busy: \"1002\"}},"
						      " {id: \"1002\", password: p, forward: {busy: \"1001\"}}]\n" }, 1);
	called(1);
	fails(0, 486);
	dialog_take(&p[2], &phone[2], 3000);
	fails(2, 486);
	told(486);
	recorded(false, 1, 486, "rejected by gateway", "1001", "1001");
	recorded(true, 2, 486, "busy", "1002", "1001");
	over();
}

Test(account, forwarded_to_where_nothing_leads_after_busy)
{
	phones((struct harness_options)FORWARD("busy: \"999\""), 1);
	called(1);
	fails(0, 486);
	told(486);
	recorded(true, 1, 486, "busy", "1001", "1001");
	over();
}

/* --- the worker dies, the configuration changes --- */

Test(account, a_successor_goes_on_with_all_branches)
{
	phones((struct harness_options){ 0 }, 3);
	called(3);
	ring(0);
	ring(1);
	harness_kill(&h);
	harness_start(&h, 0);
	fails(2, 486);
	agent_quiet(&caller, 20);
	answers(1);
	is_cancelled(0);
	harness_kill(&h);
	harness_start(&h, 0);
	scene_bye(&p[1], &a);
	const struct journal_entry *e = recorded(true, 1, 200, "normal", "1001", "1001");
	cr_expect(e->recovered);
	over();
}

Test(account, a_reload_without_the_account_leaves_its_call)
{
	phones((struct harness_options){ .sections = ACCOUNTS(", forward: {busy: \"15557777\"}") }, 2);
	struct harness_options o = { .caller = &caller.addr, .gateway = { &gw_a.addr, &gw_b.addr }, .gateways = 2,
		.sections = "accounts: [{id: \"1002\", password: p}]\n" };
	called(2);
	ring(0);
	ring(1);
	harness_reload(&h, &o);
	fails(0, 486);
	agent_quiet(&caller, 20);
	answers(1);
	scene_bye(&a, &p[1]);
	recorded(true, 1, 200, "normal", "1001", "1001");
	over();
}

Test(account, a_reload_that_moves_the_account_keeps_its_line)
{
	static struct dialog second;
	phones((struct harness_options){ .sections = ACCOUNTS(", line_limit: 1") }, 1);
	struct harness_options o = { .caller = &caller.addr, .gateway = { &gw_a.addr, &gw_b.addr }, .gateways = 2,
		.sections = "accounts: [{id: \"1002\", password: p}, {id: \"1003\", password: p}, {id: \"1001\", password: p, line_limit: 1}]\n" };
	called(1);
	ring(0);
	harness_reload(&h, &o);
	dialog_init(&second, &caller, &h.sip, "1001");
	dialog_send(&second, "INVITE", NULL, OFFER);
	dialog_ack_failure(&second, dialog_expect(&second, "503 INVITE"));
	record_must(harness_record(&h), true, 0, 503, "no gateway available");
	fails(0, 486);
	told(486);
	recorded(true, 1, 486, "busy", "1001", "1001");
	over();
}
