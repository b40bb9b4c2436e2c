/* What a program says of its memory, and how another one reads it. */
#include "supervisor/program.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

Test(program, what_one_prints_the_other_reads)
{
	struct program_layout mine, theirs;
	char text[160];
	program_layout(&mine);
	cr_assert_eq(program_format(&mine, text, sizeof(text)), 0);
	cr_assert_eq(program_parse(text, &theirs), 0, "%s", text);
	cr_expect_str_eq(theirs.version, mine.version);
	cr_expect_eq(theirs.memory, mine.memory);
	cr_expect_eq(theirs.images, mine.images);
	cr_expect_neq(mine.memory, mine.images);
	cr_expect_eq(program_format(&mine, text, 20), -ENOSPC);
}

Test(program, nonsense_is_refused)
{
	static const char *const wrong[] = { "", "tandem 1.0\n", "version 1.0\nmemory 12\n", "version 1.0\nmemory 12\nimages\n",
		"version 1.0\nmemory 12\nimages 34\nsomething more\n", "sh: not found\n", "version 1.0\nmemory zz\nimages 34\n" };
	struct program_layout l = { .memory = 7 };
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		cr_expect_eq(program_parse(wrong[i], &l), -EINVAL, "%s", wrong[i]);
		cr_expect_eq(l.memory, 7, "left alone");
	}
	cr_expect_eq(program_parse("version 0.2-very-long-but-fits\nmemory 00ff\nimages ffffffffffffffff\n", &l), 0);
	cr_expect_eq(l.memory, 255);
	cr_expect_eq(l.images, UINT64_MAX);
}

Test(program, its_place_and_its_identity)
{
	char path[4096], shorter[4];
	cr_assert_eq(program_path(path, sizeof(path)), 0);
	cr_expect(strstr(path, "test_supervisor_program"), "%s", path);
	cr_expect_eq(program_path(shorter, sizeof(shorter)), -ENAMETOOLONG);
	cr_expect_neq(program_id(), 0);
	cr_expect_eq(program_id(), program_id());
}
