/* The tables themselves, and what the sections make of their values. */
#include "helper.h"
#include "config/schema.h"
#include <sys/stat.h>
#include <unistd.h>

/* --- the tables ------------------------------------------------------------------------------------------------ */

static void check_table(const struct schema *s, struct compile *c)
{
	for (const struct key *k = s->keys; k->name; k++) {
		if (k->offset != UINT32_MAX)
			cr_expect_leq(k->offset + k->size, s->size, "%s", k->name);
		if (k->kind == KEY_VALUE)
			cr_expect_eq(k->type->size, k->size, "%s", k->name);
		if (k->kind == KEY_LIST || k->kind == KEY_ITEMS || k->kind == KEY_NAMED)
			cr_expect_eq(k->size, sizeof(struct cfg_list), "%s", k->name);
		if ((k->kind == KEY_VALUE || k->kind == KEY_LIST) && k->type->text)
			cr_expect_eq(k->type->size, sizeof(struct cfg_text), "%s", k->name);
		if (k->kind == KEY_PARAM)
			cr_expect(k->size == sizeof(uint32_t) || k->size == sizeof(bool), "%s", k->name);
		if (k->schema && k->offset != UINT32_MAX && k->kind == KEY_MAP)
			cr_expect_eq(k->schema->size, k->size, "%s", k->name);
		if (k->schema)
			check_table(k->schema, c);
		for (const struct key *other = s->keys; other != k; other++)
			cr_expect_str_neq(other->name, k->name);
	}
	char *defaults = calloc(1, s->size);
	schema_defaults(c, s, defaults);
	cr_expect_eq(config_errors_count(c->errors), 0, "%s", config_errors_text(c->errors, 0));
	free(defaults);
}

Test(schema, tables_are_sound)
{
	struct compile *c = calloc(1, sizeof(*c));
	c->errors = config_errors_new();
	errors_file(c->errors, "sw.yaml");
	image_init(&c->image);
	parameters_defaults(c);
	check_table(&schema_root, c);
	image_done(&c->image);
	arena_free(&c->arena);
	config_errors_free(c->errors);
	free(c);
}

/* --- the configurations that come with it ----------------------------------------------------------------------- */

#define SOURCE_DIR TANDEM_SOURCE_DIR "/config/"

Test(schema, shipped_files)
{
	static const char *const files[] = { SOURCE_DIR "minimal.yaml", SOURCE_DIR "quickstart.yaml",
		SOURCE_DIR "example.yaml" };
	for (size_t i = 0; i < 3; i++) {
		struct compiled r = { .errors = config_errors_new() };
		cr_expect_eq(config_compile(files[i], r.errors, &r.config, &r.size), 0, "%s", all_errors(&r));
		cr_expect(r.config && r.config->not_built.n == 0);
		compiled_free(&r);
	}
}

/* "# key: value" and "# - item" lose their sign, wherever they are indented; other comments stay */
static void uncomment(char *line)
{
	char *sign = line + strspn(line, " ");
	if (sign[0] != '#' || sign[1] != ' ')
		return;
	char *word = sign + 2 + strspn(sign + 2, " ");
	size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789-");
	if (strncmp(word, "- ", 2) == 0 || (n && word[n] == ':'))
		memmove(sign, sign + 2, strlen(sign + 2) + 1);
}

/* every key that example.yaml shows as a comment exists, and the value shown is its default */
Test(schema, example_shows_defaults)
{
	char *text = calloc(1, 65536), line[512];
	bool body = false;
	FILE *f = fopen(SOURCE_DIR "example.yaml", "r");
	cr_assert(f);
	while (fgets(line, sizeof(line), f)) {
		body = body || strcmp(line, "system:\n") == 0;
		if (body)
			uncomment(line);
		strcat(text, line);
	}
	fclose(f);
	struct compiled r = compile_text(text);
	cr_expect(strstr(text, "\naccounts:") && strstr(text, "\n  SS_QOS_RTP: 0xb8") &&
		  strstr(text, "\n    circuit: null"));
	/* where there is no default an example stands, which may not be available yet */
	for (size_t i = 0; i < config_errors_count(r.errors); i++) {
		const char *e = config_errors_text(r.errors, i);
		cr_expect(strstr(e, " number_lists: is not available yet"), "%s", e);
	}
	for (uint32_t i = 0; r.config && i < r.config->not_built.n; i++) {
		const char *n = cfg_str(r.config, CFG_LIST(r.config, &r.config->not_built, struct cfg_text)[i]);
		cr_expect(strstr(n, " registrations"), "%s", n);
	}
	compiled_free(&r);
	free(text);
}

