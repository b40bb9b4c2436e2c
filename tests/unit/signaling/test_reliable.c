/* Reliable provisional responses and what waits for them: RFC 3262, RFC 3261 section 13.3.1. */
#include "scene.h"
#include <criterion/criterion.h>

TestSuite(reliable, .timeout = 40);

static struct sip shown; /* the 183 */

/* the caller insists on 100rel and has a 183 with an answer, which it has not acknowledged */
static void scene_unacknowledged(void)
{
	scene((struct harness_options){ 0 });
	dialog_send(&a, "INVITE", "Require: 100rel\r\n", OFFER);
	dialog_take(&b, &gw_a, 3000);
	dialog_reply(&b, &b.invite, 183, NULL, ANSWER);
	shown = *dialog_expect(&a, "183");
	cr_assert(strstr(sip_body(&shown), "m=audio 5000") && *sip_header(&shown, "RSeq", 0));
}

static void prack(void)
{
	char rack[128];
	snprintf(rack, sizeof rack, "RAck: %s %u INVITE\r\n", sip_header(&shown, "RSeq", 0), a.invite_cseq);
	dialog_send(&a, "PRACK", rack, NULL);
	dialog_expect(&a, "200 PRACK");
}

Test(reliable, answer_waits_for_the_prack)
{
	scene_unacknowledged();
	dialog_reply(&b, &b.invite, 200, "Subject: late\r\n", ANSWER);
	dialog_expect(&b, "ACK");
	b.cseq = 0;
	agent_quiet(&caller, 700);
	prack();
	const struct sip *m = dialog_expect(&a, "200 INVITE");
	cr_expect_str_eq(sip_header(m, "Subject", 0), "late");
	cr_expect(strstr(sip_body(m), "m=audio 5000"));
	dialog_ack(&a, NULL);
	scene_bye(&a, &b);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

Test(reliable, cancelled_while_the_answer_waits)
{
	scene_unacknowledged();
	dialog_reply(&b, &b.invite, 200, NULL, ANSWER);
	dialog_expect(&b, "ACK");
	b.cseq = 0;
	dialog_cancel(&a);
	agent_expect(&caller, "200 CANCEL", 1000);
	dialog_ack_failure(&a, agent_expect(&caller, "487", 1000));
	dialog_reply(&b, dialog_expect(&b, "BYE"), 200, NULL, NULL);
	const struct journal_entry *e = harness_record(&h);
	record_must(e, true, 1, 487, "cancelled");
	cr_expect_eq(e->answer_ms, 0, "the caller had no answer");
	scene_over();
}

Test(reliable, callee_leaves_while_its_answer_waits)
{
	scene_unacknowledged();
	dialog_reply(&b, &b.invite, 200, NULL, ANSWER);
	dialog_expect(&b, "ACK");
	b.cseq = 0;
	dialog_send(&b, "BYE", NULL, NULL);
	dialog_expect(&b, "200 BYE");
	dialog_ack_failure(&a, agent_expect(&caller, "480", 1000));
	record_must(harness_record(&h), true, 1, 480, "normal");
	scene_over();
}

Test(reliable, held_response_keeps_its_headers)
{
	scene_unacknowledged();
	dialog_reply(&b, &b.invite, 180, "Alert-Info: <urn:alert:service:call-waiting>\r\n", NULL);
	agent_quiet(&caller, 300);
	prack();
	shown = *dialog_expect(&a, "180");
	cr_expect_str_eq(sip_header(&shown, "Alert-Info", 0), "<urn:alert:service:call-waiting>");
	cr_expect_str_eq(sip_body(&shown), "", "what came without a body");
	prack();
	dialog_reply(&b, &b.invite, 486, NULL, NULL);
	dialog_expect(&b, "ACK");
	dialog_ack_failure(&a, agent_expect(&caller, "486", 1000));
	record_must(harness_record(&h), true, 1, 486, "busy");
	scene_over();
}

/* the plain 183 may never have come: only a reliable one takes the answer away from the 200 */
Test(reliable, answer_shown_before_comes_with_the_200)
{
	scene((struct harness_options){ 0 });
	scene_invite(OFFER);
	dialog_reply(&b, &b.invite, 183, NULL, ANSWER);
	dialog_expect(&a, "183");
	dialog_reply(&b, &b.invite, 200, NULL, NULL);
	cr_expect(strstr(sip_body(dialog_expect(&a, "200 INVITE")), "m=audio 5000"));
	dialog_ack(&a, NULL);
	dialog_expect(&b, "ACK");
	b.cseq = 0;
	scene_bye(&a, &b);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}
