#include "media-proxy/latch.h"
#include <criterion/criterion.h>

/* who sends: places a packet may come from, seen from a leg whose SDP says 10.0.0.1:4000 and whose signalling is 20.0.0.1 */
enum place { NOWHERE, EXACT, HOST, HOST2, SIGNAL, SIGNAL2, STRANGER, STRANGER2 };

static struct addr at(enum place p)
{
	static const char *const text[] = { [EXACT] = "10.0.0.1:4000",
		[HOST] = "10.0.0.1:4002",
		[HOST2] = "10.0.0.1:4004",
		[SIGNAL] = "20.0.0.1:7000",
		[SIGNAL2] = "20.0.0.1:7002",
		[STRANGER] = "30.0.0.1:4000",
		[STRANGER2] = "30.0.0.1:4002" };
	struct addr a = { 0 };
	if (p != NOWHERE)
		cr_assert_eq(addr_parse(span_of(text[p]), &a), 0);
	return a;
}

struct row {
	enum cfg_latch mode;
	bool nat;
	enum place latched; /* NOWHERE: open */
	uint64_t age_ms;
	bool continuous;
	enum place source;
	enum latch_verdict verdict;
};

static enum latch_verdict decide(const struct row *w)
{
	struct addr signalled = at(EXACT), signal = at(SIGNAL), latched = at(w->latched), source = at(w->source);
	signal.port = 5060;
	struct latch l = { .signalled = &signalled,
		.signal = &signal,
		.latched = w->latched ? &latched : NULL,
		.age_ms = w->age_ms,
		.mode = (uint8_t)w->mode,
		.behind_nat = w->nat,
		.continuous = w->continuous };
	return latch_decide(&l, &source);
}

static void check(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		cr_expect_eq(
			decide(&rows[i]), rows[i].verdict, "row %zu: %d, not %d", i, decide(&rows[i]), rows[i].verdict);
}
#define CHECK(rows) check(rows, sizeof(rows) / sizeof((rows)[0]))

#define REFUSED SOURCE_REFUSED
#define KNOWN	SOURCE_KNOWN
#define FIRST	SOURCE_FIRST
#define MOVED	SOURCE_MOVED

Test(latch, open_leg_takes_the_first_acceptable_source)
{
	static const struct row rows[] = {
		{ LATCH_OFF, false, NOWHERE, 0, false, EXACT, FIRST },
		{ LATCH_OFF, false, NOWHERE, 0, false, HOST, FIRST },
		{ LATCH_OFF, false, NOWHERE, 0, false, SIGNAL, REFUSED },
		{ LATCH_OFF, true, NOWHERE, 0, false, SIGNAL, REFUSED },
		{ LATCH_OFF, true, NOWHERE, 0, false, STRANGER, REFUSED },
		{ LATCH_ON, false, NOWHERE, 0, false, EXACT, FIRST },
		{ LATCH_ON, false, NOWHERE, 0, false, HOST, FIRST },
		{ LATCH_ON, false, NOWHERE, 0, false, SIGNAL, FIRST },
		{ LATCH_ON, false, NOWHERE, 0, false, SIGNAL2, FIRST },
		{ LATCH_ON, true, NOWHERE, 0, false, STRANGER, REFUSED },
		{ LATCH_AUTO, false, NOWHERE, 0, false, EXACT, FIRST },
		{ LATCH_AUTO, false, NOWHERE, 0, false, HOST, FIRST },
		{ LATCH_AUTO, false, NOWHERE, 0, false, SIGNAL, REFUSED },
		{ LATCH_AUTO, true, NOWHERE, 0, false, SIGNAL, FIRST },
		{ LATCH_AUTO, true, NOWHERE, 0, false, STRANGER, REFUSED },
		{ LATCH_ANY, false, NOWHERE, 0, false, EXACT, FIRST },
		{ LATCH_ANY, false, NOWHERE, 0, false, SIGNAL, FIRST },
		{ LATCH_ANY, false, NOWHERE, 0, false, STRANGER, FIRST },
		{ LATCH_ANY, false, NOWHERE, 99999999, true, STRANGER, FIRST }, /* however late */
		{ LATCH_AUTO, false, NOWHERE, 0, true, STRANGER,
			REFUSED }, /* a stream to carry on makes nobody acceptable */
	};
	CHECK(rows);
}

