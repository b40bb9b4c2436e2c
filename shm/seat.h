/* How people name a process: "signaling/0", and just "routing" where there is only one. */
#ifndef TANDEM_SHM_SEAT_H
#define TANDEM_SHM_SEAT_H
#include "shm/region.h"
#include <stdio.h>

#define SEAT_TEXT_MAX 16 /* also what the kernel keeps of a process's name */

static inline const char *seat_format(uint32_t seat, char buf[SEAT_TEXT_MAX])
{
	enum role r = seat_role(seat);
	if (r < ROLE_SIGNALING)
		snprintf(buf, SEAT_TEXT_MAX, "%s", role_name(r));
	else
		snprintf(buf, SEAT_TEXT_MAX, "%s/%u", role_name(r), seat_index(seat) % WORKERS_MAX);
	return buf;
}
#endif
