#include "cdr/record.h"
#include "shm/call.h"
#include <errno.h>

void record_instance(const char *text, size_t n, char ret_instance[RECORD_INSTANCE_MAX + 1])
{
	size_t length = 0;
	for (size_t i = 0; i < n && text[i] && length < RECORD_INSTANCE_MAX; i++) {
		char c = text[i];
		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
			ret_instance[length++] = c;
	}
	if (length == 0)
		ret_instance[length++] = '0';
	ret_instance[length] = 0;
}

static const struct journal_text *const *texts_of(
	const struct journal_entry *e, const struct journal_text *ret_texts[12])
{
	const struct journal_text *all[12] = { &e->ingress, &e->egress, &e->account, &e->caller_in, &e->caller_out,
		&e->callee_in, &e->callee_out, &e->lrn, &e->codec, &e->sip_call_id_in, &e->sip_call_id_out };
	memcpy(ret_texts, all, sizeof(all));
	return ret_texts;
}

int record_check(const struct journal_entry *e, uint64_t sequence)
{
	const struct journal_text *texts[12];
	if (e->sequence != sequence)
		return -EINVAL;
	for (const struct journal_text *const *t = texts_of(e, texts); *t; t++)
		if ((*t)->n > JOURNAL_TEXT || (*t)->at > JOURNAL_TEXT - (*t)->n)
			return -EINVAL;
	return 0;
}

/* --- fields: each begins with the comma that parts it from the one before ---------------------------------------- */

static void field(struct out *o, const char *name)
{
	out_lit(o, ",\"");
	out_span(o, span_of(name));
	out_lit(o, "\":");
}

static void put_number(struct out *o, const char *name, uint64_t v)
{
	field(o, name);
	out_u64(o, v);
}

static void put_bool(struct out *o, const char *name, bool v)
{
	field(o, name);
	out_span(o, v ? SPAN("true") : SPAN("false"));
}

/* thousandths (digits 3) or hundredths (2) of a unit */
static void put_decimal(struct out *o, const char *name, uint64_t v, unsigned digits)
{
	uint64_t unit = digits == 3 ? 1000 : 100, rest = v % unit;
	put_number(o, name, v / unit);
	out_char(o, '.');
	for (unit /= 10; unit; unit /= 10)
		out_char(o, (char)('0' + rest / unit % 10));
}

static void put_span(struct out *o, const char *name, struct span s)
{
	if (s.n == 0)
		return;
	field(o, name);
	out_json(o, s);
}

static void put_text(struct out *o, const char *name, const struct journal_entry *e, struct journal_text t)
{
	put_span(o, name, (struct span){ e->text + t.at, t.n });
}

static void put_address(struct out *o, const char *name, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];
	put_span(o, name, (struct span){ text, addr_format(a, false, text, sizeof(text)) });
}

static void put_time(struct out *o, const char *name, uint64_t wall_ms)
{
	struct out text = out_init((char[32]){ 0 }, 32);
	if (wall_ms && out_time(&text, wall_ms))
		put_span(o, name, out_done(&text));
}

static void put_stream(struct out *o, const struct journal_rtp *r)
{
	out_lit(o, "{\"packets\":");
	out_u64(o, r->packets);
	put_number(o, "bytes", r->bytes);
	put_number(o, "lost", r->lost);
	if (r->packets) {
		put_decimal(o, "jitter_ms", r->jitter_us, 3);
		put_number(o, "ssrc", r->ssrc);
	}
	out_char(o, '}');
}

static void put_rtp(struct out *o, const struct journal_entry *e)
{
	field(o, "rtp");
	out_lit(o, "{\"a_to_b\":");
	put_stream(o, &e->a_to_b);
	field(o, "b_to_a");
	put_stream(o, &e->b_to_a);
	out_char(o, '}');
}

static void put_numbers(struct out *o, const struct journal_entry *e)
{
	put_text(o, "ingress", e, e->ingress);
	put_text(o, "egress", e, e->egress);
	put_text(o, "account", e, e->account);
	put_text(o, "caller_in", e, e->caller_in);
	put_text(o, "caller_out", e, e->caller_out);
	put_text(o, "callee_in", e, e->callee_in);
	put_text(o, "callee_out", e, e->callee_out);
	put_text(o, "lrn", e, e->lrn);
}

