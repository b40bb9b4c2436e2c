/* Numbers through the dial plans of gateways (tables/dialplan.h). A rule with `poll` takes turns over all workers. */
#ifndef TANDEM_SIGNALING_NUMBERS_H
#define TANDEM_SIGNALING_NUMBERS_H
#include "signaling/core.h"
#include "tables/dialplan.h"

/* `number` through `plan` (CONFIG_NONE: none). *ret_number is in `buffer`, or `number` itself when no rule applies. */
enum dialplan_verdict numbers_apply(
	struct sig *g, uint32_t plan, struct span number, char buffer[DIALPLAN_BYTES], struct span *ret_number);
#endif
