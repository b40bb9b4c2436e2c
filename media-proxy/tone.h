/* The tone that a caller hears while the callee rings: made once, as 8000 samples a second in both laws of G.711, and repeated
 * for ever. Pure but for memory. */
#ifndef TANDEM_MEDIA_PROXY_TONE_H
#define TANDEM_MEDIA_PROXY_TONE_H
#include "config/config.h"
#include "config/country_tone.h"

#define TONE_FRAME 160u /* samples in 20 ms */

struct tone {
	uint32_t n;           /* samples of one round */
	uint8_t *alaw, *ulaw;
};

/* the file's samples when media.ringback names one, else the country's tone. 0 or -ENOMEM */
int tone_make(const struct config *c, struct tone *ret_tone);
int tone_of_country(const struct country_tone *t, struct tone *ret_tone);
void tone_done(struct tone *t);
/* frame number `k` of the endless tone; `law` is t->alaw or t->ulaw */
void tone_frame(const struct tone *t, const uint8_t *law, uint64_t k, uint8_t ret_frame[TONE_FRAME]);
#endif
