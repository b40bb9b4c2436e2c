/* What happens when something runs out: blocks, places in the journal, ports. */
#include "scene.h"
#include "base/clock.h"
#include "shm/block.h"
#include "shm/call.h"
#include <criterion/criterion.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(shortage, .timeout = 80);

static void *own(enum area area)
{
	return (void *)(uintptr_t)region_area(&h.env.region[h.env.seat], area);
}

/* --- blocks --- */

enum outcome { NOTHING = 10, THROUGH, KEPT, ENDED };

/* one message to the caller or the gateway, answered as it should be; what the caller's last INVITE came to goes to *out */
static bool react(struct dialog *d, enum outcome *out)
{
	const struct sip *m = agent_next(d->agent, 10);
	if (!m)
		return false;
	bool invite = !strcmp(m->method, "INVITE");
	if (!m->code && strcmp(m->method, "ACK"))
		dialog_reply(d, m, 200, NULL, invite ? ANSWER : NULL);
	else if (m->code >= 300 && invite && d == &a)
		dialog_ack_failure(d, m);
	else if (m->code >= 200 && m->code < 300 && invite && d == &a)
		dialog_learn(d, m), dialog_ack(d, NULL);
	if (m->code >= 200 && invite && d == &a && *out == NOTHING)
		*out = m->code >= 300 ? KEPT : THROUGH;
	return true;
}

static void react_for(unsigned ms, enum outcome *out)
{
	uint64_t until = clock_ms() + ms;
	while (clock_ms() < until) {
		react(&a, out);
		react(&b, out);
	}
}

/* A call whose worker has but `n` blocks left: before it is answered, or before a re-INVITE. Whatever is missing, both sides come
 * to an end, there is one record, and nothing stays behind. */
static enum outcome call_with(uint32_t n, bool answered)
{
	enum outcome out = NOTHING;
	scene((struct harness_options){ .gateways = 1, .parameters = "SS_SIP_RESEND_INTERVAL: \"0.2,0.2\"" });
	if (answered) {
		scene_up();
		harness_leave_blocks(&h, n);
		dialog_send(&a, "INVITE", NULL, OFFER2);
	} else {
		scene_ring();
		harness_leave_blocks(&h, n);
		dialog_reply(&b, &b.invite, 200, NULL, ANSWER);
		b.cseq = 0;
	}
	react_for(400, &out);
	if (out == THROUGH || (answered && out == KEPT))
		dialog_send(&a, "BYE", NULL, NULL);
	react_for(200, &out);
	harness_idle(&h, 3000);
	const struct journal_entry *e = harness_record(&h);
	CHECK(e && e->final, "no record");
	out = e->reason == END_INTERNAL ? ENDED : out;
	harness_kill(&h);
	scene_over(); /* a successor has all of them again */
	return out;
}

static unsigned outcomes(uint32_t n, bool answered)
{
	pid_t pid = fork();
	int status;
	if (!pid)
		_exit(call_with(n, answered));
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) >= NOTHING && WEXITSTATUS(status) <= ENDED, "%u blocks, %d: status %x", n, answered, status);
	fprintf(stderr, "%u blocks, %d: %d\n", n, answered, WEXITSTATUS(status));
	return 1u << WEXITSTATUS(status);
}

Test(shortage, blocks_for_an_answer)
{
	unsigned seen = 0;
	for (uint32_t n = 0; n < 6; n++)
		seen |= outcomes(n, false);
	cr_expect(seen & 1u << ENDED, "what cannot be told the caller ends the call");
	cr_expect(seen & 1u << THROUGH);
}

Test(shortage, blocks_for_a_re_invite)
{
	unsigned seen = 0;
	for (uint32_t n = 0; n < 7; n++)
		seen |= outcomes(n, true);
	cr_expect(seen & (1u << ENDED | 1u << KEPT));
}

/* --- places in the journal --- */

/* each attempt has its record: without a place for one more the call goes to no other gateway */
Test(shortage, journal)
{
	static struct agent gw_c;
	agent_open(&gw_c, "gamma", "127.0.2.3");
	scene((struct harness_options){ .gateway = { NULL, NULL, &gw_c.addr }, .gateways = 3 });
	struct journal *j = own(AREA_JOURNAL);
	j->tail += j->capacity - 2;
	h.read = j->tail; /* nobody has taken the others yet */
	scene_invite(OFFER);
	dialog_reply(&b, &b.invite, 503, NULL, NULL);
	dialog_expect(&b, "ACK");
	dialog_take(&b, &gw_b, 3000);
	dialog_reply(&b, &b.invite, 502, NULL, NULL);
	dialog_expect(&b, "ACK");
	dialog_ack_failure(&a, agent_expect(&caller, "502", 1000));
	record_must(harness_record(&h), false, 1, 503, "rejected by gateway");
	record_must(harness_record(&h), true, 2, 502, "rejected by gateway");
	cr_expect_eq(agent_count(&gw_c, "INVITE"), 0);
	scene_over();
}

/* --- ports --- */

/* a candidate to which no INVITE can go is passed over, and the next one has its turn */
Test(shortage, ports)
{
	static struct dialog a2, b2;
	scene((struct harness_options){ .media = "auto", .keys = { ", media: on", ", media: off" }, .ports = "20000-20003" });
	scene_up(); /* takes both pairs */
	dialog_init(&a2, &caller, &h.sip, "15551235");
	dialog_send(&a2, "INVITE", NULL, OFFER);
	dialog_take(&b2, &gw_b, 3000);
	dialog_reply(&b2, &b2.invite, 486, NULL, NULL);
	dialog_expect(&b2, "ACK");
	dialog_ack_failure(&a2, agent_expect(&caller, "486", 1000));
	record_must(harness_record(&h), true, 1, 486, "busy");
	scene_bye(&a, &b);
	record_must(harness_record(&h), true, 1, 200, "normal");
	scene_over();
}
