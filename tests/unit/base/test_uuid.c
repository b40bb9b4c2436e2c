#include "base/uuid.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define WALL 0x0191e0a1b2c3u

static uint64_t time_of(const struct uuid *u)
{
	uint64_t ms = 0;
	for (int i = 0; i < 6; i++)
		ms = ms << 8 | u->b[i];
	return ms;
}

Test(uuid, version_variant_and_time)
{
	struct uuid u;
	uuid_make(WALL, &u);
	cr_expect_eq(u.b[6] >> 4, 7);
	cr_expect_eq(u.b[8] >> 6, 2);
	cr_expect_eq(time_of(&u), WALL);
}

Test(uuid, sorts_within_one_millisecond)
{
	struct uuid last, u;
	uuid_make(WALL, &last);
	for (int i = 0; i < 20000; i++) { /* more than the counter holds */
		uuid_make(WALL, &u);
		cr_assert_lt(memcmp(&last, &u, sizeof(u)), 0, "id %d", i);
		cr_assert_eq(u.b[6] >> 4, 7);
		last = u;
	}
	cr_expect_leq(time_of(&u), WALL + 20);
	uuid_make(WALL + 1000, &u);
	cr_expect_eq(time_of(&u), WALL + 1000);
}

Test(uuid, sorts_when_the_clock_is_set_back_a_little)
{
	struct uuid a, b;
	uuid_make(WALL, &a);
	uuid_make(WALL - 5000, &b);
	cr_expect_lt(memcmp(&a, &b, sizeof(a)), 0);
	uuid_make(WALL - 60000, &b);
	cr_expect_eq(time_of(&b), WALL - 60000, "a clock set back far is followed");
}

Test(uuid, text)
{
	struct uuid u, v;
	char text[UUID_TEXT + 1];
	for (int i = 0; i < 100; i++) {
		uuid_make(WALL + (uint64_t)i, &u);
		uuid_format(&u, text);
		cr_assert_eq(strlen(text), UUID_TEXT);
		cr_assert_eq(uuid_parse(text, &v), 0);
		cr_assert_eq(memcmp(&u, &v, sizeof(u)), 0);
	}
	/* RFC 9562 appendix A.6 */
	cr_assert_eq(uuid_parse("017F22E2-79B0-7CC3-98C4-DC0C0C07398F", &u), 0);
	cr_expect_eq(time_of(&u), 0x017f22e279b0u);
	uuid_format(&u, text);
	cr_expect_str_eq(text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
}

Test(uuid, refuses)
{
	static const char *const bad[] = { "", "017f22e2", "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
		"017f22e2-79b0-7cc3-98c4-dc0c0c07398f0", "017f22e2079b0-7cc3-98c4-dc0c0c07398f",
		"017f22e2-79b0-7cc3-98c4-dc0c0c07398g", "-17f22e2-79b0-7cc3-98c4-dc0c0c07398f" };
	struct uuid u;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(uuid_parse(bad[i], &u), -EINVAL, "accepted \"%s\"", bad[i]);
}

/* a worker that is forked must not make the ids of its sister */
Test(uuid, a_child_has_its_own_generator)
{
	struct uuid mine, its;
	uint64_t first = uuid_random(), its_random, my_random;
	int fds[2], status;
	uuid_make(WALL, &mine);
	cr_assert_eq(pipe(fds), 0);
	pid_t pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		its_random = uuid_random();
		uuid_make(WALL, &its);
		bool ok = write(fds[1], &its_random, sizeof(its_random)) == sizeof(its_random) &&
			  write(fds[1], &its, sizeof(its)) == sizeof(its);
		_exit(ok ? 0 : 1);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	cr_assert_eq(read(fds[0], &its_random, sizeof(its_random)), sizeof(its_random));
	cr_assert_eq(read(fds[0], &its, sizeof(its)), sizeof(its));
	my_random = uuid_random();
	uuid_make(WALL, &mine);
	cr_expect(first != my_random && its_random != my_random);
	cr_expect_neq(memcmp(mine.b + 9, its.b + 9, 7), 0);
}

Test(uuid, every_bit_of_the_random_number_moves)
{
	uint64_t ones = 0, zeros = 0;
	for (int i = 0; i < 1000; i++) {
		uint64_t r = uuid_random();
		ones |= r;
		zeros |= ~r;
	}
	cr_expect_eq(ones, UINT64_MAX);
	cr_expect_eq(zeros, UINT64_MAX);
}
