/* Every SS_ parameter: name, default, range with its borders, unit, scope, override by a gateway. */
#include "helper.h"

/* as documented; -1 in `low`: not a plain number */
static const struct expected {
	enum cfg_param p;
	const char *name, *fallback;
	int64_t value; /* as held */
	long low, high;
	const char *scope;
} expected[] = {
#define ROW(name, fallback, value, low, high, scope) { P_##name, #name, fallback, value, low, high, scope }
	ROW(SS_SIP_RESEND_INTERVAL, "0.5,1,2,4,4,4,4,4,4,4", 10, -1, 0, "resend_interval"),
	ROW(SS_SIP_SEND_RETRY, "10", 10, 0, 10, "global"),
	ROW(SS_SIP_TIMEOUT_INVITE, "10", 10000, 1, 300, "timeouts.invite"),
	ROW(SS_SIP_TIMEOUT_TRYING, "20", 20000, 1, 300, "timeouts.trying"),
	ROW(SS_SIP_TIMEOUT_SESSION_PROGRESS, "20", 20000, 1, 600, "timeouts.session_progress"),
	ROW(SS_SIP_TIMEOUT_SESSION_PROGRESS_SDP, "120", 120000, 1, 600, "timeouts.session_progress_sdp"),
	ROW(SS_SIP_TIMEOUT_RINGING, "120", 120000, 1, 600, "timeouts.ringing"),
	ROW(SS_SIP_STOP_SWITCH_AFTER_SDP, "on", 1, -1, 0, "stop_switch.after_sdp"),
	ROW(SS_SIP_USER_AGENT_STOP_SWITCH_AFTER_INVITE_TIMEOUT, "off", 0, -1, 0, "stop_switch.after_invite_timeout"),
	ROW(SS_SIP_ROUTING_GATEWAY_INVITE_USE_CONTACT, "off", 0, -1, 0, "global"),
	ROW(SS_SIP_E164_DISPLAY_FROM, "ignore", DISPLAY_IGNORE, -1, 0, "global"),
	ROW(SS_LOCAL_IP_DOMAIN, "none", 0, -1, 0, "global"),
	ROW(SS_GATEWAY_SWITCH_LIMIT, "none", CONFIG_NONE, 0, 32, "global"),
	ROW(SS_GATEWAY_SWITCH_UNTIL_CONNECT, "off", 0, -1, 0, "switch_until_connect"),
	ROW(SS_GATEWAY_SWITCH_STOP_AFTER_RTP_START, "on", 1, -1, 0, "stop_switch.after_rtp_start"),
	ROW(SS_GATEWAY_SWITCH_STOP_AFTER_USER_BUSY, "on", 1, -1, 0, "stop_switch.after_user_busy"),
	ROW(SS_CDR_RECORD_NONCONNECT, "on", 1, -1, 0, "global"),
	ROW(SS_MAX_CALL_DURATION, "none", CONFIG_NONE, 1, 864000, "global"),
	ROW(SS_MEDIA_PROXY_BEHIND_NAT, "on", 1, -1, 0, "global"),
	ROW(SS_GATEWAY_ASR_CALCULATE, "off", 0, -1, 0, "global"),
	ROW(SS_GATEWAY_ASR_RESERVE_TIME, "900", 900000, 60, 86400, "global"),
	ROW(SS_GATEWAY_ASR_RESERVE_SEPARATE, "60", 60000, 10, 3600, "global"),
	ROW(SS_GATEWAY_ASR_ROUTE_SORT_CONFIG, "none", CONFIG_NONE, 0, 9, "global"),
	ROW(SS_GATEWAY_FEE_RATE_ROUTE_SORT_CONFIG, "none", CONFIG_NONE, 0, 9, "global"),
	ROW(SS_GATEWAY_FEE_RATE_ROUTE_BEFORE_ASR, "off", 0, -1, 0, "global"),
	ROW(SS_TRY_PROTECT_ROUTE_DELAY, "0", 0, 0, 180, "global"),
	ROW(SS_SIP_OPTIONS_CHECK_PERIOD, "30", 30000, 1, 3600, "options_ping.interval"),
	ROW(SS_BLACK_LIST_CALLER_MALICIOUS_CALL_LIMIT, "0", 0, 0, 1000000, "global"),
	ROW(SS_BLACK_LIST_CALLER_MALICIOUS_CALL_CHECK_INTERVAL, "60", 60000, 1, 86400, "global"),
	ROW(SS_BLACK_LIST_CALLER_MALICIOUS_CALL_EXPIRE, "3600", 3600000, 1, 2592000, "global"),
	ROW(SS_BLACK_LIST_NO_ANSWER_LIMIT, "0", 0, 0, 1000000, "global"),
	ROW(SS_BLACK_LIST_NO_ANSWER_PERIODS, "3600", 3600000, 1, 86400, "global"),
	ROW(SS_BLACK_LIST_NO_ANSWER_EXPIRE, "86400", 86400000, 1, 2592000, "global"),
	ROW(SS_BLACK_LIST_CALLER_CONCURRENT_LIMIT, "0", 0, 0, 1000000, "global"),
	ROW(SS_BLACK_LIST_CALLER_CONCURRENT_EXPIRE, "3600", 3600000, 1, 2592000, "global"),
	ROW(SS_QOS_SIGNAL, "0xa0", 160, 0, 255, "global"),
	ROW(SS_QOS_RTP, "0xb8", 184, 0, 255, "global"),
	ROW(SS_SIP_PUBLISH_EXPIRE, "3600", 3600000, 60, 86400, "global"),
	ROW(SS_CDR_RECORD_TO_FILE, "on", 1, -1, 0, "global"),
	ROW(SS_SIP_SESSION_TTL, "600", 600000, 90, 7200, "global"),
	ROW(SS_SIP_SESSION_UPDATE_SEGMENT, "2", 2, 2, 10, "global"),
	ROW(SS_SIP_SESSION_TIMEOUT_EARLY_HANGUP, "0", 0, 0, 60, "global"),
	ROW(SS_SIP_NO_TIMER_REINVITE_INTERVAL, "7200", 7200000, 60, 864000, "global"),
	ROW(SS_SIP_USER_AGENT_EXPIRE, "auto", 0, 20, 7200, "global"),
	ROW(SS_SIP_USER_AGENT_RETRY_DELAY, "60", 60000, 30, 600, "global"),
	ROW(SS_SIP_USER_AGENT_SEND_UNREGISTER, "on", 1, -1, 0, "global"),
	ROW(SS_SIP_USER_AGENT_PRIVACY, "ignore", PRIVACY_IGNORE, -1, 0, "global"),
	ROW(SS_ENDPOINT_EXPIRE, "300/3600", 300000, -1, 0, "global"),
	ROW(SS_ENDPOINT_NAT_EXPIRE, "300", 300000, 20, 3600, "global"),
	ROW(SS_ENDPOINT_REGISTER_REPLACE, "on", 1, -1, 0, "global"),
	ROW(SS_ENDPOINT_REGISTER_RETRY, "6", 6, 0, 999, "global"),
	ROW(SS_ENDPOINT_REGISTER_SUSPEND, "180", 180000, 60, 3600, "global"),
	ROW(SS_SIP_AUTHENTICATION_CODE, "401", 401, -1, 0, "global"),
	ROW(SS_SIP_AUTHENTICATION_RETRY, "6", 6, 0, 100, "global"),
	ROW(SS_SIP_AUTHENTICATION_TIMEOUT, "10", 10000, 1, 120, "global"),
	ROW(SS_AUTHENTICATION_MAX_RETRY, "6", 6, 0, 999, "global"),
	ROW(SS_AUTHENTICATION_FAILED_SUSPEND, "180", 180000, 60, 3600, "global"),
	ROW(SS_REPLY_UNAUTHORIZED, "on", 1, -1, 0, "global"),
	ROW(SS_SIP_NAT_KEEP_ALIVE_MESSAGE, "HELLO", 5, -1, 0, "global"),
	ROW(SS_SIP_NAT_KEEP_ALIVE_PERIOD, "30", 30000, 10, 86400, "global"),
	ROW(SS_SIP_NAT_KEEP_ALIVE_SEND_INTERVAL, "500", 500, 10, 10000, "global"),
	ROW(SS_SIP_NAT_KEEP_ALIVE_SEND_ONE_TIME, "3000", 3000, 1, 100000, "global"),
};
#define EXPECTED (sizeof(expected) / sizeof(*expected))

