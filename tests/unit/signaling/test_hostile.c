/* Peers that keep to the letter or not even to that: whole calls through one worker over UDP, and what must come of them. */
#include "scene.h"
#include "shm/call.h"
#include "shm/capacity.h"
#include "shm/counters.h"
#include "shm/poison.h"
#include "shm/receive.h"
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

TestSuite(hostile, .timeout = 40);

static const void *own(enum area what)
{
	return region_area(&h.env.region[seat_of(ROLE_SIGNALING, 0)], what);
}

/* a tag that stands elsewhere in its header, too */
Test(hostile, short_tag)
{
	scene((struct harness_options){ 0 });
	snprintf(a.local, sizeof a.local, "\"5\" <sip:5550001@caller.private;x=5>;tag=5");
	scene_up();
	scene_bye(&a, &b);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

static void reply_without_contact(struct dialog *d, unsigned code, const char *body)
{
	char text[SIP_BYTES];
	const struct sip *m = &d->invite;
	snprintf(text, sizeof text,
		"SIP/2.0 %u OK\r\nVia: %s\r\nFrom: %s\r\nTo: %s;tag=%s\r\nCall-ID: %s\r\nCSeq: %s\r\nContent-Type: application/sdp\r\nContent-Length: %zu\r\n\r\n%s",
		code, sip_header(m, "Via", 0), sip_header(m, "From", 0), sip_header(m, "To", 0), d->tag, d->call_id, "1 INVITE", strlen(body), body);
	agent_send(d->agent, &m->source, text);
}

Test(hostile, answer_without_contact)
{
	scene((struct harness_options){ 0 });
	scene_invite(OFFER);
	reply_without_contact(&b, 200, ANSWER);
	dialog_expect(&a, "200 INVITE");
	cr_expect(!strncmp(dialog_expect(&b, "ACK")->text, "ACK sip:15551234@127.0.2.1:", 27));
	dialog_ack(&a, NULL);
	scene_bye(&a, &b);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

Test(hostile, late_answer_without_contact)
{
	scene((struct harness_options){ .each = ", timeouts: {invite: 1}, resend_interval: [5]" });
	scene_invite(OFFER);
	struct dialog c;
	dialog_take(&c, &gw_b, 3000);
	reply_without_contact(&b, 200, ANSWER);
	dialog_expect(&b, "ACK");
	dialog_reply(&b, dialog_expect(&b, "BYE"), 200, NULL, NULL);
	harness_kill(&h);
}

/* what a body says is no header of ours */
Test(hostile, route_in_a_body)
{
	scene((struct harness_options){ 0 });
	dialog_send(&a, "INVITE", NULL, "text/plain\nhello\r\nRoute: <sip:evil.example;lr>\r\nVia: x\r\n");
	dialog_take(&b, &gw_a, 3000);
	dialog_reply(&b, &b.invite, 180, NULL, NULL);
	dialog_expect(&a, "180");
	dialog_cancel(&a);
	agent_expect(&caller, "200 CANCEL", 1000);
	const struct sip *cancel = dialog_expect(&b, "CANCEL");
	cr_expect_str_eq(sip_header(cancel, "Route", 0), "");
	dialog_reply(&b, cancel, 200, NULL, NULL);
	dialog_reply(&b, &b.invite, 487, NULL, NULL);
	cr_expect_str_eq(sip_header(dialog_expect(&b, "ACK"), "Route", 0), "");
	dialog_ack_failure(&a, dialog_expect(&a, "487"));
	record_must(harness_record(&h), true, 1, 487, "cancelled");
	scene_over();
}

Test(hostile, display_with_a_lone_backslash)
{
	scene((struct harness_options){ 0 });
	dialog_send(&a, "INVITE", "Diversion: bo\\ <sip:77@caller.private>;reason=unknown\r\n", OFFER);
	dialog_take(&b, &gw_a, 3000);
	cr_expect(!strncmp(sip_header(&b.invite, "Diversion", 0), "\"bo\\\\\" <sip:77@127.0.0.1", 24), "%s", sip_header(&b.invite, "Diversion", 0));
	harness_kill(&h);
}

/* both hear of the end though every transaction of the call is taken */
Test(hostile, failures_that_are_never_acknowledged)
{
	scene((struct harness_options){ 0 });
	scene_up();
	for (int i = 0; i < 8; i++) {
		dialog_send(&a, "INVITE", NULL, "v=0\r\nm=nonsense\r\n");
		const struct sip *m = agent_expect(&caller, i < 7 ? "488 INVITE" : "500 INVITE", 1000);
		cr_expect(m);
		caller.received = caller.taken = 0;
	}
	harness_hang_up(&h);
	dialog_reply(&b, dialog_expect(&b, "BYE"), 200, NULL, NULL);
	agent_expect(&caller, "BYE", 1000);
	record_must(harness_record(&h), true, 1, 200, "ended by operator");
	harness_kill(&h);
}

/* the gateway of an attempt is taken out of the configuration while it has not answered yet */
Test(hostile, gateway_removed_under_an_attempt)
{
	scene((struct harness_options){ 0 });
	scene_invite(OFFER);
	dialog_reply(&b, &b.invite, 503, NULL, NULL);
	dialog_expect(&b, "ACK");
	struct dialog c;
	dialog_take(&c, &gw_b, 3000);
	harness_reload(&h, &(struct harness_options){ .caller = &caller.addr, .gateway = { &gw_a.addr }, .gateways = 1 });
	const struct capacity_cell *cells = own(AREA_CAPACITY);
	dialog_reply(&c, &c.invite, 180, NULL, NULL);
	dialog_expect(&a, "180");
	cr_expect_eq(cells[cell_routing(h.c, UINT16_MAX)].progressed, 0, "beyond the last cell");
	dialog_reply(&c, &c.invite, 200, NULL, ANSWER);
	dialog_expect(&a, "200 INVITE");
	dialog_expect(&c, "ACK");
	dialog_ack(&a, NULL);
	scene_bye(&c, &a);
	record_must(harness_record(&h), false, 1, 503, "rejected by gateway");
	record_must(harness_record(&h), true, 2, 200, "normal");
	scene_over();
}

/* a worker dies before a reload has reached its calls */
Test(hostile, reload_while_nobody_is_there)
{
	scene((struct harness_options){ .customer = ", tech_prefix: \"8\"}, {id: second, addresses: [\"127.0.1.2\"], tech_prefix: \"9\"" });
	dialog_init(&a, &caller, &h.sip, "915551234");
	scene_up();
	const struct capacity_cell *cells = own(AREA_CAPACITY);
	cr_assert_eq(cells[cell_mapping(h.c, 1)].calls, 1);
	harness_kill(&h);
	harness_reload(&h,
		&(struct harness_options){ .caller = &caller.addr, .gateway = { &gw_a.addr, &gw_b.addr }, .gateways = 2,
			.customer = "}, {id: third, addresses: [\"127.0.1.9\"]" });
	harness_start(&h, 0);
	cr_expect_eq(cells[cell_mapping(h.c, 0)].calls, 0);
	cr_expect_eq(cells[cell_mapping(h.c, 1)].calls, 0, "the call is none of \"third\"");
	cr_expect_eq(cells[cell_system()].calls, 1);
	scene_bye(&a, &b);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}

/* a datagram that lies in the batch as a worker's death has left it */
static void leave_in_batch(const char *text, bool own_fault)
{
	struct receive_batch *r = (struct receive_batch *)(uintptr_t)own(AREA_RECEIVE);
	harness_kill(&h);
	r->done = 0;
	r->listen = 0;
	memset(r->header, 0, sizeof r->header);
	addr_to_sockaddr(&caller.addr, &r->source[0]);
	strcpy(r->data[0], text);
	r->header[0].msg_len = (unsigned)strlen(text);
	working_event(h.head, WORKING_DATAGRAM, 0);
	commit_u32(&h.env.roster->seat[h.env.seat].own_fault, own_fault);
	harness_start(&h, 0);
}

static void options(char *text, size_t cap, unsigned cseq)
{
	snprintf(text, cap,
		"OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.1.2:%u;branch=z9hG4bKpoison%u;rport\r\nFrom: <sip:1@a>;tag=1\r\nTo: <sip:x@b>\r\n"
		"Call-ID: poison\r\nCSeq: %u OPTIONS\r\nContent-Length: 0\r\n\r\n", caller.addr.port, cseq, cseq);
}

/* left out after the second death by the worker's own fault, also when it comes again; never after SIGKILL by somebody */
Test(hostile, datagram_that_kills)
{
	char text[1000];
	unsigned answered = 0;
	scene((struct harness_options){ 0 });
	options(text, sizeof text, 1);
	for (int i = 0; i < 4; i++) {
		leave_in_batch(text, false);
		if (answered++)
			agent_again(&caller, "200 OPTIONS", 1000);
		else
			agent_expect(&caller, "200 OPTIONS", 1000);
	}
	leave_in_batch(text, true);
	agent_again(&caller, "200 OPTIONS", 1000);
	answered++;
	leave_in_batch(text, true);
	usleep(50000);
	cr_expect_eq(agent_count(&caller, "200 OPTIONS"), answered, "left out");
	cr_expect_eq(harness_counter(&h, COUNT_POISONED), 1);
	agent_send(&caller, &h.sip, text);
	usleep(50000);
	cr_expect_eq(agent_count(&caller, "200 OPTIONS"), answered, "again");
	cr_expect_eq(harness_counter(&h, COUNT_POISONED), 2);
	options(text, sizeof text, 2);
	agent_send(&caller, &h.sip, text);
	agent_expect(&caller, "200 OPTIONS", 1000);
	scene_over();
}

/* a refusal that is too long to be kept is made again, its record is not */
Test(hostile, long_refusal_is_recorded_once)
{
	char lines[1400] = "";
	scene((struct harness_options){ 0 });
	for (int i = 0; i < 12; i++)
		snprintf(lines + strlen(lines), sizeof lines - strlen(lines), "Record-Route: <sip:%064d@127.0.1.2;lr>\r\n", i);
	dialog_init(&a, &caller, &h.sip, "2555");
	dialog_send(&a, "INVITE", lines, OFFER);
	const struct sip *m = agent_expect(&caller, "404", 1000);
	cr_expect_gt(m->n, 968);
	for (int i = 0; i < 3; i++) {
		dialog_send_as(&a, "INVITE", a.invite_cseq, a.invite_branch, lines, OFFER);
		agent_again(&caller, "404", 1000);
	}
	record_must(harness_record(&h), true, 0, 404, "no route");
	cr_expect_null(harness_record(&h));
	scene_over();
}

Test(hostile, another_version)
{
	scene((struct harness_options){ 0 });
	agent_send(&caller, &h.sip,
		"OPTIONS sip:x@127.0.0.1 SIP/7.0\r\nVia: SIP/2.0/UDP 127.0.1.2;branch=z9hG4bKseven;rport\r\nFrom: <sip:1@a>;tag=1\r\nTo: <sip:x@b>\r\n"
		"Call-ID: seven\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n");
	agent_expect(&caller, "505", 1000);
	scene_over();
}

Test(hostile, strangers_are_not_remembered)
{
	scene((struct harness_options){ .customer = ", tech_prefix: \"8\"" });
	const struct done *done = own(AREA_DONE);
	dialog_send(&a, "INVITE", NULL, OFFER);
	const char *tag = sip_tag(agent_expect(&caller, "403", 1000), "To");
	cr_expect(*tag);
	dialog_send_as(&a, "INVITE", a.invite_cseq, a.invite_branch, NULL, OFFER);
	cr_expect_str_eq(sip_tag(agent_again(&caller, "403", 1000), "To"), tag);
	cr_expect_eq(done[0].key, 0);
	cr_expect_null(harness_record(&h));
	scene_over();
}

/* a gateway that always wants a session interval a little longer */
Test(hostile, never_long_enough)
{
	char min_se[40];
	scene((struct harness_options){ 0 });
	dialog_send(&a, "INVITE", "Supported: timer\r\n", OFFER);
	for (unsigned i = 0; i < 3 && !agent_count(&gw_b, "INVITE"); i++) {
		dialog_take(&b, &gw_a, 3000);
		snprintf(min_se, sizeof min_se, "Min-SE: %u\r\n", 3600 + i);
		dialog_reply(&b, &b.invite, 422, min_se, NULL);
		dialog_expect(&b, "ACK");
		usleep(20000);
	}
	cr_expect_eq(agent_count(&gw_a, "INVITE"), 2);
	agent_expect(&gw_b, "INVITE", 1000);
	harness_kill(&h);
}
