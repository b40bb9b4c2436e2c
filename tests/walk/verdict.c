/* What must have happened in a walk. The notes say what really reached the softswitch on each leg and in which order, so that
 * its state follows up to races between legs and with its timers; what those leave open is accepted, nothing else. */
#include "walk.h"
#include <stdarg.h>
#include <stdlib.h>

void ladder(const struct walk *w)
{
	const struct caller_script *s = &w->script;
	static const char *const enders[] = { "caller", "callee", "both", "nobody" };
	if (run.failures > 20)
		return;
	printf("  to see it again: --seed %llu --only %u   (caller: cancel %u%s, dies %u/%u, hold %u, ends: %s%s)\n",
		(unsigned long long)run.seed, w->index, s->cancel_at, s->early_bye ? " by BYE" : "", s->die_at,
		s->die_after, s->hold, enders[s->ender], s->no_offer ? ", no offer" : "");
	for (uint32_t i = 0; i < w->n_notes; i++) {
		const struct note *n = &w->note[i];
		const struct leg *l = n->leg < w->n_legs ? w->leg[n->leg] : NULL;
		char who = l && l->port->number ? (char)('a' + l->port->number - 1) : ' ';
		printf("  %7u %*s%c%u %c ", n->at, n->leg * 4, "", n->leg ? who : 'c', n->leg, n->way);
		if (n->code)
			printf("%u (%u %s)\n", n->code, n->cseq, method_text[n->method]);
		else
			printf("%s (%u)\n", method_text[n->method], n->cseq);
	}
	for (uint32_t i = 0; i < w->n_records; i++) {
		const struct record *r = &w->record[i];
		printf("  record: attempt %u gw-%c code %u %s by %c: %s\n", r->attempt, r->egress ? r->egress : '-',
			r->code, r->final ? "final" : "not final", r->ended_by ? r->ended_by : '-', r->reason);
	}
}

static bool wrong; /* the ladder of a walk is printed once */

__attribute__((format(printf, 2, 3))) static void fail(const struct walk *w, const char *format, ...)
{
	va_list ap;
	if (run.failures < 20) {
		printf("walk %u: ", w->index);
		va_start(ap, format);
		vprintf(format, ap);
		va_end(ap);
		printf("\n");
	}
	wrong = true;
	run.failures++;
}

/* --- the legs --- */

static void judge_caller(const struct walk *w)
{
	const struct leg *c = w->leg[0];
	if (!c->seen_final)
		fail(w, "the caller got no final answer");
	if (c->seen_final == 200 && !c->seen_bye && !c->gave_bye)
		fail(w, "the caller's call never ended");
	if (!c->dead && c->seen_final && !c->final)
		fail(w, "the final answer was not repeated until it came through");
	if (!c->dead && c->up && !c->byed)
		fail(w, "the caller is still in a call");
	if (c->seen_final == 487 && !c->gave_cancel && !c->gave_bye && !c->gave_final) {
		bool a_gateway = false;
		for (uint32_t i = 1; i < w->n_legs; i++)
			a_gateway |= w->leg[i]->gave_final == 487;
		if (!a_gateway)
			fail(w, "487 without a CANCEL");
	}
}

static void judge_gateway(const struct walk *w, const struct leg *l)
{
	if (l->gave_final == 200) {
		if (!l->seen_ack)
			fail(w, "attempt %u: its 200 was never acknowledged", l->place);
		if (!l->seen_bye && !l->gave_bye)
			fail(w, "attempt %u: answered and never ended", l->place);
		if (!l->dead && !l->byed)
			fail(w, "attempt %u: lives on", l->place);
	} else if (l->gave_final) {
		if (!l->seen_ack)
			fail(w, "attempt %u: its %u was never acknowledged", l->place, l->gave_final);
	} else if (l->gave_100) {
		if (!l->seen_cancel)
			fail(w, "attempt %u: spoke, never answered, and was not cancelled", l->place);
		else if (!l->dead && !l->got_cancel)
			fail(w, "attempt %u: rings on, its CANCEL was not repeated", l->place);
	}
	if (!l->gave_100 && l->seen_cancel && !l->gave_final)
		fail(w, "attempt %u: CANCEL before any response", l->place);
}

/* --- the records --- */

static bool committed(const struct leg *l, uint16_t code)
{
	return code == 486 || code >= 600 || l->gave_ring || l->gave_sdp;
}

static void judge_switched(const struct walk *w, const struct record *r)
{
	const struct leg *l = r->leg;
	if (strcmp(r->reason, "rejected by gateway") == 0) {
		if (!l || l->gave_final != r->code)
			fail(w, "record of attempt %u: code %u, which the gateway did not send", r->attempt, r->code);
		else if (committed(l, r->code))
			fail(w, "attempt %u was committed, yet another gateway was tried", r->attempt);
	} else if (strstr(r->reason, "timeout")) {
		if (r->code != 408)
			fail(w, "record of attempt %u: code %u for a time-out", r->attempt, r->code);
		if (l && strcmp(r->reason, "invite timeout") != 0 && !l->gave_100)
			fail(w, "record of attempt %u: %s, but the gateway said nothing", r->attempt, r->reason);
	} else {
		fail(w, "record of attempt %u: not final, reason %s", r->attempt, r->reason);
	}
}