Test(parameters, defaults)
{
	struct compiled r = accepted(LISTEN);
	const struct cfg_text *origins = CFG_LIST(r.config, &r.config->params_origin, struct cfg_text);
	cr_assert_eq(EXPECTED, P_COUNT);
	for (size_t i = 0; i < EXPECTED; i++) {
		const struct expected *e = &expected[i];
		char text[80];
		size_t n = param_format(r.config, e->p, text, sizeof(text));
		cr_expect_eq(e->p, i);
		cr_expect_str_eq(param_info(e->p)->name, e->name);
		cr_expect_str_eq(param_info(e->p)->scope, e->scope, "%s", e->name);
		cr_expect_eq(r.config->param[e->p], e->value, "%s is %lld", e->name, (long long)r.config->param[e->p]);
		cr_expect_str_eq(text, e->fallback, "%s", e->name);
		cr_expect_eq(n, strlen(text));
		cr_expect_str_eq(cfg_str(r.config, origins[i]), "default");
		if (e->p != P_SS_SIP_SEND_RETRY)
			cr_expect_str_eq(param_info(e->p)->fallback, e->fallback, "%s", e->name);
	}
	cr_expect_eq(r.config->endpoint_expire_max, 3600000);
	cr_expect_str_eq(cfg_str(r.config, r.config->sip.nat_keep_alive), "HELLO");
	compiled_free(&r);
}

