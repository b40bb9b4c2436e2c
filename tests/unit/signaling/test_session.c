/* Session timers on the wire, RFC 4028: a worker whose clock runs FAST times as fast, between two user agents. */
#include "base/clock.h"
#include "fast.h"
#include "scene.h"
#include "shm/call.h"
#include <criterion/criterion.h>

TestSuite(session, .timeout = 40);

#define TIMER  "Supported: timer\r\n"
#define ALLOW  "Allow: INVITE, ACK, BYE, CANCEL, UPDATE\r\n"
#define SHORT  "SS_SIP_SESSION_TTL: 90, SS_SIP_SESSION_UPDATE_SEGMENT: 10"
#define MARGIN 700 /* ms of fast time: 35 of real time */

/* an answered call; header lines of the INVITE and of the 200 */
static const struct sip *up(const char *of_invite, const char *of_answer)
{
	dialog_send(&a, "INVITE", of_invite, OFFER);
	dialog_take(&b, &gw_a, 3000);
	dialog_reply(&b, &b.invite, 200, of_answer, ANSWER);
	const struct sip *answer = dialog_expect(&a, "200 INVITE");
	dialog_ack(&a, NULL);
	dialog_expect(&b, "ACK");
	b.cseq = 0;
	return answer;
}

static const struct sip *wait_for(struct dialog *d, const char *what, unsigned ms)
{
	return agent_expect(d->agent, what, ms);
}

static void ends(struct dialog *first, struct dialog *second, unsigned ms, const char *reason)
{
	dialog_reply(first, wait_for(first, "BYE", ms), 200, NULL, NULL);
	dialog_reply(second, wait_for(second, "BYE", 3000), 200, NULL, NULL);
	record_must(harness_record(&h), true, 1, 200, reason);
	scene_over();
}

static void took(uint64_t since, unsigned ms)
{
	uint64_t d = clock_ms() - since;
	cr_expect(d + 120 >= ms && d <= ms + MARGIN, "after %llu ms instead of %u", (unsigned long long)d, ms);
}

