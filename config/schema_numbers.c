/* Sections about numbers: dial plans, lists, rate tables, LRN sources. */
#include "config/schema.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- dial plans ------------------------------------------------------------------------------------------------ */

#define GUARDS_MAX 4

static bool character_match(unsigned char c)
{
	return character_digit(c) || (c && strchr("?[]-", c));
}
static bool character_rewrite(unsigned char c)
{
	return character_digit(c) || (c && strchr("?$-._", c));
}
static const struct type type_match = { .size = sizeof(struct cfg_text), .read = read_text, .max = 64,
	.character = character_match,
	.allowed = "digits, letters, + # ? * [2-9] and at the end L E G F with a number", .text = true };
static const struct type type_rewrite = { .size = sizeof(struct cfg_text), .read = read_text, .max = 64,
	.character = character_rewrite,
	.allowed = "digits, letters, + # ? * $", .text = true };

/* cuts "E13" off the end; false when there is none */
static bool cut_guard(struct span *match, struct cfg_guard *ret_guard)
{
	size_t n = match->n;
	unsigned number = 0, scale = 1;
	while (n && match->p[n - 1] >= '0' && match->p[n - 1] <= '9' && match->n - n < 2) {
		number += scale * (unsigned)(match->p[n - 1] - '0');
		scale *= 10;
		n--;
	}
	if (n == match->n || n == 0 || !strchr("LEGF", match->p[n - 1]))
		return false;
	*ret_guard = (struct cfg_guard){ match->p[n - 1], (uint8_t)number };
	match->n = n - 1;
	return true;
}

/* "[2-9]", "[135]": where it ends, or 0 */
static size_t set_end(struct span match, size_t from)
{
	for (size_t i = from + 1; i < match.n && match.p[i] != '['; i++)
		if (match.p[i] == ']')
			return i > from + 1 ? i : 0;
	return 0;
}

static int kind_of(char c)
{
	return c >= '0' && c <= '9' ? 1 : c >= 'a' && c <= 'z' ? 2 : c >= 'A' && c <= 'Z' ? 3 : 0;
}

/* the inside of a set: digits and letters, ranges of one kind that go upwards */
static bool set_is_good(struct span set)
{
	for (size_t i = 0; i < set.n; i++) {
		if (!kind_of(set.p[i]))
			return false;
		if (i + 1 == set.n || set.p[i + 1] != '-')
			continue;
		if (i + 2 == set.n || kind_of(set.p[i]) != kind_of(set.p[i + 2]) || set.p[i] >= set.p[i + 2])
			return false;
		i += 2;
	}
	return true;
}

/* counts what a rewrite may take with `$`; false when the pattern is malformed, with the reason said */
static bool check_match(const struct input *in, struct span match, uint32_t *ret_taken, bool *ret_rest)
{
	*ret_taken = 0;
	*ret_rest = false;
	for (size_t i = 0; i < match.n; i++) {
		if (match.p[i] == '?') {
			++*ret_taken;
		} else if (match.p[i] == '[') {
			size_t from = i + 1;
			i = set_end(match, i);
			if (!i)
				return value_wrong(in, "has a set that is empty or not closed", "");
			if (!set_is_good((struct span){ match.p + from, i - from }))
				return value_wrong(in, "has a set of other than digits, letters and rising ranges", "");
			++*ret_taken;
		} else if (match.p[i] == ']' || match.p[i] == '-') {
			return value_wrong(in, "has ] or - outside of a set", "");
		} else if (match.p[i] == '*' && i + 1 != match.n) {
			return value_wrong(in, "has * before its end", "");
		} else if (match.p[i] == '*') {
			*ret_rest = true;
		}
	}
	return true;
}

struct rule_reading { /* what the rewrites of a rule have to fit */
	struct compile *c;
	uint32_t taken;
	bool rest;
};

static void check_rewrite(const struct input *in, void *context)
{
	const struct rule_reading *rule = context;
	uint32_t dollars = 0, stars = 0;
	for (size_t i = 0; i < in->text.n; i++) {
		dollars += in->text.p[i] == '$';
		stars += in->text.p[i] == '*';
	}
	if (dollars > rule->taken)
		value_wrong(in, "has more $ than the match has ? and sets", "");
	if (stars > 1 || (stars && !rule->rest))
		value_wrong(in, "has a * that the match does not have", "");
}

static bool match_read(struct compile *c, const struct node *n, const struct place *place, struct cfg_dial_rule *rule,
	struct rule_reading *reading)
{
	struct input in;
	bool null;
	struct cfg_guard guards[GUARDS_MAX];
	uint32_t count = 0;
	struct cfg_text ignored;
	if (!schema_scalar(c, &type_match, n, place, &in, &null) || !type_match.read(&in, &type_match, &ignored))
		return false;
	struct span match = in.text;
	while (count < GUARDS_MAX && cut_guard(&match, &guards[count]))
		count++;
	if (!check_match(&in, match, &reading->taken, &reading->rest))
		return false;
	rule->match = image_text(&c->image, match);
	rule->guards = image_list(&c->image, guards, count, sizeof(*guards));
	return true;
}

