#include "media-proxy/tone.h"
#include "base/g711.h"
#include <criterion/criterion.h>
#include <math.h>

/* power of one frequency in [from, from + n), Goertzel's way; an amplitude A gives A * A / 2 */
static double power(const uint8_t *law, bool alaw, uint32_t from, uint32_t n, double hz)
{
	double k = 2 * cos(2 * M_PI * hz / 8000), a = 0, b = 0;
	for (uint32_t i = from; i < from + n; i++) {
		double x = alaw ? g711_from_alaw(law[i]) : g711_from_ulaw(law[i]), c = k * a - b + x;
		b = a;
		a = c;
	}
	return 2 * (a * a + b * b - k * a * b) / ((double)n * n);
}

static double energy(const struct tone *t, uint32_t from, uint32_t n)
{
	double sum = 0;
	for (uint32_t i = from; i < from + n; i++)
		sum += (double)g711_from_alaw(t->alaw[i]) * g711_from_alaw(t->alaw[i]);
	return sum / n;
}

static struct tone make(const char *country)
{
	struct tone t;
	cr_assert_eq(tone_of_country(country_tone_find(span_of(country)), &t), 0);
	return t;
}

Test(tone, one_frequency)
{
	struct tone t = make("de");
	cr_assert_eq(t.n, 5 * 8000);
	for (int alaw = 0; alaw < 2; alaw++) {
		const uint8_t *law = alaw ? t.alaw : t.ulaw;
		double p = power(law, alaw, 0, 8000, 425);
		cr_expect(fabs(10 * log10(p / (7200.0 * 7200 / 2))) < 0.3, "level %f", p);
		for (int hz = 300; hz <= 3400; hz += 25)
			cr_expect(hz == 425 || power(law, alaw, 0, 8000, hz) < p / 300, "%d Hz", hz);
	}
	cr_expect_lt(energy(&t, 8000, 32000), 100);
	tone_done(&t);
	cr_expect_null(t.alaw);
}

Test(tone, two_frequencies_and_two_bursts)
{
	struct tone t = make("gb");
	cr_assert_eq(t.n, 3 * 8000);
	for (uint32_t burst = 0; burst < 2; burst++) {
		uint32_t from = burst * 4800;
		double all = energy(&t, from, 3200), a = power(t.alaw, true, from, 3200, 400), b = power(t.alaw, true, from, 3200, 450);
		cr_expect(a > 0.45 * all && b > 0.45 * all, "%f of %f and %f", a, all, b);
	}
	cr_expect_lt(energy(&t, 3200, 1600), 100);
	cr_expect_lt(energy(&t, 8000, 16000), 100);
	tone_done(&t);
}

/* a modulated tone has its carrier and one line on either side */
Test(tone, modulated)
{
	struct tone t = make("in");
	double carrier = power(t.alaw, true, 0, 3200, 400), low = power(t.alaw, true, 0, 3200, 375), high = power(t.alaw, true, 0, 3200, 425);
	cr_expect(low > carrier / 5 && high > carrier / 5, "%f %f %f", low, carrier, high);
	cr_expect_lt(power(t.alaw, true, 0, 3200, 450), carrier / 100);
	tone_done(&t);
}

Test(tone, frames_come_round)
{
	uint8_t alaw[170], frame[TONE_FRAME];
	struct tone t = { 170, alaw, alaw };
	for (unsigned i = 0; i < 170; i++)
		alaw[i] = (uint8_t)i;
	tone_frame(&t, t.alaw, 1, frame);
	cr_expect_eq(frame[0], 160);
	cr_expect_eq(frame[9], 169);
	cr_expect_eq(frame[10], 0);
	tone_frame(&t, t.alaw, 17, frame);
	cr_expect_eq(frame[0], 0);
	t.n = 1; /* a file may be as short as that */
	tone_frame(&t, t.alaw, 12345, frame);
	cr_expect(frame[0] == 0 && frame[159] == 0);
}

Test(tone, file_before_country)
{
	static struct {
		struct config c;
		int16_t samples[3];
		char country[3];
	} image = { .samples = { 0, 1000, -1000 }, .country = "us" };
	image.c.media.ringback_country = (struct cfg_text){ (uint32_t)offsetof(typeof(image), country), 2 };
	struct tone t;
	cr_assert_eq(tone_make(&image.c, &t), 0);
	cr_expect_eq(t.n, 6 * 8000);
	tone_done(&t);
	image.c.media.ringback_samples = (struct cfg_list){ (uint32_t)offsetof(typeof(image), samples), 3 };
	cr_assert_eq(tone_make(&image.c, &t), 0);
	cr_assert_eq(t.n, 3);
	cr_expect_eq(t.ulaw[1], g711_ulaw(1000));
	cr_expect_eq(t.alaw[2], g711_alaw(-1000));
	tone_done(&t);
}
