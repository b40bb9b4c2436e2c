/* What is not there yet: named, or refused when ignoring it would let through what has to be stopped, checked or paid.
 * When a feature comes, its row goes here and in config/built.c. */
#include "helper.h"
#include <fnmatch.h>

static const struct {
	const char *text;    /* after LISTEN, in line 2 */
	const char *refused; /* a word of the error; NULL: named */
	const char *path;    /* what is named, pattern */
} rows[] = {
	{ "parameters: {SS_SIP_PUBLISH_EXPIRE: 60}\n", NULL, "parameters.SS_SIP_PUBLISH_EXPIRE" },
	{ "media: {offload: required}\n", "restricts", "media.offload: required" },
	{ "parameters: {SS_BLACK_LIST_NO_ANSWER_LIMIT: 3}\n", "restricts",
		"parameters.SS_BLACK_LIST_NO_ANSWER_LIMIT:" },
	{ "sip: {listen: [\"tls:127.0.0.1\"]}\n", "encrypts", "sip.listen: tls:127.0.0.1" },
	{ "sip: {listen: [\"udp:127.0.0.1\", \"tcp:127.0.0.1\"]}\n", NULL, "sip.listen" },
	{ "sip: {listen: [\"udp:127.0.0.1\"], tls: {certificate: a.pem}}\n", "encrypts", "sip.tls.certificate" },
	{ "sip: {listen: [\"udp:127.0.0.1\"], tls: {verify: off}}\n", "encrypts", "sip.tls.verify" },
	{ "number_lists: {p: {type: black, on: callee}}\n", "restricts", "number_lists" },
	{ "registrations: [{id: a, proxy: \"tls:b\", username: u, password: very-secret}]\n", "encrypts", "registrations[[]a].proxy: tls:b" },
	{ "registrations: [{id: a, proxy: \"tcp:b\", username: u, password: very-secret}]\n", NULL, "registrations[[]a].proxy" },
	{ "lrn_sources: {a: {type: sip, path: b}}\n", NULL, "lrn_sources" },
	{ CUSTOMER("periods: [{line_limit: 3}]"), "restricts", "mapping_gateways[[]cust].periods" },
	{ GATEWAY("transport: tls"), "encrypts", "routing_gateways[[]gw].transport: tls" },
	{ GATEWAY("transport: tcp"), NULL, "routing_gateways[[]gw].transport" },
	{ GATEWAY("options_ping: {}"), NULL, "routing_gateways[[]gw].options_ping" },
	{ GATEWAY("circuit: {failures: 2}"), NULL, "routing_gateways[[]gw].circuit" },
	{ GATEWAY("check_rate: on"), "restricts", "routing_gateways[[]gw].check_rate" },
	{ GATEWAY("min_profit: 0.1"), "restricts", "routing_gateways[[]gw].min_profit" },
	{ "gateway_groups: [{id: g}]\nrouting_gateways: [{id: gw, address: 1.2.3.4, group: g, reserved_lines: 3}]\n",
		"restricts",
		"routing_gateways[[]gw].reserved_lines" },
	{ "routing_gateways: [{id: gw, addresses: [1.2.3.4, 1.2.3.5]}]\n", NULL, "routing_gateways[[]gw].addresses" },
	{ "routing: {sort: [rate]}\n", NULL, "routing.sort" },
	{ "cdr: {format: csv}\n", "not available yet", "cdr.format: csv" },
	{ "http: {listen: 127.0.0.1:9090}\n", NULL, "http.listen" },
};

static struct compiled compile_row(size_t i)
{
	char text[1024];
	bool listens = strncmp(rows[i].text, "sip:", 4) == 0;
	snprintf(text, sizeof(text), "%s%s", listens ? "\n" : LISTEN, rows[i].text);
	return compile_text(text);
}

Test(built, refused_or_named)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct compiled r = compile_row(i);
		char pattern[256];
		snprintf(pattern, sizeof(pattern), "sw.yaml:[23]:[0-9]*: %s*", rows[i].path);
		const char *said = config_errors_text(r.errors, 0);
		if (!rows[i].refused) {
			cr_assert_eq(r.result, 0, "%s", all_errors(&r));
			cr_assert_eq(r.config->not_built.n, 1, "%s", rows[i].text);
			said = cfg_str(r.config, *CFG_LIST(r.config, &r.config->not_built, struct cfg_text));
		} else {
			cr_expect(strstr(said, "is not available yet"), "%s: %s", rows[i].text, said);
			cr_expect(strstr(said, rows[i].refused), "%s: %s", rows[i].text, said);
		}
		cr_expect_eq(fnmatch(pattern, said, 0), 0, "%s is not like %s", said, pattern);
		cr_expect_null(strstr(all_errors(&r), "very-secret"));
		compiled_free(&r);
	}
}

