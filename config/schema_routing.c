/* Sections `routing_gateways` and `gateway_groups`. */
#include "config/schema.h"
#include <stdio.h>
#include <stdlib.h>

/* --- parts of a gateway ---------------------------------------------------------------------------------------- */

#define G cfg_routing_gateway

static const struct key timeout_keys[] = {
	{ "invite", KEY_PARAM, FIELD(G, timeouts.invite), .param = P_SS_SIP_TIMEOUT_INVITE },
	{ "trying", KEY_PARAM, FIELD(G, timeouts.trying), .param = P_SS_SIP_TIMEOUT_TRYING },
	{ "session_progress", KEY_PARAM, FIELD(G, timeouts.session_progress),
		.param = P_SS_SIP_TIMEOUT_SESSION_PROGRESS },
	{ "session_progress_sdp", KEY_PARAM, FIELD(G, timeouts.session_progress_sdp),
		.param = P_SS_SIP_TIMEOUT_SESSION_PROGRESS_SDP },
	{ "ringing", KEY_PARAM, FIELD(G, timeouts.ringing), .param = P_SS_SIP_TIMEOUT_RINGING },
	{ 0 }
};
static const struct schema schema_timeouts = { .keys = timeout_keys, .size = sizeof(struct G) };

static const struct type type_code = { .size = sizeof(uint16_t), .read = read_number, .min = 300, .max = 699,
	.allowed = "300-699" };
static const struct key switch_keys[] = {
	{ "after_sdp", KEY_PARAM, FIELD(G, switching.after_sdp), .param = P_SS_SIP_STOP_SWITCH_AFTER_SDP },
	{ "after_rtp_start", KEY_PARAM, FIELD(G, switching.after_rtp_start),
		.param = P_SS_GATEWAY_SWITCH_STOP_AFTER_RTP_START },
	{ "after_user_busy", KEY_PARAM, FIELD(G, switching.after_user_busy),
		.param = P_SS_GATEWAY_SWITCH_STOP_AFTER_USER_BUSY },
	{ "after_invite_timeout", KEY_PARAM, FIELD(G, switching.after_invite_timeout),
		.param = P_SS_SIP_USER_AGENT_STOP_SWITCH_AFTER_INVITE_TIMEOUT },
	{ "response_codes", KEY_LIST, FIELD(G, switching.response_codes), .type = &type_code },
	{ 0 }
};
static const struct schema schema_stop_switch = { .keys = switch_keys, .size = sizeof(struct G) };

static bool response_map_read(struct compile *c, const struct node *n, const struct place *place, void *out)
{
	struct cfg_list *list = out;
	if (node_is_null(n))
		return false;
	if (n->kind != NODE_MAP) {
		errors_add(c->errors, n->at, place, "a map of response codes is expected: {604: 404}");
		return false;
	}
	struct cfg_response_map *rows = calloc(n->count ? n->count : 1, sizeof(*rows));
	if (!rows)
		abort();
	uint32_t i = 0;
	for (const struct node *e = n->first; e; e = e->next, i++) {
		struct place item = { place, e->key->text, i, true };
		struct input from = { c, e->key->at, &item, e->key->text, false }, to;
		bool null;
		type_code.read(&from, &type_code, &rows[i].from);
		if (schema_scalar(c, &type_code, e, &item, &to, &null))
			type_code.read(&to, &type_code, &rows[i].to);
	}
	*list = image_list(&c->image, rows, i, sizeof(*rows));
	free(rows);
	return i > 0;
}

/* Headers of which the softswitch answers for itself what they say. */
static bool read_header_name(const struct input *in, const struct type *t, void *out)
{
	static const char *const ours[] = { "Via", "v", "From", "f", "To", "t", "Call-ID", "i", "CSeq", "Contact", "m",
		"Route", "Record-Route", "Max-Forwards", "Content-Length", "l", "Content-Type", "c", "Content-Encoding",
		"e", "Expires", "Session-Expires", "x", "Min-SE", "Retry-After", "RSeq", "RAck", "Supported", "k",
		"Require", "Proxy-Require", "Allow", "Authorization", "Proxy-Authorization", "WWW-Authenticate",
		"Proxy-Authenticate", "Authentication-Info", "Refer-To", "r", "Replaces", "Join", "User-Agent",
		"Server", "Privacy", "P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID", "Identity", "y" };
	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		if (span_ieq(in->text, span_of(ours[i])))
			return value_wrong(in, "is a header that is made by the softswitch itself", "");
	if (memchr(in->text.p, '/', in->text.n))
		return value_wrong(in, "is no header name", "");
	return read_text(in, t, out);
}

