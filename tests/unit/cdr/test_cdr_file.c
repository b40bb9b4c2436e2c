#include "base/clock.h"
#include "cdr/cdr_file.h"
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define WALL 1700000000123u /* 2023-11-14T22:13:20.123Z */
static char dir[64], path[400], content[65536];
static struct cdr_file f;

static void set_up(void)
{
	strcpy(dir, "/tmp/tandem-test-cdr-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
}
static const char *in(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}
static void tear_down(void)
{
	cdr_file_close(&f);
	DIR *d = opendir(dir);
	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
		unlink(in(e->d_name));
	closedir(d);
	rmdir(dir);
}
TestSuite(cdr_file, .init = set_up, .fini = tear_down);

static void put(const char *name, const char *text)
{
	FILE *o = fopen(in(name), "w");
	cr_assert(o && fputs(text, o) >= 0 && fclose(o) == 0);
}
static const char *get(const char *name)
{
	FILE *i = fopen(in(name), "r");
	if (!i)
		return NULL;
	content[fread(content, 1, sizeof(content) - 1, i)] = 0;
	fclose(i);
	return content;
}
static void append(const char *text)
{
	cr_assert_eq(cdr_file_append(&f, text, strlen(text), WALL), 0);
}

Test(cdr_file, appends_and_syncs)
{
	cr_assert_eq(cdr_file_open(&f, in("a/b"), 1), 0, "missing directories are made");
	cdr_file_close(&f);
	cr_assert_eq(unlink(in("a/b/cdr.jsonl")), 0);
	rmdir(in("a/b"));
	rmdir(in("a"));
	cr_assert_eq(cdr_file_open(&f, dir, 1), 0);
	cr_assert_eq(f.serial, 1);
	append("one\n");
	append("two\n");
	cr_assert_eq(f.size, 8);
	cr_assert_eq(f.synced, 0);
	cr_assert_eq(f.born_ms, WALL);
	cr_assert_eq(cdr_file_sync(&f), 0);
	cr_assert_eq(f.synced, 8);
	cr_assert_str_eq(get("cdr.jsonl"), "one\ntwo\n");
}

Test(cdr_file, torn_last_line_is_cut_off)
{
	put("cdr.jsonl", "one\ntwo\nthr");
	cr_assert_eq(cdr_file_open(&f, dir, 1), 0);
	cr_assert_eq(f.size, 8);
	cr_assert_eq(f.synced, 8);
	append("3\n");
	cr_assert_str_eq(get("cdr.jsonl"), "one\ntwo\n3\n");
}

Test(cdr_file, torn_line_longer_than_a_chunk)
{
	char text[20001] = "one\n";
	memset(text + 4, 'x', sizeof(text) - 5);
	put("cdr.jsonl", text);
	cr_assert_eq(cdr_file_open(&f, dir, 1), 0);
	cr_assert_eq(f.size, 4);
	cdr_file_close(&f);
	put("cdr.jsonl", text + 4);
	cr_assert_eq(cdr_file_open(&f, dir, 1), 0);
	cr_assert_eq(f.size, 0);
}

Test(cdr_file, second_writer_is_kept_out)
{
	struct cdr_file second;
	cr_assert_eq(cdr_file_open(&f, dir, 1), 0);
	cr_assert_eq(cdr_file_open(&second, dir, 1), -EWOULDBLOCK);
	cdr_file_close(&f);
	cr_assert_eq(cdr_file_open(&f, dir, 1), 0);
}

Test(cdr_file, rotation)
{
	cr_assert_eq(cdr_file_open(&f, dir, 3), 0);
	append("one\n");
	cr_assert_eq(cdr_file_sync(&f), 0);
	cr_assert_eq(cdr_file_rotate(&f, WALL), 0);
	cr_assert_eq(cdr_file_begin(&f), 0);
	append("two\n");
	cr_assert_str_eq(get("cdr-20231114T221320.123Z-3.jsonl"), "one\n");
	cr_assert_str_eq(get("cdr.jsonl"), "two\n");
	cr_assert_eq(f.serial, 4);
	cdr_file_close(&f);
	cr_assert_eq(cdr_file_open(&f, dir, 1), 0);
	cr_assert_eq(f.serial, 4, "above every rotated file");
	cdr_file_close(&f);
	cr_assert_eq(cdr_file_open(&f, dir, 9), 0);
	cr_assert_eq(f.serial, 9);
}

Test(cdr_file, foreign_names_do_not_count)
{
	put("cdr-x-7.csv", "");
	put("cdr-8.jsonl.gz", "");
	put("xdr-9.jsonl", "");
	put("cdr--.jsonl", "");
	put("cdr-20231114T221320.123Z-99999999999999999999999.jsonl", "");
	cr_assert_eq(cdr_file_open(&f, dir, 2), 0);
	cr_assert_eq(f.serial, 2);
}

static char seen[4096];
static void see(void *context, struct span line)
{
	cr_assert_eq(context, seen);
	snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "<%.*s>", (int)line.n, line.p);
}
static size_t longest, lines;
static void measure(void *context, struct span line)
{
	(void)context;
	lines++;
	longest = line.n > longest ? line.n : longest;
}

