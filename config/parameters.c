/* The SS_ parameters: reading the section `parameters`, describing them, writing their values. */
#include "config/schema.h"
#include <stdio.h>

static const struct choice none_word[] = { { "none", CONFIG_NONE }, { 0 } };
static const struct choice auto_word[] = { { "auto", 0 }, { 0 } };
static const struct choice displays[] = { { "ignore", DISPLAY_IGNORE }, { "e164", DISPLAY_E164 }, { "number",
	DISPLAY_NUMBER }, { 0 } };
static const struct choice privacies[] = { { "ignore", PRIVACY_IGNORE }, { "id", PRIVACY_ID }, { "none",
	PRIVACY_NONE }, { 0 } };
static const struct choice challenges[] = { { "401", 401 }, { "407", 407 }, { 0 } };

/* whole seconds in, milliseconds out; the range is in seconds */
static bool read_whole_seconds(const struct input *in, const struct type *t, void *out)
{
	struct type seconds = *t;
	int64_t v;
	seconds.choices = NULL;
	if (value_choice(t->choices, in->text, &v)) {
		value_store(out, t->size, v);
		return true;
	}
	if (!read_number(in, &seconds, &v))
		return false;
	value_store(out, t->size, v * 1000);
	return true;
}

enum param_kind {
	ONOFF,
	COUNT,
	LIMIT,
	SECONDS,
	DURATION,
	EXPIRY,
	MILLIS,
	DISPLAY,
	PRIVACY,
	CHALLENGE,
	RESEND,
	RETRY,
	PAIR,
	TEXT
};

#define SINGLE(function, words, low, high, text) \
	{ .size = sizeof(int64_t), .read = function, .choices = words, .min = low, .max = high, .allowed = text }
#define TYPE_ONOFF(low, high, range)     SINGLE(read_onoff, NULL, low, high, range)
#define TYPE_COUNT(low, high, range)     SINGLE(read_number, NULL, low, high, range)
#define TYPE_LIMIT(low, high, range)     SINGLE(read_number, none_word, low, high, range)
#define TYPE_SECONDS(low, high, range)   SINGLE(read_whole_seconds, NULL, low, high, range)
#define TYPE_DURATION(low, high, range)  SINGLE(read_whole_seconds, none_word, low, high, range)
#define TYPE_EXPIRY(low, high, range)    SINGLE(read_whole_seconds, auto_word, low, high, range)
#define TYPE_MILLIS(low, high, range)    SINGLE(read_number, NULL, low, high, range)
#define TYPE_DISPLAY(low, high, range)   SINGLE(read_choice, displays, low, high, range)
#define TYPE_PRIVACY(low, high, range)   SINGLE(read_choice, privacies, low, high, range)
#define TYPE_CHALLENGE(low, high, range) SINGLE(read_choice, challenges, low, high, range)
#define TYPE_RETRY(low, high, range)     SINGLE(read_number, NULL, low, high, range)
#define TYPE_PAIR(low, high, range)      SINGLE(read_whole_seconds, NULL, low, high, range)
#define TYPE_RESEND(low, high, range)    SINGLE(NULL, NULL, low, high, range)
#define TYPE_TEXT(low, high, range)      SINGLE(NULL, NULL, low, high, range)

