/* Sections `accounts` (who registers with us) and `registrations` (with whom we register). */
#include "config/schema.h"
#include <stdio.h>
#include <stdlib.h>

/* --- accounts -------------------------------------------------------------------------------------------------- */

static const struct type type_account_id = { .size = sizeof(struct cfg_text), .read = read_text, .min = 1, .max = 64,
	.character = character_user, .allowed = "characters of a SIP user name", .text = true };
static const struct type type_ha1 = { .size = sizeof(struct cfg_text), .read = read_text, .min = 32, .max = 32,
	.character = character_hex,
	.allowed = "32 hexadecimal digits", .text = true, .null = true, .secret = true };
static const struct type type_contacts = { .size = sizeof(uint32_t), .read = read_number, .min = 1, .max = 10,
	.allowed = "1-10" };

static const struct key forward_period_keys[] = {
	{ "number", KEY_VALUE, FIELD(cfg_forward_period, number), .type = &type_number_text, .required = true },
	{ "days", KEY_CUSTOM, FIELD(cfg_forward_period, days), .custom = days_read },
	{ "from", KEY_VALUE, FIELD(cfg_forward_period, from), .type = &type_clock, .fallback = "00:00" },
	{ "to", KEY_VALUE, FIELD(cfg_forward_period, to), .type = &type_clock, .fallback = "24:00" },
	{ 0 }
};

static void prepare_forward_period(struct compile *c, void *out)
{
	(void)c;
	((struct cfg_forward_period *)out)->days = 0x7f;
}

static void finish_forward_period(struct compile *c, const struct node *n, const struct place *place, void *out)
{
	const struct cfg_forward_period *p = out;
	if (p->from == p->to)
		errors_add(c->errors, n->at, place, "begins when it ends; a whole day is from 00:00 to 24:00");
}
static const struct schema schema_forward_period = { .keys = forward_period_keys, .size = sizeof(struct cfg_forward_period),
	.prepare = prepare_forward_period, .finish = finish_forward_period };

/* a list of rows with a number each; a number alone holds at any time */
static bool forward_period_read(struct compile *c, const struct node *n, const struct place *place, void *out)
{
	uint32_t count = n->kind == NODE_LIST ? n->count : 1, i = 0;
	struct cfg_forward_period *rows;
	struct input in;
	bool null;
	if (n->kind != NODE_LIST && node_is_null(n))
		return false;
	rows = calloc(count ? count : 1, sizeof(*rows));
	if (!rows)
		abort();
	for (uint32_t k = 0; k < count; k++)
		schema_defaults(c, &schema_forward_period, &rows[k]);
	if (n->kind == NODE_MAP)
		schema_read(c, &schema_forward_period, n, place, rows);
	else if (n->kind != NODE_LIST && schema_scalar(c, &type_number_text, n, place, &in, &null))
		type_number_text.read(&in, &type_number_text, &rows->number);
	for (const struct node *e = n->kind == NODE_LIST ? n->first : NULL; e; e = e->next, i++) {
		struct place item = node_item(place, e, i);
		schema_read(c, &schema_forward_period, e, &item, &rows[i]);
	}
	struct cfg_list list = image_list(&c->image, rows, count, sizeof(*rows));
	memcpy(out, &list, sizeof(list));
	free(rows);
	return true;
}

static const struct key forward_keys[] = {
	{ "unconditional", KEY_VALUE, FIELD(cfg_account, forward_unconditional), .type = &type_number_text },
	{ "period", KEY_CUSTOM, FIELD(cfg_account, forward_period), .custom = forward_period_read },
	{ "offline", KEY_VALUE, FIELD(cfg_account, forward_offline), .type = &type_number_text },
	{ "busy", KEY_VALUE, FIELD(cfg_account, forward_busy), .type = &type_number_text },
	{ "no_answer", KEY_VALUE, FIELD(cfg_account, forward_no_answer), .type = &type_number_text },
	{ 0 }
};
static const struct schema schema_forward = { .keys = forward_keys, .size = sizeof(struct cfg_account) };

