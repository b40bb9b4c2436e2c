/* G.711: A-law and u-law to 16-bit linear and back, sample by sample. Pure. */
#ifndef TANDEM_BASE_G711_H
#define TANDEM_BASE_G711_H
#include <stdint.h>

uint8_t g711_alaw(int16_t linear);
uint8_t g711_ulaw(int16_t linear);
int16_t g711_from_alaw(uint8_t code);
int16_t g711_from_ulaw(uint8_t code);
#endif