static const struct param {
	struct param_info info;
	struct type type;
	enum param_kind kind;
} params[P_COUNT] = {
#define PARAM(name, kind, fallback, low, high, unit, range, scope) \
	[P_##name] = { { #name, fallback, range, unit, scope }, TYPE_##kind(low, high, range), kind },
#include "config/parameters.def"
#undef PARAM
};

const struct param_info *param_info(enum cfg_param p)
{
	return &params[p].info;
}

const struct type *parameters_type(enum cfg_param p)
{
	return &params[p].type;
}

bool parameters_value(const struct input *in, enum cfg_param p, int64_t *ret_value)
{
	return params[p].type.read(in, &params[p].type, ret_value);
}

/* --- SS_SIP_RESEND_INTERVAL ----------------------------------------------------------------------------------- */

struct resend_list {
	struct cfg_resend *resend;
	uint32_t n;
	bool failed;
};

static void add_interval(const struct input *in, void *context)
{
	static const struct type interval = { .size = sizeof(uint32_t), .read = read_seconds, .min = 100,
		.max = 64000, .allowed = "0.1-64" };
	struct resend_list *list = context;
	uint32_t v;
	if (!interval.read(in, &interval, &v))
		list->failed = true;
	else if (list->n < sizeof(list->resend->interval) / sizeof(*list->resend->interval))
		list->resend->interval[list->n] = v;
	list->n++;
}

void resend_limit(struct compile *c, struct cfg_resend *r)
{
	r->limit = c->send_retry < r->n ? (uint16_t)c->send_retry : r->n;
}

bool resend_read(struct compile *c, const struct node *n, const struct place *place, void *out)
{
	struct cfg_resend before, r = { 0 };
	struct resend_list list = { &r, 0, false };
	memcpy(&before, out, sizeof(before));
	schema_each(c, n, place, add_interval, &list);
	if (list.failed || n->kind == NODE_MAP)
		return false;
	if (list.n < 1 || list.n > 10) {
		errors_add(c->errors, n->at, place, "has %u values, allowed: 1 to 10 values of 0.1-64", list.n);
		return false;
	}
	r.n = (uint16_t)list.n;
	resend_limit(c, &r);
	memcpy(out, &r, sizeof(r));
	return before.n != r.n || memcmp(before.interval, r.interval, sizeof(r.interval)) != 0;
}

/* --- the others that are more than a number -------------------------------------------------------------------- */

/* "300/3600", "300,3600" or a list of two */
static bool pair_read(struct compile *c, const struct node *n, const struct place *place, enum cfg_param p)
{
	struct type each = params[p].type, *t = &each;
	struct span parts[2] = { { 0 } };
	struct mark marks[2] = { n->at, n->at };
	const char *bar = n->kind == NODE_SCALAR ? memchr(n->text.p, '/', n->text.n) : NULL;
	if (n->kind == NODE_SCALAR && !bar)
		bar = memchr(n->text.p, ',', n->text.n);
	if (bar) {
		parts[0] = (struct span){ n->text.p, (size_t)(bar - n->text.p) };
		parts[1] = (struct span){ bar + 1, n->text.n - parts[0].n - 1 };
		while (parts[1].n && *parts[1].p == ' ') {
			parts[1].p++;
			parts[1].n--;
		}
	} else if (n->kind == NODE_LIST && n->count == 2) {
		parts[0] = n->first->text;
		parts[1] = n->last->text;
		marks[0] = n->first->at;
		marks[1] = n->last->at;
	}
	if (!parts[0].n || !parts[1].n) {
		errors_add(c->errors, n->at, place, "two values are expected, allowed: %s", t->allowed);
		return false;
	}
	int64_t v[2];
	char range[48];
	snprintf(range, sizeof(range), "%lld-%lld", (long long)t->min, (long long)t->max);
	t->allowed = range;
	for (int i = 0; i < 2; i++) {
		struct input in = { c, marks[i], place, parts[i], false };
		if (!t->read(&in, t, &v[i]))
			return false;
	}
	if (v[0] > v[1]) {
		errors_add(c->errors, n->at, place, "the expiry when none was asked for is above the longest granted");
		return false;
	}
	bool changed = v[0] != c->config.param[p] || v[1] != c->config.endpoint_expire_max;
	c->config.param[p] = v[0];
	c->config.endpoint_expire_max = (uint32_t)v[1];
	return changed;
}

static bool text_read(struct compile *c, const struct node *n, const struct place *place, enum cfg_param p)
{
	const struct type type = {
		.size = sizeof(struct cfg_text),
		.read = read_text,
		.max = params[p].type.max,
		.character = p == P_SS_LOCAL_IP_DOMAIN ? character_host : NULL,
		.allowed = params[p].type.allowed,
		.null = true,
	};
	struct cfg_text *to = p == P_SS_LOCAL_IP_DOMAIN ? &c->config.sip.local_domain : &c->config.sip.nat_keep_alive;
	struct input in;
	bool null;
	struct span before = arena_text(&c->arena, image_span(&c->image, *to));
	if (!schema_scalar(c, &type, n, place, &in, &null) && !null)
		return false;
	if (null || (p == P_SS_LOCAL_IP_DOMAIN && span_eq(in.text, SPAN("none"))))
		*to = (struct cfg_text){ 0 };
	else if (!read_text(&in, &type, to))
		return false;
	c->config.param[p] = to->n;
	return !span_eq(before, image_span(&c->image, *to));
}

static bool number_read(struct compile *c, const struct node *n, const struct place *place, enum cfg_param p)
{
	struct input in;
	bool null;
	int64_t v;
	if (!schema_scalar(c, &params[p].type, n, place, &in, &null) || !parameters_value(&in, p, &v))
		return false;
	bool changed = v != c->config.param[p];
	c->config.param[p] = v;
	return changed;
}

static bool param_read(struct compile *c, const struct node *n, const struct place *place, enum cfg_param p)
{
	int64_t v = c->config.param[p];
	switch (params[p].kind) {
	case RESEND:
		return resend_read(c, n, place, &c->config.resend);
	case PAIR:
		return pair_read(c, n, place, p);
	case TEXT:
		return text_read(c, n, place, p);
	case RETRY:
		number_read(c, n, place, p);
		c->send_retry = (uint32_t)c->config.param[p];
		return v != c->config.param[p];
	default:
		return number_read(c, n, place, p);
	}
}

/* --- the section ----------------------------------------------------------------------------------------------- */

static void unknown_parameter(struct compile *c, const struct node *n, const struct place *place)
{
	struct suggest s = { .wanted = n->key->text };
	char hint[SHOWN_MAX * 4];
	for (int p = 0; p < P_COUNT; p++)
		suggest_offer(&s, span_of(params[p].info.name));
	errors_add(c->errors, n->key->at, place, "unknown parameter%s", suggest_text(&s, hint, sizeof(hint)));
}

static void set_origin(struct compile *c, enum cfg_param p, struct mark at)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "%s:%u", errors_file_name(c->errors, at.file), at.line);
	if (n > 0)
		c->origins[p] = image_text(&c->image, (struct span){ text, strlen(text) });
}