static const struct key account_keys[] = {
	{ "id", KEY_VALUE, FIELD(cfg_account, id), .type = &type_account_id, .required = true },
	{ "password", KEY_VALUE, FIELD(cfg_account, password), .type = &type_secret },
	{ "ha1", KEY_VALUE, FIELD(cfg_account, ha1), .type = &type_ha1 },
	{ "max_contacts", KEY_VALUE, FIELD(cfg_account, max_contacts), .type = &type_contacts, .fallback = "1" },
	{ "enabled", KEY_VALUE, FIELD(cfg_account, enabled), .type = &type_onoff, .fallback = "on" },
	{ "lock", KEY_VALUE, FIELD(cfg_account, lock), .type = &type_lock, .fallback = "none" },
	{ "line_limit", KEY_VALUE, FIELD(cfg_account, line_limit), .type = &type_limit, .fallback = "none" },
	{ "callee_dial_plan", KEY_VALUE, FIELD(cfg_account, callee_dial_plan), .type = &type_dial_plan },
	{ "caller_dial_plan", KEY_VALUE, FIELD(cfg_account, caller_dial_plan), .type = &type_dial_plan },
	{ "forward", KEY_MAP, NOWHERE, .schema = &schema_forward },
	{ "media", KEY_VALUE, FIELD(cfg_account, media), .type = &type_media_mode },
	{ 0 }
};

static void prepare_account(struct compile *c, void *out)
{
	struct cfg_account *a = out;
	a->media = c->config.media.proxy;
}

static void finish_account(struct compile *c, const struct node *n, const struct place *place, void *out)
{
	const struct node *password = node_get(n, "password"), *ha1 = node_get(n, "ha1");
	struct place at = { place, SPAN("password"), 0, false }, place_ha1 = { place, SPAN("ha1"), 0, false };
	(void)out;
	if (node_is_null(password) && node_is_null(ha1))
		errors_add(c->errors, n->at, &at, "is missing, as is ha1");
	else if (!node_is_null(password) && !node_is_null(ha1))
		errors_add(c->errors, ha1->at, &at, "only one of password and ha1 can be given");
	else if (!node_is_null(ha1) && !c->config.sip.digest_md5)
		errors_add(c->errors, ha1->at, &place_ha1, "serves MD5 alone, which sip.digest does not offer");
}
const struct schema schema_account = { .keys = account_keys, .size = sizeof(struct cfg_account),
	.prepare = prepare_account,
	.finish = finish_account };

/* --- registrations --------------------------------------------------------------------------------------------- */

/* "udp:ADDRESS", "tcp:NAME:PORT", "NAME": a literal address is kept as such, a name for the registrar to resolve */
static bool proxy_read(struct compile *c, const struct node *n, const struct place *place, void *out)
{
	static const struct {
		struct span prefix;
		enum cfg_transport transport;
	} transports[] = { { { "udp:", 4 }, TRANSPORT_UDP }, { { "tcp:", 4 }, TRANSPORT_TCP }, { { "tls:", 4 },
		TRANSPORT_TLS } };
	struct cfg_registration *r = out;
	struct input in;
	bool null;
	if (!schema_scalar(c, &type_token, n, place, &in, &null))
		return false;
	struct input whole = in;
	r->proxy_transport = TRANSPORT_UDP;
	for (size_t i = 0; i < sizeof(transports) / sizeof(*transports); i++) {
		if (span_starts(whole.text, transports[i].prefix)) {
			r->proxy_transport = transports[i].transport;
			in.text.p += transports[i].prefix.n;
			in.text.n -= transports[i].prefix.n;
			break;
		}
	}
	r->proxy_port = r->proxy_transport == TRANSPORT_TLS ? 5061 : 5060;
	if (addr_parse(in.text, &r->proxy) == 0) {
		r->proxy.port = r->proxy.port ? r->proxy.port : (uint16_t)r->proxy_port;
		r->proxy_port = r->proxy.port;
	} else {
		const char *colon = memchr(in.text.p, ':', in.text.n);
		int64_t port = 0; /* none given: SRV decides */
		struct span after = colon ? (struct span){ colon + 1, in.text.n - (size_t)(colon + 1 - in.text.p) }
					  : (struct span){ 0 };
		if ((colon && (!value_integer(after, &port) || port < 1 || port > 65535)) ||
			!address_is_name((struct span){ in.text.p, colon ? (size_t)(colon - in.text.p) : in.text.n }))
			return value_wrong(
				&whole, "is not a proxy, allowed: udp:HOST:PORT, tcp:HOST:PORT, tls:HOST:PORT", "");
		in.text.n = colon ? (size_t)(colon - in.text.p) : in.text.n;
		r->proxy_port = (uint32_t)port;
		memset(&r->proxy, 0, sizeof(r->proxy));
	}
	type_host.read(&in, &type_host, &r->proxy_host);
	built_check(c, place, n->at, whole.text, 1);
	return true;
}

