#include "sample.h"
#include "shm/ring.h"
#include <criterion/criterion.h>

struct pair {
	struct region from, to;
	struct ring_end end;
};

static struct pair pair_make(void)
{
	struct pair p;
	cr_assert_eq(sample_region(ROLE_CONTROL, 0, &p.from), 0);
	cr_assert_eq(sample_region(ROLE_CDR, 0, &p.to), 0);
	cr_assert_eq(ring_open(&p.from, &p.to, &p.end), 0);
	return p;
}
static void pair_done(struct pair *p)
{
	sample_done(&p->from);
	sample_done(&p->to);
}

Test(ring, only_between_seats_that_talk)
{
	struct region cdr, routing, none = { 0 };
	struct ring_end e;
	cr_assert_eq(sample_region(ROLE_CDR, 0, &cdr), 0);
	cr_assert_eq(sample_region(ROLE_ROUTING, 0, &routing), 0);
	cr_assert_eq(ring_open(&cdr, &routing, &e), -ENOENT);
	cr_assert_eq(ring_open(&cdr, &none, &e), -ENOENT);
	sample_done(&cdr);
	sample_done(&routing);
}

Test(ring, body_in_two_pieces)
{
	struct pair p = pair_make();
	cr_assert_null(ring_peek(&p.end));
	cr_assert_eq(ring_push(&p.end, 3, "head", 4, "tail!", 5), 0);
	cr_assert_eq(ring_push(&p.end, 4, NULL, 0, NULL, 0), 0);
	const struct ring_message *m = ring_peek(&p.end);
	cr_assert_eq(m->type, 3);
	cr_assert_eq(m->size, 9);
	cr_assert_eq(memcmp(m + 1, "headtail!", 9), 0);
	cr_assert_eq(ring_peek(&p.end), m, "stays until it is popped");
	ring_pop(&p.end);
	m = ring_peek(&p.end);
	cr_assert_eq(m->type, 4);
	cr_assert_eq(m->size, 0);
	ring_pop(&p.end);
	cr_assert_null(ring_peek(&p.end));
	cr_assert_eq(ring_waiting(&p.end), 0);
	ring_pop(&p.end); /* of an empty ring: nothing */
	cr_assert_eq(ring_waiting(&p.end), 0);
	pair_done(&p);
}

/* sizes of all remainders over many rounds, with the ring nearly full and nearly empty */
Test(ring, order_is_kept_across_the_wrap)
{
	struct pair p = pair_make();
	static char body[3000];
	uint32_t in = 0, out = 0;
	for (uint32_t round = 0; round < 300; round++) {
		for (;;) {
			uint32_t size = in * 7919 % 2971;
			memset(body, (int)in, size);
			int r = ring_push(&p.end, in, body, size, &in, sizeof in);
			if (r)
				cr_assert_eq(r, -EAGAIN);
			if (r || ++in % 37 == 0)
				break;
		}
		const struct ring_message *m;
		for (uint32_t n = round * 31 % 53; n && (m = ring_peek(&p.end)); n--, out++) {
			uint32_t size = out * 7919 % 2971, last;
			cr_assert_eq(m->type, out);
			cr_assert_eq(m->size, size + 4);
			for (uint32_t i = 0; i < size; i++)
				cr_assert_eq(((const char *)(m + 1))[i], (char)out);
			memcpy(&last, (const char *)(m + 1) + size, 4);
			cr_assert_eq(last, out);
			ring_pop(&p.end);
		}
	}
	cr_assert_gt(out, 1000);
	cr_assert_gt(p.end.ring->tail, 10 * p.end.ring->capacity);
	pair_done(&p);
}

Test(ring, full_and_too_large)
{
	struct pair p = pair_make();
	static char body[65536];
	cr_assert_eq(p.end.ring->capacity, 65536);
	cr_assert_eq(ring_push(&p.end, 1, body, 32768 - 7, NULL, 0), -EMSGSIZE);
	cr_assert_eq(ring_push(&p.end, 1, body, UINT32_MAX, NULL, 0), -EMSGSIZE);
	cr_assert_eq(ring_push(&p.end, 1, body, 32768 - 8, NULL, 0), 0);
	cr_assert_eq(ring_push(&p.end, 2, body, 32768 - 8, NULL, 0), 0);
	cr_assert_eq(ring_waiting(&p.end), 65536);
	cr_assert_eq(ring_push(&p.end, 3, NULL, 0, NULL, 0), -EAGAIN);
	ring_pop(&p.end);
	cr_assert_eq(ring_push(&p.end, 3, NULL, 0, NULL, 0), 0);
	cr_assert_eq(ring_peek(&p.end)->type, 2);
	pair_done(&p);
}

Test(ring, a_damaged_message_skips_to_the_tail)
{
	struct pair p = pair_make();
	ring_push(&p.end, 1, "x", 1, NULL, 0);
	ring_push(&p.end, 2, "y", 1, NULL, 0);
	((struct ring_message *)commit_fill(p.end.ring + 1))->size = 60000;
	cr_assert_null(ring_peek(&p.end));
	cr_assert_eq(ring_waiting(&p.end), 0);
	ring_push(&p.end, 3, "z", 1, NULL, 0);
	cr_assert_eq(ring_peek(&p.end)->type, 3);
	commit_u64(&p.end.ring->tail, 1ull << 40); /* the producer's memory is gone mad */
	cr_assert_null(ring_peek(&p.end));
	commit_u64(p.end.head, (1ull << 40) + 8); /* the consumer's has */
	cr_assert_eq(ring_push(&p.end, 4, "z", 1, NULL, 0), -EAGAIN);
	pair_done(&p);
}
