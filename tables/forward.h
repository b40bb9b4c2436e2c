/* What the forwarding of an account says: unconditional, then by period, then offline, busy, no answer. Pure functions over the
 * configuration; who follows them is signaling/forward.c, who explains them `tandemctl route`. */
#ifndef TANDEM_TABLES_FORWARD_H
#define TANDEM_TABLES_FORWARD_H
#include "config/config.h"

enum forward_case { FORWARD_NONE, FORWARD_UNCONDITIONAL, FORWARD_PERIOD, FORWARD_OFFLINE, FORWARD_BUSY, FORWARD_NO_ANSWER };

/* what applies before anybody is called: unconditional, period or none; `wall_ms`: clock_wall_ms() */
enum forward_case forward_at_once(const struct config *c, const struct cfg_account *a, uint64_t wall_ms);
/* the number of that case; n 0: it is not forwarded then */
struct span forward_number(const struct config *c, const struct cfg_account *a, enum forward_case why, uint64_t wall_ms);
const char *forward_reason(enum forward_case why); /* as RFC 5806 writes it */
const char *forward_name(enum forward_case why);   /* the key */
/* may a call that its contacts do not take go on */
static inline bool forward_may(const struct cfg_account *a) { return a->forward_offline.n || a->forward_busy.n || a->forward_no_answer.n; }
#endif
