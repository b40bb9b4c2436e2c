#include "helper.h"
#include <time.h>

static struct compiled many(uint32_t n)
{
	static char text[400000];
	size_t used = (size_t)snprintf(text, sizeof(text), LISTEN "accounts:\n");
	for (uint32_t i = 0; i < n; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "- {id: \"%u\", password: p}\n", 1000 + i * 7);
	return accepted(text);
}

Test(accounts, each_is_found_by_its_id_and_nothing_else_is)
{
	static const uint32_t sizes[] = { 1, 2, 3, 64, 1000, 5000 };
	for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
		struct compiled r = many(sizes[s]);
		for (uint32_t i = 0; i < sizes[s]; i++) {
			char id[16];
			snprintf(id, sizeof(id), "%u", 1000 + i * 7);
			cr_assert_eq(config_account(r.config, span_of(id)), i, "%s of %u", id, sizes[s]);
			snprintf(id, sizeof(id), "%u", 1001 + i * 7);
			cr_assert_eq(config_account(r.config, span_of(id)), CONFIG_NONE, "%s of %u", id, sizes[s]);
		}
		cr_expect_eq(config_account(r.config, SPAN("")), CONFIG_NONE);
		compiled_free(&r);
	}
	struct compiled none = accepted(LISTEN "accounts: []\n");
	cr_expect_eq(config_account(none.config, SPAN("1000")), CONFIG_NONE);
	compiled_free(&none);
}

Test(accounts, keys)
{
	struct compiled r = accepted(LISTEN
		"media: {proxy: auto}\n"
		"dial_plans: {p: [{match: \"0*\", rewrite: \"*\"}]}\n"
		"accounts:\n"
		"- {id: alice, password: secret, max_contacts: 3, enabled: off, lock: in, line_limit: 2, callee_dial_plan: p,\n"
		"   forward: {unconditional: \"1\", offline: \"3\", busy: \"4\", no_answer: \"5\"}, media: must}\n"
		"- {id: bob, ha1: 0123456789abcdef0123456789abcdef}\n");
	const struct config *c = r.config;
	const struct cfg_account *a = cfg_account(c, config_account(c, SPAN("alice"))), *b = cfg_account(c, 1);
	cr_expect_str_eq(cfg_str(c, a->password), "secret");
	cr_expect(a->max_contacts == 3 && !a->enabled && a->lock == LOCK_IN && a->line_limit == 2 && a->media == MEDIA_MUST);
	cr_expect(a->callee_dial_plan == 0 && a->caller_dial_plan == CONFIG_NONE);
	cr_expect_str_eq(cfg_str(c, a->forward_unconditional), "1");
	cr_expect_str_eq(cfg_str(c, a->forward_offline), "3");
	cr_expect_str_eq(cfg_str(c, a->forward_busy), "4");
	cr_expect_str_eq(cfg_str(c, a->forward_no_answer), "5");
	cr_expect(b->max_contacts == 1 && b->enabled && b->lock == LOCK_NONE && b->line_limit == CONFIG_NONE &&
		  b->media == MEDIA_AUTO && !b->forward_busy.n);
	compiled_free(&r);
}

Test(accounts, what_has_no_keys_of_its_own_has_the_global_values)
{
	struct compiled r = accepted(LISTEN
		"media: {proxy: must, latch: any, check: to-peer}\n"
		"parameters: {SS_SIP_TIMEOUT_RINGING: 17, SS_GATEWAY_SWITCH_UNTIL_CONNECT: on, SS_SIP_RESEND_INTERVAL: [0.2, 0.4]}\n");
	const struct cfg_mapping_gateway *m = &r.config->plain_mapping;
	const struct cfg_routing_gateway *g = &r.config->plain_routing;
	cr_expect(!m->trusted && m->support_privacy && m->enabled && m->line_limit == CONFIG_NONE && m->media == MEDIA_MUST &&
		  m->latch == LATCH_ANY && m->callee_dial_plan == CONFIG_NONE && m->lock == LOCK_NONE);
	cr_expect(g->timeouts.ringing == 17000 && g->switching.until_connect && g->resend.n == 2 && g->resend.limit == 2 &&
		  g->resend.interval[1] == 400);
	cr_expect(g->latch == LATCH_ANY && g->media_check == CHECK_TO_PEER && g->callee_dial_plan == CONFIG_NONE &&
		  g->group == CONFIG_NONE && g->refer == REFER_REFUSE);
	compiled_free(&r);
}

static bool holds(const struct config *c, const char *account, uint32_t row, const char *when)
{
	struct tm t = { .tm_isdst = -1 };
	const struct cfg_account *a = cfg_account(c, config_account(c, span_of(account)));
	const struct cfg_forward_period *p = CFG_LIST(c, &a->forward_period, struct cfg_forward_period) + row;
	cr_assert(strptime(when, "%Y-%m-%d %H:%M", &t));
	return config_in_period(p->days, p->from, p->to, (uint64_t)mktime(&t) * 1000);
}

Test(accounts, forwarding_by_period)
{
	struct compiled r = accepted(LISTEN
		"accounts:\n"
		"- {id: a, password: p, forward: {period: \"77\"}}\n"
		"- {id: b, password: p, forward: {period: [{number: \"78\", days: mon-fri, from: \"18:00\", to: \"08:00\"}, {number: \"79\", days: [sat, sun]}]}}\n"
		"- {id: c, password: p, forward: {period: {number: \"80\", from: \"09:00\", to: \"17:00\"}}}\n"
		"- {id: d, password: p, forward: {period: null}}\n");
	const struct config *c = r.config;
	const struct cfg_forward_period *b = CFG_LIST(c, &cfg_account(c, 1)->forward_period, struct cfg_forward_period);
	cr_expect(cfg_account(c, 0)->forward_period.n == 1 && cfg_account(c, 1)->forward_period.n == 2 &&
		  cfg_account(c, 2)->forward_period.n == 1 && cfg_account(c, 3)->forward_period.n == 0);
	cr_expect_str_eq(cfg_str(c, b[0].number), "78");
	cr_expect(holds(c, "a", 0, "2026-11-21 00:00") && holds(c, "a", 0, "2026-11-21 23:59"));
	/* 2026-11-20 is a Friday; a row over midnight belongs to the day on which it begins */
	cr_expect(!holds(c, "b", 0, "2026-11-20 17:59") && holds(c, "b", 0, "2026-11-20 18:00") && holds(c, "b", 0, "2026-11-21 07:59"));
	cr_expect(!holds(c, "b", 0, "2026-11-21 08:00") && !holds(c, "b", 0, "2026-11-21 18:00") && !holds(c, "b", 0, "2026-11-23 07:00"));
	cr_expect(holds(c, "b", 1, "2026-11-22 12:00") && !holds(c, "b", 1, "2026-11-23 00:00"));
	cr_expect(holds(c, "c", 0, "2026-11-23 09:00") && !holds(c, "c", 0, "2026-11-23 17:00"));
	compiled_free(&r);
	refuse(LISTEN "accounts: [{id: a, password: p, forward: {period: [{days: mon}]}}]\n", "sw.yaml:2:52: accounts[a].forward.period[0].number: is missing");
	refuse(LISTEN "accounts: [{id: a, password: p, forward: {period: {number: \"1\", from: \"09:00\", to: \"09:00\"}}}]\n", NULL);
	refuse(LISTEN "accounts: [{id: a, password: p, forward: {period: {number: \"1\", until: \"09:00\"}}}]\n", NULL);
}