/* --- sections -------------------------------------------------------------------------------------------------- */

Test(schema, defaults)
{
	unsetenv("XDG_RUNTIME_DIR");
	struct compiled r = accepted(LISTEN);
	const struct config *c = r.config;
	cr_expect_str_eq(cfg_str(c, c->system.name), "sw1");
	cr_expect_str_eq(cfg_str(c, c->system.run_dir), "/run/tandem");
	cr_expect(c->system.signaling == 2 && c->system.media == 2 && c->system.calls == 20000 &&
		  c->system.drain_timeout == 30000);
	cr_expect(c->log.level == LOG_INFO && c->log.format == LOG_TEXT);
	cr_expect(c->sip.max_message == 65535 && c->sip.max_sdp == 16384 && c->sip.digest_md5 && !c->sip.digest_sha256);
	cr_expect(c->media.port_low == 20000 && c->media.port_high == 29999 && c->media.proxy == MEDIA_ON &&
		  c->media.latch == LATCH_AUTO);
	cr_expect(c->media.timeout == 60000 && c->media.check == CHECK_BOTH && c->media.offload == OFFLOAD_AUTO);
	cr_expect_eq(CFG_LIST(c, &c->media.addresses, struct addr)->ip[0], 127);
	cr_expect(c->cdr.rotate_size == 64 << 20 && c->cdr.rotate_age == 3600000 && c->cdr.format == CDR_JSONL);
	cr_expect(c->routing.window == 900000 && c->routing.bucket == 60000 && c->routing.sort.n == 4);
	cr_expect(c->protect.rate == 50 && c->protect.ban == 300000 && !c->protect.gateways);
	cr_expect(c->registration.rate == 50 && c->registration.unregister_timeout == 5000);
	cr_expect_eq(c->http.listen.family, 0);
	compiled_free(&r);
	setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
	r = accepted(LISTEN);
	cr_expect_str_eq(cfg_str(r.config, r.config->system.run_dir), "/run/user/7/tandem");
	compiled_free(&r);
}

Test(schema, system)
{
	struct compiled r = accepted(LISTEN
		"system: {workers: {signaling: 64, media: auto}, drain_timeout: 1m, pin: yes, memo: a b, user: n}\n");
	cr_expect(r.config->system.signaling == 64 && r.config->system.media >= 1 &&
		  r.config->system.drain_timeout == 60000);
	cr_expect_str_eq(cfg_str(r.config, r.config->system.user), "n");
	compiled_free(&r);
	r = accepted(LISTEN "system: {workers: auto}\n");
	cr_expect(r.config->system.signaling >= 1 && r.config->system.signaling == r.config->system.media);
	compiled_free(&r);
	refuse(LISTEN "system: {workers: {signaling: 65}}\n",
		"sw.yaml:2:31: system.workers.signaling: 65 is outside auto, 1-64");
	refuse(LISTEN "system: {workers: {signaling: 0}}\n",
		"sw.yaml:2:31: system.workers.signaling: 0 is outside auto, 1-64");
	refuse(LISTEN "system: {workers: many}\n",
		"sw.yaml:2:19: system.workers: many is not a whole number, allowed: auto, 1-64");
	refuse(LISTEN "system: {workers: [1]}\n", "sw.yaml:2:19: system.workers: a map of keys is expected");
	refuse(LISTEN "system: {limits: {calls: 0}}\n", "sw.yaml:2:26: system.limits.calls: 0 is outside 1-1000000");
	refuse(LISTEN "system: {drain_timeout: soon}\n",
		"sw.yaml:2:25: system.drain_timeout: soon is not a time in seconds, allowed: 0-86400");
}

