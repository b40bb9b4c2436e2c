/* Attempts: failures and the next gateway, time limits, CANCEL and answers in every order; RFC 3261 section 9, behaviour sections 2, 3. */
#include "scene.h"
#include "base/clock.h"
#include "shm/call.h"
#include "shm/counters.h"
#include <criterion/criterion.h>
#include <unistd.h>

TestSuite(attempt, .timeout = 40);

#define ONE_SECOND ", timeouts: {invite: 1, trying: 1, session_progress: 1, session_progress_sdp: 1, ringing: 1}"

/* --- the caller cancels --- */

static void cancelled(struct dialog *d)
{
	dialog_cancel(d);
	dialog_expect(d, "200 CANCEL");
	const struct sip *m = dialog_expect(d, "487 INVITE");
	cr_expect(strstr(sip_header(m, "Reason", 0), "Q.850;cause=16"));
	dialog_ack_failure(d, m);
}

static void cancelled_at(struct dialog *d)
{
	const struct sip *cancel = dialog_expect(d, "CANCEL");
	cr_expect_str_eq(sip_branch(cancel), sip_branch(&d->invite));
	cr_expect_eq(cancel->cseq, d->invite.cseq);
	dialog_reply(d, cancel, 200, NULL, NULL);
	dialog_reply(d, &d->invite, 487, NULL, NULL);
	const struct sip *ack = dialog_expect(d, "ACK");
	cr_expect_str_eq(sip_branch(ack), sip_branch(&d->invite));
	cr_expect_eq(ack->cseq, d->invite.cseq);
}

static void record_of_cancel(void)
{
	const struct journal_entry *e = harness_record(&h);
	record_must(e, true, 1, 487, "cancelled");
	cr_expect_eq(e->ended_by, ENDED_BY_CALLER);
}

Test(attempt, cancel_while_ringing)
{
	scene((struct harness_options){ 0 });
	scene_ring();
	cancelled(&a);
	cancelled_at(&b);
	record_of_cancel();
	agent_quiet(&gw_b, 50);
	scene_over();
}

Test(attempt, cancel_after_100)
{
	scene((struct harness_options){ 0 });
	scene_invite(OFFER);
	dialog_reply(&b, &b.invite, 100, NULL, NULL);
	usleep(20000);
	cancelled(&a);
	cancelled_at(&b);
	record_of_cancel();
	scene_over();
}

/* nothing came back yet: no CANCEL may be sent; a late provisional response is cancelled */
Test(attempt, cancel_before_any_response)
{
	scene((struct harness_options){ 0 });
	scene_invite(OFFER);
	cancelled(&a);
	agent_quiet(&gw_a, 100);
	harness_idle(&h, 1000);
	dialog_reply(&b, &b.invite, 180, NULL, NULL);
	cancelled_at(&b);
	dialog_reply(&b, &b.invite, 487, NULL, NULL);
	agent_again(&gw_a, "ACK", 1000);
	agent_quiet(&caller, 50);
	record_of_cancel();
	scene_over();
}

/* the same, but it answers: the answer is acknowledged and ended */
Test(attempt, cancel_before_a_late_answer)
{
	scene((struct harness_options){ 0 });
	scene_invite(OFFER);
	cancelled(&a);
	harness_idle(&h, 1000);
	dialog_reply(&b, &b.invite, 200, NULL, ANSWER);
	const struct sip *ack = dialog_expect(&b, "ACK");
	cr_expect_eq(ack->cseq, b.invite.cseq);
	dialog_reply(&b, dialog_expect(&b, "BYE"), 200, NULL, NULL);
	agent_quiet(&caller, 50);
	record_of_cancel();
	scene_over();
}

/* CANCEL crosses the 200 of the callee */
Test(attempt, cancel_crosses_the_answer)
{
	scene((struct harness_options){ 0 });
	scene_ring();
	cancelled(&a);
	const struct sip *cancel = dialog_expect(&b, "CANCEL");
	dialog_reply(&b, &b.invite, 200, NULL, ANSWER);
	dialog_reply(&b, cancel, 200, NULL, NULL);
	dialog_expect(&b, "ACK");
	dialog_reply(&b, dialog_expect(&b, "BYE"), 200, NULL, NULL);
	agent_quiet(&caller, 50);
	record_of_cancel();
	scene_over();
}