#define PERIOD_DEFAULT UINT32_MAX
static const struct choice periods[] = { { "default", PERIOD_DEFAULT }, { "auto", 0 }, { 0 } };
static const struct choice privacies[] = { { "default", PRIVACY_DEFAULT }, { "ignore", PRIVACY_IGNORE }, { "id",
	PRIVACY_ID },
	{ "none", PRIVACY_NONE }, { 0 } };
static const struct choice any_port[] = { { "none", 0 }, { 0 } };
static const struct type type_period = { .size = sizeof(uint32_t), .read = read_number, .choices = periods, .min = 20,
	.max = 7200,
	.allowed = "default, auto, 20-7200" };
static const struct type type_privacy = { .size = sizeof(uint32_t), .read = read_choice, .choices = privacies };
static const struct type type_port = { .size = sizeof(uint32_t), .read = read_number, .choices = any_port, .min = 1,
	.max = 65535,
	.allowed = "none, 1-65535" };

static const struct key registration_keys[] = {
	{ "id", KEY_VALUE, FIELD(cfg_registration, id), .type = &type_id, .required = true },
	{ "proxy", KEY_CUSTOM, NOWHERE, .custom = proxy_read, .required = true },
	{ "domain", KEY_VALUE, FIELD(cfg_registration, domain), .type = &type_host },
	{ "realm", KEY_VALUE, FIELD(cfg_registration, realm), .type = &type_quotable },
	{ "host_name", KEY_VALUE, FIELD(cfg_registration, host_name), .type = &type_host },
	{ "port", KEY_VALUE, FIELD(cfg_registration, port), .type = &type_port },
	{ "username", KEY_VALUE, FIELD(cfg_registration, username), .type = &type_account_id, .required = true },
	{ "auth_user", KEY_VALUE, FIELD(cfg_registration, auth_user), .type = &type_quotable },
	{ "password", KEY_VALUE, FIELD(cfg_registration, password), .type = &type_secret },
	{ "period", KEY_VALUE, FIELD(cfg_registration, period), .type = &type_period, .fallback = "default" },
	{ "privacy", KEY_VALUE, FIELD(cfg_registration, privacy), .type = &type_privacy, .fallback = "default" },
	{ "callee_from", KEY_VALUE, FIELD(cfg_registration, callee_from), .type = &type_callee_from, .fallback = "to" },
	{ "enabled", KEY_VALUE, FIELD(cfg_registration, enabled), .type = &type_onoff, .fallback = "on" },
	{ 0 }
};

static bool is_listening(struct compile *c, uint32_t port)
{
	const struct cfg_listen *l = image_at(&c->image, c->config.sip.listen);
	for (uint32_t i = 0; i < c->config.sip.listen.n; i++)
		if (l[i].addr.port == port)
			return true;
	return false;
}

static void finish_registration(struct compile *c, const struct node *n, const struct place *place, void *out)
{
	struct cfg_registration *r = out;
	if (r->period == PERIOD_DEFAULT)
		r->period = (uint32_t)(c->config.param[P_SS_SIP_USER_AGENT_EXPIRE] / 1000);
	if (r->privacy == PRIVACY_DEFAULT)
		r->privacy = (uint32_t)c->config.param[P_SS_SIP_USER_AGENT_PRIVACY];
	if (!r->domain.n)
		r->domain = r->proxy_host;
	if (!r->auth_user.n)
		r->auth_user = r->username;
	if (r->port && !is_listening(c, r->port)) {
		struct place port = { place, SPAN("port"), 0, false };
		errors_add(c->errors, node_get(n, "port")->at, &port, "%u is not a port of sip.listen", r->port);
	}
}
const struct schema schema_registration = { .keys = registration_keys, .size = sizeof(struct cfg_registration),
	.finish = finish_registration };
