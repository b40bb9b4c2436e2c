/* What the two sides of a walk are going to do: drawn from the seed and the walk's number alone, so that a walk can be
 * taken again (--only). */
#include "walk.h"

uint32_t draw(uint64_t *rng, uint32_t below)
{
	uint64_t z = (*rng += 0x9e3779b97f4a7c15ull);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return (uint32_t)((z ^ (z >> 31)) >> 32) % below;
}

static bool chance(uint64_t *rng, uint32_t percent)
{
	return draw(rng, 100) < percent;
}

/* A silent death is noticed after 32 s: near the end of a short run nobody dies, or the run would be twice as long. */
static bool may_die(const struct walk *w)
{
	return !run.kills && (run.walks >= 20000 || w->index < run.walks / 10);
}

void script_caller(struct walk *w)
{
	uint64_t *r = &w->rng;
	struct caller_script *s = &w->script;
	if (chance(r, 30))
		s->cancel_at = chance(r, 30) ? 1 + draw(r, 20) : 1 + draw(r, 2500);
	s->early_bye = chance(r, 15);
	s->no_offer = chance(r, 10);
	s->hold = chance(r, 20) ? 1 + draw(r, 5) : 1 + draw(r, run.kills ? 6000 : 1500);
	s->ender = chance(r, 45) ? CALLER : chance(r, 80) ? CALLEE : BOTH;
	if (chance(r, 25))
		s->reinvite_at = 1 + draw(r, 600);
	if (chance(r, 15))
		s->update_at = 1 + draw(r, 600);
	if (chance(r, 8))
		s->early_update_at = 1 + draw(r, 400);
	if (chance(r, 6) && may_die(w)) {
		s->ender = CALLEE; /* one of the two must live to end the call */
		if (chance(r, 50))
			s->die_at = 1 + draw(r, 1500);
		else
			s->die_after = 1 + draw(r, 300);
	}
}

static void add(struct gateway_script *s, uint32_t after, uint16_t code, bool sdp)
{
	if (s->n < STEPS)
		s->step[s->n++] = (struct step){ after, code, sdp };
}

static void early(struct gateway_script *s, uint64_t *r)
{
	static const uint16_t codes[] = { 180, 180, 180, 183, 181, 183 };
	if (chance(r, 80))
		add(s, draw(r, 30), 100, false);
	for (uint32_t n = draw(r, 3); n > 0; n--) {
		uint16_t code = codes[draw(r, 6)];
		add(s, draw(r, 300), code, code != 181 && chance(r, 40));
	}
}

static uint16_t failure(uint64_t *r)
{
	static const uint16_t codes[] = { 400, 403, 404, 408, 480, 486, 487, 488, 500, 502, 503, 503, 504, 600, 603,
		606, 302, 401 };
	return codes[draw(r, sizeof codes / sizeof *codes)];
}

void script_gateway(struct leg *l)
{
	struct walk *w = l->walk;
	uint64_t rng = w->rng + 0x1000 * (l->place + 1u),
		 *r = &rng; /* of its own: the order of the attempts' events is not the seed's */
	struct gateway_script *s = &l->script;
	uint32_t kind = draw(r, 100);
	if (run.kills && kind >= 70) /* time is not what the bench of faults is about, and calls that are up are */
		kind = kind < 90 ? 0 : 60;
	if (kind < 40) { /* answers */
		early(s, r);
		add(s, draw(r, 500), 200, true);
	} else if (kind < 70) { /* refuses */
		early(s, r);
		add(s, draw(r, 300), failure(r), false);
	} else if (kind < 76) { /* nobody there */
	} else if (kind < 81) { /* 100, and no more */
		add(s, draw(r, 30), 100, false);
	} else if (kind < 86) { /* rings on and on */
		add(s, draw(r, 30), 100, false);
		add(s, draw(r, 100), chance(r, 50) ? 180 : 183, chance(r, 40));
	} else { /* speaks when it was given up */
		uint32_t what = draw(r, 4);
		add(s, 1050 + draw(r, 1500),
			what == 0	? failure(r)
			: what == 1	? 200
			: chance(r, 50) ? 180
					: 183,
			what == 1 || chance(r, 30));
		if (what >= 2)
			add(s, draw(r, 500), what == 2 ? 200 : failure(r), what == 2);
	}
	s->cross = chance(r, 20);
	if (chance(r, 25))
		s->reinvite_at = 1 + draw(r, 600);
	if (chance(r, 15))
		s->update_at = 1 + draw(r, 600);
	if (w->script.ender != CALLEE && chance(r, 5) && may_die(w)) {
		w->script.ender = CALLER;
		s->die_at = 1 + draw(r, 300);
	}
}
