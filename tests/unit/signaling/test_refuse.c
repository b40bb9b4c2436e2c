/* Requests that get no call: each refusal with its code, cause and record; RFC 3261 sections 8.2, 16.3, 21. */
#include "scene.h"
#include "shm/call.h"
#include "shm/counters.h"
#include <criterion/criterion.h>
#include <unistd.h>

TestSuite(refuse, .timeout = 20);

/* the INVITE of `a` is refused; what is expected in the answer: cause and another header */
static const struct sip *refused(const char *code, unsigned cause)
{
	char reason[32];
	const struct sip *m = dialog_expect(&a, code);
	snprintf(reason, sizeof reason, "Q.850;cause=%u", cause);
	cr_expect_str_eq(sip_header(m, "Reason", 0), reason);
	dialog_ack_failure(&a, m);
	return m;
}

static void record_of_refusal(unsigned code, unsigned cause, const char *reason)
{
	const struct journal_entry *e = harness_record(&h);
	record_must(e, true, 0, code, reason);
	cr_expect_eq(e->cause, cause);
	cr_expect_eq(e->ended_by, ENDED_BY_SYSTEM);
	cr_expect(record_text_is(e, e->ingress, "customer") && record_text_is(e, e->sip_call_id_in, a.call_id));
}

static void refused_and_recorded(const char *code, unsigned cause, const char *reason)
{
	const struct sip *m = refused(code, cause);
	if (m->code == 503 && cause != 42)
		cr_expect_str_eq(sip_header(m, "Retry-After", 0), "");
	if (cause == 42)
		cr_expect_gt(atoi(sip_header(m, "Retry-After", 0)), 0);
	record_of_refusal(m->code, cause, reason);
	/* the same INVITE again: the same answer, no second record, no call */
	dialog_send_as(&a, "INVITE", a.invite_cseq, a.invite_branch, NULL, OFFER);
	agent_again(&caller, code, 1000);
	agent_quiet(&gw_a, 30);
	scene_over();
}

Test(refuse, no_prefix)
{
	scene((struct harness_options){ 0 });
	dialog_init(&a, &caller, &h.sip, "99");
	dialog_send(&a, "INVITE", NULL, OFFER);
	refused_and_recorded("404", 1, "no route");
}

Test(refuse, number_missing)
{
	scene((struct harness_options){ 0 });
	snprintf(a.remote, sizeof a.remote, "<sip:127.0.0.1>");
	snprintf(a.target, sizeof a.target, "sip:127.0.0.1");
	dialog_send(&a, "INVITE", NULL, OFFER);
	refused_and_recorded("484", 28, "number incomplete");
}

Test(refuse, locked)
{
	scene((struct harness_options){ .customer = ", lock: all" });
	dialog_send(&a, "INVITE", NULL, OFFER);
	refused_and_recorded("403", 21, "locked");
}

Test(refuse, filtered)
{
	scene((struct harness_options){ .customer = ", callee_prefixes: {deny: [\"1555\"]}" });
	dialog_send(&a, "INVITE", NULL, OFFER);
	refused_and_recorded("403", 21, "number not allowed");
}

Test(refuse, every_gateway_disabled)
{
	scene((struct harness_options){ .each = ", enabled: off" });
	dialog_send(&a, "INVITE", NULL, OFFER);
	refused_and_recorded("503", 34, "no gateway available");
}

Test(refuse, too_many_hops)
{
	scene((struct harness_options){ 0 });
	dialog_send(&a, "INVITE", "Max-Forwards: 0\r\n", OFFER);
	refused_and_recorded("483", 25, "too many hops");
}

Test(refuse, unknown_extension)
{
	scene((struct harness_options){ 0 });
	dialog_send(&a, "INVITE", "Require: foo, bar\r\n", OFFER);
	const struct sip *m = refused("420", 79);
	cr_expect_str_eq(sip_header(m, "Unsupported", 0), "foo, bar");
	record_of_refusal(420, 79, "unsupported extension");
	scene_over();
}

Test(refuse, unreadable_offer)
{
	scene((struct harness_options){ 0 });
	dialog_send(&a, "INVITE", NULL, "application/sdp\nv=0\r\nm=audio RT[/AVP 8\r\n");
	refused_and_recorded("488", 88, "no common codec");
}

Test(refuse, draining)
{
	scene((struct harness_options){ 0 });
	harness_drain(&h);
	usleep(50000);
	dialog_send(&a, "INVITE", NULL, OFFER);
	refused_and_recorded("503", 42, "draining");
}