Test(session, offered_and_answered)
{
	scene((struct harness_options){ 0 });
	const struct sip *answer = up(TIMER "Session-Expires: 1800\r\nMin-SE: 100\r\n", NULL);
	cr_expect_str_eq(sip_header(&b.invite, "Session-Expires", 0), "600");
	cr_expect_str_eq(sip_header(&b.invite, "Supported", 0), "timer");
	cr_expect_str_eq(sip_header(&b.invite, "Min-SE", 0), "");
	cr_expect_str_eq(sip_header(answer, "Session-Expires", 0), "600;refresher=uas");
	cr_expect_str_eq(sip_header(answer, "Require", 0), "timer");
	scene_bye(&a, &b);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

Test(session, required_by_the_caller)
{
	scene((struct harness_options){ 0 });
	const struct sip *answer = up("Require: timer\r\nSession-Expires: 120;refresher=uac\r\n", NULL);
	cr_expect_str_eq(sip_header(answer, "Session-Expires", 0), "120;refresher=uac");
	scene_bye(&a, &b);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

Test(session, caller_without_timer)
{
	scene((struct harness_options){ .parameters = SHORT ", SS_SIP_NO_TIMER_REINVITE_INTERVAL: 60" });
	const struct sip *answer = up(NULL, ALLOW);
	uint64_t t0 = clock_ms();
	cr_expect_str_eq(sip_header(&b.invite, "Session-Expires", 0), "");
	cr_expect_str_eq(sip_header(answer, "Session-Expires", 0), "");
	const struct sip *bye = wait_for(&a, "BYE", 62000);
	took(t0, 60000);
	dialog_reply(&a, bye, 200, NULL, NULL);
	dialog_reply(&b, wait_for(&b, "BYE", 3000), 200, NULL, NULL);
	record_must(harness_record(&h), true, 1, 200, "session limit");
	scene_over();
}

Test(session, shorter_limit_wins)
{
	scene((struct harness_options){
		.parameters = "SS_SIP_NO_TIMER_REINVITE_INTERVAL: 60, SS_MAX_CALL_DURATION: 30" });
	up(NULL, NULL);
	uint64_t t0 = clock_ms();
	const struct sip *bye = wait_for(&a, "BYE", 62000);
	took(t0, 30000);
	dialog_reply(&a, bye, 200, NULL, NULL);
	dialog_reply(&b, wait_for(&b, "BYE", 3000), 200, NULL, NULL);
	record_must(harness_record(&h), true, 1, 200, "maximum duration");
	scene_over();
}

Test(session, too_small)
{
	scene((struct harness_options){ 0 });
	dialog_send(&a, "INVITE", TIMER "Session-Expires: 89\r\n", OFFER);
	const struct sip *refusal = dialog_expect(&a, "422");
	cr_expect_str_eq(sip_header(refusal, "Min-SE", 0), "90");
	dialog_ack_failure(&a, refusal);
	agent_quiet(&gw_a, 100);
	record_must(harness_record(&h), true, 0, 422, "session interval too small");
	dialog_init(&a, &caller, &h.sip, "15551234");
	up(TIMER "Session-Expires: 90\r\n", NULL);
	dialog_send(&a, "UPDATE", TIMER "Session-Expires: 50\r\n", NULL);
	cr_expect_str_eq(sip_header(dialog_expect(&a, "422 UPDATE"), "Min-SE", 0), "90");
	scene_bye(&a, &b);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

/* a gateway that wants a longer interval gets the same INVITE once more: no failed attempt, no other gateway */
Test(session, gateway_says_422)
{
	scene((struct harness_options){ .parameters = SHORT });
	dialog_send(&a, "INVITE", TIMER, OFFER);
	dialog_take(&b, &gw_a, 3000);
	cr_expect_str_eq(sip_header(&b.invite, "Session-Expires", 0), "90");
	struct sip first = b.invite;
	dialog_reply(&b, &b.invite, 422, "Min-SE: 300\r\n", NULL);
	dialog_expect(&b, "ACK");
	dialog_take(&b, &gw_a, 3000);
	cr_expect_str_eq(sip_header(&b.invite, "Session-Expires", 0), "300");
	cr_expect_str_eq(sip_header(&b.invite, "Min-SE", 0), "300");
	cr_expect_str_eq(sip_body(&b.invite), sip_body(&first));
	cr_expect_str_eq(sip_header(&b.invite, "Call-ID", 0), sip_header(&first, "Call-ID", 0));
	cr_expect_str_eq(sip_tag(&b.invite, "From"), sip_tag(&first, "From"));
	cr_expect_eq(b.invite.cseq, first.cseq + 1);
	dialog_reply(&b, &b.invite, 180, NULL, NULL);
	dialog_expect(&a, "180");
	dialog_reply(&b, &b.invite, 200, TIMER "Session-Expires: 300;refresher=uac\r\n", ANSWER);
	cr_expect_str_eq(sip_header(dialog_expect(&a, "200 INVITE"), "Session-Expires", 0), "90;refresher=uas");
	dialog_ack(&a, NULL);
	dialog_expect(&b, "ACK");
	b.cseq = 0;
	scene_bye(&a, &b);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

/* a 422 that asks for nothing more is a failure like any other, and not a circle */
Test(session, gateway_says_422_for_nothing)
{
	scene((struct harness_options){ 0 });
	dialog_send(&a, "INVITE", TIMER, OFFER);
	dialog_take(&b, &gw_a, 3000);
	dialog_reply(&b, &b.invite, 422, "Min-SE: 600\r\n", NULL);
	dialog_expect(&b, "ACK");
	dialog_take(&b, &gw_b, 3000);
	dialog_reply(&b, &b.invite, 422, NULL, NULL);
	dialog_expect(&b, "ACK");
	const struct sip *refusal = dialog_expect(&a, "422");
	cr_expect_str_eq(sip_header(refusal, "Min-SE", 0), "90");
	dialog_ack_failure(&a, refusal);
	record_must(harness_record(&h), false, 1, 422, "rejected by gateway");
	record_must(harness_record(&h), true, 2, 422, "rejected by gateway");
	scene_over();
}

Test(session, refreshed_by_update)
{
	scene((struct harness_options){ .parameters = SHORT });
	up(TIMER "Session-Expires: 90\r\n" ALLOW, NULL);
	for (int i = 0; i < 4; i++) {
		uint64_t t0 = clock_ms();
		const struct sip *m = wait_for(&a, "UPDATE", 12000);
		took(t0, 9000);
		cr_expect_str_eq(sip_header(m, "Session-Expires", 0), "90;refresher=uac");
		cr_expect_str_eq(sip_header(m, "Supported", 0), "timer");
		cr_expect_str_eq(sip_body(m), "");
		dialog_reply(&a, m, 200, i & 1 ? NULL : TIMER "Session-Expires: 90;refresher=uac\r\n", NULL);
	}
	agent_quiet(&gw_a, 100);
	scene_bye(&a, &b);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

Test(session, refreshed_by_re_invite)
{
	scene((struct harness_options){ .parameters = SHORT });
	const struct sip *answer = up(TIMER "Session-Expires: 90\r\n", TIMER "Session-Expires: 90;refresher=uac\r\n");
	char to_caller[1000], to_callee[1000];
	snprintf(to_caller, sizeof to_caller, "%s", sip_body(answer));
	snprintf(to_callee, sizeof to_callee, "%s", sip_body(&b.invite));
	for (int i = 0; i < 6; i++) { /* more than there are transactions */
		const struct sip *m = wait_for(&a, "INVITE", 12000);
		cr_expect_str_eq(sip_body(m), to_caller, "the same SDP, the same version");
		dialog_reply(&a, m, 200, TIMER "Session-Expires: 90;refresher=uac\r\n", OFFER);
		wait_for(&a, "ACK", 3000);
		m = wait_for(&b, "INVITE", 12000);
		cr_expect_str_eq(sip_body(m), to_callee);
		dialog_reply(&b, m, 200, TIMER "Session-Expires: 90;refresher=uac\r\n", ANSWER);
		wait_for(&b, "ACK", 3000);
	}
	scene_bye(&b, &a);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

/* nobody answers: tried at 45 s, BYE when interval and grace are over */
Test(session, unanswered)
{
	scene((struct harness_options){
		.parameters = "SS_SIP_SESSION_TTL: 90, SS_SIP_SESSION_TIMEOUT_EARLY_HANGUP: 7" });
	up(TIMER "Session-Expires: 90\r\n" ALLOW, NULL);
	uint64_t t0 = clock_ms();
	wait_for(&a, "UPDATE", 50000);
	took(t0, 45000);
	const struct sip *bye = wait_for(&b, "BYE", 60000);
	took(t0, 97000);
	dialog_reply(&b, bye, 200, NULL, NULL);
	dialog_reply(&a, wait_for(&a, "BYE", 3000), 200, NULL, NULL);
	record_must(harness_record(&h), true, 1, 200, "session expired");
	scene_over();
}

/* two tries of one interval, never both at once: the second when the first has timed out (32 s) and a segment begins */
Test(session, tried_again)
{
	scene((struct harness_options){ .parameters = SHORT });
	up(TIMER "Session-Expires: 90\r\n" ALLOW, NULL);
	uint64_t t0 = clock_ms();
	wait_for(&a, "UPDATE", 12000);
	took(t0, 9000);
	const struct sip *m = wait_for(&a, "UPDATE", 50000);
	took(t0, 45000);
	dialog_reply(&a, m, 200, NULL, NULL);
	t0 = clock_ms();
	dialog_reply(&a, wait_for(&a, "UPDATE", 12000), 200, NULL, NULL);
	took(t0, 9000);
	scene_bye(&a, &b);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

Test(session, refresh_says_481)
{
	scene((struct harness_options){ .parameters = SHORT });
	up(TIMER ALLOW, NULL);
	dialog_reply(&a, wait_for(&a, "UPDATE", 12000), 481, NULL, NULL);
	dialog_reply(&b, wait_for(&b, "BYE", 3000), 200, NULL, NULL);
	record_must(harness_record(&h), true, 1, 200, "peer lost the dialog");
	scene_over();
}

Test(session, refresh_says_other_things)
{
	scene((struct harness_options){ .parameters = SHORT });
	up(TIMER ALLOW, NULL);
	dialog_reply(&a, wait_for(&a, "UPDATE", 12000), 500, NULL, NULL); /* unanswered: the next segment */
	dialog_reply(&a, wait_for(&a, "UPDATE", 12000), 422, "Min-SE: 100\r\n", NULL);
	const struct sip *m = wait_for(&a, "UPDATE", 1000); /* at once, longer */
	cr_expect_str_eq(sip_header(m, "Session-Expires", 0), "100;refresher=uac");
	cr_expect_str_eq(sip_header(m, "Min-SE", 0), "100");
	dialog_reply(&a, m, 200, TIMER "Session-Expires: 100;refresher=uac\r\n", NULL);
	uint64_t t0 = clock_ms();
	dialog_reply(&a, wait_for(&a, "UPDATE", 12000), 405, NULL, NULL);
	took(t0, 10000);
	m = wait_for(&a, "INVITE", 1000); /* at once, the other way */
	dialog_reply(&a, m, 491, NULL, NULL);
	wait_for(&a, "ACK", 1000);
	m = wait_for(&a, "INVITE", 4500);
	dialog_reply(&a, m, 200, NULL, OFFER);
	wait_for(&a, "ACK", 1000);
	scene_bye(&a, &b);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

/* what the peer does itself is answered by us, and the other leg hears nothing of it */
Test(session, peers_refresh)
{
	scene((struct harness_options){ .parameters = SHORT });
	const struct sip *answer =
		up(TIMER "Session-Expires: 90;refresher=uac\r\n" ALLOW, TIMER "Session-Expires: 90;refresher=uas\r\n");
	char to_caller[1000], to_callee[1000];
	cr_expect_str_eq(sip_header(answer, "Session-Expires", 0), "90;refresher=uac");
	snprintf(to_caller, sizeof to_caller, "%s", sip_body(answer));
	snprintf(to_callee, sizeof to_callee, "%s", sip_body(&b.invite));
	for (int i = 0; i < 12; i++) { /* 120 s in all */
		agent_quiet(&caller, 5000);
		if (i & 1) {
			dialog_send(&a, "UPDATE", TIMER "Session-Expires: 90;refresher=uac\r\n", NULL);
			cr_expect_str_eq(
				sip_header(dialog_expect(&a, "200 UPDATE"), "Session-Expires", 0), "90;refresher=uac");
		} else {
			dialog_send(&a, "INVITE", TIMER "Session-Expires: 90;refresher=uac\r\n", OFFER);
			const struct sip *m = dialog_expect(&a, "200 INVITE");
			cr_expect_str_eq(sip_header(m, "Session-Expires", 0), "90;refresher=uac");
			cr_expect_str_eq(sip_body(m), to_caller);
			dialog_ack(&a, NULL);
		}
		agent_quiet(&gw_a, 5000);
		dialog_send(&b, "INVITE", TIMER "Session-Expires: 90;refresher=uac\r\n", ANSWER);
		cr_expect_str_eq(sip_body(dialog_expect(&b, "200 INVITE")), to_callee);
		dialog_ack(&b, NULL);
	}
	/* then one of them falls silent */
	uint64_t t0 = clock_ms();
	for (int i = 0; i < 8; i++) {
		agent_quiet(&gw_a, 10000);
		dialog_send(&b, "UPDATE", TIMER "Session-Expires: 90;refresher=uac\r\n", NULL);
		dialog_expect(&b, "200 UPDATE");
	}
	const struct sip *bye = wait_for(&b, "BYE", 12000);
	took(t0, 85000);
	dialog_reply(&b, bye, 200, NULL, NULL);
	dialog_reply(&a, wait_for(&a, "BYE", 3000), 200, NULL, NULL);
	record_must(harness_record(&h), true, 1, 200, "session expired");
	scene_over();
}

/* more of them at once than a call has transactions: what is acknowledged gives way */
Test(session, peers_refresh_in_a_hurry)
{
	scene((struct harness_options){ 0 });
	up(TIMER "Session-Expires: 90;refresher=uac\r\n", NULL);
	for (int i = 0; i < 20; i++) {
		dialog_send(&a, "INVITE", TIMER "Session-Expires: 90;refresher=uac\r\n", OFFER);
		dialog_expect(&a, "200 INVITE");
		dialog_ack(&a, NULL);
		if (i == 12) /* the same bytes once more: absorbed */
			dialog_send_as(&a, "INVITE", a.invite_cseq, a.invite_branch,
				TIMER "Session-Expires: 90;refresher=uac\r\n", OFFER);
	}
	dialog_send(&a, "INFO", NULL, "application/dtmf\n1");
	dialog_reply(&b, dialog_expect(&b, "INFO"), 200, NULL, NULL);
	dialog_expect(&a, "200 INFO");
	scene_bye(&a, &b);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

/* a re-INVITE that changes something goes through, confirms both legs, and names each leg's own terms */
Test(session, re_invite_passes_and_confirms)
{
	scene((struct harness_options){ .parameters = SHORT });
	up(TIMER "Session-Expires: 90;refresher=uac\r\n", TIMER "Session-Expires: 90;refresher=uas\r\n");
	agent_quiet(&caller, 60000);
	dialog_send(&a, "INVITE", TIMER "Session-Expires: 90;refresher=uac\r\n", OFFER2);
	const struct sip *m = dialog_expect(&b, "INVITE");
	cr_expect_str_eq(sip_header(m, "Session-Expires", 0), "90;refresher=uas");
	dialog_reply(&b, m, 422, "Min-SE: 120\r\n", NULL);
	dialog_expect(&b, "ACK");
	const struct sip *again = dialog_expect(&b, "INVITE"); /* the caller hears nothing of it */
	cr_expect_str_eq(sip_header(again, "Session-Expires", 0), "120;refresher=uas");
	cr_expect_str_eq(sip_body(again), sip_body(m));
	dialog_reply(&b, again, 200, TIMER "Session-Expires: 120;refresher=uas\r\n", ANSWER2);
	dialog_expect(&b, "ACK");
	cr_expect_str_eq(sip_header(dialog_expect(&a, "200 INVITE"), "Session-Expires", 0), "90;refresher=uac");
	dialog_ack(&a, NULL);
	agent_quiet(&caller, 60000);
	ends(&a, &b, 35000, "session expired");
}

/* an offer that was refused is not what the next refresh says */
Test(session, refresh_after_a_refused_offer)
{
	scene((struct harness_options){ .parameters = SHORT });
	up(TIMER "Session-Expires: 90;refresher=uac\r\n", TIMER "Session-Expires: 90;refresher=uac\r\n");
	char agreed[1000];
	snprintf(agreed, sizeof agreed, "%s", sip_body(&b.invite));
	dialog_send(&a, "INVITE", TIMER "Session-Expires: 90;refresher=uac\r\n", OFFER2);
	const struct sip *m = dialog_expect(&b, "INVITE");
	cr_expect_str_neq(sip_body(m), agreed);
	dialog_reply(&b, m, 488, NULL, NULL);
	dialog_expect(&b, "ACK");
	dialog_ack_failure(&a, dialog_expect(&a, "488"));
	m = wait_for(&b, "INVITE", 12000);
	cr_expect_str_eq(sip_body(m), agreed);
	dialog_reply(&b, m, 200, TIMER "Session-Expires: 90;refresher=uac\r\n", ANSWER);
	wait_for(&b, "ACK", 1000);
	scene_bye(&a, &b);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

/* a successor refreshes when its predecessor would have, and ends what it would have ended */
Test(session, survives_a_crash)
{
	scene((struct harness_options){ .parameters = SHORT });
	up(TIMER "Session-Expires: 90\r\n" ALLOW, NULL);
	uint64_t t0 = clock_ms();
	harness_kill(&h);
	harness_start(&h, 0);
	dialog_reply(&a, wait_for(&a, "UPDATE", 12000), 200, NULL, NULL);
	took(t0, 9000);
	t0 = clock_ms();
	harness_kill(&h);
	harness_start(&h, 0);
	wait_for(&a, "UPDATE", 12000);
	harness_kill(&h); /* between request and response */
	harness_start(&h, 0);
	wait_for(&a, "UPDATE", 60000);
	wait_for(&a, "UPDATE", 60000);
	const struct sip *bye = wait_for(&b, "BYE", 60000);
	took(t0, 90000);
	dialog_reply(&b, bye, 200, NULL, NULL);
	dialog_reply(&a, wait_for(&a, "BYE", 3000), 200, NULL, NULL);
	const struct journal_entry *e = harness_record(&h);
	record_must(e, true, 1, 200, "session expired");
	cr_expect_eq(e->recovered, 1);
	scene_over();
}
