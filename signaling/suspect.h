/* What an adopter does about calls and datagrams that kill, and about records that cannot be right.
 *
 *	deaths 2  the call is ended: BYE or a final answer on both legs, END_INTERNAL in its record
 *	deaths 3  that killed, too: its record is written, nothing is sent
 *	deaths 4  it is forgotten
 * A datagram is left out after two (shm/poison.h); so is a call whose record is damaged, as after three deaths. */
#ifndef TANDEM_SIGNALING_SUSPECT_H
#define TANDEM_SIGNALING_SUSPECT_H
#include "signaling/core.h"

enum suspect_level { CALL_KEEP, CALL_TERMINATE, CALL_BURY, CALL_FORGET };

/* part of adopt(), before any call is: who is to blame for the predecessor's death */
void suspect_begin(struct sig *g);
enum suspect_level suspect_level(const struct sig *g, uint32_t slot);
/* The call's state is replaced by that of a call that is over, with its record if it had none. Nothing private but the
 * journal is needed. */
void suspect_bury(struct sig *g, uint32_t slot);
/* every number and handle in the record is one that its owner could have stored there */
bool call_intact(const struct sig *g, const struct call *call);
#endif
