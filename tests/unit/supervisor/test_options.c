/* The command line of tandem. */
#include "supervisor/options.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define MAX 8

struct row {
	const char *argv[MAX];
	int result;
	enum options_mode mode;
	const char *file, *why; /* why: part of the reason */
};

static const struct row rows[] = {
	{ { "tandem", "-c", "a.yaml" }, 0, OPTIONS_RUN, "a.yaml", NULL },
	{ { "tandem", "--config", "a.yaml" }, 0, OPTIONS_RUN, "a.yaml", NULL },
	{ { "tandem", "--check", "-c", "a.yaml" }, 0, OPTIONS_CHECK, "a.yaml", NULL },
	{ { "tandem", "-c", "a.yaml", "--adopt" }, 0, OPTIONS_ADOPT, "a.yaml", NULL },
	{ { "tandem", "--help" }, 0, OPTIONS_HELP, NULL, NULL },
	{ { "tandem", "-h", "--check" }, 0, OPTIONS_HELP, NULL, NULL },
	{ { "tandem", "--check", "--help" }, 0, OPTIONS_HELP, NULL, NULL },
	{ { "tandem", "--version" }, 0, OPTIONS_VERSION, NULL, NULL },
	{ { "tandem", "-c", "a", "-V" }, 0, OPTIONS_VERSION, NULL, NULL },
	{ { "tandem" }, -EINVAL, OPTIONS_RUN, NULL, "-c FILE" },
	{ { "tandem", "--check" }, -EINVAL, OPTIONS_RUN, NULL, "-c FILE" },
	{ { "tandem", "-c" }, -EINVAL, OPTIONS_RUN, NULL, "needs a value" },
	{ { "tandem", "-c", "a", "-c", "b" }, -EINVAL, OPTIONS_RUN, NULL, "once" },
	{ { "tandem", "-c", "a", "--check", "--adopt" }, -EINVAL, OPTIONS_RUN, NULL, "exclude" },
	{ { "tandem", "-c", "a", "--nonsense" }, -EINVAL, OPTIONS_RUN, NULL, "--nonsense" },
	{ { "tandem", "-c", "a", "-x" }, -EINVAL, OPTIONS_RUN, NULL, "no such option" },
	{ { "tandem", "-c", "a", "b" }, -EINVAL, OPTIONS_RUN, NULL, "b: no arguments" },
};

Test(options, table)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		char *argv[MAX + 1] = { 0 }, why[256] = "";
		struct options o = { .mode = 99, .file = "untouched" };
		int argc = 0;
		while (argc < MAX && row->argv[argc])
			argv[argc] = strdup(row->argv[argc]), argc++;
		cr_expect_eq(options_parse(argc, argv, &o, why, sizeof(why)), row->result, "row %zu", i);
		if (row->result) {
			cr_expect(strstr(why, row->why), "row %zu: %s", i, why);
			cr_expect_str_eq(o.file, "untouched", "row %zu: the output is touched", i);
			continue;
		}
		cr_expect_eq(o.mode, row->mode, "row %zu", i);
		cr_expect(row->file ? o.file && strcmp(o.file, row->file) == 0 : !o.file, "row %zu: %s", i, o.file);
	}
}

Test(options, help_names_every_option)
{
	static const char *const words[] = { "--config", "--check", "--adopt", "--help", "--version", "SIGHUP",
		"SIGTERM", "78", "Examples" };
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		cr_expect(strstr(options_help, words[i]), "%s", words[i]);
}
