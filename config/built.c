/* What is not there yet. One row per key: it is accepted and named once at start, unless ignoring it would let
 * something through that the operator wants to be stopped, checked, hidden or paid: then it is an error.
 * A row goes when its feature comes. */
#include "config/schema.h"
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

enum effect { NAMED, RESTRICTS, AUTHENTICATES, ENCRYPTS, BILLS, OTHER };

static const struct row {
	const char *path; /* of the schema: no indices, no ids; pattern of fnmatch */
	const char
		*when; /* NULL: any value but the default; ">1": more than one element; else a pattern for the value */
	enum effect effect;
} rows[] = {
	{ "sip.listen", "tls:*", ENCRYPTS },
	{ "sip.listen", "tcp:*", NAMED },
	{ "sip.tls.*", NULL, ENCRYPTS },
	{ "media.offload", "required", RESTRICTS },

	{ "parameters.SS_GATEWAY_ASR_*", NULL, NAMED },
	{ "parameters.SS_GATEWAY_FEE_RATE_*", NULL, NAMED },
	{ "parameters.SS_TRY_PROTECT_ROUTE_DELAY", NULL, NAMED },
	{ "parameters.SS_SIP_OPTIONS_CHECK_PERIOD", NULL, NAMED },
	{ "parameters.SS_BLACK_LIST_*", NULL, RESTRICTS },
	{ "parameters.SS_SIP_PUBLISH_EXPIRE", NULL, NAMED },

	{ "number_lists", NULL, RESTRICTS },
	{ "registrations.proxy", "tls:*", ENCRYPTS },
	{ "registrations.proxy", "tcp:*", NAMED },
	{ "rate_tables", NULL, BILLS },
	{ "lrn_sources", NULL, NAMED },

	{ "mapping_gateways.lists", NULL, RESTRICTS },
	{ "mapping_gateways.rate_table", NULL, BILLS },
	{ "mapping_gateways.periods", NULL, RESTRICTS },

	{ "routing_gateways.addresses", ">1", NAMED },
	{ "routing_gateways.transport", "tls", ENCRYPTS },
	{ "routing_gateways.transport", "tcp", NAMED },
	{ "routing_gateways.reserved_lines", NULL, RESTRICTS },
	{ "routing_gateways.protect", NULL, NAMED },
	{ "routing_gateways.lists", NULL, RESTRICTS },
	{ "routing_gateways.options_ping", NULL, NAMED },
	{ "routing_gateways.circuit", NULL, NAMED },
	{ "routing_gateways.lrn.on_failure", "reject", RESTRICTS },
	{ "routing_gateways.lrn.source", NULL, NAMED },
	{ "routing_gateways.check_rate", NULL, RESTRICTS },
	{ "routing_gateways.rate_table", NULL, BILLS },
	{ "routing_gateways.min_profit", NULL, RESTRICTS },
	{ "routing_gateways.max_rate", NULL, RESTRICTS },
	{ "routing_gateways.periods", NULL, RESTRICTS },

	{ "routing.*", NULL, NAMED },
	{ "cdr.format", "csv", OTHER },
	{ "cdr.postgres", NULL, NAMED },
	{ "http.listen", NULL, NAMED },
};
#define ROWS (sizeof(rows) / sizeof(*rows))

struct built { /* what has to be named: the first place of each row, and how many there are */
	struct mark at[ROWS];
	uint32_t count[ROWS];
	char path[ROWS][PLACE_MAX];
};

static bool applies(const struct row *r, struct span text, uint32_t count)
{
	if (!r->when)
		return true;
	if (r->when[0] == '>')
		return count > 1;
	return fnmatch(r->when, text.p, 0) == 0;
}

static void name_it(struct compile *c, size_t row, const struct place *place, struct mark at)
{
	if (!c->built && !(c->built = calloc(1, sizeof(*c->built))))
		abort();
	if (c->built->count[row]++ == 0) {
		c->built->at[row] = at;
		place_format(place, true, c->built->path[row]);
	}
}

static void refuse(struct compile *c, const struct row *r, const struct place *place, struct mark at, struct span text)
{
	static const char *const because[] = { [RESTRICTS] = "restricts", [AUTHENTICATES] = "authenticates",
		[ENCRYPTS] = "encrypts", [BILLS] = "bills" };
	char shown[SHOWN_MAX];
	const char *value = r->when && text.n ? errors_shown(text, shown) : ""; /* never a password */
	const char *blank = *value ? " " : "";
	if (r->effect == OTHER)
		errors_add(c->errors, at, place, "%s%sis not available yet", value, blank);
	else
		errors_add(c->errors, at, place, "%s%sis not available yet and is refused because it %s", value, blank,
			because[r->effect]);
}

bool built_concerns(const struct place *place)
{
	char path[PLACE_MAX];
	place_format(place, false, path);
	for (size_t i = 0; i < ROWS; i++)
		if (fnmatch(rows[i].path, path, 0) == 0)
			return true;
	return false;
}

bool built_check(struct compile *c, const struct place *place, struct mark at, struct span text, uint32_t count)
{
	char path[PLACE_MAX];
	if (c->muted)
		return false;
	place_format(place, false, path);
	for (size_t i = 0; i < ROWS; i++) {
		if (fnmatch(rows[i].path, path, 0) != 0 || !applies(&rows[i], text, count))
			continue;
		if (rows[i].effect == NAMED)
			name_it(c, i, place, at);
		else
			refuse(c, &rows[i], place, at, text);
		return true;
	}
	return false;
}

static int compare_marks(const void *a, const void *b, void *context)
{
	const struct built *built = context;
	const struct mark *x = &built->at[*(const size_t *)a], *y = &built->at[*(const size_t *)b];
	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->column < y->column ? -1 : x->column > y->column;
}

void built_finish(struct compile *c)
{
	size_t order[ROWS], n = 0;
	struct cfg_text texts[ROWS];
	for (size_t i = 0; c->built && i < ROWS; i++)
		if (c->built->count[i])
			order[n++] = i;
	qsort_r(order, n, sizeof(*order), compare_marks, c->built);
	for (size_t k = 0; k < n; k++) {
		size_t i = order[k];
		char text[2 * PLACE_MAX], more[32] = "";
		if (c->built->count[i] > 1)
			snprintf(more, sizeof(more), " (and %u more)", c->built->count[i] - 1);
		snprintf(text, sizeof(text), "%.200s:%u:%u: %s%s", errors_file_name(c->errors, c->built->at[i].file),
			c->built->at[i].line, c->built->at[i].column, c->built->path[i], more);
		texts[k] = image_text(&c->image, span_of(text));
	}
	c->config.not_built = image_list(&c->image, texts, n, sizeof(*texts));
}

void built_free(struct compile *c)
{
	free(c->built);
	c->built = NULL;
}