bool parameters_read(struct compile *c, const struct node *map, const struct place *up, void *out)
{
	(void)out;
	if (node_is_null(map))
		return false;
	if (map->kind != NODE_MAP) {
		errors_add(c->errors, map->at, up, "a map of parameters is expected");
		return false;
	}
	for (const struct node *n = map->first; n; n = n->next) {
		struct place place = { up, n->key->text, 0, false };
		int p = 0;
		while (p < P_COUNT && !span_eq(n->key->text, span_of(params[p].info.name)))
			p++;
		if (p == P_COUNT) {
			unknown_parameter(c, n, &place);
			continue;
		}
		set_origin(c, (enum cfg_param)p, n->key->at);
		if (param_read(c, n, &place, (enum cfg_param)p))
			built_check(c, &place, n->at, n->text, 1);
	}
	resend_limit(c, &c->config.resend);
	return false;
}

void parameters_defaults(struct compile *c)
{
	struct cfg_text origin = image_text(&c->image, SPAN("default"));
	c->send_retry = CONFIG_NONE;
	for (int i = 0; i < P_COUNT; i++) {
		enum cfg_param p = (enum cfg_param)i;
		struct node fallback = { .kind = NODE_SCALAR, .text = span_of(params[p].info.fallback) };
		struct place place = { NULL, span_of(params[p].info.name), 0, false };
		c->origins[p] = origin;
		if (params[p].kind == RETRY)
			c->config.param[p] = CONFIG_NONE; /* until the number of intervals is known */
		else
			param_read(c, &fallback, &place, p);
	}
}

/* --- writing values -------------------------------------------------------------------------------------------- */

static const char *word_of(const struct choice *choices, int64_t v)
{
	for (const struct choice *c = choices; c && c->word; c++)
		if (c->value == v)
			return c->word;
	return NULL;
}

static size_t format_seconds(uint32_t ms, char *buf, size_t cap)
{
	int n = ms % 1000 ? snprintf(buf, cap, "%u.%03u", ms / 1000, ms % 1000) : snprintf(buf, cap, "%u", ms / 1000);
	while (ms % 1000 && n > 0 && (size_t)n < cap && buf[n - 1] == '0')
		buf[--n] = 0;
	return n < 0 ? 0 : (size_t)n;
}

static size_t format_resend(const struct cfg_resend *r, char *buf, size_t cap)
{
	size_t n = 0;
	for (uint32_t i = 0; i < r->n && n + 1 < cap; i++) {
		if (i)
			buf[n++] = ',';
		n += format_seconds(r->interval[i], buf + n, cap - n);
	}
	return n;
}

static size_t format_text(const struct config *c, enum cfg_param p, char *buf, size_t cap)
{
	char shown[SHOWN_MAX];
	struct span text = cfg_span(c, p == P_SS_LOCAL_IP_DOMAIN ? c->sip.local_domain : c->sip.nat_keep_alive);
	const char *absent = p == P_SS_LOCAL_IP_DOMAIN ? "none" : "";
	return (size_t)snprintf(buf, cap, "%s", text.n ? errors_shown(text, shown) : absent);
}

size_t param_format(const struct config *c, enum cfg_param p, char *buf, size_t cap)
{
	int64_t v = c->param[p];
	const char *word = word_of(params[p].type.choices, v);
	size_t n;
	if (!cap)
		return 0;
	buf[0] = 0;
	switch (params[p].kind) {
	case RESEND:
		n = format_resend(&c->resend, buf, cap);
		break;
	case TEXT:
		n = format_text(c, p, buf, cap);
		break;
	case PAIR:
		n = (size_t)snprintf(buf, cap, "%lld/%u", (long long)v / 1000, c->endpoint_expire_max / 1000);
		break;
	case ONOFF:
		n = (size_t)snprintf(buf, cap, "%s", v ? "on" : "off");
		break;
	case SECONDS:
	case DURATION:
	case EXPIRY:
		n = (size_t)(word ? snprintf(buf, cap, "%s", word) : snprintf(buf, cap, "%lld", (long long)v / 1000));
		break;
	case COUNT:
		n = (size_t)snprintf(buf, cap, params[p].info.fallback[1] == 'x' ? "0x%llx" : "%lld", (long long)v);
		break;
	default:
		n = (size_t)(word ? snprintf(buf, cap, "%s", word) : snprintf(buf, cap, "%lld", (long long)v));
		break;
	}
	return n < cap ? n : cap - 1;
}
