#include "base/g711.h"

#define ULAW_BIAS 132
#define CLIP      32635

/* number of the segment: position of the highest bit above `low` */
static int segment(int x, int low)
{
	int s = 0;
	while (s < 7 && x >= low << (s + 1))
		s++;
	return s;
}

uint8_t g711_alaw(int16_t linear)
{
	int x = linear, sign = 0x80;
	if (x < 0) {
		x = -x - 1; /* the codes of the negative half end one below zero */
		sign = 0;
	}
	if (x > CLIP)
		x = CLIP;
	int s = segment(x, 128);
	int code = s ? s << 4 | (x >> (s + 3) & 15) : x >> 4;
	return (uint8_t)((code | sign) ^ 0x55);
}

int16_t g711_from_alaw(uint8_t code)
{
	int c = code ^ 0x55, s = c >> 4 & 7, x = (c & 15) << 4;
	x = s ? (x + 0x108) << (s - 1) : x + 8;
	return (int16_t)(c & 0x80 ? x : -x);
}

uint8_t g711_ulaw(int16_t linear)
{
	int x = linear, sign = 0;
	if (x < 0) {
		x = -x;
		sign = 0x80;
	}
	if (x > CLIP)
		x = CLIP;
	x += ULAW_BIAS;
	int s = segment(x, 128);
	return (uint8_t)~(sign | s << 4 | (x >> (s + 3) & 15));
}

int16_t g711_from_ulaw(uint8_t code)
{
	int c = ~code & 0xff, s = c >> 4 & 7;
	int x = (((c & 15) << 3) + ULAW_BIAS) << s;
	return (int16_t)(c & 0x80 ? ULAW_BIAS - x : x - ULAW_BIAS);
}
