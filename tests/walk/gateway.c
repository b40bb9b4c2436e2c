/* The gateways: each INVITE is an attempt with a script of its own. Clocks: 0 BYE; 1 re-INVITE; 2 UPDATE; 3 death. */
#include "../crash/rtp.h"
#include <stdlib.h>

/* the number called is 1 and the walk's number */
struct leg *gateway_leg(struct port *p, const struct text *t)
{
	const char *user = memchr(t->uri.p, ':', t->uri.n);
	uint32_t index = user && user[1] == '1' ? (uint32_t)strtoul(user + 2, NULL, 10) : UINT32_MAX;
	if (index >= run.walks || !run.walk[index].n_legs)
		return NULL;
	struct leg *l = leg_new(&run.walk[index], p, t->call_id);
	l->seen_invite = true;
	l->early_cseq = t->cseq;
	l->first_seen = clock_ms();
	snprintf(l->local, sizeof l->local, "%.*s;tag=g%u", (int)t->to.n, t->to.p, l->number);
	snprintf(l->remote, sizeof l->remote, "%.*s", (int)t->from.n, t->from.p);
	snprintf(l->target, sizeof l->target, "%.*s", (int)t->contact.n, t->contact.p);
	rtp_learn(l, t);
	script_gateway(l);
	return l;
}

static struct heard *invite_of(struct leg *l)
{
	for (struct heard *h = l->heard; h; h = h->next)
		if (h->method == M_INVITE && h->cseq == l->early_cseq)
			return h;
	return NULL;
}

static void step(struct wheel_timer *t, uint64_t now)
{
	struct leg *l = (struct leg *)((char *)t - offsetof(struct leg, step));
	const struct step *s = &l->script.step[l->next_step++];
	(void)now;
	struct heard *h = invite_of(l);
	if (!h || l->final)
		return;
	if (s->code >= 200)
		l->final = s->code;
	leg_answer(h, s->code, s->sdp);
	if (!l->final && l->next_step < l->script.n)
		wheel_add(&run.loop.wheel, &l->step, clock_ms() + l->script.step[l->next_step].after + 1, step);
}

void gateway_invited(struct leg *l, struct heard *h)
{
	(void)h;
	if (l->script.n)
		wheel_add(&run.loop.wheel, &l->step, clock_ms() + l->script.step[0].after + 1, step);
}

void gateway_cancelled(struct leg *l)
{
	struct heard *h = invite_of(l);
	if (l->final || !h)
		return;
	wheel_del(&run.loop.wheel, &l->step);
	l->final = l->script.cross ? 200 : 487;
	leg_answer(h, l->final, l->final == 200);
}

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

static void reinvite(struct wheel_timer *t, uint64_t now)
{
	struct leg *l = leg_of_clock(t, 1);
	(void)now;
	if (!l->byed && !leg_asking(l, M_INVITE))
		leg_ask(l, M_INVITE, true);
}

static void update(struct wheel_timer *t, uint64_t now)
{
	struct leg *l = leg_of_clock(t, 2);
	(void)now;
	if (!l->byed && !leg_asking(l, M_UPDATE))
		leg_ask(l, M_UPDATE, true);
}

void gateway_acked(struct leg *l)
{
	const struct walk *w = l->walk;
	l->up = true;
	rtp_start(l->walk);
	if (l->byed)
		return;
	if (w->script.ender != CALLER)
		leg_arm(l, 0, w->script.hold, bye);
	leg_arm(l, 1, l->script.reinvite_at, reinvite);
	leg_arm(l, 2, l->script.update_at, update);
	leg_arm(l, 3, l->script.die_at, die);
}
