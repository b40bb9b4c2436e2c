/* Whether a packet may come from where it came from, and whether the remote address of a leg follows it. A pure function:
 * the only place where the rule lives; tests/unit/media-proxy/test_latch.c enumerates it.
 *
 * A leg is open until its first acceptable packet, however late. Acceptable is a source with, in falling rank,
 *	exact    address and port of the SDP
 *	host     the SDP's address with another port
 *	other    the address the leg's signalling comes from, when the mode is `on`, or `auto` and the leg is behind NAT;
 *	         any address when the mode is `any`
 * The first one latches. Then
 *	- for MEDIA_LATCH_MS a source of a higher rank takes the latch over, and none of a lower rank does;
 *	- another port of the latched address takes it over when it carries on the same stream (same SSRC, continuous sequence);
 *	- everything else is dropped until an offer/answer changes the address, which opens the leg again.
 * The mode `off` checks sources in the same way, but what is sent always goes to the SDP's address. */
#ifndef TANDEM_MEDIA_PROXY_LATCH_H
#define TANDEM_MEDIA_PROXY_LATCH_H
#include "shm/media.h"

enum latch_verdict {
	SOURCE_REFUSED, /* drop and count */
	SOURCE_KNOWN,   /* the latched one */
	SOURCE_FIRST,   /* latch it: the leg was open */
	SOURCE_MOVED    /* latch it instead of the earlier one */
};

struct latch {
	const struct addr *signalled; /* from the SDP, of this component (RTP or RTCP); family 0: none yet */
	const struct addr *signal;    /* where the leg's signalling comes from; port unused */
	const struct addr *latched;   /* NULL: open */
	uint64_t age_ms;              /* since the first packet latched */
	uint8_t mode;                 /* enum cfg_latch */
	bool behind_nat;
	bool continuous;              /* the packet carries on the stream of the latched source */
};

enum latch_verdict latch_decide(const struct latch *l, const struct addr *source);
#endif
