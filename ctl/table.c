#include "ctl/table.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct table {
	size_t columns, cells, cap;
	char **title, **cell;
};

struct table *table_new(size_t columns)
{
	struct table *t = calloc(1, sizeof(*t));
	if (t)
		t->title = calloc(columns ? columns : 1, sizeof(*t->title));
	if (!t || !t->title) {
		free(t);
		return NULL;
	}
	t->columns = columns;
	return t;
}

struct table *table_free(struct table *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < t->columns; i++)
		free(t->title[i]);
	for (size_t i = 0; i < t->cells; i++)
		free(t->cell[i]);
	free(t->title);
	free(t->cell);
	free(t);
	return NULL;
}

static char *clean_copy(const char *text)
{
	char *copy = strdup(text);
	for (char *p = copy; p && *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	return copy;
}

void table_column(struct table *t, size_t column, const char *title)
{
	if (column >= t->columns)
		return;
	free(t->title[column]);
	t->title[column] = clean_copy(title);
}

void table_add(struct table *t, const char *text)
{
	if (t->cells == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 64;
		char **more = realloc(t->cell, cap * sizeof(*more));
		if (!more)
			return;
		t->cell = more;
		t->cap = cap;
	}
	t->cell[t->cells++] = clean_copy(text);
}

size_t table_width(const char *text)
{
	size_t n = 0;
	for (const char *p = text; *p; p++)
		n += ((unsigned char)*p & 0xc0) != 0x80;
	return n;
}

static const char *shown(const char *text)
{
	return text ? text : "";
}

static bool number(const char *text)
{
	return strpbrk(text, "0123456789") && strspn(text, "-0123456789.") == strlen(text) && strlen(text) <= 20;
}

struct layout {
	size_t width;
	bool right;
};

static struct layout measure(const struct table *t, size_t column)
{
	struct layout l = { .width = table_width(shown(t->title[column])) };
	bool any = false, other = false;
	for (size_t i = column; i < t->cells; i += t->columns) {
		const char *text = shown(t->cell[i]);
		size_t width = table_width(text);
		l.width = width > l.width ? width : l.width;
		any = any || number(text);
		other = other || (*text && !number(text) && strcmp(text, "-") != 0);
	}
	l.right = any && !other;
	return l;
}

static void print_cell(const char *text, const struct layout *l, bool last, FILE *f)
{
	int fill = (int)(l->width - table_width(text));
	if (l->right)
		fprintf(f, "%*s%s", fill, "", text);
	else
		fprintf(f, "%s%*s", text, last ? 0 : fill, "");
	fputs(last ? "\n" : "  ", f);
}

void table_print(const struct table *t, FILE *f)
{
	struct layout *l = t->columns ? calloc(t->columns, sizeof(*l)) : NULL;
	if (!l)
		return;
	for (size_t i = 0; i < t->columns; i++)
		l[i] = measure(t, i);
	for (size_t i = 0; i < t->columns; i++)
		print_cell(shown(t->title[i]), &l[i], i + 1 == t->columns, f);
	for (size_t i = 0; i < t->cells; i++)
		print_cell(shown(t->cell[i]), &l[i % t->columns], i % t->columns + 1 == t->columns, f);
	if (t->cells % t->columns)
		fputc('\n', f);
	free(l);
}
