/* NAT keep-alive (SS_SIP_NAT_KEEP_ALIVE_*): a few bytes to every contact behind NAT, so that its NAT goes on knowing the way
 * to it. They leave from the SIP port that it registered at and go to where its REGISTER came from.
 *
 * A pass goes through all of them in batches, one pass a period; what a pass has not got to when the period is over is
 * counted, and the next begins from the start. Where a pass is lies in the region: a successor goes on. */
#ifndef TANDEM_REGISTRAR_KEEPALIVE_H
#define TANDEM_REGISTRAR_KEEPALIVE_H
#include "shm/env.h"

void keepalive_open(struct env *e);
void keepalive_close(void);
#endif
