/* `tandemctl trace`: events of a trace as a ladder for people, and into a capture file. */
#ifndef TANDEM_CTL_LADDER_H
#define TANDEM_CTL_LADDER_H
#include "ctl/json.h"
#include <stdio.h>

/* one line (or two, when messages were left out) for one event; what is no event of a trace is ignored */
void ladder_print(const struct json *event, FILE *f);
/* a message into the capture file; 0 (also for a decision), -EINVAL, -errno */
int ladder_capture(const struct json *event, FILE *pcap);
#endif
