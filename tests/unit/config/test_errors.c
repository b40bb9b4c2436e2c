/* All mistakes of a file in one run, each with file, line, column, key, value and what is allowed. */
#include "helper.h"
#include "config/errors.h"
#include <errno.h>

static void expect_all(const char *text, const char *const *errors, size_t n)
{
	struct compiled r = compile_text(text);
	cr_expect_eq(r.result, -EINVAL);
	cr_expect_eq(config_errors_count(r.errors), n, "%s", all_errors(&r));
	for (size_t i = 0; i < n; i++)
		cr_expect_str_eq(config_errors_text(r.errors, i), errors[i]);
	compiled_free(&r);
}

Test(errors, ten_at_once)
{
	static const char *const errors[] = {
		("sw.yaml:2:27: sip.listen[1]: udp:nohost is not an address to listen on, allowed: udp:IP:PORT, "
		 "tcp:IP:PORT, tls:IP:PORT, IPv6 in brackets"),
		"sw.yaml:3:3: sip.limitz: unknown key, did you mean limits?",
		"sw.yaml:5:26: parameters.SS_SIP_TIMEOUT_INVITE: 0 is outside 1-300",
		"sw.yaml:6:3: parameters.SS_NONSENSE: unknown parameter",
		"sw.yaml:8:16: mapping_gateways[a].addresses[0]: 300.1.1.1 is not an address or network, allowed: IP, IP:PORT, IP/BITS",
		"sw.yaml:8:27: mapping_gateways[a].addresses[1]: 10.0.0.0/33 is not an address or network, allowed: IP, IP:PORT, IP/BITS",
		"sw.yaml:9:21: mapping_gateways[a].routes.allow[0]: there is no routing gateway carier, did you mean carrier?",
		"sw.yaml:11:9: mapping_gateways[a].id: a is used twice, first at sw.yaml:7",
		"sw.yaml:13:3: routing_gateways[carrier].address: is missing, as are addresses and via_registration",
		"sw.yaml:14:13: routing_gateways[carrier].weight: 0 is outside 1-10000",
		"sw.yaml:15:12: routing_gateways[carrier].media: sometimes is not known here, allowed: must, on, off, auto",
		"sw.yaml:16:20: routing_gateways[carrier].prefixes[1]: 88* ends with *, which a prefix does not need",
		"sw.yaml:17:3: routing_gateways[carrier].id: given twice, first at sw.yaml:13",
		"sw.yaml:18:3: routing_gateways[1].id: is missing",
		"sw.yaml:18:3: routing_gateways[1].address: is missing, as are addresses and via_registration",
		"sw.yaml:19:8: media: a map of keys is expected",
		"sw.yaml:20:1: nonsense: unknown key",
	};
	expect_all("sip:\n"
		   "  listen: [\"udp:1.2.3.4\", \"udp:nohost\"]\n"
		   "  limitz: {}\n"
		   "parameters:\n"
		   "  SS_SIP_TIMEOUT_INVITE: 0\n"
		   "  SS_NONSENSE: 1\n"
		   "mapping_gateways: [{id: a,\n"
		   "   addresses: [300.1.1.1, 10.0.0.0/33],\n"
		   "   routes: {allow: [carier]}},\n"
		   "  {addresses: 1.2.3.4,\n"
		   "   id:  a}]\n"
		   "routing_gateways:\n"
		   "- id: carrier\n"
		   "  weight:   0\n"
		   "  media:   sometimes\n"
		   "  prefixes: [\"88\", \"88*\"]\n"
		   "  id: carrier\n"
		   "- {priority: 3}\n"
		   "media: everything\n"
		   "nonsense: 1\n",
		errors, sizeof(errors) / sizeof(*errors));
}

Test(errors, yaml_itself)
{
	refuse("sip: {listen: [a}\n",
		"sw.yaml:1:17: not valid YAML: did not find expected ',' or ']', while parsing a flow sequence");
	refuse("a: *b\n", "sw.yaml:1:4: an alias without its anchor");
	refuse("- a\n", "sw.yaml:1:1: a map of sections is expected");
	refuse(LISTEN "---\na: 1\n", "sw.yaml:2:1: a second document; one is allowed");
	refuse("? [a]\n: b\n", "sw.yaml:1:3: a key must be a single word");
	refuse("\xff\xfe", "sw.yaml:1:1: not valid text at byte 0: invalid leading UTF-8 octet");
	refuse("a: \"\x01\"\n", NULL);
	refuse("", "sw.yaml:1:1: sip.listen: is missing");
	refuse("# nothing\n", "sw.yaml:1:1: sip.listen: is missing");
	refuse("sip: {}\n", "sw.yaml:1:6: sip.listen: is missing");
	refuse("sip: {listen: []}\n", "sw.yaml:1:15: sip.listen: is empty");
}

