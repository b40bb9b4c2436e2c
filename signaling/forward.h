/* Forwarding of accounts: unconditional, then by period, then offline (not registered, or no contact has said anything), busy, no
 * answer. A call is forwarded at most FORWARDS_MAX times and never to an account that has forwarded it. Whoever is called in the end
 * sees by whom and why: Diversion (RFC 5806), the last one on top. The caller's identity stays what it was. */
#ifndef TANDEM_SIGNALING_FORWARD_H
#define TANDEM_SIGNALING_FORWARD_H
#include "signaling/work.h"
#include "tables/forward.h"

#define FORWARDS_MAX 5u

/* what a failure of an attempt that called an account means; `rang`: it had reached 180. `code` 0: a time-out */
enum forward_case forward_by_failure(enum end_reason failure, uint16_t code, bool rang);
/* TEXT_CALLEE becomes the number of that case, TEXT_DIVERSIONS says so; false: there is none, or it would be a loop or one too many */
bool forward_follow(struct work *w, const struct cfg_account *a, enum forward_case why);
/* who has forwarded last; n 0: nobody */
struct span forward_by(const struct work *w);
#endif