Test(schema, listen)
{
	struct compiled r = accepted("sip: {listen: \"udp:0.0.0.0, udp:[::1]:5070, 127.0.0.1:6000, udp:::1\"}\nmedia: "
				     "{address: 127.0.0.1}\n");
	const struct cfg_listen *l = CFG_LIST(r.config, &r.config->sip.listen, struct cfg_listen);
	cr_assert_eq(r.config->sip.listen.n, 4);
	cr_expect(l[0].addr.port == 5060 && l[0].transport == TRANSPORT_UDP && l[1].addr.port == 5070 &&
		  l[1].addr.family == 6);
	cr_expect(l[2].addr.port == 6000 && l[3].addr.port == 5060 && l[3].addr.family == 6);
	compiled_free(&r);
	r = accepted("sip: {listen: \"udp:0.0.0.0\"}\n"); /* an address that can stand in SDP is found */
	cr_expect_not(addr_is_any(CFG_LIST(r.config, &r.config->media.addresses, struct addr)));
	compiled_free(&r);
	r = accepted("sip: {listen: \"udp:[::]:5060\"}\n");
	cr_expect_eq(CFG_LIST(r.config, &r.config->media.addresses, struct addr)->family, 6);
	compiled_free(&r);
	refuse("sip: {listen: [\"udp:1.2.3.4\", \"udp:1.2.3.4:5060\"]}\n",
		"sw.yaml:1:15: sip.listen: the same address and port stands there twice");
	refuse("sip: {listen: [\"udp:1.2.3.4:0\"]}\n", NULL);
	refuse("sip: {listen: [\"udp:[::1]:0\"]}\n", NULL);
	refuse("sip: {listen: [\"udp:224.0.0.1\"]}\n", NULL);
	refuse("sip: {listen: [\"udp:1.2.3.4:65536\"]}\n", NULL);
	refuse("sip: {listen: [[a], {b: c}, null]}\n", NULL);
	refuse("sip: {listen: {a: b}}\n", "sw.yaml:1:15: sip.listen: a list is expected");
	refuse(LISTEN "media: {ports: 5000-5999}\n", "sw.yaml:2:16: media.ports: a port of sip.listen lies within");
	r = accepted(LISTEN "media: {ports: 5000-5999, address: 127.0.0.2}\n");
	compiled_free(&r);
}

