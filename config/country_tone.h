/* Ringing tones of the countries, ITU-T E.180 and the list in its Supplement 2. */
#ifndef TANDEM_CONFIG_COUNTRY_TONE_H
#define TANDEM_CONFIG_COUNTRY_TONE_H
#include "base/span.h"
#include <stdint.h>

#define COUNTRY_TONE_STEPS 4u

struct country_tone {
	char country[3];                     /* ISO 3166, lower case */
	uint16_t hz[2];                      /* mixed; the second 0: one alone */
	uint16_t modulation;                 /* Hz by which the first is modulated in its amplitude; 0: not */
	uint16_t cadence[COUNTRY_TONE_STEPS];/* ms: on, off, on, off; 0 ends it */
};

const struct country_tone *country_tone_find(struct span country); /* NULL: not listed */
const char *country_tone_list(void); /* "ae, ar, at, ..." */
#endif
