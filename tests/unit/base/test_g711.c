#include "base/g711.h"
#include <criterion/criterion.h>
#include <stdlib.h>

/* ITU-T G.711: decoded values of some codes */
Test(g711, known_values)
{
	cr_expect_eq(g711_alaw(0), 0xd5);
	cr_expect_eq(g711_alaw(-1), 0x55);
	cr_expect_eq(g711_alaw(32767), 0xaa);
	cr_expect_eq(g711_alaw(-32768), 0x2a);
	cr_expect_eq(g711_from_alaw(0xd5), 8);
	cr_expect_eq(g711_from_alaw(0xaa), 32256);
	cr_expect_eq(g711_from_alaw(0x2a), -32256);
	cr_expect_eq(g711_ulaw(0), 0xff);
	cr_expect_eq(g711_ulaw(32767), 0x80);
	cr_expect_eq(g711_ulaw(-32768), 0x00);
	cr_expect_eq(g711_from_ulaw(0xff), 0);
	cr_expect_eq(g711_from_ulaw(0x80), 32124);
	cr_expect_eq(g711_from_ulaw(0x00), -32124);
}

Test(g711, every_code_comes_back)
{
	for (int i = 0; i < 256; i++) {
		cr_expect_eq(g711_alaw(g711_from_alaw((uint8_t)i)), i, "A-law %02x", (unsigned)i);
		if (i != 0x7f) /* a second zero */
			cr_expect_eq(g711_ulaw(g711_from_ulaw((uint8_t)i)), i, "u-law %02x", (unsigned)i);
	}
}

Test(g711, error_is_within_half_a_step)
{
	for (int x = -32000; x <= 32000; x += 7) {
		int a = g711_from_alaw(g711_alaw((int16_t)x)), u = g711_from_ulaw(g711_ulaw((int16_t)x));
		int limit = abs(x) / 32 + 16;
		cr_expect(abs(a - x) <= limit, "A-law %d became %d", x, a);
		cr_expect(abs(u - x) <= limit, "u-law %d became %d", x, u);
	}
}
