/* Whole calls through one worker over UDP: set-up, what happens inside the dialog, the end; RFC 3261 sections 13, 14, 15. */
#include "scene.h"
#include "base/clock.h"
#include "shm/call.h"
#include "shm/counters.h"
#include <criterion/criterion.h>
#include <unistd.h>

TestSuite(call, .timeout = 40);

Test(call, caller_hangs_up)
{
	scene((struct harness_options){ 0 });
	scene_up();
	cr_expect_eq(harness_calls(&h), 1);
	scene_bye(&a, &b);
	const struct journal_entry *e = harness_record(&h);
	record_must(e, true, 1, 200, "normal");
	cr_expect_eq(e->ended_by, ENDED_BY_CALLER);
	cr_expect_eq(e->cause, 16);
	cr_expect_eq(e->recovered, 0);
	cr_expect(e->alert_ms >= e->start_ms && e->answer_ms >= e->alert_ms && e->end_ms >= e->answer_ms && e->start_ms);
	cr_expect_lt(e->pdd_ms, 3000);
	cr_expect(record_text_is(e, e->ingress, "customer") && record_text_is(e, e->egress, "gw-a"));
	cr_expect(record_text_is(e, e->caller_in, "5550001") && record_text_is(e, e->callee_in, "15551234"));
	cr_expect(record_text_is(e, e->callee_out, "15551234"));
	cr_expect(record_text_is(e, e->sip_call_id_in, a.call_id) && record_text_is(e, e->sip_call_id_out, b.call_id));
	cr_expect(addr_eq(&e->source_in, &caller.addr) && addr_eq(&e->target_out, &gw_a.addr));
	scene_over();
}

Test(call, callee_hangs_up)
{
	scene((struct harness_options){ 0 });
	scene_up();
	scene_bye(&b, &a);
	const struct journal_entry *e = harness_record(&h);
	record_must(e, true, 1, 200, "normal");
	cr_expect_eq(e->ended_by, ENDED_BY_CALLEE);
	scene_over();
}

Test(call, invite_as_the_gateway_sees_it)
{
	scene((struct harness_options){ 0 });
	dialog_send(&a, "INVITE", "Max-Forwards: 17\r\n", OFFER);
	dialog_take(&b, &gw_a, 3000);
	cr_expect_str_eq(sip_header(&b.invite, "Max-Forwards", 0), "16");
	cr_expect_str_eq(sip_header(&b.invite, "Via", 1), "", "one Via, ours");
	cr_expect_str_eq(sip_header(&b.invite, "Record-Route", 0), "");
	cr_expect(!strncmp(b.invite.text, "INVITE sip:15551234@127.0.2.1:", 30));
	cr_expect(strstr(sip_header(&b.invite, "From", 0), "sip:5550001@127.0.0.1:"));
	cr_expect(strstr(sip_header(&b.invite, "Contact", 0), "127.0.0.1:"));
	cr_expect(strstr(sip_body(&b.invite), "m=audio 4000 RTP/AVP 8 0"));
	cr_expect_null(strstr(sip_body(&b.invite), "alice"), "the o= line is ours");
	cr_expect_str_eq(sip_header(&b.invite, "Server", 0), "");
	cr_expect_str_eq(sip_header(&b.invite, "User-Agent", 0), "");
	agent_expect(&caller, "100", 1000);
	dialog_reply(&b, &b.invite, 404, NULL, NULL);
	dialog_expect(&b, "ACK");
	agent_expect(&gw_b, "INVITE", 1000);
	harness_kill(&h);
}

