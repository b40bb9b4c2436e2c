/* The stages of call set-up: every stage x every response, written down from the behaviour's section 2. */
#include "signaling/stage.h"
#include <criterion/criterion.h>

struct response {
	uint16_t code;
	bool sdp;
};
static const struct response responses[] = { { 100, 0 }, { 100, 1 }, { 180, 0 }, { 180, 1 }, { 181, 0 }, { 181, 1 }, { 182, 0 }, { 182, 1 },
	{ 183, 0 }, { 183, 1 }, { 199, 0 } };
#define RESPONSES (sizeof responses / sizeof *responses)

/* one letter a stage: I invite, T trying, P progress, R ringing, S progress with SDP, r and s the same without a way back */
static const char letters[] = " ITPRSrs";
static enum call_stage stage_named(char c)
{
	return (enum call_stage)(strchr(letters, c) - letters);
}

/*                                      100  100+ 180  180+ 181  181+ 182  182+ 183  183+ 199 */
static const char after[][RESPONSES + 2] = { [STAGE_NONE] = "           ",
	[STAGE_INVITE] = "TTRRPPPPPSP",
	[STAGE_TRYING] = "TTRRPPPPPSP",
	[STAGE_PROGRESS] = "PPRRPPPPPSP",
	[STAGE_RINGING] = "RRRRRRRRRsR",
	[STAGE_PROGRESS_SDP] = "SSrrSSSSSSS",
	[STAGE_RINGING_LAST] = "rrrrrrrrrrr",
	[STAGE_PROGRESS_SDP_LAST] = "sssssssssss" };

Test(stage, every_stage_and_response)
{
	for (enum call_stage s = STAGE_NONE; s < STAGE_COUNT; s++)
		for (unsigned i = 0; i < RESPONSES; i++) {
			enum call_stage got = stage_next(s, responses[i].code, responses[i].sdp), want = stage_named(after[s][i]);
			cr_expect_eq(got, want, "stage %d, response %u%s: %d instead of %d", s, responses[i].code, responses[i].sdp ? " with SDP" : "",
				got, want);
		}
}

/* whatever a gateway sends, it gets a new time limit at most five times */
Test(stage, nothing_prolongs_for_ever)
{
	uint32_t seed = 1;
	for (int run = 0; run < 1000; run++) {
		enum call_stage s = STAGE_INVITE;
		int changes = 0;
		for (int i = 0; i < 100; i++) {
			const struct response *r = &responses[((seed = seed * 1664525u + 1013904223u) >> 16) % RESPONSES];
			enum call_stage next = stage_next(s, r->code, r->sdp);
			changes += next != s;
			s = next;
		}
		cr_assert_leq(changes, 5);
	}
}

Test(stage, limits)
{
	const struct cfg_timeouts t = { .invite = 1, .trying = 2, .session_progress = 3, .session_progress_sdp = 4, .ringing = 5 };
	static const uint32_t want[STAGE_COUNT] = { 0, 1, 2, 3, 5, 4, 5, 4 };
	for (enum call_stage s = STAGE_NONE; s < STAGE_COUNT; s++)
		cr_expect_eq(stage_limit(s, &t), want[s], "stage %d", s);
}

Test(stage, what_a_time_out_means)
{
	static const struct {
		enum call_stage s;
		const char *text;
		uint16_t code;
	} want[] = { { STAGE_INVITE, "invite timeout", 408 }, { STAGE_TRYING, "trying timeout", 408 }, { STAGE_PROGRESS, "progress timeout", 408 },
		{ STAGE_RINGING, "no answer", 480 }, { STAGE_PROGRESS_SDP, "no answer", 480 }, { STAGE_RINGING_LAST, "no answer", 480 },
		{ STAGE_PROGRESS_SDP_LAST, "no answer", 480 } };
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		const struct end_reason_info *info = end_reason_info(stage_expired(want[i].s));
		cr_expect_str_eq(info->text, want[i].text);
		cr_expect_eq(info->code, want[i].code);
	}
}
