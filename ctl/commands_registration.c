/* registrations, register, unregister: what we have asked of upstreams. */
#include "base/clock.h"
#include "ctl/control.h"
#include "shm/registration.h"
#include <errno.h>
#include <stdlib.h>

static void add_seconds(struct json *o, const char *key, uint64_t at, uint64_t now)
{
	if (at)
		js_add_int(o, key, at > now ? (int64_t)((at - now + 999) / 1000) : 0);
	else
		js_add_null(o, key);
}

static void add_row(struct json *list, struct span id, struct span registrar, const struct registration_state *s, const char *state)
{
	struct json *o = js_object();
	uint64_t now = clock_ms();
	js_add_text(o, "id", id);
	js_add_text(o, "state", span_of(state));
	js_add_text(o, "registrar", registrar);
	add_seconds(o, "expires_in_s", s ? s->expires_ms : 0, now);
	add_seconds(o, "next_in_s", s && !s->request ? s->next_ms : 0, now);
	if (s && s->last_code)
		js_add_int(o, "last_code", s->last_code);
	else
		js_add_null(o, "last_code");
	js_add_text(o, "last_error", s ? (struct span){ s->error, strnlen(s->error, sizeof s->error) } : SPAN(""));
	js_push(list, o);
}

static void add_slot(struct json *list, const struct registration *r, const struct registration_state *s)
{
	char text[ADDR_TEXT_MAX];
	struct span registrar = registration_text(&s->account, ACCOUNT_HOST);
	if (s->account.proxy.family)
		registrar = (struct span){ text, addr_format(&s->account.proxy, false, text, sizeof text) };
	add_row(list, registration_id(r), registrar, s, registration_state_text(s));
}

static const struct cfg_registration *entry(const struct config *c, uint32_t i)
{
	return CFG_LIST(c, &c->registrations, struct cfg_registration) + i;
}

/* -ENOENT: there is no record of it */
static int read_slot(const struct env *e, uint32_t slot, struct registration_state *ret_state)
{
	const struct registration *r = registration_at(e, slot);
	uint32_t generation = 0;
	return r ? slot_read(&r->slot, r->copies, sizeof *ret_state, &generation, ret_state) : -ENOENT;
}

int command_registrations(struct command *c)
{
	static struct registration_state s; /* large */
	const struct env *e = c->control->env;
	const struct config *config = control_config(c->control);
	struct json *list = js_array();
	uint32_t slots = region_count(&e->region[seat_of(ROLE_REGISTRAR, 0)], AREA_REGISTRATIONS);
	uint32_t hint = 0;
	bool *shown = calloc(slots ? slots : 1, sizeof *shown);
	for (uint32_t i = 0; shown && i < config->registrations.n; i++) {
		struct span id = cfg_span(config, entry(config, i)->id);
		uint32_t slot = registration_find(e, id, hint); /* they lie in the order of the configuration, mostly */
		hint = slot == REGISTRATION_NOWHERE ? hint : slot + 1;
		if (read_slot(e, slot, &s)) {
			add_row(list, id, cfg_span(config, entry(config, i)->proxy_host), NULL, entry(config, i)->enabled ? "waiting" : "disabled");
			continue;
		}
		add_slot(list, registration_at(e, slot), &s);
		shown[slot] = true;
	}
	for (uint32_t i = 0; shown && i < slots; i++) /* being taken back, in no configuration any more */
		if (!shown[i] && read_slot(e, i, &s) == 0)
			add_slot(list, registration_at(e, i), &s);
	free(shown);
	js_add(c->result, "registrations", list);
	return 0;
}

static int order(struct command *c, uint32_t type)
{
	const struct config *config = control_config(c->control);
	const char *text = request_arg(c->request, "id");
	struct span id = span_of(text);
	const struct cfg_registration *r = NULL;
	for (uint32_t i = 0; text && i < config->registrations.n && !r; i++)
		if (span_eq(cfg_span(config, entry(config, i)->id), id))
			r = entry(config, i);
	if (!r)
		return command_error(c, -ENOENT, "id: no such registration");
	if (!r->enabled)
		return command_error(c, -EINVAL, "the registration is disabled");
	int e = env_push(c->control->env, seat_of(ROLE_REGISTRAR, 0), type, id.p, id.n, NULL, 0);
	if (e)
		return command_error(c, e, "the registrar does not take orders at the moment; try again");
	js_add_text(c->result, "id", id);
	return 0;
}

int command_register(struct command *c)
{
	return order(c, MESSAGE_REGISTER);
}

int command_unregister(struct command *c)
{
	return order(c, MESSAGE_UNREGISTER);
}
