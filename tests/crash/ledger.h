/* What must be true after all the deaths: nothing is left in any table, no gap of RTP is longer than its death explains; and
 * the figures, as text or as docs/fault-report.md. */
#ifndef TANDEM_TESTS_CRASH_LEDGER_H
#define TANDEM_TESTS_CRASH_LEDGER_H
#include "killer.h"
#include "rtp.h"

void ledger_tables(void); /* while it still runs, with no call left */
void ledger_gaps(void);
void ledger_print(FILE *f, int records, double seconds);
#endif
