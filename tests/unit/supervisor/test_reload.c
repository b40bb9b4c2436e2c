/* What a reload may not change. */
#include "shm/capacity.h"
#include "supervisor/reload.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static const char base[] = "system:\n"
			   "  run_dir: /tmp/tandem-test\n"
			   "  workers: {signaling: 2, media: 2}\n"
			   "  limits: {calls: 100}\n"
			   "sip:\n"
			   "  listen: [\"udp:127.0.0.1:5060\"]\n"
			   "media: {address: 127.0.0.1, ports: 20000-20099}\n"
			   "routing_gateways:\n"
			   "  - {id: gw-a, address: \"127.0.0.1:5080\", prefixes: [\"1\"]}\n";

static struct config *compile(const char *text)
{
	struct config_errors *errors = config_errors_new();
	struct config *c = NULL;
	size_t size;
	int r = config_compile_text("test", text, strlen(text), errors, &c, &size);
	cr_assert_eq(r, 0, "%s", config_errors_text(errors, 0));
	config_errors_free(errors);
	return c;
}

/* base with one piece replaced */
static struct config *variant(const char *from, const char *to)
{
	char text[2048];
	const char *at = strstr(base, from);
	cr_assert(at, "%s", from);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - base), base, to, at + strlen(from));
	return compile(text);
}

static uint32_t refusals(const struct config *new, uint32_t cells, char *why, size_t cap)
{
	struct config *old = compile(base);
	uint32_t n = reload_refusals(old, new, cells, why, cap);
	free(old);
	return n;
}

Test(reload, what_is_the_same_is_taken)
{
	char why[1000] = "old";
	struct config *same = compile(base);
	cr_expect_eq(refusals(same, 10, why, sizeof(why)), 0);
	cr_expect_str_eq(why, "");
	free(same);
}

Test(reload, table)
{
	static const struct {
		const char *from, *to, *key; /* key NULL: may be changed */
	} rows[] = {
		{ "run_dir: /tmp/tandem-test", "run_dir: /tmp/tandem-other", "system.run_dir" },
		{ "run_dir: /tmp/tandem-test", "user: nobody\n  run_dir: /tmp/tandem-test", "system.user" },
		{ "run_dir: /tmp/tandem-test", "pin: on\n  run_dir: /tmp/tandem-test", "system.pin" },
		{ "signaling: 2", "signaling: 3", "system.workers.signaling" },
		{ "media: 2", "media: 1", "system.workers.media" },
		{ "calls: 100", "calls: 101", "system.limits.calls" },
		{ "calls: 100", "calls: 100, endpoints: 7", "system.limits.endpoints" },
		{ "calls: 100", "calls: 100, registrations: 7", "system.limits.registrations" },
		{ "127.0.0.1:5060\"", "127.0.0.1:5061\"", "sip.listen" },
		{ "127.0.0.1:5060\"", "127.0.0.1:5060\", \"udp:127.0.0.1:5061\"", "sip.listen" },
		{ "address: 127.0.0.1,", "address: 127.0.0.2,", "media.address" },
		{ "address: 127.0.0.1,", "address: [127.0.0.1, 127.0.0.2],", "media.address" },
		{ "20000-20099", "20000-20199", "media.ports" },
		{ "20000-20099}", "20000-20099, offload: off}", "media.offload" },
		{ "routing_gateways:", "cdr: {dir: /tmp/elsewhere}\nrouting_gateways:", NULL },
		{ "127.0.0.1:5080\"", "127.0.0.1:5081\"", NULL },
		{ "prefixes: [\"1\"]", "prefixes: [\"1\", \"2\"], line_limit: 3", NULL },
		{ "run_dir: /tmp/tandem-test", "drain_timeout: 3\n  run_dir: /tmp/tandem-test", NULL },
		{ "routing_gateways:", "log: {level: debug}\nrouting_gateways:", NULL },
		{ "routing_gateways:", "parameters: {SS_SIP_TIMEOUT_INVITE: 3}\nrouting_gateways:", NULL },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char why[1000];
		struct config *new = variant(rows[i].from, rows[i].to);
		uint32_t n = refusals(new, 10, why, sizeof(why));
		cr_expect_eq(n, rows[i].key ? 1 : 0, "%s -> %s: %u, %s", rows[i].from, rows[i].to, n, why);
		if (rows[i].key) {
			cr_expect(strncmp(why, rows[i].key, strlen(rows[i].key)) == 0, "%s: %s", rows[i].key, why);
			cr_expect(strstr(why, "needs a restart\n") || strstr(why, "need a restart\n"), "%s", why);
		}
		free(new);
	}
}

Test(reload, gateways_need_cells)
{
	char why[1000];
	struct config *more = variant("routing_gateways:\n",
		"routing_gateways:\n  - {id: gw-b, address: \"127.0.0.1:5081\", prefixes: [\"1\"]}\n");
	cr_expect_eq(cell_count(more), 3);
	cr_expect_eq(refusals(more, 3, why, sizeof(why)), 0, "%s", why);
	cr_expect_eq(refusals(more, 2, why, sizeof(why)), 1);
	cr_expect(strstr(why, "there is place for 1"), "%s", why);
	free(more);
}

Test(reload, all_refusals_are_said_in_whole_lines)
{
	char why[100];
	struct config *new = variant("workers: {signaling: 2, media: 2}", "workers: {signaling: 1, media: 3}");
	cr_expect_eq(refusals(new, 10, why, sizeof(why)), 2, "the second does not fit but counts");
	cr_expect_str_eq(why, "system.workers.signaling: 1 instead of 2 needs a restart\n");
	free(new);
}
