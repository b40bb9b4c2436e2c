#include "shm/slot.h"
#include "shm/copy.h"

static uint32_t load(const uint32_t *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

static bool readable(uint32_t state)
{
	return state == SLOT_LIVE || state == SLOT_CLOSING;
}

bool slot_unchanged(const struct slot *s, const struct slot *seen)
{
	/* In this order: a slot that was freed and is live again has committed in between, so the commit counter, read
	 * last, tells the lives apart whatever the first two say. */
	return readable(load(&s->state)) && load(&s->generation) == seen->generation &&
	       load(&s->commit) == seen->commit;
}

int slot_read_seen(const struct slot *s, const void *copies, size_t size, struct slot *seen, void *to)
{
	uint32_t want = seen->generation;
	for (int i = 0; i < SLOT_TRIES; i++) {
		seen->state = load(&s->state);
		seen->generation = load(&s->generation);
		seen->commit = load(&s->commit);
		if (!readable(seen->state) || (want && seen->generation != want))
			return -ENOENT;
		copy_racing(to, (const char *)copies + size * (seen->commit & 1), size);
		if (slot_unchanged(s, seen))
			return 0;
	}
	return -EBUSY;
}

int slot_read(const struct slot *s, const void *copies, size_t size, uint32_t *generation, void *to)
{
	struct slot seen = { .generation = *generation };
	int r = slot_read_seen(s, copies, size, &seen, to);
	if (!r)
		*generation = seen.generation;
	return r;
}