static void rule_read(struct compile *c, const struct node *n, const struct place *place, struct cfg_dial_rule *rule)
{
	static const struct key keys[] = { { "match", KEY_CUSTOM, NOWHERE }, { "rewrite", KEY_CUSTOM, NOWHERE },
		{ "poll", KEY_CUSTOM, NOWHERE }, { 0 } };
	struct place match = { place, SPAN("match"), 0, false }, rewrite = { place, SPAN("rewrite"), 0, false };
	const struct node *m = node_get(n, "match"), *r = node_get(n, "rewrite"), *poll = node_get(n, "poll");
	struct rule_reading reading = { c, 0, false };
	struct input in;
	bool null;
	rule->turn = CONFIG_NONE;
	schema_known(c, keys, n, place);
	if (!m)
		errors_add(c->errors, n->at, &match, "is missing");
	if (!r)
		errors_add(c->errors, n->at, &rewrite, "is missing");
	if (poll) {
		struct place at = { place, SPAN("poll"), 0, false };
		if (schema_scalar(c, &type_onoff, poll, &at, &in, &null))
			type_onoff.read(&in, &type_onoff, &rule->poll);
	}
	if (rule->poll)
		rule->turn = c->config.dial_turns++;
	bool good = m && match_read(c, m, &match, rule, &reading);
	if (r && schema_list(c, &type_rewrite, r, &rewrite, &rule->rewrites) && good)
		schema_each(c, r, &rewrite, check_rewrite, &reading);
}

static void plan_read(struct compile *c, const struct node *n, const struct place *place, struct cfg_dial_plan *plan)
{
	struct input name = { c, n->key->at, place, n->key->text, false };
	type_id.read(&name, &type_id, &plan->name);
	if (n->kind != NODE_LIST) {
		errors_add(c->errors, n->at, place, "a list of rules is expected: [{match: \"00*\", rewrite: \"*\"}]");
		return;
	}
	struct cfg_dial_rule *rules = calloc(n->count ? n->count : 1, sizeof(*rules));
	if (!rules)
		abort();
	uint32_t i = 0;
	for (const struct node *e = n->first; e; e = e->next, i++) {
		struct place item = { place, { 0 }, i, true };
		if (e->kind == NODE_MAP)
			rule_read(c, e, &item, &rules[i]);
		else
			errors_add(c->errors, e->at, &item, "a rule is expected: {match: \"00*\", rewrite: \"*\"}");
	}
	plan->rules = image_list(&c->image, rules, i, sizeof(*rules));
	free(rules);
}

bool dial_plans_read(struct compile *c, const struct node *n, const struct place *place, void *out)
{
	struct cfg_list *list = out;
	if (node_is_null(n))
		return false;
	if (n->kind != NODE_MAP) {
		errors_add(c->errors, n->at, place, "a map by name is expected");
		return false;
	}
	struct cfg_dial_plan *plans = calloc(n->count ? n->count : 1, sizeof(*plans));
	if (!plans)
		abort();
	uint32_t i = 0;
	for (const struct node *e = n->first; e; e = e->next, i++) {
		struct place item = { place, e->key->text, i, true };
		plan_read(c, e, &item, &plans[i]);
	}
	*list = image_list(&c->image, plans, i, sizeof(*plans));
	free(plans);
	return i > 0;
}

/* --- number lists ---------------------------------------------------------------------------------------------- */

#define SIDE_CALLEE 1
#define SIDE_CALLER 2

static const struct choice colours[] = { { "black", 0 }, { "white", 1 }, { 0 } };
static const struct choice sides[] = { { "callee", SIDE_CALLEE }, { "caller", SIDE_CALLER }, { "both",
	SIDE_CALLEE | SIDE_CALLER }, { 0 } };
static const struct type type_colour = { .size = sizeof(bool), .read = read_choice, .choices = colours };
static const struct type type_side = { .size = sizeof(uint32_t), .read = read_choice, .choices = sides };

/* a number, or a prefix with its final '*' */
static bool read_listed(const struct input *in, const struct type *t, void *out)
{
	const char *star = memchr(in->text.p, '*', in->text.n);
	if (star && star + 1 != in->text.p + in->text.n && star != in->text.p)
		return value_wrong(in, "has * before its end", "");
	return read_text(in, t, out);
}
static const struct type type_listed = { .size = sizeof(struct cfg_text), .read = read_listed, .min = 1, .max = 33,
	.character = character_digit,
	.allowed = "digits, letters, + * #", .text = true };

static bool side_read(struct compile *c, const struct node *n, const struct place *place, void *out)
{
	struct cfg_number_list *list = out;
	struct input in;
	uint32_t side;
	bool null;
	if (schema_scalar(c, &type_side, n, place, &in, &null) && type_side.read(&in, &type_side, &side)) {
		list->callee = side & SIDE_CALLEE;
		list->caller = side & SIDE_CALLER;
	}
	return false;
}