static const struct type type_header_name = { .size = sizeof(struct cfg_text), .read = read_header_name, .min = 1, .max = 64,
	.character = character_token, .allowed = "letters, digits, - . ! % * _ + ` ' ~", .text = true };

static bool headers_add_read(struct compile *c, const struct node *n, const struct place *place, void *out)
{
	struct cfg_list *list = out;
	if (node_is_null(n))
		return false;
	if (n->kind != NODE_MAP) {
		errors_add(c->errors, n->at, place, "a map of header names and values is expected");
		return false;
	}
	struct cfg_header *rows = calloc(n->count ? n->count : 1, sizeof(*rows));
	if (!rows)
		abort();
	uint32_t i = 0;
	for (const struct node *e = n->first; e; e = e->next, i++) {
		struct place item = { place, e->key->text, i, true };
		struct input name = { c, e->key->at, &item, e->key->text, false }, value;
		bool null;
		type_header_name.read(&name, &type_header_name, &rows[i].name);
		if (schema_scalar(c, &type_text, e, &item, &value, &null))
			type_text.read(&value, &type_text, &rows[i].value);
	}
	*list = image_list(&c->image, rows, i, sizeof(*rows));
	free(rows);
	return i > 0;
}

static const struct key header_keys[] = {
	{ "pass", KEY_LIST, FIELD(G, headers_pass), .type = &type_header_name },
	{ "add", KEY_CUSTOM, FIELD(G, headers_add), .custom = headers_add_read },
	{ "remove", KEY_LIST, FIELD(G, headers_remove), .type = &type_token },
	{ 0 }
};
static const struct schema schema_headers = { .keys = header_keys, .size = sizeof(struct G) };

static const struct type type_times = { .size = sizeof(uint32_t), .read = read_number, .min = 1, .max = 1000,
	.allowed = "1-1000" };
static const struct type type_ping_timeout = { .size = sizeof(uint32_t), .read = read_seconds, .min = 500,
	.max = 32000, .allowed = "0.5-32" };
static const struct key ping_keys[] = {
	{ "interval", KEY_PARAM, FIELD(cfg_options_ping, interval), .param = P_SS_SIP_OPTIONS_CHECK_PERIOD },
	{ "timeout", KEY_VALUE, FIELD(cfg_options_ping, timeout), .type = &type_ping_timeout, .fallback = "4" },
	{ "down_after", KEY_VALUE, FIELD(cfg_options_ping, down_after), .type = &type_times, .fallback = "3" },
	{ "up_after", KEY_VALUE, FIELD(cfg_options_ping, up_after), .type = &type_times, .fallback = "1" },
	{ 0 }
};
static const struct schema schema_ping = { .keys = ping_keys, .size = sizeof(struct cfg_options_ping) };

static const struct type type_open = { .size = sizeof(uint32_t), .read = read_seconds, .min = 1000, .max = 3600000,
	.allowed = "1-3600" };
static const struct key circuit_keys[] = {
	{ "failures", KEY_VALUE, FIELD(cfg_circuit, failures), .type = &type_times, .fallback = "10" },
	{ "open", KEY_VALUE, FIELD(cfg_circuit, open), .type = &type_open, .fallback = "30" },
	{ 0 }
};
static const struct schema schema_circuit = { .keys = circuit_keys, .size = sizeof(struct cfg_circuit) };

static const struct choice lrn_failures[] = { { "dialed", 0 }, { "skip", 1 }, { "reject", 2 }, { 0 } };
static const struct type type_lrn_failure = { .size = sizeof(uint32_t), .read = read_choice, .choices = lrn_failures };
static const struct type type_lrn_source = { .size = sizeof(uint32_t), .read = read_ref, .ref = REF_LRN_SOURCE };
static const struct type type_eat = { .size = sizeof(uint32_t), .read = read_number, .min = 0, .max = 32,
	.allowed = "0-32" };