Test(refuse, ingress_lines)
{
	scene((struct harness_options){ .customer = ", line_limit: 1" });
	scene_up();
	struct dialog first = a;
	dialog_init(&a, &caller, &h.sip, "15551235");
	dialog_send(&a, "INVITE", NULL, OFFER);
	refused("503", 34);
	record_of_refusal(503, 34, "ingress limit");
	scene_bye(&first, &b);
	record_must(harness_record(&h), true, 1, 200, "normal");
	/* the line is free again */
	dialog_init(&a, &caller, &h.sip, "15551236");
	scene_up();
	scene_bye(&b, &a);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

Test(refuse, gateway_lines_go_to_the_next)
{
	scene((struct harness_options){ .keys = { ", line_limit: 1" } });
	scene_up();
	struct dialog first = a, callee = b;
	dialog_init(&a, &caller, &h.sip, "15551235");
	dialog_send(&a, "INVITE", NULL, OFFER);
	dialog_take(&b, &gw_b, 1000);
	dialog_reply(&b, &b.invite, 486, NULL, NULL);
	dialog_expect(&b, "ACK");
	dialog_ack_failure(&a, agent_expect(&caller, "486", 1000));
	record_must(harness_record(&h), true, 1, 486, "busy");
	scene_bye(&first, &callee);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

Test(refuse, unknown_source)
{
	static struct agent stranger;
	scene((struct harness_options){ 0 });
	agent_open(&stranger, "stranger", "127.0.9.9");
	dialog_init(&a, &stranger, &h.sip, "15551234");
	dialog_send(&a, "INVITE", NULL, OFFER);
	refused("403", 21);
	dialog_send(&a, "OPTIONS", NULL, NULL);
	dialog_expect(&a, "200 OPTIONS");
	cr_expect_eq(harness_counter(&h, COUNT_UNAUTHORISED), 1);
	scene_over(); /* nobody's: no record */
}

Test(refuse, unknown_source_in_silence)
{
	static struct agent stranger;
	scene((struct harness_options){ .silent = true });
	agent_open(&stranger, "stranger", "127.0.9.9");
	dialog_init(&a, &stranger, &h.sip, "15551234");
	dialog_send(&a, "INVITE", NULL, OFFER);
	dialog_send(&a, "OPTIONS", NULL, NULL);
	dialog_send(&a, "FOO", NULL, NULL);
	dialog_send(&a, "BYE", NULL, NULL);
	dialog_cancel(&a);
	agent_send(&stranger, &h.sip, "INVITE sip:1@127.0.0.1 SIP/2.0\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: 1\r\nCSeq: x INVITE\r\n"
				      "Via: SIP/2.0/UDP 127.0.9.9;branch=z9hG4bK1;rport\r\n\r\n");
	snprintf(a.remote, sizeof a.remote, "<sip:x@y>;tag=none");
	dialog_send(&a, "BYE", NULL, NULL);
	usleep(50000);
	agent_quiet(&stranger, 100);
	cr_expect_eq(stranger.received, 0, "not one byte");
	scene_over();
}

Test(refuse, merged_request)
{
	scene((struct harness_options){ 0 });
	scene_invite(OFFER);
	/* the same request by another way: another branch */
	dialog_send_as(&a, "INVITE", a.invite_cseq, "z9hG4bKcallerother", NULL, OFFER);
	const struct sip *m = dialog_expect(&a, "482");
	char branch[80];
	memcpy(branch, a.invite_branch, sizeof branch);
	snprintf(a.invite_branch, sizeof a.invite_branch, "z9hG4bKcallerother");
	dialog_ack_failure(&a, m);
	memcpy(a.invite_branch, branch, sizeof branch);
	dialog_reply(&b, &b.invite, 486, NULL, NULL);
	dialog_expect(&b, "ACK");
	dialog_ack_failure(&a, dialog_expect(&a, "486"));
	record_must(harness_record(&h), true, 1, 486, "busy");
	scene_over();
}

static void answered_with(const char *method, const char *code)
{
	dialog_init(&a, &caller, &h.sip, "15551234");
	dialog_send(&a, method, NULL, NULL);
	const struct sip *m = dialog_expect(&a, code);
	if (m->code == 405 || m->code == 501 || m->code == 200)
		cr_expect(strstr(sip_header(m, "Allow", 0), "INVITE"), "%s", method);
}

Test(refuse, out_of_dialog)
{
	scene((struct harness_options){ 0 });
	answered_with("OPTIONS", "200");
	answered_with("FOO", "501");
	answered_with("invite", "501"); /* methods are case-sensitive */
	answered_with("SUBSCRIBE", "405");
	answered_with("PUBLISH", "405");
	answered_with("MESSAGE", "405");
	answered_with("BYE", "481");
	answered_with("UPDATE", "481");
	answered_with("INFO", "481");
	dialog_init(&a, &caller, &h.sip, "15551234");
	dialog_send(&a, "OPTIONS", "Max-Forwards: 0\r\n", NULL);
	dialog_expect(&a, "483");
	/* a tag that is not ours, and one that looks so */
	dialog_init(&a, &caller, &h.sip, "15551234");
	snprintf(a.remote, sizeof a.remote, "<sip:x@127.0.0.1>;tag=unknown");
	dialog_send(&a, "BYE", NULL, NULL);
	dialog_expect(&a, "481 BYE");
	dialog_init(&a, &caller, &h.sip, "15551234");
	snprintf(a.remote, sizeof a.remote, "<sip:x@127.0.0.1>;tag=tdaaaaaaaaaaaaaaaaaaaaaaaa");
	dialog_send(&a, "INVITE", NULL, OFFER);
	dialog_expect(&a, "481 INVITE");
	/* CANCEL and ACK of nothing */
	dialog_init(&a, &caller, &h.sip, "15551234");
	snprintf(a.invite_branch, sizeof a.invite_branch, "z9hG4bKcallernothing");
	memcpy(a.invite_target, a.target, sizeof a.target);
	dialog_cancel(&a);
	dialog_expect(&a, "481 CANCEL");
	dialog_ack(&a, NULL);
	agent_quiet(&caller, 50);
	scene_over();
}

Test(refuse, malformed)
{
	scene((struct harness_options){ 0 });
	static const char rest[] = "From: <sip:a@caller.private>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: malformed\r\nContent-Length: 0\r\n";
	char text[1024], via[128];
	snprintf(via, sizeof via, "Via: SIP/2.0/UDP 127.0.1.2:%u;branch=z9hG4bKcallerbad;rport\r\n", caller.addr.port);
	snprintf(text, sizeof text, "INVITE sip:15551234@127.0.0.1 SIP/2.0\r\n%s%sCSeq: 1 INVITE\r\nMax-Forwards: many\r\n\r\n", via, rest);
	agent_send(&caller, &h.sip, text);
	cr_expect(strstr(agent_expect(&caller, "400", 1000)->text, "SIP/2.0 400 Bad Request - "));
	snprintf(text, sizeof text, "ACK sip:15551234@127.0.0.1 SIP/2.0\r\n%s%sCSeq: 1 ACK\r\nMax-Forwards: many\r\n\r\n", via, rest);
	agent_send(&caller, &h.sip, text); /* never answered */
	agent_send(&caller, &h.sip, "\r\n\r\n");
	agent_send(&caller, &h.sip, "HELLO");
	agent_send(&caller, &h.sip, "SIP/2.0 200 OK\r\n\r\n");
	agent_quiet(&caller, 100);
	cr_expect_geq(harness_counter(&h, COUNT_MALFORMED), 3);
	answered_with("OPTIONS", "200");
	scene_over();
}

/* without rport the answer goes to the port in Via, at the address it came from */
Test(refuse, answer_goes_where_via_says)
{
	static struct agent other;
	scene((struct harness_options){ 0 });
	agent_open(&other, "other", "127.0.1.2");
	char text[1024];
	snprintf(text, sizeof text,
		"OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP host.private:%u;branch=z9hG4bKcaller1\r\nFrom: <sip:a@b>;tag=1\r\n"
		"To: <sip:b@c>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
		other.addr.port);
	agent_send(&caller, &h.sip, text);
	const struct sip *m = agent_expect(&other, "200", 1000);
	cr_expect(strstr(sip_header(m, "Via", 0), ";received=127.0.1.2"));
	agent_quiet(&caller, 50);
	scene_over();
}

/* RFC 3261 section 8.2.2.1 */
Test(refuse, unknown_uri_scheme)
{
	scene((struct harness_options){ 0 });
	snprintf(a.target, sizeof a.target, "urn:service:sos");
	dialog_send(&a, "INVITE", NULL, OFFER);
	snprintf(a.invite_target, sizeof a.invite_target, "urn:service:sos");
	dialog_ack_failure(&a, agent_expect(&caller, "416", 1000));
	record_must(harness_record(&h), true, 0, 416, "unsupported URI scheme");
	scene_over();
}

/* maddr says where answers go; a stranger's would let it send them to anybody */
Test(refuse, strangers_maddr_is_nobodys)
{
	static struct agent stranger;
	char text[800], at[64];
	scene((struct harness_options){ 0 });
	agent_open(&stranger, "stranger", "127.0.9.9");
	at[addr_format(&stranger.addr, false, at, sizeof at - 1)] = 0;
	snprintf(text, sizeof text, "INVITE sip:15551234@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKstranger1;maddr=127.0.1.2\r\nMax-Forwards: 70\r\n"
		"From: <sip:a@b>;tag=1\r\nTo: <sip:15551234@127.0.0.1>\r\nCall-ID: maddr1\r\nCSeq: 1 INVITE\r\nContact: <sip:%s>\r\nContent-Length: 0\r\n\r\n", at, at);
	agent_send(&stranger, &h.sip, text);
	agent_expect(&stranger, "403", 1000);
	agent_quiet(&caller, 200);
	scene_over();
}