/* accepted by its range, though its feature may be refused as not available */
static void check_value(const struct expected *e, long value, bool good)
{
	char text[256], outside[256];
	snprintf(text, sizeof(text), LISTEN "parameters:\n  %s: %ld\n", e->name, value);
	snprintf(outside, sizeof(outside), "sw.yaml:3:%zu: parameters.%s: %ld is outside %s", strlen(e->name) + 5,
		e->name, value, param_info(e->p)->range);
	struct compiled r = compile_text(text);
	const char *first = config_errors_text(r.errors, 0);
	if (!good)
		cr_expect_str_eq(first, outside);
	else
		cr_expect(!*first || strstr(first, "is not available yet"), "%s", first);
	if (good && r.config) {
		int64_t held = r.config->param[e->p];
		cr_expect(held == value || held == value * 1000, "%s: %ld is held as %lld", e->name, value,
			(long long)held);
		cr_expect_str_eq(cfg_str(r.config, CFG_LIST(r.config, &r.config->params_origin, struct cfg_text)[e->p]),
			"sw.yaml:3");
	}
	compiled_free(&r);
}

Test(parameters, borders)
{
	for (size_t i = 0; i < EXPECTED; i++) {
		const struct expected *e = &expected[i];
		if (e->low < 0)
			continue;
		check_value(e, e->low, true);
		check_value(e, e->high, true);
		check_value(e, e->low - 1, false);
		check_value(e, e->high + 1, false);
	}
}

Test(parameters, wrong_types)
{
	for (size_t i = 0; i < EXPECTED; i++) {
		char text[256];
		if (expected[i].p == P_SS_SIP_NAT_KEEP_ALIVE_MESSAGE)
			continue; /* any text is good */
		snprintf(text, sizeof(text), LISTEN "parameters:\n  %s: wr/ong!\n", expected[i].name);
		refuse(text, NULL);
		snprintf(text, sizeof(text), LISTEN "parameters:\n  %s: {a: 1}\n", expected[i].name);
		refuse(text, NULL);
	}
	refuse(LISTEN "parameters: 5\n", "sw.yaml:2:13: parameters: a map of parameters is expected");
	refuse(LISTEN "parameters: {SS_SIP_TIMEOUT_INVITE: 1.5}\n",
		"sw.yaml:2:37: parameters.SS_SIP_TIMEOUT_INVITE: 1.5 is not a whole number, allowed: 1-300");
	refuse(LISTEN "parameters: {SS_SIP_TIMEOUT_INVITE: }\n",
		"sw.yaml:2:37: parameters.SS_SIP_TIMEOUT_INVITE: has no value, allowed: 1-300");
	refuse(LISTEN "parameters: {SS_SIP_TIMEOUT_INVITE: 99999999999999999999999}\n",
		"sw.yaml:2:37: parameters.SS_SIP_TIMEOUT_INVITE: 99999999999999999999999 is outside 1-300");
}