Test(call, repeated_requests_are_absorbed)
{
	scene((struct harness_options){ 0 });
	char invite[SIP_BYTES];
	scene_invite(OFFER);
	/* the same bytes again: 100 comes again, nothing goes out to the gateway */
	for (int i = 0; i < 3; i++) {
		dialog_send_as(&a, "INVITE", a.invite_cseq, a.invite_branch, NULL, OFFER);
		agent_again(&caller, "100", 1000);
	}
	dialog_reply(&b, &b.invite, 180, NULL, NULL);
	dialog_expect(&a, "180");
	dialog_send_as(&a, "INVITE", a.invite_cseq, a.invite_branch, NULL, OFFER);
	agent_again(&caller, "180", 1000);
	dialog_reply(&b, &b.invite, 200, NULL, ANSWER);
	dialog_expect(&a, "200 INVITE");
	dialog_ack(&a, NULL);
	const struct sip *ack = dialog_expect(&b, "ACK");
	snprintf(invite, sizeof invite, "%s", ack->text);
	/* the answer again: our ACK again, byte by byte */
	dialog_reply(&b, &b.invite, 200, NULL, ANSWER);
	cr_expect_str_eq(agent_again(&gw_a, "ACK", 1000)->text, invite);
	/* INVITE once more after the ACK: absorbed */
	char remote[256];
	memcpy(remote, a.remote, sizeof remote);
	dialog_ack(&a, NULL);
	agent_quiet(&gw_a, 150);
	/* BYE twice: answered twice the same */
	dialog_send(&a, "BYE", NULL, NULL);
	const struct sip *bye = dialog_expect(&b, "BYE");
	dialog_expect(&a, "200 BYE");
	dialog_reply(&b, bye, 200, NULL, NULL);
	record_must(harness_record(&h), true, 1, 200, "normal");
	agent_quiet(&caller, 50);
	cr_expect_eq(agent_count(&gw_a, "INVITE"), 1);
	scene_over();
}