static void judge_answered(const struct walk *w, const struct record *r)
{
	const struct leg *c = w->leg[0], *l = r->leg;
	if (r->code != 200)
		fail(w, "the caller got 200, the record says %u", r->code);
	if (!l || l->gave_final != 200) {
		fail(w, "the caller got 200, the gateway of the last attempt did not answer");
		return;
	}
	bool ok;
	if (strcmp(r->reason, "normal") == 0)
		ok = (r->ended_by == 'c' && c->gave_bye) || (r->ended_by == 'g' && l->gave_bye);
	else if (strcmp(r->reason, "answer not acknowledged") == 0)
		ok = r->ended_by == 's' && (c->dead || l->dead);
	else if (strcmp(r->reason, "peer lost the dialog") == 0)
		ok = (r->ended_by == 'c' && c->gave_gone) || (r->ended_by == 'g' && l->gave_gone);
	else
		ok = false;
	if (!ok)
		fail(w, "the record says: %s, ended by %c; caller's BYE %d, gateway's BYE %d", r->reason,
			r->ended_by ? r->ended_by : '-', c->gave_bye, l->gave_bye);
}

static uint16_t told(uint16_t code)
{
	return (code >= 300 && code < 400) || code == 401 || code == 407 ? 503 : code;
}

static void judge_failed(const struct walk *w, const struct record *r)
{
	const struct leg *c = w->leg[0], *l = r->leg;
	if (r->code != c->seen_final)
		fail(w, "the caller got %u, the record says %u", c->seen_final, r->code);
	if (strcmp(r->reason, "cancelled") == 0) {
		if (r->ended_by != 'c' || r->code != 487 || (!c->gave_cancel && !c->gave_bye))
			fail(w, "cancelled, but code %u by %c; CANCEL sent: %d", r->code, r->ended_by, c->gave_cancel);
	} else if (strcmp(r->reason, "rejected by gateway") == 0 || strcmp(r->reason, "busy") == 0) {
		if (!l || told(l->gave_final) != r->code || r->ended_by != 'g')
			fail(w, "code %u by %c, the gateway sent %u", r->code, r->ended_by, l ? l->gave_final : 0);
		else if (r->attempt < GATEWAYS && !committed(l, l->gave_final))
			fail(w, "no further gateway was tried after %u", l->gave_final);
	} else if (strcmp(r->reason, "no answer") == 0) {
		if (r->code != 480 || r->ended_by != 's' || !l || (!l->gave_ring && !l->gave_sdp))
			fail(w, "no answer: code %u by %c, rang %d", r->code, r->ended_by, l && l->gave_ring);
	} else if (strstr(r->reason, "timeout")) {
		if (r->code != 408 || r->ended_by != 's')
			fail(w, "%s: code %u by %c", r->reason, r->code, r->ended_by);
		else if (r->attempt < GATEWAYS && !(l && (l->gave_ring || l->gave_sdp)))
			fail(w, "no further gateway was tried after %s", r->reason);
	} else {
		fail(w, "reason of the record: %s", r->reason);
	}
}

static void judge_records(const struct walk *w)
{
	uint32_t last = 0, seen = 0;
	const struct record *final = NULL;
	for (uint32_t i = 0; i < w->n_records; i++) {
		const struct record *r = &w->record[i];
		if (!r->attempt || r->attempt > GATEWAYS || seen & 1u << r->attempt)
			fail(w, "a second record of attempt %u, or of none", r->attempt);
		seen |= 1u << (r->attempt & 31);
		last = r->attempt > last ? r->attempt : last;
		if (r->final && final)
			fail(w, "two final records");
		if (r->final)
			final = r;
		else
			judge_switched(w, r);
		if (r->egress != (char)('a' + r->attempt - 1))
			fail(w, "attempt %u went to gw-%c", r->attempt, r->egress);
		if (r->leg && r->leg->port->number != r->attempt)
			fail(w, "attempt %u was seen by gateway %u", r->attempt, r->leg->port->number);
	}
	if (!final || final->attempt != last || seen != (2u << last) - 2) {
		fail(w, "records of %u attempts, final: %u", w->n_records, final ? final->attempt : 0);
		return;
	}
	for (uint32_t i = 1; i < w->n_legs; i++) {
		bool named = false;
		for (uint32_t k = 0; k < w->n_records; k++)
			named |= w->record[k].leg == w->leg[i];
		if (!named)
			fail(w, "no record of the attempt at gateway %u", w->leg[i]->port->number);
	}
	if (w->leg[0]->seen_final == 200)
		judge_answered(w, final);
	else
		judge_failed(w, final);
}

/* A worker that was away for long refuses what has waited: with all processes killed that is right, and counted. */
static bool overloaded(const struct walk *w)
{
	const struct record *r = &w->record[0];
	return run.kills && w->n_legs == 1 && w->n_records == 1 && !r->attempt && r->final && r->code == 503 && w->leg[0]->seen_final == 503 &&
	       strcmp(r->reason, "overload") == 0;
}

void verdict(struct walk *w)
{
	wrong = false;
	if (overloaded(w)) {
		run.refused++;
		return;
	}
	if (w->n_legs && !w->leg[0]->gave_invite) { /* died before any of its INVITEs came through */
		if (w->n_records || w->n_legs > 1)
			fail(w, "a call that the softswitch never heard of");
		return;
	}
	if (w->n_legs)
		judge_caller(w);
	for (uint32_t i = 1; i < w->n_legs; i++)
		judge_gateway(w, w->leg[i]);
	if (w->n_legs)
		judge_records(w);
	if (wrong || run.loud)
		ladder(w);
}
