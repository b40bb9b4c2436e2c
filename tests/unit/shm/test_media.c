#include "shm/media.h"
#include <criterion/criterion.h>

Test(media, a_flow_of_another_life_is_not_read)
{
	struct media_flow f = { .version = 2, .generation = 3, .packets = 9 }, to;
	cr_assert_eq(media_flow_read(&f, 3, &to), 0);
	cr_assert_eq(to.packets, 9);
	cr_assert_eq(media_flow_read(&f, 4, &to), -ENOENT);
	f.version = 3;
	cr_assert_eq(media_flow_read(&f, 3, &to), -EBUSY);
}

Test(media, lost_is_expected_less_received)
{
	struct media_flow f = { .base_seq = 65530, .max_seq = 5, .cycles = 65536, .received = 12 };
	cr_assert_eq(media_flow_lost(&f), 0);
	f.received = 10;
	cr_assert_eq(media_flow_lost(&f), 2);
	f.lost_before = 7;
	cr_assert_eq(media_flow_lost(&f), 9);
	f.received = 20; /* duplicates: more than expected */
	cr_assert_eq(media_flow_lost(&f), 7);
	struct media_flow none = { .base_seq = 65537 };
	cr_assert_eq(media_flow_lost(&none), 0);
}

Test(media, jitter_in_microseconds)
{
	struct media_flow f = { .jitter_q4 = 16 * 80, .clock_rate = 8000 };
	cr_assert_eq(media_flow_jitter_us(&f), 10000);
	f.clock_rate = 0;
	cr_assert_eq(media_flow_jitter_us(&f), 10000);
	f.clock_rate = 48000;
	cr_assert_eq(media_flow_jitter_us(&f), 1666);
	f.clock_rate = 1;
	f.jitter_q4 = UINT32_MAX;
	cr_assert_eq(media_flow_jitter_us(&f), UINT32_MAX);
}