Test(built, message)
{
	refuse(LISTEN GATEWAY("check_rate: on"),
		"sw.yaml:2:66: routing_gateways[gw].check_rate: is not available yet and is refused because it restricts");
	refuse(LISTEN GATEWAY("transport: tls"),
		"sw.yaml:2:65: routing_gateways[gw].transport: tls is not available yet and is refused because it encrypts");
}

Test(built, defaults_are_nothing)
{
	static const char *const texts[] = {
		"protect: {rate: 51, ban: 60, gateways: on}\n",
		"media: {offload: auto}\n",
		"media: {offload: off}\n",
		"accounts: []\nregistrations:\nnumber_lists: {}\ndial_plans: {}\nrate_tables:\n",
		GATEWAY("codecs: [PCMA], follow_redirect: on, username: u, password: very-secret, refer: pass, headers: {pass: [X-Account], add: {X-A: b}, remove: [Subject]}"),
		"http: {listen: null}\ncdr: {format: jsonl, postgres: null}\n",
		"routing: {sort: \"priority, load, history, id\", window: 15m, bucket: 60}\n",
		GATEWAY("options_ping: null, username: null, transport: udp, privacy: none, codecs: [], lists: [], "
			"min_profit: none"),
		CUSTOMER("lists: [], periods: [], authentication: ip, rate_table: null, reply_address: auto"),
		/* these work */
		"media: {ringback: {country: de}}\n" GATEWAY("ringback_mode: 183-sdp"),
		"dial_plans: {p: [{match: \"1*\", rewrite: \"*\"}]}\n" CUSTOMER("reply_address: via, request_address: socket, support_privacy: off, callee_dial_plan: p"),
		GATEWAY("privacy: id, p_asserted_identity: caller, p_preferred_identity: passthrough, reply_address: socket, request_address: contact"),
		"parameters: {SS_SIP_E164_DISPLAY_FROM: e164, SS_SIP_ROUTING_GATEWAY_INVITE_USE_CONTACT: on}\n",
		"registration: {rate: 5, unregister_timeout: 1}\nregistrations: [{id: a, proxy: b, username: u, password: p, period: 60, privacy: id, enabled: off}]\n",
		"parameters: {SS_SIP_USER_AGENT_EXPIRE: 60, SS_SIP_USER_AGENT_RETRY_DELAY: 30, SS_SIP_USER_AGENT_SEND_UNREGISTER: off, SS_SIP_USER_AGENT_PRIVACY: id}\n",
		"parameters: {SS_SIP_SESSION_TTL: 90, SS_SIP_NO_TIMER_REINVITE_INTERVAL: 60}\n",
		"parameters: {SS_REPLY_UNAUTHORIZED: off, SS_SIP_AUTHENTICATION_CODE: 407, SS_SIP_AUTHENTICATION_RETRY: 2, SS_SIP_AUTHENTICATION_TIMEOUT: 5}\n",
		"parameters: {SS_AUTHENTICATION_MAX_RETRY: 2, SS_AUTHENTICATION_FAILED_SUSPEND: 60, SS_ENDPOINT_REGISTER_RETRY: 2, SS_ENDPOINT_REGISTER_SUSPEND: 60}\n"
		"accounts: [{id: a, password: b}]\n" CUSTOMER("authentication: digest"),
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct compiled r = accepted_with("%s", texts[i]);
		cr_expect_eq(r.config->not_built.n, 0, "%s", texts[i]);
		compiled_free(&r);
	}
}

Test(built, once_for_many)
{
	struct compiled r = accepted(LISTEN
		"parameters: {SS_SIP_PUBLISH_EXPIRE: 90, SS_GATEWAY_ASR_RESERVE_TIME: 60, SS_GATEWAY_ASR_RESERVE_SEPARATE: 10}\n"
		"routing_gateways:\n"
		"- {id: a, address: 1.2.3.4, protect: on}\n"
		"- {id: b, address: 1.2.3.5, protect: on}\n"
		"- {id: c, address: 1.2.3.6, protect: on}\n"
		"http: {listen: 127.0.0.1:80}\n");
	const struct cfg_text *list = CFG_LIST(r.config, &r.config->not_built, struct cfg_text);
	cr_assert_eq(r.config->not_built.n, 4);
	cr_expect_str_eq(cfg_str(r.config, list[0]), "sw.yaml:2:37: parameters.SS_SIP_PUBLISH_EXPIRE");
	cr_expect_str_eq(cfg_str(r.config, list[1]), "sw.yaml:2:70: parameters.SS_GATEWAY_ASR_RESERVE_TIME (and 1 more)");
	cr_expect_str_eq(cfg_str(r.config, list[2]), "sw.yaml:4:38: routing_gateways[a].protect (and 2 more)");
	cr_expect_str_eq(cfg_str(r.config, list[3]), "sw.yaml:7:16: http.listen");
	compiled_free(&r);
}