static const struct key lrn_keys[] = {
	{ "source", KEY_VALUE, FIELD(cfg_lrn, source), .type = &type_lrn_source, .required = true },
	{ "eat_prefix", KEY_VALUE, FIELD(cfg_lrn, eat_prefix), .type = &type_eat, .fallback = "0" },
	{ "on_failure", KEY_VALUE, FIELD(cfg_lrn, on_failure), .type = &type_lrn_failure, .fallback = "dialed" },
	{ "send_lrn", KEY_VALUE, FIELD(cfg_lrn, send_lrn), .type = &type_onoff, .fallback = "off" },
	{ 0 }
};
static const struct schema schema_lrn = { .keys = lrn_keys, .size = sizeof(struct cfg_lrn) };

/* --- the gateway ----------------------------------------------------------------------------------------------- */

static const struct choice transports[] = { { "udp", TRANSPORT_UDP }, { "tcp", TRANSPORT_TCP }, { "tls",
	TRANSPORT_TLS }, { 0 } };
static const struct choice modes[] = { { "extension", PREFIX_EXTENSION }, { "terminal", PREFIX_TERMINAL }, { 0 } };
static const struct choice refers[] = { { "refuse", REFER_REFUSE }, { "pass", REFER_PASS }, { 0 } };
static const struct choice ringbacks[] = { { "passthrough", RINGBACK_PASSTHROUGH }, { "183-sdp", RINGBACK_183_SDP },
	{ "180-sdp", RINGBACK_180_SDP }, { 0 } };
static const struct choice privacies[] = { { "none", PRIVACY_NONE }, { "passthrough", PRIVACY_PASSTHROUGH }, { "id",
	PRIVACY_ID }, { 0 } };
static const struct choice identities[] = { { "none", IDENTITY_NONE }, { "passthrough", IDENTITY_PASSTHROUGH },
	{ "caller", IDENTITY_CALLER }, { 0 } };
static const struct choice no_price[] = { { "none", INT64_MIN }, { 0 } };

#define WORD(words) { .size = sizeof(uint32_t), .read = read_choice, .choices = words }
static const struct type type_transport = WORD(transports), type_mode = WORD(modes), type_refer = WORD(refers),
	type_ringback = WORD(ringbacks),
				  type_privacy = WORD(privacies), type_identity = WORD(identities);
static const struct type type_group = { .size = sizeof(uint32_t), .read = read_ref, .ref = REF_GROUP, .null = true };
static const struct type type_registration = { .size = sizeof(uint32_t), .read = read_ref, .ref = REF_REGISTRATION,
	.null = true };
static const struct type type_weight = { .size = sizeof(uint32_t), .read = read_number, .min = 1, .max = 10000,
	.allowed = "1-10000" };
static const struct type type_price = { .size = sizeof(int64_t), .read = read_price, .choices = no_price,
	.min = -1000000000000ll,
	.max = 1000000000000ll, .allowed = "none, a decimal per minute with at most 6 places" };
static const struct type type_credential = { .size = sizeof(struct cfg_text), .read = read_text, .min = 1, .max = 128,
	.character = character_quotable,
		.allowed = "no control characters, no \" and \\", .text = true, .null = true, .secret = true };

static const struct type type_place = { .size = sizeof(struct addr), .read = read_place,
	.allowed = "IP, IP:PORT, [IPv6]:PORT, NAME, NAME:PORT" };

static bool address_read(struct compile *c, const struct node *n, const struct place *place, void *out)
{
	struct cfg_list *list = out;
	struct input in;
	struct addr a;
	bool null;
	if (schema_scalar(c, &type_place, n, place, &in, &null) && type_place.read(&in, &type_place, &a))
		*list = image_list(&c->image, &a, 1, sizeof(a));
	return true;
}