static void put_times(struct out *o, const struct journal_entry *e)
{
	put_time(o, "start", e->start_ms);
	put_time(o, "progress", e->progress_ms);
	put_time(o, "alert", e->alert_ms);
	put_time(o, "answer", e->answer_ms);
	put_time(o, "end", e->end_ms);
	if (e->pdd_ms != UINT64_MAX)
		put_number(o, "pdd_ms", e->pdd_ms);
	put_number(o, "duration_ms", e->duration_ms);
}

static void put_end(struct out *o, const struct journal_entry *e)
{
	static const char *const by[] = {
		[ENDED_BY_CALLER] = "caller", [ENDED_BY_CALLEE] = "callee", [ENDED_BY_SYSTEM] = "system"
	};
	const struct end_reason_info *info =
		end_reason_info(e->reason < END_REASON_COUNT ? (enum end_reason)e->reason : END_NONE);
	uint16_t cause = e->cause ? e->cause : info->cause;
	if (e->code)
		put_number(o, "code", e->code);
	if (cause)
		put_number(o, "cause", cause);
	put_span(o, "reason", span_of(info->text));
	if (e->ended_by < sizeof(by) / sizeof(by[0]))
		put_span(o, "ended_by", span_of(by[e->ended_by]));
}

void record_format(const struct journal_entry *e, const struct record_serial *s, struct out *o)
{
	char id[UUID_TEXT + 1];
	uuid_format(&e->call_id, id);
	out_lit(o, "{\"call_id\":\"");
	out_bytes(o, id, UUID_TEXT);
	out_char(o, '"');
	put_number(o, "attempt", e->attempt);
	put_bool(o, "final", e->final);
	put_numbers(o, e);
	put_times(o, e);
	put_end(o, e);
	put_text(o, "codec", e, e->codec);
	put_text(o, "sip_call_id_in", e, e->sip_call_id_in);
	put_text(o, "sip_call_id_out", e, e->sip_call_id_out);
	put_address(o, "source_in", &e->source_in);
	put_address(o, "target_out", &e->target_out);
	if (e->relayed)
		put_rtp(o, e);
	if (e->mos_x100)
		put_decimal(o, "mos", e->mos_x100, 2);
	put_bool(o, "recovered", e->recovered);
	field(o, "serial");
	out_char(o, '"');
	out_span(o, span_of(s->instance));
	out_char(o, '-');
	out_u64(o, s->worker);
	out_char(o, '-');
	out_u64(o, s->sequence);
	out_lit(o, "\"}\n");
}

/* --- reading back ------------------------------------------------------------------------------------------------ */

/* the decimal number that ends at *n; moves *n in front of it and of the '-' before it */
static int number_before(const char *p, size_t *n, uint64_t *ret_number)
{
	uint64_t v = 0, unit = 1;
	size_t i = *n;
	for (; i > 0 && p[i - 1] >= '0' && p[i - 1] <= '9'; i--, unit *= 10) {
		if (*n - i >= 19)
			return -EINVAL;
		v += (uint64_t)(p[i - 1] - '0') * unit;
	}
	if (i == *n || i == 0 || p[i - 1] != '-')
		return -EINVAL;
	*n = i - 1;
	*ret_number = v;
	return 0;
}

int record_read_serial(struct span line, struct record_serial *ret_serial)
{
	static const char name[] = ",\"serial\":\"";
	struct record_serial s = { 0 };
	uint64_t worker;
	size_t n = line.n;
	if (n < 2 || memcmp(line.p + n - 2, "\"}", 2) != 0)
		return -EINVAL;
	n -= 2;
	if (number_before(line.p, &n, &s.sequence) < 0 || number_before(line.p, &n, &worker) < 0 || worker > UINT32_MAX)
		return -EINVAL;
	s.worker = (uint32_t)worker;
	size_t at = n;
	while (at > 0 && n - at < RECORD_INSTANCE_MAX && line.p[at - 1] != '"')
		at--;
	if (at == n || at < sizeof(name) - 1 || memcmp(line.p + at - (sizeof(name) - 1), name, sizeof(name) - 1) != 0)
		return -EINVAL;
	memcpy(s.instance, line.p + at, n - at);
	*ret_serial = s;
	return 0;
}