Test(parameters, unknown_name)
{
	refuse(LISTEN "parameters: {SS_SIP_TIMEOUT_INVIT: 5}\n",
		"sw.yaml:2:14: parameters.SS_SIP_TIMEOUT_INVIT: unknown parameter, did you mean SS_SIP_TIMEOUT_INVITE?");
	refuse(LISTEN "parameters: {nonsense: 5}\n", "sw.yaml:2:14: parameters.nonsense: unknown parameter");
	refuse(LISTEN "parameters: {SS_QOS_RTP: 5, SS_QOS_RTP: 6}\n",
		"sw.yaml:2:29: parameters.SS_QOS_RTP: given twice, first at sw.yaml:2");
}

Test(parameters, on_off)
{
	static const char *const yes[] = { "on", "true", "yes", "ON", "True" }, *const no[] = { "off", "false", "no",
		"Off" };
	for (size_t i = 0; i < 5; i++) {
		struct compiled r = accepted_with("parameters: {SS_GATEWAY_SWITCH_UNTIL_CONNECT: %s}\n", yes[i]);
		cr_expect_eq(r.config->param[P_SS_GATEWAY_SWITCH_UNTIL_CONNECT], 1);
		compiled_free(&r);
	}
	for (size_t i = 0; i < 4; i++) {
		struct compiled r = accepted_with("parameters: {SS_CDR_RECORD_NONCONNECT: %s}\n", no[i]);
		cr_expect_eq(r.config->param[P_SS_CDR_RECORD_NONCONNECT], 0);
		compiled_free(&r);
	}
	refuse_with("parameters: {SS_CDR_RECORD_NONCONNECT: %s}\n", "1",
		"sw.yaml:2:40: parameters.SS_CDR_RECORD_NONCONNECT: 1 is neither on nor off");
}