Test(cdr_file, scan)
{
	put("cdr.jsonl", "one\ntwo\n\nthree\nfou");
	cr_assert_eq(cdr_file_open(&f, dir, 1), 0);
	cr_assert_eq(cdr_file_scan(&f, 0, see, seen), 0);
	cr_assert_str_eq(seen, "<one><two><><three>");
	seen[0] = 0;
	cr_assert_eq(cdr_file_scan(&f, 4, see, seen), 0);
	cr_assert_str_eq(seen, "<two><><three>");
	seen[0] = 0;
	cr_assert_eq(cdr_file_scan(&f, f.size, see, seen), 0);
	cr_assert_str_eq(seen, "");
	cr_assert_eq(cdr_file_scan(&f, 4711, see, seen), 0);
	cr_assert_str_eq(seen, "<one><two><><three>", "an offset beyond the end is of another file");
}

Test(cdr_file, scan_of_many_and_of_long_lines)
{
	char *big = malloc(700001);
	memset(big, 'x', 700000);
	big[700000] = '\n';
	cr_assert_eq(cdr_file_open(&f, dir, 1), 0);
	cr_assert_eq(cdr_file_append(&f, big, 700001, WALL), 0);
	memset(big, '\n', 600000);
	cr_assert_eq(cdr_file_append(&f, big, 600000, WALL), 0);
	cr_assert_eq(cdr_file_scan(&f, 0, measure, NULL), 0);
	cr_assert_eq(lines, 600001);
	cr_assert_eq(longest, 700000);
	free(big);
}

static void limit(rlim_t size)
{
	struct rlimit r = { size, RLIM_INFINITY };
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &r), 0);
}

Test(cdr_file, failed_write_leaves_nothing)
{
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(cdr_file_open(&f, dir, 1), 0);
	append("one\n");
	limit(10);
	cr_assert_eq(cdr_file_append(&f, "0123456789\n", 11, WALL), -EFBIG);
	cr_assert_eq(f.size, 4);
	limit(RLIM_INFINITY);
	cr_assert_str_eq(get("cdr.jsonl"), "one\n");
	append("two\n");
	cr_assert_str_eq(get("cdr.jsonl"), "one\ntwo\n");
}

Test(cdr_file, rewind_goes_back_to_what_was_synced)
{
	cr_assert_eq(cdr_file_open(&f, dir, 1), 0);
	append("one\n");
	cr_assert_eq(cdr_file_sync(&f), 0);
	append("two\n");
	cr_assert_eq(cdr_file_rewind(&f), 0);
	cr_assert_str_eq(get("cdr.jsonl"), "one\n");
	cr_assert_eq(f.size, 4);
}

Test(cdr_file, remains_of_a_failed_write_are_cut_before_the_next)
{
	cr_assert_eq(cdr_file_open(&f, dir, 1), 0);
	append("one\n");
	append("longer than the next\n");
	f.size = 4; /* as after a write whose remains could not be cut off */
	f.torn = true;
	append("two\n");
	cr_assert_str_eq(get("cdr.jsonl"), "one\ntwo\n");
}

Test(cdr_file, moved_away)
{
	char to[400];
	cr_assert_eq(cdr_file_open(&f, dir, 1), 0);
	append("one\n");
	cr_assert(!cdr_file_gone(&f));
	strcpy(to, in("elsewhere"));
	cr_assert_eq(rename(in("cdr.jsonl"), to), 0);
	cr_assert(cdr_file_gone(&f));
	put("cdr.jsonl", "x\n");
	cr_assert(cdr_file_gone(&f), "another file of that name");
}

Test(cdr_file, errors_are_returned)
{
	struct cdr_file g;
	put("plain", "");
	cr_assert_eq(cdr_file_open(&g, in("plain"), 1), -ENOTDIR);
	cr_assert_eq(cdr_file_open(&g, in("plain/below"), 1), -ENOTDIR);
	cr_assert_eq(cdr_file_open(&g, "", 1), -EINVAL);
	cr_assert_eq(symlink("plain", in("cdr.jsonl")), 0);
	cr_assert_eq(cdr_file_open(&g, dir, 1), -ELOOP, "a link may lead anywhere");
	cr_assert_eq(g.dir, -1);
}
