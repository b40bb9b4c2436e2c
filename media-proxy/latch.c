#include "media-proxy/latch.h"

enum rank { RANK_NONE, RANK_OTHER, RANK_HOST, RANK_EXACT };

static bool may_differ(const struct latch *l, const struct addr *source)
{
	switch (l->mode) {
	case LATCH_ANY:
		return true;
	case LATCH_ON:
		return addr_same_ip(source, l->signal);
	case LATCH_AUTO:
		return l->behind_nat && addr_same_ip(source, l->signal);
	default:
		return false;
	}
}

static enum rank rank_of(const struct latch *l, const struct addr *source)
{
	if (addr_same_ip(source, l->signalled))
		return source->port == l->signalled->port ? RANK_EXACT : RANK_HOST;
	return may_differ(l, source) ? RANK_OTHER : RANK_NONE;
}

enum latch_verdict latch_decide(const struct latch *l, const struct addr *source)
{
	if (!source->family || !source->port)
		return SOURCE_REFUSED;
	if (!l->latched)
		return rank_of(l, source) == RANK_NONE ? SOURCE_REFUSED : SOURCE_FIRST;
	if (addr_eq(source, l->latched))
		return SOURCE_KNOWN;
	bool follows = l->continuous && addr_same_ip(source, l->latched);
	if (l->age_ms >= MEDIA_LATCH_MS)
		return follows ? SOURCE_MOVED : SOURCE_REFUSED;
	enum rank now = rank_of(l, l->latched), then = rank_of(l, source);
	return then > now || (then == now && follows) ? SOURCE_MOVED : SOURCE_REFUSED;
}