Test(latch, signalled_address_takes_precedence_for_two_seconds)
{
	static const struct row rows[] = {
		{ LATCH_ANY, false, STRANGER, 0, false, EXACT, MOVED },
		{ LATCH_ANY, false, STRANGER, 1999, false, EXACT, MOVED },
		{ LATCH_ANY, false, STRANGER, 2000, false, EXACT, REFUSED },
		{ LATCH_ANY, false, STRANGER, 1999, false, HOST, MOVED },
		{ LATCH_ANY, false, STRANGER, 2000, false, HOST, REFUSED },
		{ LATCH_ANY, false, STRANGER, 0, false, SIGNAL, REFUSED },
		{ LATCH_ON, false, SIGNAL, 100, false, EXACT, MOVED },
		{ LATCH_ON, false, SIGNAL, 100, false, HOST, MOVED },
		{ LATCH_AUTO, true, SIGNAL, 1999, false, EXACT, MOVED },
		{ LATCH_AUTO, true, SIGNAL, 2000, false, EXACT, REFUSED },
		{ LATCH_OFF, false, HOST, 100, false, EXACT, MOVED },
		{ LATCH_OFF, false, HOST, 2000, false, EXACT, REFUSED },
		{ LATCH_ON, false, EXACT, 100, false, SIGNAL, REFUSED }, /* never the other way */
		{ LATCH_ON, false, EXACT, 100, false, HOST, REFUSED },
		{ LATCH_ON, false, EXACT, 100, true, HOST, REFUSED },
		{ LATCH_ON, false, HOST, 100, true, SIGNAL, REFUSED },
		{ LATCH_ANY, false, EXACT, 100, false, STRANGER, REFUSED },
	};
	CHECK(rows);
}

Test(latch, later_only_another_port_with_the_same_stream)
{
	static const struct row rows[] = {
		{ LATCH_AUTO, false, EXACT, 5000, false, EXACT, KNOWN },
		{ LATCH_AUTO, false, EXACT, 5000, true, HOST, MOVED },
		{ LATCH_AUTO, false, EXACT, 5000, false, HOST, REFUSED },
		{ LATCH_OFF, false, EXACT, 5000, true, HOST, MOVED },
		{ LATCH_OFF, false, EXACT, 5000, false, HOST, REFUSED },
		{ LATCH_AUTO, false, HOST, 5000, true, HOST2, MOVED },
		{ LATCH_AUTO, false, HOST, 500, true, HOST2, MOVED }, /* of equal rank: also early */
		{ LATCH_AUTO, false, HOST, 500, false, HOST2, REFUSED },
		{ LATCH_ON, false, SIGNAL, 5000, true, SIGNAL2, MOVED },
		{ LATCH_ON, false, SIGNAL, 500, true, SIGNAL2, MOVED },
		{ LATCH_ON, false, SIGNAL, 5000, false, SIGNAL2, REFUSED },
		{ LATCH_ON, false, SIGNAL, 5000, true, EXACT, REFUSED }, /* another address */
		{ LATCH_ANY, false, STRANGER, 5000, true, STRANGER2, MOVED },
		{ LATCH_ANY, false, STRANGER, 5000, false, STRANGER2, REFUSED },
		{ LATCH_ANY, false, STRANGER, 5000, true, SIGNAL, REFUSED },
		{ LATCH_ANY, false, SIGNAL, 0, false, SIGNAL, KNOWN },
		{ LATCH_OFF, false, STRANGER, 5000, false, STRANGER, KNOWN }, /* latched before the mode was changed */
	};
	CHECK(rows);
}

Test(latch, without_an_sdp_only_the_signalling_address_counts)
{
	struct addr none = { 0 }, signal = at(SIGNAL), source = at(SIGNAL), stranger = at(STRANGER);
	struct latch l = { .signalled = &none, .signal = &signal, .mode = LATCH_ON };
	cr_assert_eq(latch_decide(&l, &source), SOURCE_FIRST);
	cr_assert_eq(latch_decide(&l, &stranger), SOURCE_REFUSED);
	l.mode = LATCH_OFF;
	cr_assert_eq(latch_decide(&l, &source), SOURCE_REFUSED);
	l.signal = &none;
	l.mode = LATCH_ON;
	cr_assert_eq(latch_decide(&l, &source), SOURCE_REFUSED);
}

Test(latch, source_without_address_or_port_is_refused)
{
	struct addr none = { 0 }, portless = at(EXACT);
	portless.port = 0;
	struct latch l = { .signalled = &none, .signal = &none, .mode = LATCH_ANY };
	cr_assert_eq(latch_decide(&l, &none), SOURCE_REFUSED);
	cr_assert_eq(latch_decide(&l, &portless), SOURCE_REFUSED);
}

Test(latch, families_never_match)
{
	struct addr four = at(EXACT), six = four;
	six.family = 6;
	struct latch l = { .signalled = &four, .signal = &four, .mode = LATCH_ON };
	cr_assert_eq(latch_decide(&l, &six), SOURCE_REFUSED);
}