Test(parameters, words)
{
	static const struct {
		const char *text;
		enum cfg_param p;
		int64_t value;
		const char *shown;
	} rows[] = {
		{ "SS_GATEWAY_SWITCH_LIMIT: none", P_SS_GATEWAY_SWITCH_LIMIT, CONFIG_NONE, "none" },
		{ "SS_GATEWAY_SWITCH_LIMIT: null", P_SS_GATEWAY_SWITCH_LIMIT, CONFIG_NONE, "none" },
		{ "SS_GATEWAY_SWITCH_LIMIT: 3", P_SS_GATEWAY_SWITCH_LIMIT, 3, "3" },
		{ "SS_MAX_CALL_DURATION: 60", P_SS_MAX_CALL_DURATION, 60000, "60" },
		{ "SS_SIP_USER_AGENT_EXPIRE: auto", P_SS_SIP_USER_AGENT_EXPIRE, 0, "auto" },
		{ "SS_SIP_E164_DISPLAY_FROM: e164", P_SS_SIP_E164_DISPLAY_FROM, DISPLAY_E164, "e164" },
		{ "SS_SIP_E164_DISPLAY_FROM: number", P_SS_SIP_E164_DISPLAY_FROM, DISPLAY_NUMBER, "number" },
		{ "SS_SIP_USER_AGENT_PRIVACY: none", P_SS_SIP_USER_AGENT_PRIVACY, PRIVACY_NONE, "none" },
		{ "SS_SIP_AUTHENTICATION_CODE: 401", P_SS_SIP_AUTHENTICATION_CODE, 401, "401" },
		{ "SS_QOS_SIGNAL: 0x00", P_SS_QOS_SIGNAL, 0, "0x0" },
		{ "SS_QOS_SIGNAL: 255", P_SS_QOS_SIGNAL, 255, "0xff" },
		{ "SS_LOCAL_IP_DOMAIN: sip.example.net", P_SS_LOCAL_IP_DOMAIN, 15, "sip.example.net" },
		{ "SS_LOCAL_IP_DOMAIN: none", P_SS_LOCAL_IP_DOMAIN, 0, "none" },
		{ "SS_SIP_NAT_KEEP_ALIVE_MESSAGE: \"\"", P_SS_SIP_NAT_KEEP_ALIVE_MESSAGE, 0, "" },
		{ "SS_SIP_NAT_KEEP_ALIVE_MESSAGE: null", P_SS_SIP_NAT_KEEP_ALIVE_MESSAGE, 0, "" },
		{ "SS_SIP_NAT_KEEP_ALIVE_MESSAGE: \"\\r\\n\\r\\n\"", P_SS_SIP_NAT_KEEP_ALIVE_MESSAGE, 4, "????" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char text[80];
		struct compiled r = accepted_with("parameters: {%s}\n", rows[i].text);
		param_format(r.config, rows[i].p, text, sizeof(text));
		cr_expect_eq(r.config->param[rows[i].p], rows[i].value, "%s", rows[i].text);
		cr_expect_str_eq(text, rows[i].shown);
		compiled_free(&r);
	}
	refuse_with("parameters: {SS_SIP_NAT_KEEP_ALIVE_MESSAGE: %s}\n",
		"12345678901234567890123456789012345678901234567890123456789012345", NULL);
	refuse_with("parameters: {SS_LOCAL_IP_DOMAIN: %s}\n", "\"bad host\"", NULL);
}

Test(parameters, pair)
{
	static const char *const good[] = { "60/600", "\"60,600\"", "[60, 600]", "\"60, 600\"" };
	for (size_t i = 0; i < 4; i++) {
		char text[80];
		struct compiled r = accepted_with("parameters: {SS_ENDPOINT_EXPIRE: %s}\n", good[i]);
		cr_expect_eq(r.config->param[P_SS_ENDPOINT_EXPIRE], 60000);
		cr_expect_eq(r.config->endpoint_expire_max, 600000);
		param_format(r.config, P_SS_ENDPOINT_EXPIRE, text, sizeof(text));
		cr_expect_str_eq(text, "60/600");
		compiled_free(&r);
	}
	refuse_with("parameters: {SS_ENDPOINT_EXPIRE: %s}\n", "300",
		"sw.yaml:2:34: parameters.SS_ENDPOINT_EXPIRE: two values are expected, allowed: two values of 20-86400");
	refuse_with("parameters: {SS_ENDPOINT_EXPIRE: %s}\n", "19/300",
		"sw.yaml:2:34: parameters.SS_ENDPOINT_EXPIRE: 19 is outside 20-86400");
	refuse_with("parameters: {SS_ENDPOINT_EXPIRE: %s}\n", "[20, 86401]",
		"sw.yaml:2:39: parameters.SS_ENDPOINT_EXPIRE: 86401 is outside 20-86400");
	refuse_with("parameters: {SS_ENDPOINT_EXPIRE: %s}\n", "600/300", NULL);
	refuse_with("parameters: {SS_ENDPOINT_EXPIRE: %s}\n", "[1, 2, 3]", NULL);
}

Test(parameters, resend_list)
{
	struct compiled r = accepted_with("parameters: {SS_SIP_RESEND_INTERVAL: %s}\n", "\"0.1, 64, 1.25\"");
	const struct cfg_resend *s = &r.config->resend;
	char text[80];
	cr_assert_eq(s->n, 3);
	cr_expect_eq(s->limit, 3);
	cr_expect(s->interval[0] == 100 && s->interval[1] == 64000 && s->interval[2] == 1250);
	param_format(r.config, P_SS_SIP_RESEND_INTERVAL, text, sizeof(text));
	cr_expect_str_eq(text, "0.1,64,1.25");
	compiled_free(&r);

	refuse_with("parameters: {SS_SIP_RESEND_INTERVAL: %s}\n", "[0.5, 0.09]",
		"sw.yaml:2:44: parameters.SS_SIP_RESEND_INTERVAL[1]: 0.09 is outside 0.1-64");
	refuse_with("parameters: {SS_SIP_RESEND_INTERVAL: %s}\n", "64.001",
		"sw.yaml:2:38: parameters.SS_SIP_RESEND_INTERVAL[0]: 64.001 is outside 0.1-64");
	refuse_with("parameters: {SS_SIP_RESEND_INTERVAL: %s}\n", "[]",
		"sw.yaml:2:38: parameters.SS_SIP_RESEND_INTERVAL: has 0 values, allowed: 1 to 10 values of 0.1-64");
	refuse_with("parameters: {SS_SIP_RESEND_INTERVAL: %s}\n", "[1,1,1,1,1,1,1,1,1,1,1]",
		"sw.yaml:2:38: parameters.SS_SIP_RESEND_INTERVAL: has 11 values, allowed: 1 to 10 values of 0.1-64");
}

Test(parameters, send_retry_caps_every_list)
{
	struct compiled r =
		accepted_with("parameters: {SS_SIP_SEND_RETRY: %s}\n" GATEWAY("resend_interval: [1, 2]"), "3");
	cr_expect_eq(r.config->resend.n, 10);
	cr_expect_eq(r.config->resend.limit, 3);
	cr_expect_eq(r.config->param[P_SS_SIP_SEND_RETRY], 3);
	cr_expect_eq(cfg_routing(r.config, 0)->resend.n, 2);
	cr_expect_eq(cfg_routing(r.config, 0)->resend.limit, 2);
	compiled_free(&r);

	r = accepted_with("parameters: {SS_SIP_SEND_RETRY: %s}\n" GATEWAY("lock: none"), "0");
	cr_expect_eq(cfg_routing(r.config, 0)->resend.limit, 0);
	compiled_free(&r);
}

Test(parameters, gateway_overrides_and_inherits)
{
	struct compiled r = accepted(LISTEN
		"routing_gateways:\n"
		"  - {id: own, address: 1.2.3.4, timeouts: {invite: 3, ringing: 600}, switch_until_connect: on,\n"
		"     stop_switch: {after_sdp: off, after_invite_timeout: yes, response_codes: \"404, 503\"}}\n"
		"  - {id: plain, address: 1.2.3.5}\n"
		"parameters: {SS_SIP_TIMEOUT_INVITE: 7, SS_SIP_TIMEOUT_TRYING: 8, SS_GATEWAY_SWITCH_STOP_AFTER_USER_BUSY: off}\n");
	const struct cfg_routing_gateway *own = cfg_routing(r.config, 0), *plain = cfg_routing(r.config, 1);
	cr_expect(own->timeouts.invite == 3000 && own->timeouts.trying == 8000 && own->timeouts.ringing == 600000);
	cr_expect(
		plain->timeouts.invite == 7000 && plain->timeouts.trying == 8000 && plain->timeouts.ringing == 120000);
	cr_expect(!own->switching.after_sdp && own->switching.after_invite_timeout && own->switching.until_connect);
	cr_expect(!own->switching.after_user_busy && own->switching.after_rtp_start);
	cr_expect(plain->switching.after_sdp && !plain->switching.after_invite_timeout &&
		  !plain->switching.until_connect);
	cr_assert_eq(own->switching.response_codes.n, 2);
	cr_expect_eq(CFG_LIST(r.config, &own->switching.response_codes, uint16_t)[1], 503);
	compiled_free(&r);
	refuse(LISTEN GATEWAY("timeouts: {invite: 301}"),
		"sw.yaml:2:73: routing_gateways[gw].timeouts.invite: 301 is outside 1-300");
	refuse(LISTEN GATEWAY("stop_switch: {response_codes: [299]}"),
		"sw.yaml:2:85: routing_gateways[gw].stop_switch.response_codes[0]: 299 is outside 300-699");
	refuse(LISTEN GATEWAY("timeouts: {invited: 3}"),
		"sw.yaml:2:65: routing_gateways[gw].timeouts.invited: unknown key, did you mean invite?");
}
