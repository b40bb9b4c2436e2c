/* A caller, a worker and two gateways: what most cases begin with. */
#ifndef TANDEM_TESTS_SIGNALING_SCENE_H
#define TANDEM_TESTS_SIGNALING_SCENE_H
#include "agent.h"
#include "harness.h"

static struct harness h;
static struct agent caller, gw_a, gw_b;
static struct dialog a, b; /* the caller's; the callee's, of gw-a */

#define OFFER  "v=0\r\no=alice 1 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 0\r\n"
#define OFFER2 "v=0\r\no=alice 1 2 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\na=sendonly\r\n"
#define ANSWER "v=0\r\no=bob 7 7 IN IP4 198.51.100.9\r\ns=-\r\nc=IN IP4 198.51.100.9\r\nt=0 0\r\nm=audio 5000 RTP/AVP 8\r\n"
#define ANSWER2 "v=0\r\no=carol 8 8 IN IP4 198.51.100.8\r\ns=-\r\nc=IN IP4 198.51.100.8\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n"

static inline void scene(struct harness_options o)
{
	agent_open(&caller, "caller", "127.0.1.2");
	agent_open(&gw_a, "alpha", "127.0.2.1");
	agent_open(&gw_b, "beta", "127.0.2.2");
	o.caller = &caller.addr;
	o.gateway[0] = &gw_a.addr;
	o.gateway[1] = &gw_b.addr;
	if (!o.gateways)
		o.gateways = 2;
	harness_make(&h, &o);
	harness_start(&h, 0);
	dialog_init(&a, &caller, &h.sip, "15551234");
}

/* INVITE sent and taken by gw-a */
static inline void scene_invite(const char *body)
{
	dialog_send(&a, "INVITE", NULL, body);
	dialog_take(&b, &gw_a, 3000);
}

static inline void scene_ring(void)
{
	scene_invite(OFFER);
	dialog_reply(&b, &b.invite, 180, NULL, NULL);
	dialog_expect(&a, "180");
}

static inline void scene_up(void)
{
	scene_ring();
	dialog_reply(&b, &b.invite, 200, NULL, ANSWER);
	dialog_expect(&a, "200 INVITE");
	dialog_ack(&a, NULL);
	dialog_expect(&b, "ACK");
	b.cseq = 0;
}

/* `from` hangs up */
static inline void scene_bye(struct dialog *from, struct dialog *to)
{
	dialog_send(from, "BYE", NULL, NULL);
	const struct sip *bye = dialog_expect(to, "BYE");
	dialog_reply(to, bye, 200, NULL, NULL);
	dialog_expect(from, "200 BYE");
}

/* the end of every case: nothing left, nothing of one side known to the other */
static inline void scene_over(void)
{
	static const char *const of_caller[] = { "caller.private", "127.0.1.2", "tagcaller", "agent-of-caller", "z9hG4bKcaller" };
	static const char *const of_gateways[] = { "127.0.2.", "tagalpha", "tagbeta", "agent-of-alpha", "agent-of-beta", "z9hG4bKalpha", "z9hG4bKbeta" };
	harness_finish(&h);
	CHECK(!harness_record(&h), "a record too many");
	for (size_t i = 0; i < sizeof of_caller / sizeof *of_caller; i++) {
		agent_must_not_know(&gw_a, of_caller[i]);
		agent_must_not_know(&gw_b, of_caller[i]);
	}
	for (size_t i = 0; i < sizeof of_gateways / sizeof *of_gateways; i++)
		agent_must_not_know(&caller, of_gateways[i]);
}
#endif
