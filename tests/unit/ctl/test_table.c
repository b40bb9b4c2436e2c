/* Tables for people. */
#include "ctl/show.h"
#include "ctl/table.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static char *printed(const struct table *t)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	table_print(t, f);
	fclose(f);
	return text;
}

static void expect(struct table *t, const char *expected)
{
	char *text = printed(t);
	cr_expect_str_eq(text, expected);
	free(text);
	table_free(t);
}

static struct table *make(size_t columns, const char *const *titles, const char *const *cells, size_t n)
{
	struct table *t = table_new(columns);
	for (size_t i = 0; i < columns; i++)
		table_column(t, i, titles[i]);
	for (size_t i = 0; i < n; i++)
		table_add(t, cells[i]);
	return t;
}

Test(table, columns_are_as_wide_as_their_widest_cell_and_numbers_stand_right)
{
	static const char *const titles[] = { "ID", "CALLS", "STATE" };
	static const char *const cells[] = { "gw-a", "7", "up", "g", "12345", "disabled" };
	expect(make(3, titles, cells, 6), "ID    CALLS  STATE\n"
					  "gw-a      7  up\n"
					  "g     12345  disabled\n");
}

Test(table, a_dash_among_numbers_leaves_them_right)
{
	static const char *const titles[] = { "LIMIT", "X" };
	static const char *const cells[] = { "-", "1", "100", "a", "-5.25", "2" };
	expect(make(2, titles, cells, 6), "LIMIT  X\n"
					  "    -  1\n"
					  "  100  a\n"
					  "-5.25  2\n");
}

Test(table, width_is_in_characters)
{
	static const char *const titles[] = { "NAME", "X" };
	static const char *const cells[] = { "Zürich-Nord", "a", "b", "c" };
	cr_expect_eq(table_width("Zürich"), 6);
	expect(make(2, titles, cells, 4), "NAME         X\n"
					  "Zürich-Nord  a\n"
					  "b            c\n");
}

Test(table, control_characters_do_not_reach_the_terminal)
{
	static const char *const titles[] = { "NAME", "X" };
	static const char *const cells[] = { "a\033[2Jb\n", "1" };
	expect(make(2, titles, cells, 2), "NAME     X\n"
					  "a?[2Jb?  1\n");
}

Test(table, empty)
{
	static const char *const titles[] = { "NAME", "X" };
	expect(make(2, titles, NULL, 0), "NAME  X\n");
	cr_expect_null(table_free(NULL));
}

static void expect_shown(const char *command, const char *result, const char *expected)
{
	char why[160], *text = NULL;
	size_t n = 0;
	struct json *j = js_parse(result, strlen(result), why, sizeof(why));
	cr_assert(j, "%s", why);
	FILE *f = open_memstream(&text, &n);
	show_result(command, j, f);
	fclose(f);
	cr_expect_str_eq(text, expected);
	free(text);
	js_free(j);
}

Test(show, object_list_and_text)
{
	expect_shown("status", "{\"name\":\"sw1\",\"calls\":3,\"x\":null,\"draining\":false}",
		"name               sw1\n"
		"calls              3\n"
		"x                  \n"
		"draining           false\n");
	expect_shown(
		"registrations", "{\"registrations\":[]}", "ID  STATE  REGISTRAR  EXPIRES s  NEXT s  CODE  ERROR\n");
	expect_shown("suspended", "{\"suspended\":[{\"who\":\"a\",\"kind\":\"b\"}]}",
		"WHO  KIND  UNTIL  REASON\n"
		"a    b     -      -\n");
	expect_shown("metrics", "{\"text\":\"tandem_calls 1\\n\"}", "tandem_calls 1\n");
	expect_shown("route", "{\"steps\":[{\"step\":\"attempt\",\"result\":\"1: gw-a\"}],\"candidates\":[]}",
		"STEP     RESULT\n"
		"attempt  1: gw-a\n"
		"GATEWAY  TAKEN  CALLEE  CALLER  REASON  RULE\n");
	expect_shown("reload", "{}", "");
}
