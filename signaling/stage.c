#include "signaling/stage.h"

static enum call_stage stage_of(uint16_t code, bool has_sdp)
{
	if (code == 100)
		return STAGE_TRYING;
	if (code == 180)
		return STAGE_RINGING;
	return has_sdp && code == 183 ? STAGE_PROGRESS_SDP : STAGE_PROGRESS;
}

enum call_stage stage_next(enum call_stage now, uint16_t code, bool has_sdp)
{
	enum call_stage to = stage_of(code, has_sdp);
	switch (now) {
	case STAGE_INVITE:
	case STAGE_TRYING:
	case STAGE_PROGRESS:
		return to > now ? to : now;
	case STAGE_RINGING: /* alternating 180 and 183 must not prolong the call: each may follow the other once */
		return to == STAGE_PROGRESS_SDP ? STAGE_PROGRESS_SDP_LAST : now;
	case STAGE_PROGRESS_SDP:
		return to == STAGE_RINGING ? STAGE_RINGING_LAST : now;
	default:
		return now;
	}
}

uint32_t stage_limit(enum call_stage s, const struct cfg_timeouts *t)
{
	switch (s) {
	case STAGE_INVITE:
		return t->invite;
	case STAGE_TRYING:
		return t->trying;
	case STAGE_PROGRESS:
		return t->session_progress;
	case STAGE_RINGING:
	case STAGE_RINGING_LAST:
		return t->ringing;
	case STAGE_PROGRESS_SDP:
	case STAGE_PROGRESS_SDP_LAST:
		return t->session_progress_sdp;
	default:
		return 0;
	}
}

enum end_reason stage_expired(enum call_stage s)
{
	switch (s) {
	case STAGE_INVITE:
		return END_INVITE_TIMEOUT;
	case STAGE_TRYING:
		return END_TRYING_TIMEOUT;
	case STAGE_PROGRESS:
		return END_PROGRESS_TIMEOUT;
	default:
		return END_NO_ANSWER;
	}
}

const char *stage_text(enum call_stage s)
{
	static const char *const text[STAGE_COUNT] = { [STAGE_NONE] = "none", [STAGE_INVITE] = "invite", [STAGE_TRYING] = "trying",
		[STAGE_PROGRESS] = "session_progress", [STAGE_RINGING] = "ringing", [STAGE_PROGRESS_SDP] = "session_progress_sdp",
		[STAGE_RINGING_LAST] = "ringing", [STAGE_PROGRESS_SDP_LAST] = "session_progress_sdp" };
	return s < STAGE_COUNT ? text[s] : "?";
}
