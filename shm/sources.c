#include "shm/sources.h"
#include "shm/copy.h"

const char *ban_reason_text(enum ban_reason r)
{
	static const char *const texts[BAN_REASON_COUNT] = { [BAN_NONE] = "",
#define X(id, text) [id] = text,
		BAN_REASONS(X)
#undef X
	};
	return r < BAN_REASON_COUNT ? texts[r] : "";
}

void sources_append(const struct sources *s, const struct addr *source, enum ban_reason reason, uint64_t until_ms)
{
	struct source_event e = { *source, reason, until_ms };
	e.addr.port = 0;
	e.addr.bits = 0;
	commit_bytes(&s->event[s->events % SOURCES_LOG], &e, sizeof e);
	commit_release_u64(&s->events, s->events + 1);
}

bool sources_next(const struct sources *s, uint64_t *next, struct source_event *ret_event)
{
	for (;;) {
		uint64_t events = __atomic_load_n(&s->events, __ATOMIC_ACQUIRE);
		if (*next >= events)
			return false;
		if (events - *next >= SOURCES_LOG) /* its place may be written just now */
			*next = events - SOURCES_LOG + 1;
		copy_racing(ret_event, &s->event[*next % SOURCES_LOG], sizeof *ret_event);
		if (__atomic_load_n(&s->events, __ATOMIC_ACQUIRE) - *next < SOURCES_LOG) {
			++*next;
			return true;
		}
	}
}
