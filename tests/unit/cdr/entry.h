/* Journal entries for the tests of the cdr process. */
#ifndef TANDEM_TESTS_CDR_ENTRY_H
#define TANDEM_TESTS_CDR_ENTRY_H
#include "shm/call.h"
#include "shm/journal.h"

static inline void entry_text(struct journal_entry *e, struct journal_text *t, size_t *at, struct span s)
{
	memcpy(e->text + *at, s.p, s.n);
	*t = (struct journal_text){ (uint16_t)*at, (uint16_t)s.n };
	*at += s.n;
}
/* a call that was answered and relayed, with everything known; `sequence` makes it unlike others */
static inline struct journal_entry entry_full(uint64_t sequence)
{
	struct journal_entry e = { .sequence = sequence,
		.attempt = 2,
		.final = 1,
		.ended_by = ENDED_BY_CALLEE,
		.relayed = 1,
		.start_ms = 1700000000123,
		.progress_ms = 1700000000623,
		.alert_ms = 1700000001000,
		.answer_ms = 1700000004005,
		.end_ms = 1700000010050,
		.pdd_ms = 500,
		.duration_ms = 6045,
		.code = 200,
		.cause = 16,
		.reason = END_NORMAL,
		.mos_x100 = 405,
		.a_to_b = { 300, 51600, 2, 1234, 0xdeadbeef },
		.b_to_a = { 299, 51428, 0, 50, 7 } };
	size_t at = 0;
	for (unsigned i = 0; i < 8; i++)
		e.call_id.b[i + 8] = (uint8_t)(sequence >> 8 * (7 - i));
	e.call_id.b[6] = 0x70;
	addr_parse(SPAN("127.0.0.1:5070"), &e.source_in);
	addr_parse(SPAN("[2001:db8::1]:5080"), &e.target_out);
	entry_text(&e, &e.ingress, &at, SPAN("cust-a"));
	entry_text(&e, &e.egress, &at, SPAN("gw-a"));
	entry_text(&e, &e.account, &at, SPAN("1001"));
	entry_text(&e, &e.caller_in, &at, SPAN("441234"));
	entry_text(&e, &e.caller_out, &at, SPAN("+441234"));
	entry_text(&e, &e.callee_in, &at, SPAN("00880171"));
	entry_text(&e, &e.callee_out, &at, SPAN("880171"));
	entry_text(&e, &e.lrn, &at, SPAN("880999"));
	entry_text(&e, &e.codec, &at, SPAN("PCMU"));
	entry_text(&e, &e.sip_call_id_in, &at, SPAN("abc@x"));
	entry_text(&e, &e.sip_call_id_out, &at, SPAN("T0def"));
	return e;
}
#endif