Test(schema, media)
{
	static const char *const bad[] = { "20001-29999", "20000-29998", "20000", "20000-20001", "1022-2001",
		"20000-65536", "65000-20001",
		"a-b", "20000-", "-5", "\"\"" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		refuse_with("media: {ports: %s}\n", bad[i], NULL);
	refuse(LISTEN "media: {ports: 20001-29999}\n",
		"sw.yaml:2:16: media.ports: 20001-29999 cannot be used, allowed: EVEN-ODD within 1024-65535, at least 4 ports");
	struct compiled r = accepted(
		LISTEN "media: {ports: 65532-65535, address: [127.0.0.1, \"::1\"], advertise: 192.0.2.1, proxy: must,\n"
		       " latch: any, timeout: 90, check: to-peer, offload: no}\n" GATEWAY("media_check: none")
			       CUSTOMER("latch: off"));
	const struct config *c = r.config;
	cr_expect(c->media.port_low == 65532 && c->media.port_high == 65535 && c->media.addresses.n == 2 &&
		  c->media.offload == OFFLOAD_OFF);
	cr_expect(cfg_routing(c, 0)->media == MEDIA_MUST && cfg_routing(c, 0)->media_check == CHECK_NONE &&
		  cfg_routing(c, 0)->latch == LATCH_ANY);
	cr_expect(cfg_mapping(c, 0)->media == MEDIA_MUST && cfg_mapping(c, 0)->latch == LATCH_OFF);
	cr_expect_str_eq(cfg_str(c, c->media.advertise), "192.0.2.1");
	compiled_free(&r);
	refuse(LISTEN "media: {address: 127.0.0.1:5}\n",
		"sw.yaml:2:18: media.address[0]: 127.0.0.1:5 is not an IP address without port");
	refuse(LISTEN "media: {advertise: name}\n",
		"sw.yaml:2:20: media.advertise: name is not an IP address without port");
}

Test(schema, mapping_gateway)
{
	struct compiled r = accepted(LISTEN
		"mapping_gateways:\n"
		"- {id: n, addresses: \"10.0.0.0/8, 192.0.2.1:5070, 2001:db8::/32\", tech_prefix: 123#, priority: 3, authentication: ip,\n"
		"   enabled: no, lock: in, callee_from: request-line, caller_from: display, trusted: on, line_limit: 5, rate_limit: 0,\n"
		"   callee_prefixes: {allow: [\"880\", \"+1\"], deny: \"*72\"}, caller_prefixes: {deny: [\"0\"]}, media: no, latch: on}\n");
	const struct cfg_mapping_gateway *g = cfg_mapping(r.config, 0);
	const struct addr *a = CFG_LIST(r.config, &g->addresses, struct addr);
	cr_expect_str_eq(cfg_str(r.config, g->id), "n");
	cr_expect(g->addresses.n == 3 && a[0].bits == 8 && a[1].port == 5070 && a[1].bits == 0 && a[2].bits == 32);
	cr_expect(!g->enabled && g->trusted && g->lock == LOCK_IN && g->line_limit == 5 && g->rate_limit == 0 &&
		  g->priority == 3);
	cr_expect(g->callee_from == CALLEE_FROM_REQUEST_LINE && g->caller_from == CALLER_FROM_DISPLAY &&
		  g->media == MEDIA_OFF);
	cr_expect(g->callee_prefixes.allow.n == 2 && g->callee_prefixes.deny.n == 1 && g->caller_prefixes.deny.n == 1);
	cr_expect(g->callee_dial_plan == CONFIG_NONE && g->rate_table == CONFIG_NONE && g->periods.n == 0);
	compiled_free(&r);
	refuse(LISTEN "mapping_gateways: [{id: a}]\n", "sw.yaml:2:20: mapping_gateways[a].addresses: is missing");
	refuse(LISTEN "mapping_gateways: [{id: a, addresses: 0.0.0.0/0}]\n", NULL);
	refuse(LISTEN "mapping_gateways: [{id: a, addresses: \"::ffff:0.0.0.0/96\"}]\n", NULL);
	refuse(LISTEN "mapping_gateways: [{id: a, addresses: 0.0.0.0}]\n", NULL);
	refuse(LISTEN "mapping_gateways: [{id: a, addresses: 1.2.3.4:0}]\n", NULL);
	refuse(LISTEN "mapping_gateways: [{id: a, addresses: 1.2.3.4, authentication: ip-port}]\n",
		"sw.yaml:2:39: mapping_gateways[a].addresses: authentication ip-port needs a port with every address");
	refuse(LISTEN "mapping_gateways: {id: a}\n",
		"sw.yaml:2:19: mapping_gateways: a list is expected, one map each");
	refuse(LISTEN "mapping_gateways: [a]\n", "sw.yaml:2:20: mapping_gateways[0]: a map of keys is expected");
	refuse(LISTEN GATEWAY("weight: 1") "mapping_gateways: [{id: a, addresses: 1.2.3.4, routes: {allow: [gw], deny: "
					   "gw}}]\n",
		"sw.yaml:3:56: mapping_gateways[a].routes: the same gateway is allowed and denied");
}

Test(schema, mapping_gateways_that_nothing_tells_apart)
{
#define PAIR(more) LISTEN "mapping_gateways:\n- {id: a, addresses: 1.2.3.4}\n- {id: b, addresses: \"1.2.3.5, 1.2.3.4\"" more "}\n"
	refuse(PAIR(""), "sw.yaml:4:22: mapping_gateways[b].addresses: 1.2.3.4 is also the address of a, with the same "
			 "tech_prefix and priority");
	static const char *const good[] = { PAIR(", priority: 9"), PAIR(", tech_prefix: 9"), PAIR(", enabled: off") };
	for (size_t i = 0; i < 3; i++) {
		struct compiled r = accepted(good[i]);
		compiled_free(&r);
	}
	refuse(LISTEN "mapping_gateways: [{id: a, addresses: \"1.2.3.4, 1.2.3.4\"}]\n",
		"sw.yaml:2:39: mapping_gateways[a].addresses: 1.2.3.4 stands there twice");
}

Test(schema, routing_gateway)
{
	struct compiled r = accepted(LISTEN
		"gateway_groups: [{id: p, line_limit: 200}, {id: q}]\n"
		"routing_gateways:\n"
		"- {id: a, address: 1.2.3.4, prefixes: [\"\", \"880\"], prefix_mode: terminal, weight: 3, group: q, response_map: {604: 404, 486: 600},\n"
		"   local_domain: on, caller_prefixes: {allow: \"1\"}, line_limit: none, rate_limit: 7}\n"
		"- {id: b, address: \"[::1]:5080\", prefixes: \"1, 2\"}\n"
		"- {id: c, addresses: [1.2.3.4], prefixes: []}\n"
		"- {id: d, addresses: 1.2.3.4, prefixes: \"\"}\n");
	const struct cfg_routing_gateway *a = cfg_routing(r.config, 0), *b = a + 1, *c = a + 2, *d = a + 3;
	cr_expect(CFG_LIST(r.config, &a->addresses, struct addr)->port == 5060 &&
		  CFG_LIST(r.config, &b->addresses, struct addr)->port == 5080);
	cr_expect(a->prefixes.n == 2 && b->prefixes.n == 2 && c->prefixes.n == 0 && d->prefixes.n == 1);
	cr_expect_str_eq(cfg_str(r.config, CFG_LIST(r.config, &b->prefixes, struct cfg_text)[1]), "2");
	cr_expect(a->group == 1 && b->group == CONFIG_NONE && a->prefix_mode == PREFIX_TERMINAL && a->local_domain &&
		  a->rate_limit == 7);
	const struct cfg_response_map *m = CFG_LIST(r.config, &a->response_map, struct cfg_response_map);
	cr_expect(a->response_map.n == 2 && m[0].from == 604 && m[0].to == 404 && m[1].to == 600);
	cr_expect(a->min_profit == INT64_MIN && a->max_rate == INT64_MIN && !a->options_ping.on &&
		  a->via_registration == CONFIG_NONE);
	const struct cfg_group *g = CFG_LIST(r.config, &r.config->groups, struct cfg_group);
	cr_expect(r.config->groups.n == 2 && g[0].line_limit == 200 && g[1].line_limit == CONFIG_NONE);
	compiled_free(&r);
	r = accepted(LISTEN "routing_gateways: [{id: a, addresses: [1.2.3.4, GW.example, \"sip-1.example:5081\"]}, {id: b, address: h}, "
		"{id: c, address: 1.1.1.1}]\ndns: {servers: [\"1.2.3.4\", \"[::1]:5300\"]}\n");
	a = cfg_routing(r.config, 0);
	const struct addr *to = CFG_LIST(r.config, &a->addresses, struct addr);
	const struct cfg_text *hosts = CFG_LIST(r.config, &a->hosts, struct cfg_text);
	cr_assert(a->addresses.n == 3 && a->hosts.n == 3 && a[1].hosts.n == 1 && a[2].hosts.n == 0);
	cr_expect(to[0].family == 4 && to[1].family == 0 && to[1].port == 0 && to[2].family == 0 && to[2].port == 5081);
	cr_expect(hosts[0].n == 0);
	cr_expect_str_eq(cfg_str(r.config, hosts[1]), "GW.example");
	cr_expect_str_eq(cfg_str(r.config, hosts[2]), "sip-1.example");
	const struct addr *servers = CFG_LIST(r.config, &r.config->dns.servers, struct addr);
	cr_expect(r.config->dns.servers.n == 2 && servers[0].port == 53 && servers[1].family == 6 && servers[1].port == 5300);
	compiled_free(&r);
	refuse(LISTEN "dns: {servers: [ns.example]}\n", "sw.yaml:2:17: dns.servers[0]: ns.example is not a name server, allowed: IP, IP:PORT, [IPv6]:PORT");
	refuse(LISTEN "routing_gateways: [{id: a, address: 1.2.3.4, addresses: [1.2.3.4]}]\n",
		"sw.yaml:2:20: routing_gateways[a].address: only one of address, addresses and via_registration can be given");
	refuse(LISTEN "routing_gateways: [{id: a, address: 300.1.1.1}]\n",
		"sw.yaml:2:37: routing_gateways[a].address: 300.1.1.1 is not an address, allowed: IP, IP:PORT, [IPv6]:PORT, NAME, NAME:PORT");
	refuse(LISTEN "routing_gateways: [{id: a, address: \"host.example:0\"}]\n",
		"sw.yaml:2:37: routing_gateways[a].address: host.example:0 is not a place to send to, allowed: IP, IP:PORT, [IPv6]:PORT, NAME, NAME:PORT");
	refuse(LISTEN "routing_gateways: [{id: a, address: -host.example}]\n", NULL);
	refuse(LISTEN "routing_gateways: [{id: a, address: host..example}]\n", NULL);
	refuse(LISTEN "routing_gateways: [{id: a, address: 0.0.0.0}]\n",
		"sw.yaml:2:37: routing_gateways[a].address: 0.0.0.0 is not an address that something can be sent to");
	refuse(LISTEN "routing_gateways: [{id: a, addresses: []}]\n", NULL);
	refuse(LISTEN GATEWAY("response_map: {200: 404}"), NULL);
	refuse(LISTEN GATEWAY("response_map: [404]"), NULL);
	refuse(LISTEN GATEWAY("response_map: {404: [1]}"), NULL);
	refuse(LISTEN GATEWAY("group: p"), "sw.yaml:2:61: routing_gateways[gw].group: there is no gateway group p");
	refuse(LISTEN GATEWAY("reserved_lines: 3"), NULL);
	refuse(LISTEN GATEWAY("password: p"), NULL);
	refuse(LISTEN GATEWAY("headers: {add: [a]}"), NULL);
	refuse(LISTEN GATEWAY("headers: {add: {\"a b\": c}}"), NULL);
	refuse(LISTEN GATEWAY("headers: {add: {\"a/b\": c}}"), NULL);
	refuse(LISTEN GATEWAY("headers: {add: {via: c}}"), NULL);
	refuse(LISTEN GATEWAY("headers: {pass: [X-A, P-Asserted-Identity]}"), NULL);
	refuse(LISTEN GATEWAY("lrn: {}"), NULL);
	refuse(LISTEN GATEWAY("min_profit: 1.2.3"), NULL);
	refuse(LISTEN GATEWAY("prefixes: [\"12345678901234567890123456789012X\"]"), NULL);
}

Test(schema, registration)
{
	struct compiled r = accepted(LISTEN
		"parameters: {SS_SIP_USER_AGENT_EXPIRE: 120}\n"
		"registrations:\n"
		"- {id: a, proxy: \"udp:127.0.0.1:5090\", username: u}\n"
		"- {id: b, proxy: tcp:sip.example.net, username: u, auth_user: v, domain: d, period: auto, privacy: none, port: 5060}\n"
		"- {id: c, proxy: \"udp:sip.example.net:5099\", username: u, period: 7200}\n"
		"- {id: d, proxy: \"[::1]\", username: u, enabled: off}\n"
		"routing_gateways: [{id: g, via_registration: c}]\n");
	const struct cfg_registration *g = CFG_LIST(r.config, &r.config->registrations, struct cfg_registration);
	cr_expect(g[0].proxy.port == 5090 && g[0].period == 120 && g[0].privacy == PRIVACY_IGNORE);
	cr_expect_str_eq(cfg_str(r.config, g[0].auth_user), "u");
	cr_expect(g[1].proxy.family == 0 && g[1].proxy_port == 0 && g[1].period == 0 &&
		  g[1].proxy_transport == TRANSPORT_TCP && g[1].port == 5060);
	cr_expect_str_eq(cfg_str(r.config, g[1].proxy_host), "sip.example.net");
	cr_expect(g[2].proxy_port == 5099 && g[2].period == 7200);
	cr_expect_str_eq(cfg_str(r.config, g[2].domain), "sip.example.net");
	cr_expect(g[3].proxy.family == 6 && g[3].proxy.port == 5060 && !g[3].enabled);
	cr_expect_eq(cfg_routing(r.config, 0)->via_registration, 2);
	compiled_free(&r);
#define UP(keys) LISTEN "registrations: [{id: a, username: u, " keys "}]\n"
	refuse(UP("proxy: h, port: 5061"), "sw.yaml:2:54: registrations[a].port: 5061 is not a port of sip.listen");
	refuse(UP("proxy: h, period: 19"),
		"sw.yaml:2:56: registrations[a].period: 19 is outside default, auto, 20-7200");
	refuse(UP("proxy: \"h:x\""), NULL);
	refuse(UP("proxy: \"h h\""), NULL);
	refuse(UP("proxy: \"\""), NULL);
	refuse(UP("proxy: \"tls:h\""), NULL); /* not built yet */
	refuse(UP("realm: r"), "sw.yaml:2:17: registrations[a].proxy: is missing");
}

Test(schema, numbers)
{
	struct compiled r = accepted(LISTEN
		"dial_plans:\n"
		"  a: [{match: \"00*E13\", rewrite: \"*\"}, {match: \"0[2-9]?L5G2\", rewrite: [\"$1$\", \"88\"], poll: on}, {match: \"\", rewrite: \"9\"}]\n"
		"  b: []\n"
		"routing_gateways: [{id: g, address: 1.2.3.4, callee_dial_plan: b, caller_dial_plan: none}]\n");
	const struct cfg_dial_plan *p = CFG_LIST(r.config, &r.config->dial_plans, struct cfg_dial_plan);
	const struct cfg_dial_rule *rule = CFG_LIST(r.config, &p[0].rules, struct cfg_dial_rule);
	cr_assert_eq(p[0].rules.n, 3);
	cr_expect_str_eq(cfg_str(r.config, rule[0].match), "00*");
	const struct cfg_guard *guard = CFG_LIST(r.config, &rule[0].guards, struct cfg_guard);
	cr_expect(rule[0].guards.n == 1 && guard->kind == 'E' && guard->n == 13);
	cr_expect_str_eq(cfg_str(r.config, rule[1].match), "0[2-9]?");
	cr_expect(rule[1].guards.n == 2 && rule[1].rewrites.n == 2 && rule[1].poll && !rule[0].poll);
	cr_expect(rule[1].turn == 0 && rule[0].turn == CONFIG_NONE && r.config->dial_turns == 1);
	cr_expect(cfg_routing(r.config, 0)->callee_dial_plan == 1 &&
		  cfg_routing(r.config, 0)->caller_dial_plan == CONFIG_NONE);
	compiled_free(&r);
	static const char *const bad[] = { "{match: \"1*2\", rewrite: x}", "{match: \"[12\", rewrite: x}",
		"{match: \"[]\", rewrite: x}",
		"{match: \"1]\", rewrite: x}", "{match: \"1?\", rewrite: \"$$\"}", "{match: \"1\", rewrite: \"*\"}", "{match: \"1*\", rewrite: \"**\"}",
		"{match: \"1\"}", "{rewrite: \"1\"}", "{match: \"1 2\", rewrite: x}", "{match: [1], rewrite: x}", "{match: 1, rewrite: 2, poll: x}",
		"{match: 1, rewrite: 2, mode: x}", "text", "{match: \"[9-2]\", rewrite: x}", "{match: \"[2-]\", rewrite: x}",
		"{match: \"[-2]\", rewrite: x}", "{match: \"[1?]\", rewrite: x}", "{match: \"[1-a]\", rewrite: x}" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		refuse_with("dial_plans: {p: [%s]}\n", bad[i], NULL);
	refuse(LISTEN "dial_plans: {p: [{match: \"0[9-2]\", rewrite: x}]}\n",
		"sw.yaml:2:26: dial_plans[p][0].match: 0[9-2] has a set of other than digits, letters and rising ranges");
	refuse(LISTEN "dial_plans: {p: [{match: \"0?\", rewrite: [x, $$]}]}\n", NULL);
	refuse(LISTEN "dial_plans: [a]\n", "sw.yaml:2:13: dial_plans: a map by name is expected");
	refuse(LISTEN "dial_plans: {p: 5}\n",
		"sw.yaml:2:17: dial_plans[p]: a list of rules is expected: [{match: \"00*\", rewrite: \"*\"}]");
	refuse(LISTEN "lrn_sources: {x: {type: dns, path: /dev/null}}\n",
		"sw.yaml:2:25: lrn_sources[x].type: dns is not known here, allowed: file, sip, enum");
	refuse(LISTEN "lrn_sources: {x: {path: nowhere.csv}}\n", NULL);
}

Test(schema, sort_chain)
{
	static const struct {
		const char *text;
		uint32_t n, chain[6];
	} rows[] = {
		{ "routing: {sort: [rate, asr, id]}\n", 3, { SORT_RATE, SORT_ASR, SORT_ID } },
		{ "parameters: {SS_GATEWAY_ASR_ROUTE_SORT_CONFIG: 0}\n", 5, { SORT_ASR, SORT_PRIORITY, SORT_LOAD,
			SORT_HISTORY, SORT_ID } },
		{ "parameters: {SS_GATEWAY_FEE_RATE_ROUTE_SORT_CONFIG: 9}\n", 5, { SORT_PRIORITY, SORT_LOAD,
			SORT_HISTORY, SORT_ID, SORT_RATE } },
		{ "parameters: {SS_GATEWAY_ASR_ROUTE_SORT_CONFIG: 1, SS_GATEWAY_FEE_RATE_ROUTE_SORT_CONFIG: 1}\n", 6,
			{ SORT_PRIORITY, SORT_ASR, SORT_RATE, SORT_LOAD, SORT_HISTORY, SORT_ID } },
		{ "parameters: {SS_GATEWAY_ASR_ROUTE_SORT_CONFIG: 1, SS_GATEWAY_FEE_RATE_ROUTE_SORT_CONFIG: 1, "
		  "SS_GATEWAY_FEE_RATE_ROUTE_BEFORE_ASR: on}\n", 6, { SORT_PRIORITY, SORT_RATE, SORT_ASR, SORT_LOAD, SORT_HISTORY, SORT_ID } },
		{ "routing: {sort: [id]}\nparameters: {SS_GATEWAY_ASR_ROUTE_SORT_CONFIG: 0}\n", 1, { SORT_ID } },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct compiled r = accepted_with("%s", rows[i].text);
		const uint32_t *chain = CFG_LIST(r.config, &r.config->routing.sort, uint32_t);
		cr_assert_eq(r.config->routing.sort.n, rows[i].n, "%s", rows[i].text);
		for (uint32_t k = 0; k < rows[i].n; k++)
			cr_expect_eq(chain[k], rows[i].chain[k], "%s at %u", rows[i].text, k);
		compiled_free(&r);
	}
	refuse(LISTEN "routing: {sort: []}\n", "sw.yaml:2:17: routing.sort: is empty");
	refuse(LISTEN "routing: {sort: [id, id]}\n", "sw.yaml:2:17: routing.sort: id stands there twice");
	refuse(LISTEN "routing: {window: 60, bucket: 61}\n", "sw.yaml:2:31: routing.bucket: is longer than the window");
	struct compiled r = accepted(
		LISTEN "parameters: {SS_GATEWAY_ASR_RESERVE_TIME: 60, SS_GATEWAY_ASR_RESERVE_SEPARATE: 3600}\n");
	cr_expect(r.config->routing.window == 60000 && r.config->routing.bucket == 60000);
	compiled_free(&r);
}

/* lists, accounts, rates and periods are checked like anything else, even while they are refused as not available */
static void expect_second(const char *text, const char *error)
{
	char body[4096];
	snprintf(body, sizeof(body), LISTEN "%s", text);
	struct compiled r = compile_text(body);
	cr_expect(strstr(all_errors(&r), error), "%s instead of %s", all_errors(&r), error);
	compiled_free(&r);
}

Test(schema, what_is_refused_is_still_checked)
{
	expect_second("accounts: [{id: a}]\n", "accounts[a].password: is missing, as is ha1");
	expect_second("accounts: [{id: a, password: b, ha1: 0123456789abcdef0123456789abcdef}]\n",
		"only one of password and ha1 can be given");
	refuse("sip: {listen: [\"udp:127.0.0.1\"], digest: [sha-256]}\naccounts: [{id: a, ha1: 0123456789abcdef0123456789abcdef}, {id: b, password: p}]\n",
		"sw.yaml:2:25: accounts[a].ha1: serves MD5 alone, which sip.digest does not offer");
	expect_second("accounts: [{id: a, ha1: 0123}]\n", "accounts[a].ha1: the secret has 4 bytes, allowed: 32-32");
	expect_second("accounts: [{id: a, ha1: xyz}]\n",
		"accounts[a].ha1: the secret has a character that is not allowed here");
	expect_second(
		"accounts: [{id: a, password: p, max_contacts: 11}]\n", "accounts[a].max_contacts: 11 is outside 1-10");
	expect_second("number_lists: {a: {type: grey, on: callee}}\n",
		"number_lists[a].type: grey is not known here, allowed: black, white");
	expect_second("number_lists: {a: {type: white, on: x}}\n",
		"number_lists[a].on: x is not known here, allowed: callee, caller, both");
	expect_second("number_lists: {a: {type: white, on: both, numbers: [\"9*1\"]}}\n", "9*1 has * before its end");
	expect_second("number_lists: {a: {type: white, on: both, file: none.txt}}\n", "number_lists[a].file: cannot read");
	expect_second("rate_tables: {a: {}}\n", "rate_tables[a].file: is missing");
	expect_second("rate_tables: {\"a b\": {file: /dev/null}}\n", "rate_tables[a b]: a b has a character");
	expect_second(CUSTOMER("periods: [{from: \"24:01\"}]"), "mapping_gateways[cust].periods[0].from: 24:01 is outside 00:00-24:00");
	expect_second(CUSTOMER("periods: [{from: noon}]"), "noon is not a time of day, allowed: 00:00-24:00");
	expect_second(CUSTOMER("periods: [{from: \"08:00\", to: \"08:00\"}]"), "begins when it ends");
	expect_second(CUSTOMER("periods: [{days: someday}]"), "someday is not a weekday");
	expect_second(CUSTOMER("periods: [{days: []}]"), "periods[0].days: is empty");
	expect_second(CUSTOMER("lists: [none]"), "there is no number list none");
	expect_second("protect: {ban: 0}\n", "protect.ban: 0 is outside 1-604800");
	expect_second("http: {listen: 127.0.0.1}\n", "127.0.0.1 is not an address to listen on, allowed: IP:PORT, [IPv6]:PORT");
	expect_second("cdr: {rotate: {size: 4095}}\n", "cdr.rotate.size: 4095 is outside 4K-1024G");
	expect_second("cdr: {rotate: {size: 5X}}\n", "5X is not a size in bytes");
	expect_second("sip: {}\n", "sip: given twice");
}
