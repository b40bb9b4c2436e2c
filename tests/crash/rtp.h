/* RTP on some calls of the walks: both sides send 50 packets a second with sequence numbers; what comes late or never is a gap.
 * Gaps are kept with their times and judged by ledger.c: beside which death they fell. */
#ifndef TANDEM_TESTS_CRASH_RTP_H
#define TANDEM_TESTS_CRASH_RTP_H
#include "walk.h"

#define RTP_MS	   20u
#define RTP_NOTICE 60u /* ms without a packet that count as a gap */

struct gap {
	uint64_t from, to; /* clock_ms() of the last packet before and the first one after */
	uint32_t ms;	   /* without the time that this program itself was late */
	uint32_t lost;	   /* packets */
	uint32_t walk;
};
struct rtp_total {
	uint64_t sent, received, lost, stalled_ms; /* stalled: this program was late */
	uint32_t streams, silent;		   /* silent: heard nothing for a second */
	struct gap *gap;
	uint32_t n_gaps, cap_gaps;
};
extern struct rtp_total rtp_total;

int rtp_open(void);
bool rtp_wanted(const struct walk *w);
uint16_t rtp_port(const struct leg *l);
void rtp_learn(struct leg *l, const struct text *t); /* SDP of a message to this leg: where its packets go */
void rtp_start(struct walk *w);			     /* the call is up on both sides */
#endif
