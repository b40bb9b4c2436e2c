/* REGISTER (RFC 3261 section 10): endpoints that register with us. A REGISTER is worked on by the worker that owns the account
 * named in To, which alone writes its contacts. */
#ifndef TANDEM_SIGNALING_REGISTER_H
#define TANDEM_SIGNALING_REGISTER_H
#include "signaling/core.h"

#define REGISTER_EXPIRES_MIN_S 20u

/* the worker that a REGISTER belongs to */
uint32_t register_owner(const struct sig *g, const struct msg *m);
/* Works one off: authentication, contacts, answer. It is no repetition of one that was answered. */
void register_request(struct sig *g, const struct event *ev);
#endif
