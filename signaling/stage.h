/* The stages of call set-up on the callee leg and their time limits (behaviour: time limits in call set-up).
 *
 *	INVITE -> TRYING -> PROGRESS -> RINGING <-> PROGRESS_SDP        only forward; the last two may follow each other once
 *
 * Pure functions: no state of their own, no clock. */
#ifndef TANDEM_SIGNALING_STAGE_H
#define TANDEM_SIGNALING_STAGE_H
#include "config/config.h"
#include "shm/call.h"

enum call_stage {
	STAGE_NONE,         /* no attempt under way */
	STAGE_INVITE,       /* sent, nothing heard */
	STAGE_TRYING,       /* 100 */
	STAGE_PROGRESS,     /* 181, 182, 183 without SDP */
	STAGE_RINGING,      /* 180 */
	STAGE_PROGRESS_SDP, /* 183 with SDP */
	STAGE_RINGING_LAST,      /* 180 after PROGRESS_SDP: no way back */
	STAGE_PROGRESS_SDP_LAST, /* 183 with SDP after RINGING: no way back */
	STAGE_COUNT
};

/* the stage after a provisional response; the same stage when the response changes nothing (its timer goes on) */
enum call_stage stage_next(enum call_stage now, uint16_t code, bool has_sdp);
/* ms until the stage is over; 0: no limit */
uint32_t stage_limit(enum call_stage s, const struct cfg_timeouts *t);
const char *stage_text(enum call_stage s); /* for people */
/* what it means when its time is over */
enum end_reason stage_expired(enum call_stage s);
#endif
