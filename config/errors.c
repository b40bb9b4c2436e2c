/* Collecting and ordering errors of a configuration. */
#include "config/errors.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct one_error {
	struct mark at;
	uint32_t sequence;
	char *text;
};

struct config_errors {
	struct one_error *list;
	size_t n, cap, beyond; /* beyond: how many did not fit */
	char **files;
	uint32_t file_count;
};

struct config_errors *config_errors_new(void)
{
	return calloc(1, sizeof(struct config_errors));
}

struct config_errors *config_errors_free(struct config_errors *e)
{
	if (!e)
		return NULL;
	for (size_t i = 0; i < e->n; i++)
		free(e->list[i].text);
	for (uint32_t i = 0; i < e->file_count; i++)
		free(e->files[i]);
	free(e->list);
	free(e->files);
	free(e);
	return NULL;
}

size_t config_errors_count(const struct config_errors *e)
{
	return e->n;
}

const char *config_errors_text(const struct config_errors *e, size_t i)
{
	return i < e->n ? e->list[i].text : "";
}

uint32_t errors_file(struct config_errors *e, const char *name)
{
	char **more = realloc(e->files, (e->file_count + 1) * sizeof(*more));
	if (!more)
		abort();
	e->files = more;
	e->files[e->file_count] = strdup(name);
	return e->file_count++;
}

const char *errors_file_name(const struct config_errors *e, uint32_t file)
{
	return file < e->file_count ? e->files[file] : "";
}

static void append(struct config_errors *e, struct mark at, char *text)
{
	if (e->n == e->cap) {
		size_t cap = e->cap ? 2 * e->cap : 16;
		struct one_error *more = realloc(e->list, cap * sizeof(*more));
		if (!more)
			abort();
		e->list = more;
		e->cap = cap;
	}
	e->list[e->n] = (struct one_error){ at, (uint32_t)e->n, text };
	e->n++;
}

static size_t place_part(const struct place *p, bool items, char *buf, size_t n)
{
	char shown[SHOWN_MAX], index[16];
	if (p->item && !items)
		return n;
	const char *open = p->item ? "[" : n ? "." : "", *close = p->item ? "]" : "";
	const char *key = p->item && !p->key.n ? index : errors_shown(p->key, shown);
	snprintf(index, sizeof(index), "%u", p->index);
	int k = snprintf(buf + n, PLACE_MAX - n, "%s%s%s", open, key, close);
	return k < 0 || (size_t)k >= PLACE_MAX - n ? PLACE_MAX - 1 : n + (size_t)k;
}

static size_t place_parts(const struct place *p, bool items, char *buf)
{
	size_t n = p->up ? place_parts(p->up, items, buf) : 0;
	return place_part(p, items, buf, n);
}

const char *place_format(const struct place *p, bool items, char buf[PLACE_MAX])
{
	buf[0] = 0;
	place_parts(p, items, buf);
	return buf;
}

void errors_add(struct config_errors *e, struct mark at, const struct place *place, const char *format, ...)
{
	if (e->n >= ERRORS_MAX) {
		e->beyond++;
		return;
	}
	char *message = NULL, *text = NULL, key[PLACE_MAX];
	va_list arguments;
	va_start(arguments, format);
	int n = vasprintf(&message, format, arguments);
	va_end(arguments);
	if (n >= 0)
		n = asprintf(&text, "%s:%u:%u: %s%s%s", errors_file_name(e, at.file), at.line, at.column,
			place ? place_format(place, true, key) : "", place ? ": " : "", message);
	if (n < 0)
		abort();
	free(message);
	append(e, at, text);
}

static int compare(const void *a, const void *b)
{
	const struct one_error *x = a, *y = b;
	if (x->at.file != y->at.file)
		return x->at.file < y->at.file ? -1 : 1;
	if (x->at.line != y->at.line)
		return x->at.line < y->at.line ? -1 : 1;
	if (x->at.column != y->at.column)
		return x->at.column < y->at.column ? -1 : 1;
	return x->sequence < y->sequence ? -1 : 1;
}

void errors_sort(struct config_errors *e)
{
	if (e->n > 1)
		qsort(e->list, e->n, sizeof(*e->list), compare);
	if (e->beyond) {
		char *text;
		if (asprintf(&text, "%s: and %zu more errors", errors_file_name(e, 0), e->beyond) < 0)
			abort();
		e->beyond = 0;
		append(e, (struct mark){ UINT32_MAX, 0, 0 }, text);
	}
}

const char *errors_shown(struct span value, char buf[SHOWN_MAX])
{
	static const char cut[] = "...";
	size_t room = SHOWN_MAX - sizeof(cut), n = value.n < room ? value.n : room;
	if (value.n == 0)
		return "\"\"";
	for (size_t i = 0; i < n; i++)
		buf[i] = (unsigned char)value.p[i] < 0x20 || value.p[i] == 0x7f ? '?' : value.p[i];
	if (n < value.n) {
		while (n && ((unsigned char)value.p[n] & 0xc0) == 0x80) /* not in the middle of a character */
			n--;
		memcpy(buf + n, cut, sizeof(cut));
	} else {
		buf[n] = 0;
	}
	return buf;
}