Test(call, bye_repeated_gets_the_same_answer)
{
	scene((struct harness_options){ 0 });
	scene_up();
	a.cseq++;
	dialog_send_as(&a, "BYE", a.cseq, "z9hG4bKcallerbye", NULL, NULL);
	const struct sip *bye = dialog_expect(&b, "BYE");
	dialog_expect(&a, "200 BYE");
	dialog_reply(&b, bye, 200, NULL, NULL);
	harness_idle(&h, 1000);
	dialog_send_as(&a, "BYE", a.cseq, "z9hG4bKcallerbye", NULL, NULL);
	agent_again(&caller, "200 BYE", 1000);
	/* and one of another branch finds no dialog any more */
	dialog_send(&a, "BYE", NULL, NULL);
	dialog_expect(&a, "481 BYE");
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

Test(call, answer_is_resent_until_acknowledged)
{
	scene((struct harness_options){ .parameters = "SS_SIP_RESEND_INTERVAL: \"0.1,0.2\"" });
	scene_ring();
	dialog_reply(&b, &b.invite, 200, NULL, ANSWER);
	dialog_expect(&a, "200 INVITE");
	dialog_expect(&b, "ACK");
	for (int i = 0; i < 3; i++)
		agent_again(&caller, "200 INVITE", 500);
	dialog_ack(&a, NULL);
	usleep(50000);
	unsigned so_far = agent_count(&caller, "200 INVITE");
	usleep(500000);
	cr_expect_eq(agent_count(&caller, "200 INVITE"), so_far);
	scene_bye(&a, &b);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

Test(call, early_media_then_the_same_answer_is_one_dialog)
{
	scene((struct harness_options){ .media = "on" });
	scene_invite(OFFER);
	cr_expect(strstr(sip_body(&b.invite), "c=IN IP4 127.0.0.1"), "relayed:\n%s", b.invite.text);
	cr_expect_null(strstr(b.invite.text, "198.51.100.1"));
	dialog_reply(&b, &b.invite, 183, NULL, ANSWER);
	const struct sip *early = dialog_expect(&a, "183");
	cr_expect(strstr(sip_body(early), "c=IN IP4 127.0.0.1"));
	dialog_reply(&b, &b.invite, 200, NULL, ANSWER);
	const struct sip *answer = dialog_expect(&a, "200 INVITE");
	cr_expect_str_eq(sip_tag(early, "To"), sip_tag(answer, "To"));
	cr_expect_str_eq(sip_body(early), sip_body(answer));
	dialog_ack(&a, NULL);
	dialog_expect(&b, "ACK");
	scene_bye(&b, &a);
	const struct journal_entry *e = harness_record(&h);
	record_must(e, true, 1, 200, "normal");
	cr_expect_eq(e->relayed, 1);
	cr_expect(record_text_is(e, e->codec, "PCMA"));
	agent_must_not_know(&caller, "198.51.100.9");
	scene_over();
}

Test(call, another_answer_is_another_dialog)
{
	scene((struct harness_options){ 0 });
	scene_invite(OFFER);
	dialog_reply(&b, &b.invite, 183, NULL, ANSWER);
	char tag[64];
	snprintf(tag, sizeof tag, "%s", sip_tag(dialog_expect(&a, "183"), "To"));
	dialog_reply(&b, &b.invite, 200, NULL, ANSWER2);
	const struct sip *answer = dialog_expect(&a, "200 INVITE");
	cr_expect_str_neq(sip_tag(answer, "To"), tag);
	dialog_ack(&a, NULL);
	dialog_expect(&b, "ACK");
	scene_bye(&a, &b);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

static void re_invite(struct dialog *from, struct dialog *to)
{
	dialog_send(from, "INVITE", NULL, OFFER2);
	const struct sip *invite = dialog_expect(to, "INVITE");
	cr_expect(strstr(sip_body(invite), "a=sendonly"));
	dialog_reply(to, invite, 200, NULL, ANSWER2);
	const struct sip *answer = dialog_expect(from, "200 INVITE");
	cr_expect(strstr(sip_body(answer), h.c->media.proxy == MEDIA_OFF ? "m=audio 6000" : "c=IN IP4 127.0.0.1"));
	const struct sip *ack = dialog_expect(to, "ACK");
	cr_expect_eq(ack->cseq, invite->cseq);
	dialog_ack(from, NULL);
}

Test(call, re_invite_both_ways)
{
	scene((struct harness_options){ 0 });
	scene_up();
	re_invite(&a, &b);
	re_invite(&b, &a);
	re_invite(&a, &b);
	usleep(50000);
	scene_bye(&a, &b);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

Test(call, re_invite_refused)
{
	scene((struct harness_options){ .parameters = "SS_SIP_RESEND_INTERVAL: \"0.1\"" });
	scene_up();
	dialog_send(&a, "INVITE", NULL, OFFER2);
	const struct sip *invite = dialog_expect(&b, "INVITE");
	dialog_reply(&b, invite, 488, NULL, NULL);
	dialog_expect(&b, "ACK");
	const struct sip *refusal = dialog_expect(&a, "488");
	agent_again(&caller, "488", 1000);
	dialog_ack_failure(&a, refusal);
	usleep(50000);
	re_invite(&b, &a);
	usleep(50000);
	scene_bye(&b, &a);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

Test(call, glare)
{
	scene((struct harness_options){ 0 });
	scene_up();
	dialog_send(&a, "INVITE", NULL, OFFER2);
	const struct sip *invite = dialog_expect(&b, "INVITE");
	dialog_send(&b, "INVITE", NULL, OFFER2);
	dialog_ack_failure(&b, dialog_expect(&b, "491"));
	dialog_reply(&b, invite, 491, NULL, NULL);
	dialog_expect(&b, "ACK");
	dialog_ack_failure(&a, dialog_expect(&a, "491"));
	usleep(50000);
	re_invite(&b, &a);
	usleep(50000);
	scene_bye(&a, &b);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

/* in a re-INVITE without SDP the offer comes back and the answer in the ACK */
Test(call, re_invite_without_offer)
{
	scene((struct harness_options){ 0 });
	scene_up();
	dialog_send(&a, "INVITE", NULL, NULL);
	const struct sip *invite = dialog_expect(&b, "INVITE");
	cr_expect_str_eq(sip_body(invite), "");
	dialog_reply(&b, invite, 200, NULL, ANSWER2);
	cr_expect(strstr(sip_body(dialog_expect(&a, "200 INVITE")), "m=audio 6000"));
	agent_quiet(&gw_a, 100);
	dialog_ack(&a, OFFER2);
	cr_expect(strstr(sip_body(dialog_expect(&b, "ACK")), "a=sendonly"));
	scene_bye(&a, &b);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

Test(call, delayed_offer)
{
	scene((struct harness_options){ .media = "on" });
	scene_invite(NULL);
	cr_expect_str_eq(sip_body(&b.invite), "");
	dialog_reply(&b, &b.invite, 200, NULL, ANSWER);
	const struct sip *offer = dialog_expect(&a, "200 INVITE");
	cr_expect(strstr(sip_body(offer), "c=IN IP4 127.0.0.1"));
	agent_quiet(&gw_a, 100);
	dialog_ack(&a, OFFER);
	const struct sip *ack = dialog_expect(&b, "ACK");
	cr_expect(strstr(sip_body(ack), "c=IN IP4 127.0.0.1") && strstr(sip_body(ack), "m=audio"));
	cr_expect_null(strstr(ack->text, "198.51.100.1"));
	scene_bye(&b, &a);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

/* every 2xx is acknowledged, also when the caller goes before it has answered the offer */
Test(call, bye_before_the_ack_of_a_delayed_offer)
{
	scene((struct harness_options){ 0 });
	scene_invite(NULL);
	dialog_reply(&b, &b.invite, 200, NULL, ANSWER);
	dialog_expect(&a, "200 INVITE");
	dialog_send(&a, "BYE", NULL, NULL);
	dialog_expect(&b, "ACK");
	dialog_reply(&b, dialog_expect(&b, "BYE"), 200, NULL, NULL);
	dialog_expect(&a, "200 BYE");
	record_must(harness_record(&h), true, 1, 200, "normal");
	dialog_ack(&a, NULL); /* until then the answer is repeated */
	scene_over();
}

Test(call, info_and_update)
{
	scene((struct harness_options){ 0 });
	scene_up();
	dialog_send(&a, "INFO", NULL, "application/dtmf-relay\nSignal=5\r\nDuration=100\r\n");
	const struct sip *info = dialog_expect(&b, "INFO");
	cr_expect_str_eq(sip_body(info), "Signal=5\r\nDuration=100\r\n");
	cr_expect_str_eq(sip_header(info, "Content-Type", 0), "application/dtmf-relay");
	dialog_reply(&b, info, 200, NULL, NULL);
	dialog_expect(&a, "200 INFO");
	dialog_send(&b, "UPDATE", NULL, OFFER2);
	const struct sip *update = dialog_expect(&a, "UPDATE");
	cr_expect(strstr(sip_body(update), "a=sendonly"));
	dialog_reply(&a, update, 200, NULL, ANSWER2);
	cr_expect(strstr(sip_body(dialog_expect(&b, "200 UPDATE")), "m=audio 6000"));
	dialog_send(&b, "INFO", NULL, "application/dtmf\n1");
	dialog_reply(&a, dialog_expect(&a, "INFO"), 415, NULL, NULL);
	dialog_expect(&b, "415 INFO");
	dialog_send(&a, "OPTIONS", NULL, NULL);
	dialog_expect(&a, "200 OPTIONS");
	dialog_send(&a, "REFER", "Refer-To: <sip:x@y>\r\n", NULL);
	dialog_expect(&a, "603 REFER");
	scene_bye(&a, &b);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

Test(call, peer_that_lost_the_dialog)
{
	scene((struct harness_options){ 0 });
	scene_up();
	dialog_send(&a, "INFO", NULL, "application/dtmf\n1");
	dialog_reply(&b, dialog_expect(&b, "INFO"), 481, NULL, NULL);
	dialog_expect(&a, "481 INFO");
	dialog_reply(&a, dialog_expect(&a, "BYE"), 200, NULL, NULL);
	record_must(harness_record(&h), true, 1, 200, "peer lost the dialog");
	scene_over();
}

/* requests that are in no dialog of ours though they carry our tag */
Test(call, tag_alone_is_not_the_dialog)
{
	scene((struct harness_options){ 0 });
	scene_up();
	char call_id[96];
	memcpy(call_id, a.call_id, sizeof call_id);
	snprintf(a.call_id, sizeof a.call_id, "stolen@caller.private");
	dialog_send(&a, "BYE", NULL, NULL);
	agent_expect(&caller, "481 BYE", 1000);
	memcpy(a.call_id, call_id, sizeof call_id);
	/* an old CSeq */
	dialog_send(&a, "INFO", NULL, NULL);
	dialog_reply(&b, dialog_expect(&b, "INFO"), 200, NULL, NULL);
	dialog_expect(&a, "200 INFO");
	dialog_send_as(&a, "INFO", a.cseq - 1, "z9hG4bKcallerold", NULL, NULL);
	dialog_expect(&a, "500 INFO");
	agent_quiet(&gw_a, 50);
	scene_bye(&a, &b);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

Test(call, longest_duration)
{
	scene((struct harness_options){ .parameters = "SS_MAX_CALL_DURATION: 1" });
	scene_up();
	dialog_reply(&a, agent_expect(&caller, "BYE", 2000), 200, NULL, NULL);
	dialog_reply(&b, agent_expect(&gw_a, "BYE", 2000), 200, NULL, NULL);
	const struct journal_entry *e = harness_record(&h);
	record_must(e, true, 1, 200, "maximum duration");
	cr_expect_eq(e->ended_by, ENDED_BY_SYSTEM);
	cr_expect(e->duration_ms >= 1000 && e->duration_ms < 1500, "%llu ms", (unsigned long long)e->duration_ms);
	scene_over();
}

static void both_get_bye(void)
{
	dialog_reply(&a, agent_expect(&caller, "BYE", 2000), 200, NULL, NULL);
	dialog_reply(&b, agent_expect(&gw_a, "BYE", 2000), 200, NULL, NULL);
}

Test(call, operator_hangs_up)
{
	scene((struct harness_options){ 0 });
	scene_up();
	harness_hang_up(&h);
	both_get_bye();
	const struct journal_entry *e = harness_record(&h);
	record_must(e, true, 1, 200, "ended by operator");
	cr_expect_eq(e->ended_by, ENDED_BY_SYSTEM);
	scene_over();
}

Test(call, operator_hangs_up_while_it_rings)
{
	scene((struct harness_options){ 0 });
	scene_ring();
	harness_hang_up(&h);
	const struct sip *m = dialog_expect(&a, "503");
	dialog_ack_failure(&a, m);
	dialog_reply(&b, dialog_expect(&b, "CANCEL"), 200, NULL, NULL);
	dialog_reply(&b, &b.invite, 487, NULL, NULL);
	dialog_expect(&b, "ACK");
	record_must(harness_record(&h), true, 1, 503, "ended by operator");
	scene_over();
}

Test(call, stop_waits_for_calls)
{
	scene((struct harness_options){ 0 });
	scene_up();
	harness_order_stop(&h, false);
	struct dialog late;
	dialog_init(&late, &caller, &h.sip, "15551235");
	usleep(50000);
	dialog_send(&late, "INVITE", NULL, OFFER);
	const struct sip *m = agent_expect(&caller, "503", 1000);
	cr_expect_gt(atoi(sip_header(m, "Retry-After", 0)), 0);
	dialog_ack_failure(&late, m);
	record_must(harness_record(&h), true, 0, 503, "draining");
	scene_bye(&a, &b);
	harness_await_stop(&h);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

Test(call, stop_now_ends_calls)
{
	scene((struct harness_options){ 0 });
	scene_up();
	harness_order_stop(&h, true);
	both_get_bye();
	harness_await_stop(&h);
	record_must(harness_record(&h), true, 1, 200, "shutdown");
	scene_over();
}

/* a successor goes on with what its predecessor had sent and heard */
Test(call, goes_on_after_a_death)
{
	scene((struct harness_options){ .media = "on" });
	scene_ring();
	harness_kill(&h);
	dialog_reply(&b, &b.invite, 200, NULL, ANSWER); /* waits in the socket */
	harness_start(&h, 0);
	dialog_expect(&a, "200 INVITE");
	dialog_expect(&b, "ACK");
	harness_kill(&h);
	dialog_ack(&a, NULL);
	harness_start(&h, 0);
	usleep(50000);
	dialog_send(&a, "INVITE", NULL, OFFER2);
	const struct sip *invite = dialog_expect(&b, "INVITE");
	harness_kill(&h);
	harness_start(&h, 0);
	dialog_reply(&b, invite, 200, NULL, ANSWER2);
	dialog_expect(&a, "200 INVITE");
	dialog_expect(&b, "ACK");
	dialog_ack(&a, NULL);
	scene_bye(&b, &a);
	const struct journal_entry *e = harness_record(&h);
	record_must(e, true, 1, 200, "normal");
	cr_expect_eq(e->recovered, 1);
	scene_over();
}

/* many calls one after the other: what is not given back runs out */
Test(call, nothing_runs_out)
{
	scene((struct harness_options){ .calls = 4, .media = "on", .ports = "20000-22999" });
	for (int i = 0; i < 300; i++) {
		dialog_init(&a, &caller, &h.sip, "15551234");
		scene_up();
		re_invite(i & 1 ? &a : &b, i & 1 ? &b : &a);
		scene_bye(i & 1 ? &a : &b, i & 1 ? &b : &a);
		record_must(harness_record(&h), true, 1, 200, "normal");
		caller.received = caller.taken = gw_a.received = gw_a.taken = 0;
		agent_quiet(&caller, 1);
	}
	scene_over();
}

/* RFC 3261 section 19.1.1: a Request-URI has no headers, whatever the Contact had */
Test(call, contact_with_headers)
{
	char contact[200], uri[120];
	scene((struct harness_options){ 0 });
	scene_invite(OFFER);
	b.agent = &gw_a;
	snprintf(contact, sizeof contact, "Contact: <sip:%s@127.0.2.1:%u?Replaces=x&Subject=y>\r\n", "alpha", gw_a.addr.port);
	snprintf(uri, sizeof uri, "BYE sip:alpha@127.0.2.1:%u SIP/2.0\r\n", gw_a.addr.port);
	dialog_reply_as(&b, &b.invite, 200, contact, ANSWER);
	dialog_expect(&a, "200 INVITE");
	dialog_ack(&a, NULL);
	dialog_expect(&b, "ACK");
	b.cseq = 0;
	dialog_send(&a, "BYE", NULL, NULL);
	const struct sip *bye = dialog_expect(&b, "BYE");
	cr_expect(!strncmp(bye->text, uri, strlen(uri)), "%.80s", bye->text);
	dialog_reply(&b, bye, 200, NULL, NULL);
	dialog_expect(&a, "200 BYE");
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

/* headers.add: in INVITEs, the first and those inside the dialog, and in the BYE */
Test(call, added_headers)
{
	scene((struct harness_options){ .keys = { ", headers: {add: {X-Trunk: seven}}" } });
	scene_up();
	cr_expect_str_eq(sip_header(&b.invite, "X-Trunk", 0), "seven");
	dialog_send(&a, "INVITE", NULL, OFFER2);
	const struct sip *m = dialog_expect(&b, "INVITE");
	cr_expect_str_eq(sip_header(m, "X-Trunk", 0), "seven");
	dialog_reply(&b, m, 200, NULL, ANSWER);
	m = dialog_expect(&a, "200 INVITE");
	cr_expect_str_eq(sip_header(m, "X-Trunk", 0), "");
	dialog_ack(&a, NULL);
	m = dialog_expect(&b, "ACK");
	cr_expect_str_eq(sip_header(m, "X-Trunk", 0), "");
	b.cseq = 0;
	dialog_send(&a, "BYE", NULL, NULL);
	m = dialog_expect(&b, "BYE");
	cr_expect_str_eq(sip_header(m, "X-Trunk", 0), "seven");
	dialog_reply(&b, m, 200, NULL, NULL);
	dialog_expect(&a, "200 BYE");
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}
