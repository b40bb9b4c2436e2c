#include "signaling/forward.h"
#include "signaling/compose.h"
#include "signaling/identity.h"
#include "signaling/trace.h"

/* a line as headers.c keeps them: the host is put in when it is sent */
#define LINE_BEGIN "Diversion: <sip:"
#define LINE_HOST  "@forwarded>"

enum forward_case forward_by_failure(enum end_reason failure, uint16_t code, bool rang)
{
	if (code == 486 || code == 600)
		return FORWARD_BUSY;
	if (failure == END_NO_ANSWER || (rang && (code == 408 || code == 480)))
		return FORWARD_NO_ANSWER;
	return failure == END_INVITE_TIMEOUT ? FORWARD_OFFLINE : FORWARD_NONE;
}

static void out_begin(struct out *o, struct span id)
{
	out_lit(o, LINE_BEGIN);
	out_user(o, id);
	out_lit(o, LINE_HOST);
}

static bool has_forwarded(const struct work *w, struct span id)
{
	char text[256];
	struct out o = out_init(text, sizeof text);
	struct span lines = work_text(w, TEXT_DIVERSIONS);
	out_begin(&o, id);
	return lines.n && !o.full && memmem(lines.p, lines.n, o.p, o.n);
}

bool forward_follow(struct work *w, const struct cfg_account *a, enum forward_case why)
{
	const struct config *c = w->g->c;
	struct span to = forward_number(c, a, why, clock_wall_ms()), by = cfg_span(c, a->id);
	if (!to.n || w->s.forwards >= FORWARDS_MAX || span_eq(to, by) || has_forwarded(w, to))
		return false;
	struct out o = compose_begin(w->g);
	out_begin(&o, by);
	out_lit(&o, ";reason=");
	out_span(&o, span_of(forward_reason(why)));
	out_lit(&o, ";counter=1\r\n");
	out_span(&o, work_text(w, TEXT_DIVERSIONS));
	work_put(w, TEXT_DIVERSIONS, out_done(&o));
	work_put(w, TEXT_FORWARDER, by);
	work_put(w, TEXT_CALLEE, to);
	w->s.forwards++;
	if (w->g->tracing)
		trace_note(w->g, "account %.*s forwards (%s) to %.*s", TRACE_SPAN(by), forward_reason(why), TRACE_SPAN(to));
	return true;
}

struct span forward_by(const struct work *w)
{
	return work_text(w, TEXT_FORWARDER);
}
