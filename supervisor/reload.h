/* What a reload may not change. Pure. */
#ifndef TANDEM_SUPERVISOR_RELOAD_H
#define TANDEM_SUPERVISOR_RELOAD_H
#include "config/config.h"
#include <stddef.h>

/* Number of keys that differ and need a restart; each is a line "KEY: ... needs a restart" in `why` as far as it fits.
 * `cells`: how many capacity cells were allotted at start: the new configuration's gateways must find place. */
uint32_t reload_refusals(const struct config *old, const struct config *new, uint32_t cells, char *why, size_t cap);
#endif
