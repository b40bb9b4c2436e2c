#include "signaling/switch.h"

static bool listed(const struct switch_policy *p, uint16_t code)
{
	for (uint32_t i = 0; i < p->n_response_codes; i++)
		if (p->response_codes[i] == code)
			return true;
	return false;
}

/* what the caller is told when the call ends with this attempt */
static uint16_t told(const struct switch_event *e)
{
	if (e->failure != END_REJECTED)
		return end_reason_info(e->failure)->code;
	if (e->code < 200 || (e->code >= 300 && e->code < 400) || e->code == 401 || e->code == 407 || e->code > 699)
		return 503;
	return e->code;
}

struct switch_result switch_decide(const struct switch_policy *p, const struct switch_seen *seen, const struct switch_event *e)
{
	bool busy = e->code == 486 || e->code == 600;
	struct switch_result r = { SWITCH_NEXT, busy ? END_BUSY : e->failure, told(e) };

	if (seen->caller_gone) {
		r = (struct switch_result){ SWITCH_CALLER_GONE, END_CANCELLED, 487 };
	} else if (e->code >= 200 && e->code < 300) {
		r = (struct switch_result){ SWITCH_CONNECTED, END_NORMAL, e->code };
	} else if (e->code && listed(p, e->code)) {
		r.rule = SWITCH_CODE_LISTED;
	} else if (busy && p->after_user_busy) {
		r.rule = SWITCH_BUSY;
	} else if (seen->rtp && p->after_rtp_start) {
		r.rule = SWITCH_RTP;
	} else if (seen->sdp && p->after_sdp) {
		r.rule = SWITCH_SDP;
	} else if (e->failure == END_INVITE_TIMEOUT && p->after_invite_timeout) {
		r.rule = SWITCH_TIMEOUT;
	} else if ((seen->rang || e->failure == END_NO_ANSWER || e->code >= 600) && !p->until_connect) {
		r.rule = SWITCH_RANG;
	} else if (p->limit != UINT32_MAX && seen->attempts > p->limit) {
		r.rule = SWITCH_LIMIT;
		r.reason = END_SWITCH_LIMIT;
	} else if (!seen->more) {
		r.rule = SWITCH_NO_CANDIDATE;
	}
	return r;
}

const char *switch_rule_text(enum switch_rule r)
{
	static const char *const text[] = { "next gateway", "caller is gone", "connected", "response code is on the stop list",
		"user busy", "RTP has started", "SDP was seen", "INVITE timeout", "callee has rung", "switch limit", "no gateway left" };
	return (unsigned)r < sizeof text / sizeof *text ? text[r] : "?";
}

uint16_t cause_of(uint16_t code)
{
	static const struct {
		uint16_t code, cause;
	} map[] = { { 400, 41 }, { 401, 21 }, { 402, 21 }, { 403, 21 }, { 404, 1 }, { 405, 63 }, { 406, 79 }, { 407, 21 }, { 408, 102 },
		{ 410, 22 }, { 413, 127 }, { 414, 127 }, { 415, 79 }, { 416, 127 }, { 420, 127 }, { 421, 127 }, { 423, 127 },
		{ 480, 18 }, { 481, 41 }, { 482, 25 }, { 483, 25 }, { 484, 28 }, { 485, 1 }, { 486, 17 }, { 487, 16 }, { 488, 88 },
		{ 500, 41 }, { 501, 79 }, { 502, 38 }, { 503, 41 }, { 504, 102 }, { 505, 127 }, { 513, 127 }, { 600, 17 },
		{ 603, 21 }, { 604, 1 }, { 606, 88 } };
	for (size_t i = 0; i < sizeof map / sizeof *map; i++)
		if (map[i].code == code)
			return map[i].cause;
	return code >= 200 && code < 300 ? 16 : 31;
}
