/* Level l holds the timers whose deadline differs from now in byte l and in no higher one, in the slot named by that byte; so
 * all of level l comes before all of level l+1, and a slot falls due when now reaches its first millisecond. The highest
 * level is a ring: it also takes what differs above byte 3, and what is too far even for that waits in its last slot. */
#include "base/wheel.h"
#include <stddef.h>

#define SLOT_BITS 8
#define SLOT_MASK (WHEEL_SLOTS - 1u)
#define TOP	  (WHEEL_LEVELS - 1)

static inline unsigned level_shift(unsigned level)
{
	return SLOT_BITS * level;
}

void wheel_init(struct wheel *w, uint64_t now_ms)
{
	*w = (struct wheel){ .now = now_ms };
	for (unsigned l = 0; l < WHEEL_LEVELS; l++)
		for (unsigned s = 0; s < WHEEL_SLOTS; s++)
			w->slots[l][s].next = w->slots[l][s].prev = &w->slots[l][s];
}

/* into the slot for `when` >= now */
static void place(struct wheel *w, struct wheel_timer *t, uint64_t when)
{
	uint64_t farthest = ((w->now >> level_shift(TOP)) + SLOT_MASK) << level_shift(TOP);
	if (when > farthest)
		when = farthest;
	uint64_t differs = when ^ w->now;
	unsigned level = 0;
	while (level < TOP && differs >> level_shift(level + 1))
		level++;
	unsigned slot = (unsigned)(when >> level_shift(level)) & SLOT_MASK;
	struct wheel_timer *head = &w->slots[level][slot];
	t->next = head;
	t->prev = head->prev;
	head->prev->next = t;
	head->prev = t;
	w->used[level][slot / 64] |= UINT64_C(1) << slot % 64;
}

static void unlink_timer(struct wheel *w, struct wheel_timer *t)
{
	t->next->prev = t->prev;
	t->prev->next = t->next;
	if (t->next == t->prev) { /* only the head is left: the slot is empty */
		size_t at = (size_t)((const char *)t->next - (const char *)w->slots) / sizeof(*t);
		w->used[at / WHEEL_SLOTS][at % WHEEL_SLOTS / 64] &= ~(UINT64_C(1) << at % 64);
	}
	t->next = t->prev = NULL;
}

void wheel_del(struct wheel *w, struct wheel_timer *t)
{
	if (!t->next)
		return;
	unlink_timer(w, t);
	w->armed--;
}

void wheel_add(
	struct wheel *w, struct wheel_timer *t, uint64_t deadline_ms, void (*expired)(struct wheel_timer *, uint64_t))
{
	wheel_del(w, t);
	t->deadline = deadline_ms;
	t->expired = expired;
	/* what is overdue is called in the next millisecond: a callback that re-arms itself for now must not spin */
	place(w, t, deadline_ms > w->now ? deadline_ms : w->now + 1);
	w->armed++;
}

/* distance (1..255) from slot `from` to the next used one of that level, around the ring; 0: none */
static unsigned next_used(const struct wheel *w, unsigned level, unsigned from)
{
	for (unsigned distance = 1; distance < WHEEL_SLOTS;) {
		unsigned slot = (from + distance) & SLOT_MASK;
		uint64_t bits = w->used[level][slot / 64] >> slot % 64;
		if (bits) {
			distance += (unsigned)__builtin_ctzll(bits);
			return distance < WHEEL_SLOTS ? distance : 0;
		}
		distance += 64 - slot % 64;
	}
	return 0;
}

uint64_t wheel_next(const struct wheel *w)
{
	if (w->armed == 0)
		return UINT64_MAX;
	for (unsigned l = 0; l < WHEEL_LEVELS; l++) {
		uint64_t at = w->now >> level_shift(l);
		unsigned distance = next_used(w, l, (unsigned)at & SLOT_MASK);
		if (distance)
			return (at + distance) << level_shift(l);
	}
	return UINT64_MAX; /* not reached: what is armed is in a slot */
}

/* what falls due in the slots that start at w->now: down the levels, then call those of this millisecond */
static void turn(struct wheel *w, uint64_t now_ms)
{
	struct wheel_timer *head, *t;
	for (unsigned l = TOP; l > 0; l--) {
		if (w->now & ((UINT64_C(1) << level_shift(l)) - 1))
			continue;
		head = &w->slots[l][(w->now >> level_shift(l)) & SLOT_MASK];
		while ((t = head->next) != head) {
			unlink_timer(w, t);
			place(w, t, t->deadline > w->now ? t->deadline : w->now);
		}
	}
	/* callbacks arm timers for later slots only, so this ends; they may delete any of this list */
	head = &w->slots[0][w->now & SLOT_MASK];
	while ((t = head->next) != head) {
		wheel_del(w, t);
		t->expired(t, now_ms);
	}
}

void wheel_advance(struct wheel *w, uint64_t now_ms)
{
	uint64_t next;
	while ((next = wheel_next(w)) <= now_ms && next != UINT64_MAX) {
		w->now = next;
		turn(w, now_ms);
	}
	if (now_ms > w->now)
		w->now = now_ms;
}
