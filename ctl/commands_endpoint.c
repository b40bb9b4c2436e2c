/* endpoints: the contacts of accounts that registered with us. */
#include "base/clock.h"
#include "ctl/control.h"
#include "shm/location.h"

#define BEAT_EVERY 8192u /* records: a hundred thousand take half a second, a million longer than silence is allowed */

static void add_contact(struct json *list, const struct location_contact *at, uint64_t now)
{
	char source[ADDR_TEXT_MAX];
	struct json *o = js_object();
	js_add_text(o, "account", at->account);
	js_add_text(o, "contact", at->uri);
	js_add_text(o, "source", (struct span){ source, addr_format(&at->source, false, source, sizeof(source)) });
	js_add_bool(o, "nat", at->behind_nat);
	js_add_int(o, "expires_in_s", (int64_t)((at->expires_ms - now + 999) / 1000));
	js_add_int(o, "registered_s", (int64_t)((now > at->registered_ms ? now - at->registered_ms : 0) / 1000));
	js_add_real(o, "q", at->q / 1000.0);
	if (at->path.n)
		js_add_text(o, "path", at->path);
	if (at->instance.n)
		js_add_text(o, "instance", at->instance);
	if (at->reg_id)
		js_add_int(o, "reg_id", at->reg_id);
	if (at->user_agent.n)
		js_add_text(o, "user_agent", at->user_agent);
	js_push(list, o);
}

int command_endpoints(struct command *c)
{
	static struct location_contact at[LOCATION_CONTACTS]; /* large */
	const struct env *e = c->control->env;
	struct json *list = js_array();
	uint64_t now = clock_ms();
	for (uint32_t worker = 0; worker < WORKERS_MAX; worker++) {
		const struct region *r = &e->region[seat_of(ROLE_SIGNALING, worker)];
		uint32_t records = location_count(r) ? location_records(r) : 0;
		for (uint32_t i = 0; i < records; i++) {
			if (i % BEAT_EVERY == 0)
				stat_set(&e->region[e->seat].head->heartbeat_ms, clock_ms());
			int n = location_read_record(r, i, now, at, LOCATION_CONTACTS);
			for (int k = 0; k < n; k++)
				add_contact(list, &at[k], now);
		}
	}
	stat_set(&e->region[e->seat].head->heartbeat_ms, clock_ms());
	js_add(c->result, "endpoints", list);
	return 0;
}
