#include "base/clock.h"
#include "base/log.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <regex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int fds[2];
static char text[1 << 17];

static bool poll_lies; /* says that everything is writable */

int poll(struct pollfd *p, nfds_t n, int timeout_ms)
{
	const struct timespec t = { .tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L };
	if (!poll_lies)
		return ppoll(p, n, timeout_ms < 0 ? NULL : &t, NULL);
	for (nfds_t i = 0; i < n; i++)
		p[i].revents = p[i].events;
	return (int)n;
}

static void start(void)
{
	cr_assert_eq(pipe(fds), 0);
	cr_assert_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
}

/* everything that was written until now */
static const char *taken(void)
{
	size_t n = 0;
	ssize_t got;
	while (n < sizeof(text) - 1 && (got = read(fds[0], text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = 0;
	return text;
}

static int lines(const char *p)
{
	int n = 0;
	for (; *p; p++)
		n += *p == '\n';
	return n;
}

static bool matches(const char *in, const char *pattern)
{
	regex_t re;
	cr_assert_eq(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	bool yes = regexec(&re, in, 0, NULL, 0) == 0;
	regfree(&re);
	return yes;
}

#define TIME "20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\\.[0-9]{3}Z"

/* the limit is per wall second of the monotonic clock: begin early in one, so that a test does not cross it */
static void early_in_a_second(void)
{
	while (clock_ms() % 1000 > 300)
		usleep(5000);
}

Test(log, text_line, .init = start)
{
	log_init("signaling/0", LOG_TEXT, LOG_INFO, fds[1]);
	log_warning("gateway %s is down", "a1");
	cr_expect(matches(taken(), "^" TIME " warning signaling/0: gateway a1 is down\n$"), "%s", text);
	log_process("media/1");
	log_error("x");
	cr_expect(matches(taken(), "^" TIME " error media/1: x\n$"), "%s", text);
}

Test(log, json_line, .init = start)
{
	log_init("signaling/0", LOG_JSON, LOG_INFO, fds[1]);
	log_info("say \"%s\"\n\xff", "a\\b");
	cr_expect(matches(taken(), "^\\{\"time\":\"" TIME "\",\"level\":\"info\",\"process\":\"signaling/0\","
				   "\"message\":\"say \\\\\"a\\\\\\\\b\\\\\"\\\\n\xef\xbf\xbd\"\\}\n$"),
		"%s", text);
}

Test(log, levels, .init = start)
{
	enum log_level level;
	log_init("p", LOG_TEXT, LOG_WARNING, fds[1]);
	log_info("no");
	log_debug("no");
	cr_expect_str_eq(taken(), "");
	log_set_level(LOG_DEBUG);
	cr_expect_eq(log_level(), LOG_DEBUG);
	log_debug("yes");
	cr_expect(matches(taken(), " debug p: yes\n$"));
	cr_expect_eq(log_level_parse("error", &level), 0);
	cr_expect_eq(level, LOG_ERROR);
	cr_expect_eq(log_level_parse("debug", &level), 0);
	cr_expect_eq(level, LOG_DEBUG);
	cr_expect_eq(log_level_parse("Debug", &level), -EINVAL);
	cr_expect_eq(log_level_parse("", &level), -EINVAL);
}

Test(log, a_peer_cannot_forge_a_line, .init = start)
{
	log_init("p", LOG_TEXT, LOG_INFO, fds[1]);
	log_info("from %s", "x\n2026-01-01T00:00:00.000Z error p: forged\r\x1b[2J");
	cr_expect_eq(lines(taken()), 1);
	cr_expect_null(strchr(text, '\r'));
	cr_expect_null(strchr(text, '\x1b'));
}

Test(log, errno_in_and_out, .init = start)
{
	log_init("p", LOG_TEXT, LOG_INFO, fds[1]);
	errno = EADDRINUSE;
	log_info("bind: %m");
	cr_expect_eq(errno, EADDRINUSE);
	cr_expect(matches(taken(), "p: bind: Address already in use\n$"), "%s", text);
}

static void long_line(enum log_format format, char filler)
{
	static char big[9000];
	memset(big, filler, sizeof(big) - 1);
	log_init("p", format, LOG_INFO, fds[1]);
	log_info("%s", big);
	taken();
	cr_expect_leq(strlen(text), 4096);
	cr_expect_gt(strlen(text), 2800);
	cr_expect_eq(lines(text), 1);
	cr_expect_eq(text[strlen(text) - 1], '\n');
	cr_expect_eq(log_dropped(), 0);
}

Test(log, long_lines_are_cut, .init = start)
{
	long_line(LOG_TEXT, 'a');
	long_line(LOG_JSON, 'a');
	cr_expect(matches(text, "a\"\\}\n$"));
	long_line(LOG_JSON, '\x01');
	cr_expect(matches(text, "u0001\"\\}\n$"));
}

static void chatter(int i)
{
	log_info("line %d", i);
}

Test(log, limit_of_a_call_site, .init = start)
{
	log_init("p", LOG_TEXT, LOG_INFO, fds[1]);
	early_in_a_second();
	for (int i = 0; i < 50; i++)
		chatter(i);
	log_info("another site is not limited by it");
	cr_expect_eq(lines(taken()), LOG_BURST + 1);
	cr_expect_null(strstr(text, "suppressed"));
	uint64_t second = clock_ms() / 1000;
	while (clock_ms() / 1000 == second)
		usleep(5000);
	chatter(50);
	chatter(51);
	cr_expect_not_null(strstr(taken(), "line 50 (30 similar lines suppressed)\n"), "%s", text);
	cr_expect_not_null(strstr(text, "line 51\n"));
}

Test(log, suppressed_lines_in_json, .init = start)
{
	struct log_site site = { .suppressed = 4 };
	log_init("p", LOG_JSON, LOG_INFO, fds[1]);
	log_write(&site, LOG_INFO, "x");
	cr_expect(matches(taken(), "\"message\":\"x \\(4 similar lines suppressed\\)\"\\}\n$"), "%s", text);
}

/* fills what the reader does not read; SIGALRM ends the test if a line waits */
static void fill_until_dropped(void)
{
	static char big[3000];
	memset(big, 'b', sizeof(big) - 1);
	alarm(10);
	for (int i = 0; i < 2000 && log_dropped() < 5; i++) {
		struct log_site site = { 0 };
		log_write(&site, LOG_INFO, "%s", big);
	}
	alarm(0);
	cr_expect_eq(log_dropped(), 5);
}

Test(log, a_full_pipe_drops, .init = start)
{
	log_init("p", LOG_TEXT, LOG_INFO, fds[1]);
	fill_until_dropped();
	taken();
	log_info("after");
	cr_expect(matches(taken(), "^" TIME " info p: after\n$"), "%s", text);
	cr_expect_eq(log_dropped(), 5);
}

/* room for less than a line: the kernel calls the pipe writable when one page is free */
Test(log, a_nearly_full_pipe_does_not_wait, .init = start)
{
	char byte = 'x';
	log_init("p", LOG_TEXT, LOG_INFO, fds[1]);
	cr_assert_eq(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
	while (write(fds[1], &byte, 1) == 1)
		;
	cr_assert_eq(fcntl(fds[1], F_SETFL, 0), 0);
	fill_until_dropped();
}

/* another process takes the room between poll and write: poll, replaced above, promises what is gone */
Test(log, a_lost_race_for_the_last_room_does_not_wait, .init = start)
{
	log_init("p", LOG_TEXT, LOG_INFO, fds[1]);
	poll_lies = true;
	fill_until_dropped();
	poll_lies = false;
}

Test(log, a_socket_drops)
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	cr_assert_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	log_init("p", LOG_TEXT, LOG_INFO, fds[1]);
	fill_until_dropped();
	for (size_t n = 1; n;)
		n = strlen(taken());
	log_info("after");
	cr_expect(matches(taken(), "^" TIME " info p: after\n$"), "%s", text);
}

/* a file that may grow no further takes a line in part */
Test(log, a_torn_line_is_ended)
{
	char name[] = "/tmp/test-log-XXXXXX";
	struct rlimit limit;
	fds[1] = mkstemp(name);
	cr_assert_geq(fds[1], 0);
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	rlim_t before = limit.rlim_cur;
	limit.rlim_cur = 30;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	log_init("p", LOG_TEXT, LOG_INFO, fds[1]);
	log_info("does not fit");
	limit.rlim_cur = before;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_expect_eq(log_dropped(), 1);
	log_info("a");
	log_info("b");
	fds[0] = open(name, O_RDONLY);
	unlink(name);
	cr_expect(matches(taken(), "^" TIME " info \n" TIME " info p: a\n" TIME " info p: b\n$"), "%s", text);
}

Test(log, without_a_reader_nothing_dies, .init = start)
{
	close(fds[0]);
	log_init("p", LOG_TEXT, LOG_INFO, fds[1]);
	log_info("nobody reads");
	cr_expect_eq(log_dropped(), 1);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	close(fds[0]);
	log_init("p", LOG_TEXT, LOG_INFO, fds[1]);
	log_info("nobody reads");
	cr_expect_eq(log_dropped(), 2);
	log_init("p", LOG_TEXT, LOG_INFO, -1);
	log_info("nobody reads");
	cr_expect_eq(log_dropped(), 3);
}

Test(log, to_a_file)
{
	char name[] = "/tmp/test-log-XXXXXX";
	fds[1] = mkstemp(name);
	cr_assert_geq(fds[1], 0);
	log_init("p", LOG_TEXT, LOG_INFO, fds[1]);
	log_info("a");
	log_info("b");
	fds[0] = open(name, O_RDONLY);
	unlink(name);
	cr_expect(matches(taken(), "^" TIME " info p: a\n" TIME " info p: b\n$"), "%s", text);
}
