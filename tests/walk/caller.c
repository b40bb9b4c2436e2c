/* The caller: one INVITE, and then what the script says. Clocks: 0 CANCEL or early BYE, then BYE; 1 re-INVITE; 2 UPDATE;
 * 3 death. */
#include "../crash/rtp.h"
#include <stdlib.h>

static void die(struct wheel_timer *t, uint64_t now)
{
	(void)now;
	leg_die(leg_of_clock(t, 3));
}

static void bye(struct wheel_timer *t, uint64_t now)
{
	struct leg *l = leg_of_clock(t, 0);
	(void)now;
	if (l->byed)
		return;
	l->byed = true;
	leg_ask(l, M_BYE, false);
}

static void give_up(struct wheel_timer *t, uint64_t now)
{
	struct leg *l = leg_of_clock(t, 0);
	(void)now;
	if (l->final || l->cancelling || l->byed)
		return;
	if (l->walk->script.early_bye && l->has_tag) {
		l->byed = l->cancelling = true;
		leg_ask(l, M_BYE, false);
	} else if (l->asked && l->asked->proceeding) { /* no CANCEL before a provisional response: section 9.1 */
		leg_cancel(l);
	} else {
		leg_arm(l, 0, 50, give_up);
	}
}

static void reinvite(struct wheel_timer *t, uint64_t now)
{
	struct leg *l = leg_of_clock(t, 1);
	(void)now;
	if (l->up && !l->byed && !leg_asking(l, M_INVITE))
		leg_ask(l, M_INVITE, true);
}

static void update(struct wheel_timer *t, uint64_t now)
{
	struct leg *l = leg_of_clock(t, 2);
	(void)now;
	if (l->has_tag && !l->byed && !l->cancelling && !leg_asking(l, M_UPDATE))
		leg_ask(l, M_UPDATE, l->up);
}

void caller_begin(struct walk *w)
{
	char call_id[64], target[ADDR_TEXT_MAX];
	struct caller_script *s = &w->script;
	int n = snprintf(call_id, sizeof call_id, "w%u.%llx@walk", w->index, (unsigned long long)run.seed);
	w->begin = clock_ms();
	struct leg *l = leg_new(w, &run.port[0], (struct span){ call_id, (size_t)n });
	addr_format(&run.target, false, target, sizeof target);
	snprintf(l->target, sizeof l->target, "sip:1%09u@%s", w->index, target);
	snprintf(l->remote, sizeof l->remote, "<%s>", l->target);
	snprintf(l->local, sizeof l->local, "<sip:555%u@walk.example>;tag=c%u", w->index % 1000, l->number);
	leg_ask(l, M_INVITE, !s->no_offer);
	leg_arm(l, 0, s->cancel_at, give_up);
	leg_arm(l, 2, s->early_update_at, update);
	leg_arm(l, 3, s->die_at, die);
}

static void learn(struct leg *l, const struct text *t)
{
	if (!t->to_tag.n || t->code >= 300 || l->up)
		return;
	l->has_tag = true;
	snprintf(l->remote, sizeof l->remote, "%.*s", (int)t->to.n, t->to.p);
	if (t->contact.n)
		snprintf(l->target, sizeof l->target, "%.*s", (int)t->contact.n, t->contact.p);
}

void caller_response(struct leg *l, struct asked *a, const struct text *t)
{
	const struct caller_script *s = &l->walk->script;
	if (a->method != M_INVITE || a->cseq != 1)
		return;
	if (t->code == 100 || (l->final && t->code < 200))
		return;
	learn(l, t);
	if (t->code < 200 || l->final)
		return;
	l->final = t->code;
	wheel_del(&run.loop.wheel, &l->clock[0]);
	if (t->code >= 300) {
		l->byed = true;
		return;
	}
	l->up = true;
	rtp_learn(l, t);
	rtp_start(l->walk);
	if (l->byed)
		return;
	if (l->cancelling) { /* crossed: it is ours to end */
		leg_arm(l, 0, 1, bye);
		return;
	}
	if (s->ender != CALLEE)
		leg_arm(l, 0, s->hold, bye);
	leg_arm(l, 1, s->reinvite_at, reinvite);
	leg_arm(l, 2, s->update_at, update);
	leg_arm(l, 3, s->die_after, die);
}

void caller_bye_received(struct leg *l)
{
	if (l->walk->script.ender == BOTH) /* late, and answered 481 */
		leg_ask(l, M_BYE, false);
}