Test(attempt, cancel_after_the_answer_changes_nothing)
{
	scene((struct harness_options){ 0 });
	scene_ring();
	dialog_reply(&b, &b.invite, 200, NULL, ANSWER);
	dialog_expect(&a, "200 INVITE");
	dialog_cancel(&a);
	dialog_expect(&a, "200 CANCEL");
	dialog_ack(&a, NULL);
	dialog_expect(&b, "ACK");
	agent_quiet(&gw_a, 100);
	scene_bye(&a, &b);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

Test(attempt, bye_in_the_early_dialog)
{
	scene((struct harness_options){ 0 });
	scene_ring();
	dialog_send(&a, "BYE", NULL, NULL);
	cancelled_at(&b);
	const struct sip *m = agent_expect(&caller, "487", 1000);
	dialog_ack_failure(&a, m);
	dialog_expect(&a, "200 BYE");
	record_of_cancel();
	scene_over();
}

/* the final answer is sent again until its ACK */
Test(attempt, failure_is_resent_until_acknowledged)
{
	scene((struct harness_options){ .parameters = "SS_SIP_RESEND_INTERVAL: \"0.1,0.2\"" });
	scene_ring();
	dialog_reply(&b, &b.invite, 486, NULL, NULL);
	dialog_expect(&b, "ACK");
	const struct sip *busy = dialog_expect(&a, "486");
	cr_expect(strstr(sip_header(busy, "Reason", 0), "Q.850;cause=17"));
	agent_again(&caller, "486", 500);
	agent_again(&caller, "486", 500);
	dialog_ack_failure(&a, busy);
	usleep(50000);
	unsigned so_far = agent_count(&caller, "486");
	usleep(400000);
	cr_expect_eq(agent_count(&caller, "486"), so_far);
	/* its repetition gets our ACK again, the repeated INVITE the same answer */
	dialog_reply(&b, &b.invite, 486, NULL, NULL);
	agent_again(&gw_a, "ACK", 1000);
	dialog_send_as(&a, "INVITE", a.invite_cseq, a.invite_branch, NULL, OFFER);
	agent_again(&caller, "486", 1000);
	record_must(harness_record(&h), true, 1, 486, "busy");
	agent_quiet(&gw_b, 50);
	scene_over();
}

/* --- the next gateway --- */

static void answered_by_b(void)
{
	dialog_reply(&b, &b.invite, 180, NULL, NULL);
	dialog_expect(&a, "180");
	dialog_reply(&b, &b.invite, 200, NULL, ANSWER2);
	dialog_expect(&a, "200 INVITE");
	dialog_ack(&a, NULL);
	dialog_expect(&b, "ACK");
	scene_bye(&a, &b);
}

Test(attempt, next_gateway_after_503)
{
	scene((struct harness_options){ 0 });
	scene_invite(OFFER);
	dialog_reply(&b, &b.invite, 503, "Retry-After: 60\r\n", NULL);
	dialog_expect(&b, "ACK");
	char first[96];
	memcpy(first, b.call_id, sizeof first);
	dialog_take(&b, &gw_b, 1000);
	cr_expect_str_neq(b.call_id, first, "an attempt has a Call-ID of its own");
	answered_by_b();
	const struct journal_entry *e = harness_record(&h);
	record_must(e, false, 1, 503, "rejected by gateway");
	cr_expect(record_text_is(e, e->egress, "gw-a"));
	cr_expect_eq(e->cause, 41);
	e = harness_record(&h);
	record_must(e, true, 2, 200, "normal");
	cr_expect(record_text_is(e, e->egress, "gw-b"));
	scene_over();
}

Test(attempt, all_gateways_fail)
{
	scene((struct harness_options){ .keys = { NULL, ", response_map: {604: 404}" } });
	scene_invite(OFFER);
	dialog_reply(&b, &b.invite, 500, NULL, NULL);
	dialog_expect(&b, "ACK");
	dialog_take(&b, &gw_b, 1000);
	dialog_reply(&b, &b.invite, 604, "Retry-After: 60\r\n", NULL);
	dialog_expect(&b, "ACK");
	const struct sip *m = dialog_expect(&a, "404");
	cr_expect_str_eq(sip_header(m, "Retry-After", 0), "");
	cr_expect(strstr(sip_header(m, "Reason", 0), "cause=1"));
	dialog_ack_failure(&a, m);
	record_must(harness_record(&h), false, 1, 500, "rejected by gateway");
	record_must(harness_record(&h), true, 2, 404, "rejected by gateway");
	scene_over();
}

Test(attempt, switch_limit)
{
	scene((struct harness_options){ .parameters = "SS_GATEWAY_SWITCH_LIMIT: 0" });
	scene_invite(OFFER);
	dialog_reply(&b, &b.invite, 500, NULL, NULL);
	dialog_expect(&b, "ACK");
	dialog_ack_failure(&a, dialog_expect(&a, "500"));
	record_must(harness_record(&h), true, 1, 500, "switch limit");
	agent_quiet(&gw_b, 50);
	scene_over();
}

Test(attempt, answer_of_an_attempt_that_was_switched_away)
{
	scene((struct harness_options){ .each = ONE_SECOND, .parameters = "SS_SIP_RESEND_INTERVAL: \"0.1,0.3\"" });
	scene_invite(OFFER);
	struct dialog late = b;
	agent_again(&gw_a, "INVITE", 500);
	agent_again(&gw_a, "INVITE", 500);
	dialog_take(&b, &gw_b, 2000); /* list exhausted after 0.5 s */
	dialog_reply(&b, &b.invite, 180, NULL, NULL);
	dialog_expect(&a, "180");
	dialog_reply(&late, &late.invite, 200, NULL, ANSWER);
	dialog_expect(&late, "ACK");
	dialog_reply(&late, dialog_expect(&late, "BYE"), 200, NULL, NULL);
	agent_quiet(&caller, 50);
	dialog_reply(&b, &b.invite, 200, NULL, ANSWER2);
	cr_expect(strstr(sip_body(dialog_expect(&a, "200 INVITE")), "m=audio 6000"));
	dialog_ack(&a, NULL);
	dialog_expect(&b, "ACK");
	scene_bye(&b, &a);
	record_must(harness_record(&h), false, 1, 408, "invite timeout");
	record_must(harness_record(&h), true, 2, 200, "normal");
	scene_over();
}

Test(attempt, provisional_of_an_attempt_that_was_switched_away)
{
	scene((struct harness_options){ .each = ONE_SECOND, .parameters = "SS_SIP_RESEND_INTERVAL: \"0.1\"" });
	scene_invite(OFFER);
	struct dialog late = b;
	dialog_take(&b, &gw_b, 2000);
	agent_quiet(&gw_a, 20);
	dialog_reply(&late, &late.invite, 183, NULL, ANSWER);
	cancelled_at(&late);
	answered_by_b();
	agent_must_not_know(&caller, "m=audio 5000");
	record_must(harness_record(&h), false, 1, 408, "invite timeout");
	record_must(harness_record(&h), true, 2, 200, "normal");
	scene_over();
}

Test(attempt, time_limit_after_100)
{
	scene((struct harness_options){ .each = ONE_SECOND });
	scene_invite(OFFER);
	dialog_reply(&b, &b.invite, 100, NULL, NULL);
	cancelled_at(&b);
	dialog_take(&b, &gw_b, 1000);
	answered_by_b();
	record_must(harness_record(&h), false, 1, 408, "trying timeout");
	record_must(harness_record(&h), true, 2, 200, "normal");
	scene_over();
}

Test(attempt, time_limit_while_ringing_ends_the_call)
{
	scene((struct harness_options){ .each = ONE_SECOND });
	scene_ring();
	uint64_t since = clock_ms();
	usleep(500000);
	dialog_reply(&b, &b.invite, 180, NULL, NULL); /* prolongs nothing */
	cancelled_at(&b);
	cr_expect_lt(clock_ms() - since, 1400);
	dialog_ack_failure(&a, dialog_expect(&a, "480"));
	agent_quiet(&gw_b, 50);
	record_must(harness_record(&h), true, 1, 480, "no answer");
	scene_over();
}

Test(attempt, no_gateway_answers_at_all)
{
	scene((struct harness_options){ .each = ONE_SECOND, .parameters = "SS_SIP_RESEND_INTERVAL: \"0.1\"" });
	scene_invite(OFFER);
	dialog_take(&b, &gw_b, 2000);
	const struct sip *m = dialog_expect(&a, "408");
	cr_expect(strstr(sip_header(m, "Reason", 0), "cause=102"));
	dialog_ack_failure(&a, m);
	record_must(harness_record(&h), false, 1, 408, "invite timeout");
	record_must(harness_record(&h), true, 2, 408, "invite timeout");
	scene_over();
}

/* a forking gateway: the first answer wins, the other is acknowledged and ended */
Test(attempt, two_answers_of_one_gateway)
{
	scene((struct harness_options){ 0 });
	scene_ring();
	dialog_reply(&b, &b.invite, 200, NULL, ANSWER);
	dialog_expect(&a, "200 INVITE");
	dialog_ack(&a, NULL);
	dialog_expect(&b, "ACK");
	struct dialog fork = b;
	snprintf(fork.tag, sizeof fork.tag, "tagalphafork");
	dialog_reply(&fork, &fork.invite, 200, NULL, ANSWER2);
	cr_expect_str_eq(sip_tag(agent_expect(&gw_a, "ACK", 1000), "To"), "tagalphafork");
	const struct sip *bye = agent_expect(&gw_a, "BYE", 1000);
	cr_expect_str_eq(sip_tag(bye, "To"), "tagalphafork");
	dialog_reply(&fork, bye, 200, NULL, NULL);
	agent_quiet(&caller, 50);
	scene_bye(&a, &b);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

/* after early media the next gateway's answer is another dialog of the caller's */
Test(attempt, switched_after_early_media)
{
	scene((struct harness_options){ .media = "on", .each = ", stop_switch: {after_sdp: off}" });
	scene_invite(OFFER);
	dialog_reply(&b, &b.invite, 183, NULL, ANSWER);
	char tag[64];
	snprintf(tag, sizeof tag, "%s", sip_tag(dialog_expect(&a, "183"), "To"));
	dialog_reply(&b, &b.invite, 503, NULL, NULL);
	dialog_expect(&b, "ACK");
	dialog_take(&b, &gw_b, 1000);
	dialog_reply(&b, &b.invite, 200, NULL, ANSWER2);
	const struct sip *answer = dialog_expect(&a, "200 INVITE");
	cr_expect_str_neq(sip_tag(answer, "To"), tag);
	dialog_ack(&a, NULL);
	dialog_expect(&b, "ACK");
	scene_bye(&a, &b);
	record_must(harness_record(&h), false, 1, 503, "rejected by gateway");
	record_must(harness_record(&h), true, 2, 200, "normal");
	scene_over();
}

Test(attempt, early_media_commits_the_call)
{
	scene((struct harness_options){ 0 });
	scene_invite(OFFER);
	dialog_reply(&b, &b.invite, 183, NULL, ANSWER);
	dialog_expect(&a, "183");
	dialog_reply(&b, &b.invite, 503, NULL, NULL);
	dialog_expect(&b, "ACK");
	dialog_ack_failure(&a, dialog_expect(&a, "503"));
	agent_quiet(&gw_b, 50);
	record_must(harness_record(&h), true, 1, 503, "rejected by gateway");
	scene_over();
}

/* more attempts than a call has transactions, each of them left with an INVITE that was cancelled and not answered */
Test(attempt, many_gateways_that_hang)
{
	static struct agent gateways[HARNESS_GATEWAYS];
	struct harness_options o = { .gateways = HARNESS_GATEWAYS, .each = ONE_SECOND };
	agent_open(&caller, "caller", "127.0.1.2");
	o.caller = &caller.addr;
	for (unsigned i = 0; i < HARNESS_GATEWAYS; i++) {
		agent_open(&gateways[i], "alpha", "127.0.2.1");
		o.gateway[i] = &gateways[i].addr;
	}
	harness_make(&h, &o);
	harness_start(&h, 0);
	dialog_init(&a, &caller, &h.sip, "15551234");
	dialog_send(&a, "INVITE", NULL, OFFER);
	for (unsigned i = 0; i < HARNESS_GATEWAYS; i++) {
		dialog_take(&b, &gateways[i], 2000);
		dialog_reply(&b, &b.invite, 100, NULL, NULL);
	}
	dialog_ack_failure(&a, dialog_expect(&a, "408"));
	for (unsigned i = 0; i < HARNESS_GATEWAYS; i++) {
		const struct sip *cancel = agent_expect(&gateways[i], "CANCEL", 1000);
		cr_expect_str_eq(sip_branch(cancel), sip_branch(&gateways[i].log[0]), "gateway %u", i);
		cr_expect_str_eq(sip_header(cancel, "Call-ID", 0), sip_header(&gateways[i].log[0], "Call-ID", 0));
		record_must(harness_record(&h), i + 1 == HARNESS_GATEWAYS, i + 1, 408, "trying timeout");
	}
	harness_kill(&h);
}

/* the BYE of an answer that nobody wants is the same one after a death: a second would be another transaction */
Test(attempt, unwanted_answer_after_a_death)
{
	scene((struct harness_options){ .parameters = "SS_SIP_RESEND_INTERVAL: \"0.5,0.5,0.5\"" });
	scene_ring();
	dialog_cancel(&a);
	agent_expect(&caller, "200 CANCEL", 1000);
	dialog_ack_failure(&a, agent_expect(&caller, "487", 1000));
	dialog_reply(&b, dialog_expect(&b, "CANCEL"), 200, NULL, NULL);
	dialog_reply(&b, &b.invite, 487, NULL, NULL);
	dialog_expect(&b, "ACK");
	record_must(harness_record(&h), true, 1, 487, "cancelled");
	harness_idle(&h, 3000);
	dialog_reply(&b, &b.invite, 200, NULL, ANSWER); /* against all rules */
	dialog_expect(&b, "ACK");
	struct sip bye = *dialog_expect(&b, "BYE");
	harness_kill(&h);
	harness_start(&h, 0);
	dialog_reply(&b, &b.invite, 200, NULL, ANSWER);
	agent_again(&gw_a, "BYE", 2000);
	agent_quiet(&gw_a, 300); /* no other */
	dialog_reply(&b, &bye, 200, NULL, NULL);
	scene_over();
}

/* --- what is asked inside an early dialog that is given up --- */

/* the caller is told at once, and an answer that comes after all moves nothing of the next gateway's dialog */
Test(attempt, update_of_the_gateway_before)
{
	static struct dialog next;
	scene((struct harness_options){ 0 });
	scene_invite(OFFER);
	dialog_reply(&b, &b.invite, 181, NULL, NULL);
	dialog_expect(&a, "181");
	dialog_send(&a, "UPDATE", NULL, NULL);
	const struct sip update = *dialog_expect(&b, "UPDATE");
	dialog_reply(&b, &b.invite, 503, NULL, NULL);
	dialog_expect(&b, "ACK");
	dialog_expect(&a, "481 UPDATE");
	dialog_take(&next, &gw_b, 3000);
	dialog_reply(&next, &next.invite, 200, NULL, ANSWER);
	dialog_expect(&a, "200 INVITE");
	dialog_ack(&a, NULL);
	dialog_expect(&next, "ACK");
	dialog_reply(&b, &update, 200, NULL, NULL);
	usleep(20000);
	record_must(harness_record(&h), false, 1, 503, "rejected by gateway");
	scene_bye(&a, &next);
	record_must(harness_record(&h), true, 2, 200, "normal");
	agent_quiet(&gw_a, 50);
	scene_over();
}
