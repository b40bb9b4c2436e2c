/* "did you mean": the nearest of many names by the number of letters that were changed, added, left out or swapped. */
#include "config/schema.h"
#include <ctype.h>
#include <stdio.h>

#define NAME_MAX_COMPARED 80

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* distance of Damerau and Levenshtein (optimal string alignment) */
static uint32_t distance(struct span a, struct span b)
{
	uint32_t rows[3][NAME_MAX_COMPARED + 1];
	uint32_t *before = rows[0], *last = rows[1], *now = rows[2];
	for (uint32_t j = 0; j <= b.n; j++)
		last[j] = j;
	for (uint32_t i = 1; i <= a.n; i++) {
		now[0] = i;
		for (uint32_t j = 1; j <= b.n; j++) {
			int x = tolower((unsigned char)a.p[i - 1]), y = tolower((unsigned char)b.p[j - 1]);
			now[j] = least(least(last[j], now[j - 1]) + 1, last[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == tolower((unsigned char)b.p[j - 2]) &&
				tolower((unsigned char)a.p[i - 2]) == y)
				now[j] = least(now[j], before[j - 2] + 1);
		}
		uint32_t *spare = before;
		before = last;
		last = now;
		now = spare;
	}
	return last[b.n];
}

static uint32_t tolerated(size_t n)
{
	return n < 4 ? 1 : n < 8 ? 2 : (uint32_t)(n / 4) + 1;
}

void suggest_offer(struct suggest *s, struct span name)
{
	uint32_t limit = tolerated(s->wanted.n), most = sizeof(s->best) / sizeof(*s->best);
	size_t apart = s->wanted.n > name.n ? s->wanted.n - name.n : name.n - s->wanted.n;
	if (apart > limit || name.n > NAME_MAX_COMPARED || s->wanted.n > NAME_MAX_COMPARED)
		return;
	uint32_t d = distance(s->wanted, name);
	if (d > limit)
		return;
	uint32_t i = s->n < most ? s->n++ : most;
	while (i > 0 && s->best[i - 1].distance > d) { /* keeps the nearest first, of equals the first that came */
		if (i < most)
			s->best[i] = s->best[i - 1];
		i--;
	}
	if (i < most) {
		s->best[i].name = name;
		s->best[i].distance = d;
	}
}

const char *suggest_text(const struct suggest *s, char *buf, size_t cap)
{
	size_t n = 0;
	buf[0] = 0;
	for (uint32_t i = 0; i < s->n && n < cap && s->best[i].distance <= s->best[0].distance + 1; i++) {
		char shown[SHOWN_MAX];
		n += (size_t)snprintf(
			buf + n, cap - n, "%s%s", i ? " or " : ", did you mean ", errors_shown(s->best[i].name, shown));
	}
	if (s->n && n < cap)
		snprintf(buf + n, cap - n, "?");
	return buf;
}
