/* WAV files (RIFF): one channel of 8000 samples a second, 16-bit PCM, A-law or u-law. Bounded, pure. */
#ifndef TANDEM_CONFIG_WAV_H
#define TANDEM_CONFIG_WAV_H
#include "base/span.h"
#include <stdint.h>

/* Reads the samples of `file` as 16-bit linear into `samples` (at most `cap`). 0; or -EBADMSG with the reason in *ret_why,
 * a text that goes on from the file's name. */
int wav_read(struct span file, int16_t *samples, size_t cap, size_t *ret_n, const char **ret_why);
#endif