static const struct key routing_keys[] = {
	{ "id", KEY_VALUE, FIELD(G, id), .type = &type_id, .required = true },
	{ "address", KEY_CUSTOM, FIELD(G, addresses), .custom = address_read },
	{ "addresses", KEY_LIST, FIELD(G, addresses), .type = &type_place },
	{ "via_registration", KEY_VALUE, FIELD(G, via_registration), .type = &type_registration },
	{ "transport", KEY_VALUE, FIELD(G, transport), .type = &type_transport, .fallback = "udp" },
	{ "enabled", KEY_VALUE, FIELD(G, enabled), .type = &type_onoff, .fallback = "on" },
	{ "lock", KEY_VALUE, FIELD(G, lock), .type = &type_lock, .fallback = "none" },
	{ "prefixes", KEY_LIST, FIELD(G, prefixes), .type = &type_prefix, .fallback = "" },
	{ "prefix_mode", KEY_VALUE, FIELD(G, prefix_mode), .type = &type_mode, .fallback = "extension" },
	{ "priority", KEY_VALUE, FIELD(G, priority), .type = &type_count, .fallback = "10" },
	{ "weight", KEY_VALUE, FIELD(G, weight), .type = &type_weight, .fallback = "1" },
	{ "group", KEY_VALUE, FIELD(G, group), .type = &type_group },
	{ "reserved_lines", KEY_VALUE, FIELD(G, reserved_lines), .type = &type_count, .fallback = "0" },
	{ "protect", KEY_VALUE, FIELD(G, protect), .type = &type_onoff, .fallback = "off" },
	{ "line_limit", KEY_VALUE, FIELD(G, line_limit), .type = &type_limit, .fallback = "none" },
	{ "rate_limit", KEY_VALUE, FIELD(G, rate_limit), .type = &type_limit, .fallback = "none" },
	{ "timeouts", KEY_MAP, NOWHERE, .schema = &schema_timeouts },
	{ "resend_interval", KEY_CUSTOM, FIELD(G, resend), .custom = resend_read },
	{ "stop_switch", KEY_MAP, NOWHERE, .schema = &schema_stop_switch },
	{ "switch_until_connect", KEY_PARAM, FIELD(G, switching.until_connect),
		.param = P_SS_GATEWAY_SWITCH_UNTIL_CONNECT },
	{ "response_map", KEY_CUSTOM, FIELD(G, response_map), .custom = response_map_read },
	{ "follow_redirect", KEY_VALUE, FIELD(G, follow_redirect), .type = &type_onoff, .fallback = "off" },
	{ "refer", KEY_VALUE, FIELD(G, refer), .type = &type_refer, .fallback = "refuse" },
	{ "ringback_mode", KEY_VALUE, FIELD(G, ringback_mode), .type = &type_ringback, .fallback = "passthrough" },
	{ "reply_address", KEY_VALUE, FIELD(G, reply_address), .type = &type_reply_address, .fallback = "auto" },
	{ "request_address", KEY_VALUE, FIELD(G, request_address), .type = &type_request_address, .fallback = "auto" },
	{ "local_domain", KEY_VALUE, FIELD(G, local_domain), .type = &type_onoff, .fallback = "off" },
	{ "privacy", KEY_VALUE, FIELD(G, privacy), .type = &type_privacy, .fallback = "none" },
	{ "p_asserted_identity", KEY_VALUE, FIELD(G, p_asserted_identity), .type = &type_identity, .fallback = "none" },
	{ "p_preferred_identity", KEY_VALUE, FIELD(G, p_preferred_identity), .type = &type_identity,
		.fallback = "none" },
	{ "caller_dial_plan", KEY_VALUE, FIELD(G, caller_dial_plan), .type = &type_dial_plan },
	{ "callee_dial_plan", KEY_VALUE, FIELD(G, callee_dial_plan), .type = &type_dial_plan },
	{ "caller_prefixes", KEY_MAP, FIELD(G, caller_prefixes), .schema = &schema_prefix_lists },
	{ "lists", KEY_LIST, FIELD(G, lists), .type = &type_number_list },
	{ "username", KEY_VALUE, FIELD(G, username), .type = &type_credential },
	{ "password", KEY_VALUE, FIELD(G, password), .type = &type_secret },
	{ "headers", KEY_MAP, NOWHERE, .schema = &schema_headers },
	{ "codecs", KEY_LIST, FIELD(G, codecs), .type = &type_token },
	{ "options_ping", KEY_MAP, FIELD(G, options_ping), .schema = &schema_ping, .present = true },
	{ "circuit", KEY_MAP, FIELD(G, circuit), .schema = &schema_circuit, .present = true },
	{ "lrn", KEY_MAP, FIELD(G, lrn), .schema = &schema_lrn, .present = true },
	{ "check_rate", KEY_VALUE, FIELD(G, check_rate), .type = &type_onoff, .fallback = "off" },
	{ "rate_table", KEY_VALUE, FIELD(G, rate_table), .type = &type_rate_table },
	{ "min_profit", KEY_VALUE, FIELD(G, min_profit), .type = &type_price, .fallback = "none" },
	{ "max_rate", KEY_VALUE, FIELD(G, max_rate), .type = &type_price, .fallback = "none" },
	{ "media", KEY_VALUE, FIELD(G, media), .type = &type_media_mode },
	{ "latch", KEY_VALUE, FIELD(G, latch), .type = &type_latch },
	{ "media_check", KEY_VALUE, FIELD(G, media_check), .type = &type_media_check },
	{ "periods", KEY_ITEMS, FIELD(G, periods), .schema = &schema_period },
	{ 0 }
};

