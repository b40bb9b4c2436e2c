/* The reader of ring-back files against any bytes. Beyond "no crash": what it says it has read fits the room it was given,
 * and a refusal has its reason. The first byte chooses the room. */
#include "config/wav.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static int16_t samples[4096];
	const char *why = NULL;
	size_t got = 0, room = n ? (size_t)data[0] * 16 : 0;
	struct span file = { n ? (const char *)data + 1 : "", n ? n - 1 : 0 };
	int r = wav_read(file, samples, room, &got, &why);
	if (r == 0 ? got > room : !why)
		abort();
	return 0;
}
