#include "sample.h"
#include "shm/block.h"
#include "shm/call.h"
#include <criterion/criterion.h>

Test(call, every_reason_is_described)
{
	for (enum end_reason r = END_NORMAL; r < END_REASON_COUNT; r++) {
		const struct end_reason_info *i = end_reason_info(r);
		cr_assert_neq(i->text[0], 0);
		cr_assert(i->code == 0 || (i->code >= 200 && i->code < 700));
		cr_assert_leq(i->cause, 127);
	}
	cr_assert_eq(end_reason_info(END_BUSY)->code, 486);
	cr_assert_eq(end_reason_info(END_BUSY)->cause, 17);
	cr_assert_str_eq(end_reason_info(END_REASON_COUNT)->text, "internal error");
}

static struct region r;
static struct blocks b;
static const struct call *c;
static struct call_state s;
static uint64_t text[CALL_TEXT_MAX / 8];

static void setup(void)
{
	cr_assert_eq(sample_region(ROLE_SIGNALING, 0, &r), 0);
	cr_assert_eq(blocks_begin(&b, &r), 0);
	blocks_open(&b);
	c = region_area(&r, AREA_CALLS);
	char *p = block_alloc(&b, 100, &s.text);
	memcpy(p, "alicebob", 8);
	s.text_used = 8;
	s.t[TEXT_CALLER_IN] = (struct call_text){ 0, 5 };
	s.t[TEXT_CALLEE_IN] = (struct call_text){ 5, 3 };
	s.t[TEXT_CODEC] = (struct call_text){ 5, 4 };	       /* beyond what is used */
	s.t[TEXT_OFFER] = (struct call_text){ UINT32_MAX, 2 }; /* damaged */
	s.t[TEXT_IN_CALL_ID] = (struct call_text){ 8, UINT32_MAX };
	slot_claim(&c->slot);
	slot_commit(&c->slot, c->copies, sizeof s, &s);
	slot_live(&c->slot);
}
static void teardown(void)
{
	blocks_done(&b);
	sample_done(&r);
}

Test(call, read_with_its_texts, .init = setup, .fini = teardown)
{
	struct call_state to;
	uint32_t any = 0;
	cr_assert_eq(call_read(c, b.plan, &any, &to, text), 0);
	cr_assert_eq(any, 1);
	cr_assert(span_eq(call_text_span(&to, text, TEXT_CALLER_IN), SPAN("alice")));
	cr_assert(span_eq(call_text_span(&to, text, TEXT_CALLEE_IN), SPAN("bob")));
	cr_assert_eq(to.t[TEXT_CODEC].n, 0);
	cr_assert_eq(to.t[TEXT_OFFER].n, 0);
	cr_assert_eq(to.t[TEXT_IN_CALL_ID].n, 0);
	uint32_t other = 2;
	cr_assert_eq(call_read(c, b.plan, &other, &to, text), -ENOENT);
}

Test(call, damaged_texts_are_not_followed, .init = setup, .fini = teardown)
{
	struct call_state to;
	uint32_t any = 0;
	s.text_used = 513; /* more than the block has */
	slot_commit(&c->slot, c->copies, sizeof s, &s);
	cr_assert_eq(call_read(c, b.plan, &any, &to, text), 0);
	cr_assert_eq(to.t[TEXT_CALLER_IN].n, 0);
	s.text = 9u << 28;
	slot_commit(&c->slot, c->copies, sizeof s, &s);
	cr_assert_eq(call_read(c, b.plan, &any, &to, text), 0);
	cr_assert_eq(to.t[TEXT_CALLER_IN].n, 0);
}
