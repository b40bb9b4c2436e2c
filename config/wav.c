#include "config/wav.h"
#include "base/g711.h"
#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum format { PCM = 1, ALAW = 6, ULAW = 7, EXTENSIBLE = 0xfffe }; /* WAVE_FORMAT_* */

static uint32_t little(const char *p, unsigned bytes)
{
	uint32_t v = 0;
	for (unsigned i = bytes; i-- > 0;)
		v = v << 8 | (unsigned char)p[i];
	return v;
}

/* the chunk of that name behind the RIFF header */
static bool find_chunk(struct span file, const char *name, struct span *ret_chunk)
{
	size_t at = 12;
	while (file.n - at >= 8) {
		size_t n = little(file.p + at + 4, 4), left = file.n - at - 8;
		bool found = memcmp(file.p + at, name, 4) == 0;
		if (n > left)
			n = left; /* written by a program that never came back to put the length in */
		if (found) {
			*ret_chunk = (struct span){ file.p + at + 8, n };
			return true;
		}
		n += n & 1;
		at += 8 + (n > left ? left : n);
	}
	return false;
}

static const char *read_format(struct span fmt, uint32_t *ret_format)
{
	if (fmt.n < 16)
		return "has no format";
	uint32_t format = little(fmt.p, 2), bits = little(fmt.p + 14, 2);
	if (format == EXTENSIBLE && fmt.n >= 26)
		format = little(fmt.p + 24, 2);
	if (little(fmt.p + 2, 2) != 1)
		return "has more than one channel";
	if (little(fmt.p + 4, 4) != 8000)
		return "has not 8000 samples a second";
	if (!(format == PCM && bits == 16) && !((format == ALAW || format == ULAW) && bits == 8))
		return "is neither 16-bit PCM nor A-law nor u-law";
	*ret_format = format;
	return NULL;
}

int wav_read(struct span file, int16_t *samples, size_t cap, size_t *ret_n, const char **ret_why)
{
	struct span fmt = { 0 }, data = { 0 };
	uint32_t format = 0;
	*ret_why = NULL;
	if (file.n < 12 || memcmp(file.p, "RIFF", 4) != 0 || memcmp(file.p + 8, "WAVE", 4) != 0)
		*ret_why = "is not a WAV file";
	else if (!find_chunk(file, "fmt ", &fmt))
		*ret_why = "has no format";
	else if (!find_chunk(file, "data", &data))
		*ret_why = "has no samples";
	else
		*ret_why = read_format(fmt, &format);
	if (*ret_why)
		return -EBADMSG;
	size_t n = format == PCM ? data.n / 2 : data.n;
	if (!n || n > cap) {
		*ret_why = n ? "is too long" : "has no samples";
		return -EBADMSG;
	}
	for (size_t i = 0; i < n; i++) {
		if (format == PCM)
			samples[i] = (int16_t)little(data.p + 2 * i, 2);
		else
			samples[i] = format == ALAW ? g711_from_alaw((uint8_t)data.p[i]) : g711_from_ulaw((uint8_t)data.p[i]);
	}
	*ret_n = n;
	return 0;
}