Test(errors, repeated_keys)
{
	refuse(LISTEN "log: {level: info}\nlog: {level: info}\n", "sw.yaml:3:1: log: given twice, first at sw.yaml:2");
	refuse(LISTEN "log: {level: info, level: debug}\n", "sw.yaml:2:20: log.level: given twice, first at sw.yaml:2");
	refuse(LISTEN GATEWAY("timeouts: {invite: 1, invite: 2}"),
		"sw.yaml:2:76: routing_gateways[gw].timeouts.invite: given twice, first at sw.yaml:2");
}

Test(errors, depth_and_aliases_are_bounded)
{
	char deep[256] = "a: ", *bomb = malloc(4096);
	size_t n = 0;
	memset(deep + 3, '[', 40);
	refuse(deep, "sw.yaml:1:27: nested too deeply");
	n += (size_t)sprintf(bomb + n, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
	for (int i = 1; i < 10; i++) {
		n += (size_t)sprintf(bomb + n, "a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			n += (size_t)sprintf(bomb + n, "%s*a%d", k ? "," : "", i - 1);
		n += (size_t)sprintf(bomb + n, "]\n");
	}
	refuse(bomb, "sw.yaml:5:38: aliases expand to too much");
	free(bomb);
	refuse("a: &a [*a]\n", "sw.yaml:1:8: an alias without its anchor");
}

Test(errors, aliases_that_are_used)
{
	struct compiled r = accepted(LISTEN "routing_gateways:\n"
					    "- {id: a, address: 1.2.3.4, prefixes: &p [\"1\", \"2\"], priority: &n 7}\n"
					    "- {id: b, address: 1.2.3.5, prefixes: *p, priority: *n}\n");
	cr_expect_eq(cfg_routing(r.config, 1)->prefixes.n, 2);
	cr_expect_eq(cfg_routing(r.config, 1)->priority, 7);
	compiled_free(&r);
}

Test(errors, many_are_counted)
{
	size_t n = 0, cap = 64 * 2000;
	char *text = malloc(cap);
	for (int i = 0; i < 1500; i++)
		n += (size_t)snprintf(text + n, cap - n, "zzzzzzzz%d: 1\n", i);
	struct compiled r = compile_text(text);
	cr_expect_eq(config_errors_count(r.errors), ERRORS_MAX + 1);
	cr_expect_str_eq(config_errors_text(r.errors, 0), "sw.yaml:1:1: zzzzzzzz0: unknown key");
	cr_expect_str_eq(config_errors_text(r.errors, ERRORS_MAX), "sw.yaml: and 501 more errors");
	cr_expect_str_eq(config_errors_text(r.errors, 5000), "");
	compiled_free(&r);
	free(text);
}

Test(errors, values_are_shown_safely)
{
	refuse(LISTEN "system: {name: \"a\\nb\"}\n",
		"sw.yaml:2:16: system.name: a?b has a character that is not allowed here, allowed: visible characters, no blank , \" ' \\ [ ] { }");
	refuse(LISTEN "system: {name: \"\"}\n", "sw.yaml:2:16: system.name: \"\" has 0 bytes, allowed: 1-64");
	struct compiled r = compile_text(LISTEN
		"log: {level: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}\n");
	cr_expect(strstr(
		config_errors_text(r.errors, 0), "aaaa... is not known here, allowed: error, warning, info, debug"));
	compiled_free(&r);
	config_errors_free(NULL);
}

Test(errors, shortened_between_characters)
{
	char buf[SHOWN_MAX], text[200];
	for (size_t i = 0; i < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	for (size_t n = 60; n < 90; n++) {
		const char *shown = errors_shown((struct span){ text + 1, n }, buf);
		const char *dots = strstr(shown, "...");
		cr_assert_lt(strlen(shown), SHOWN_MAX);
		if (dots)
			cr_expect_eq((unsigned char)dots[-1], 0xa9);
	}
}

Test(errors, suggestions)
{
	refuse(LISTEN "routng: {}\n", "sw.yaml:2:1: routng: unknown key, did you mean routing?");
	refuse(LISTEN "meida: {}\n", "sw.yaml:2:1: meida: unknown key, did you mean media?");
	refuse(LISTEN "LOG: {}\n", "sw.yaml:2:1: LOG: unknown key, did you mean log?");
	refuse(LISTEN "registrationss: []\n",
		"sw.yaml:2:1: registrationss: unknown key, did you mean registrations or registration?");
}
