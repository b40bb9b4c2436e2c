/* Where a call can go (routing: candidates): its callee is an account, which wins over every prefix and may lead elsewhere
 * (forward.h), or a number that gateways take. */
#ifndef TANDEM_SIGNALING_CANDIDATES_H
#define TANDEM_SIGNALING_CANDIDATES_H
#include "signaling/work.h"

/* For TEXT_CALLEE: sets s.to_account with s.account_waits, or s.candidates. Forwardings that need no call to be tried (unconditional,
 * period, offline) are followed: TEXT_CALLEE is then what it was forwarded to. END_NONE, or why the call goes nowhere. */
enum end_reason candidates_find(struct work *w);
#endif