static const struct key list_keys[] = {
	{ "type", KEY_VALUE, FIELD(cfg_number_list, white), .type = &type_colour, .required = true },
	{ "on", KEY_CUSTOM, NOWHERE, .custom = side_read, .required = true },
	{ "system", KEY_VALUE, FIELD(cfg_number_list, system), .type = &type_onoff, .fallback = "off" },
	{ "numbers", KEY_LIST, FIELD(cfg_number_list, numbers), .type = &type_listed },
	{ "file", KEY_VALUE, FIELD(cfg_number_list, file), .type = &type_path },
	{ 0 }
};

/* a list whose file is missing would let everything through */
static void check_readable(
	struct compile *c, const struct node *n, const struct place *place, const char *key, struct cfg_text path)
{
	struct place at = { place, span_of(key), 0, false };
	const struct node *file = node_get(n, key);
	struct span text = image_span(&c->image, path);
	if (text.n && !c->sealed && access(text.p, R_OK) < 0)
		errors_add(c->errors, file->at, &at, "cannot read %s: %m", text.p);
}

static void finish_list(struct compile *c, const struct node *n, const struct place *place, void *out)
{
	const struct cfg_number_list *list = out;
	check_readable(c, n, place, "file", list->file);
}
const struct schema schema_number_list = { .keys = list_keys, .size = sizeof(struct cfg_number_list),
	.finish = finish_list };

/* --- rate tables, LRN sources ---------------------------------------------------------------------------------- */

static const struct type type_needed_path = { .size = sizeof(struct cfg_text), .read = read_path, .min = 1, .max = 1024,
	.character = character_free, .allowed = "a path", .text = true };
static const struct key rate_keys[] = {
	{ "file", KEY_VALUE, FIELD(cfg_rate_table, file), .type = &type_needed_path, .required = true },
	{ 0 }
};
static void finish_rate(struct compile *c, const struct node *n, const struct place *place, void *out)
{
	const struct cfg_rate_table *table = out;
	check_readable(c, n, place, "file", table->file);
}
const struct schema schema_rate_table = { .keys = rate_keys, .size = sizeof(struct cfg_rate_table),
	.finish = finish_rate };

static const struct choice lrn_types[] = { { "file", 0 }, { "sip", 1 }, { "enum", 2 }, { 0 } };

/* kept as the word it is */
static bool read_lrn_type(const struct input *in, const struct type *t, void *out)
{
	uint32_t ignored;
	struct type word = *t, choice = { .size = sizeof(ignored), .read = read_choice, .choices = lrn_types };
	word.max = 8;
	return choice.read(in, &choice, &ignored) && read_text(in, &word, out);
}
static const struct type type_lrn_type = { .size = sizeof(struct cfg_text), .read = read_lrn_type,
	.allowed = "file, sip, enum", .text = true };
static const struct type type_lrn_timeout = { .size = sizeof(uint32_t), .read = read_number, .min = 10, .max = 10000,
	.allowed = "10-10000" };
static const struct type type_lrn_ttl = { .size = sizeof(uint32_t), .read = read_number, .min = 0, .max = 31536000,
	.allowed = "0-31536000" };

static bool lrn_path_read(struct compile *c, const struct node *n, const struct place *place, void *out)
{
	static const struct type type = { .size = sizeof(struct cfg_text), .read = read_text, .min = 1, .max = 1024,
		.character = character_free,
		.allowed = "a path, an address or a domain", .text = true };
	struct input in;
	bool null;
	if (schema_scalar(c, &type, n, place, &in, &null))
		type.read(&in, &type, out);
	return false;
}

static const struct key lrn_keys[] = {
	{ "type", KEY_VALUE, FIELD(cfg_lrn_source, type), .type = &type_lrn_type, .fallback = "file" },
	{ "path", KEY_CUSTOM, FIELD(cfg_lrn_source, path), .custom = lrn_path_read, .required = true },
	{ "timeout_ms", KEY_VALUE, FIELD(cfg_lrn_source, timeout), .type = &type_lrn_timeout, .fallback = "300" },
	{ "ttl", KEY_VALUE, FIELD(cfg_lrn_source, ttl_s), .type = &type_lrn_ttl, .fallback = "86400" },
	{ 0 }
};

/* of a file the path becomes absolute; of the other types it is an address or a domain */
static void finish_lrn(struct compile *c, const struct node *n, const struct place *place, void *out)
{
	struct cfg_lrn_source *s = out;
	const struct node *path = node_get(n, "path");
	if (!s->path.n || !span_eq(image_span(&c->image, s->type), SPAN("file")))
		return;
	s->path = image_text(&c->image, files_resolve(c, path->at, path->text));
	check_readable(c, n, place, "path", s->path);
}
const struct schema schema_lrn_source = { .keys = lrn_keys, .size = sizeof(struct cfg_lrn_source),
	.finish = finish_lrn };
