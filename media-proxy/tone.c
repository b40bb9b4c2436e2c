#include "media-proxy/tone.h"
#include "base/g711.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define RATE	 8000u
#define LEVEL	 7200.0 /* -10 dBm0 as amplitude of a single sine, ITU-T E.180 section 4 */
#define TWO_PI	 6.283185307179586
#define ONE_OF_2 0.7071067811865476 /* two of equal level together have the level of one */

static int allot(uint32_t n, struct tone *ret_tone)
{
	*ret_tone = (struct tone){ .n = n, .alaw = malloc(n), .ulaw = malloc(n) };
	if (n && ret_tone->alaw && ret_tone->ulaw)
		return 0;
	tone_done(ret_tone);
	return -ENOMEM;
}

static void set(struct tone *t, uint32_t i, int16_t sample)
{
	t->alaw[i] = g711_alaw(sample);
	t->ulaw[i] = g711_ulaw(sample);
}

static int16_t sample_at(const struct country_tone *t, uint32_t i)
{
	double at = TWO_PI * i / RATE, x = sin(at * t->hz[0]);
	if (t->modulation)
		x *= (1 + sin(at * t->modulation)) / 2;
	if (t->hz[1])
		x = ONE_OF_2 * (x + sin(at * t->hz[1]));
	return (int16_t)lround(LEVEL * x);
}

int tone_of_country(const struct country_tone *t, struct tone *ret_tone)
{
	uint32_t n = 0, at = 0;
	for (unsigned i = 0; i < COUNTRY_TONE_STEPS; i++)
		n += t->cadence[i] * (RATE / 1000);
	int r = allot(n, ret_tone);
	if (r < 0)
		return r;
	for (unsigned step = 0; step < COUNTRY_TONE_STEPS; step++)
		for (uint32_t i = 0; i < t->cadence[step] * (RATE / 1000); i++, at++)
			set(ret_tone, at, step & 1 ? 0 : sample_at(t, i));
	return 0;
}

int tone_make(const struct config *c, struct tone *ret_tone)
{
	const struct cfg_list *file = &c->media.ringback_samples;
	const struct country_tone *country = country_tone_find(cfg_span(c, c->media.ringback_country));
	if (!file->n)
		return tone_of_country(country ? country : country_tone_find(SPAN("gb")), ret_tone);
	const int16_t *samples = CFG_LIST(c, file, int16_t);
	int r = allot(file->n, ret_tone);
	for (uint32_t i = 0; r == 0 && i < file->n; i++)
		set(ret_tone, i, samples[i]);
	return r;
}

void tone_done(struct tone *t)
{
	free(t->alaw);
	free(t->ulaw);
	*t = (struct tone){ 0 };
}

void tone_frame(const struct tone *t, const uint8_t *law, uint64_t k, uint8_t ret_frame[TONE_FRAME])
{
	uint32_t at = (uint32_t)(k * TONE_FRAME % t->n);
	for (uint32_t done = 0; done < TONE_FRAME;) {
		uint32_t n = TONE_FRAME - done < t->n - at ? TONE_FRAME - done : t->n - at;
		memcpy(ret_frame + done, law + at, n);
		done += n;
		at = at + n == t->n ? 0 : at + n;
	}
}