/* a switch of its own that is absent means the global value */
static void prepare_gateway(struct compile *c, void *out)
{
	struct cfg_routing_gateway *g = out;
	g->resend = c->config.resend;
	g->media = c->config.media.proxy;
	g->latch = c->config.media.latch;
	g->media_check = c->config.media.check;
	g->lrn.source = CONFIG_NONE;
}

struct naming {
	struct cfg_text *hosts;
	uint32_t n, cap;
	bool any;
};

static void add_host(const struct input *in, void *context)
{
	struct naming *h = context;
	const char *colon = memchr(in->text.p, ':', in->text.n);
	struct span host = { in->text.p, colon ? (size_t)(colon - in->text.p) : in->text.n };
	if (h->n == h->cap)
		return; /* one of them was wrong */
	if (address_is_name(host)) {
		h->hosts[h->n] = image_text(&in->c->image, host);
		h->any = true;
	}
	h->n++;
}

/* the addresses that are names, again: what is said of them, and of their number, has been said */
static void keep_hosts(struct compile *c, const struct node *n, const struct place *place, struct cfg_routing_gateway *g)
{
	struct naming h = { .cap = g->addresses.n };
	h.hosts = calloc(h.cap + 1u, sizeof(*h.hosts));
	if (!h.hosts)
		abort();
	if (n && n->kind != NODE_MAP)
		schema_each(c, n, place, add_host, &h);
	if (h.any && h.n == h.cap)
		g->hosts = image_list(&c->image, h.hosts, h.n, sizeof(*h.hosts));
	free(h.hosts);
}

static void finish_gateway(struct compile *c, const struct node *n, const struct place *place, void *out)
{
	struct cfg_routing_gateway *g = out;
	const struct node *one = node_get(n, "address"), *many = node_get(n, "addresses"),
			  *via = node_get(n, "via_registration");
	struct place address = { place, SPAN("address"), 0, false };
	bool targets = !node_is_null(via);
	if ((one != NULL) + (many != NULL) + targets > 1)
		errors_add(
			c->errors, n->at, &address, "only one of address, addresses and via_registration can be given");
	else if (!one && !many && !targets)
		errors_add(c->errors, n->at, &address, "is missing, as are addresses and via_registration");
	else if (many && many->kind != NODE_MAP && !many->count && !many->text.n)
		errors_add(c->errors, many->at, &address, "no address is given");
	if (g->addresses.n && config_errors_count(c->errors) == 0)
		keep_hosts(c, one ? one : many, &address, g);
	if (g->reserved_lines && g->group == CONFIG_NONE) {
		struct place reserved = { place, SPAN("reserved_lines"), 0, false };
		errors_add(c->errors, node_get(n, "reserved_lines")->at, &reserved, "needs a group");
	}
	if (g->password.n && !g->username.n) {
		struct place password = { place, SPAN("password"), 0, false };
		errors_add(c->errors, node_get(n, "password")->at, &password, "needs a username");
	}
}
const struct schema schema_routing_gateway = { .keys = routing_keys, .size = sizeof(struct G),
	.prepare = prepare_gateway, .finish = finish_gateway };

static const struct key group_keys[] = {
	{ "id", KEY_VALUE, FIELD(cfg_group, id), .type = &type_id, .required = true },
	{ "line_limit", KEY_VALUE, FIELD(cfg_group, line_limit), .type = &type_limit, .fallback = "none" },
	{ 0 }
};
const struct schema schema_group = { .keys = group_keys, .size = sizeof(struct cfg_group) };
