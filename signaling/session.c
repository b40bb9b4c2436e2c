#include "signaling/session.h"
#include "signaling/call.h"
#include "signaling/media_offer.h"
#include "signaling/session_timer.h"

#define BUSY_MS 1000u /* another offer is under way: the refresh waits */

const struct span session_min_se_line = SPAN("Min-SE: 90\r\n");

static struct session_terms terms_of(const struct call_session *c)
{
	return (struct session_terms){ c->interval, (enum session_role)c->role };
}

/* an interval begins: the peer has just shown that it is there */
static void begin_interval(struct work *w, struct call_session *c, struct session_terms t)
{
	struct session_schedule s = session_timer_start(t, w->s.session_segment, w->s.session_grace, w->now);
	c->interval = t.interval;
	c->role = (uint8_t)t.role;
	c->refresh_at = s.refresh_at;
	c->expires_at = s.expires_at;
}

/* --- set-up --- */

void session_begin(struct work *w, const struct msg *m)
{
	const struct config *c = w->g->c;
	struct call_state *s = &w->s;
	struct session_asked a = session_timer_asked(m);
	int64_t longest = c->param[P_SS_MAX_CALL_DURATION], without = c->param[P_SS_SIP_NO_TIMER_REINVITE_INTERVAL];
	s->session_ttl = (uint32_t)(c->param[P_SS_SIP_SESSION_TTL] / 1000);
	s->session_segment = (uint8_t)c->param[P_SS_SIP_SESSION_UPDATE_SEGMENT];
	s->session_grace = (uint8_t)(c->param[P_SS_SIP_SESSION_TIMEOUT_EARLY_HANGUP] / 1000);
	s->longest_ms = longest > 0 && longest < (int64_t)CONFIG_NONE ? (uint32_t)longest : 0;
	s->limit_reason = END_MAX_DURATION;
	if (!session_timer_supported(&a) && (!s->longest_ms || without < s->longest_ms)) {
		s->longest_ms = (uint32_t)without;
		s->limit_reason = END_SESSION_LIMIT;
	}
	session_learn(w, LEG_CALLER, m);
}

void session_next_attempt(struct work *w)
{
	w->s.leg[LEG_CALLEE].session = (struct call_session){ .supported = w->s.leg[LEG_CALLER].session.supported };
}

void session_start_limit(struct work *w)
{
	if (w->s.longest_ms)
		w->s.end_at = w->now + w->s.longest_ms;
}

/* --- the peer's requests --- */

void session_learn_allow(struct work *w, enum call_leg_side leg, const struct msg *m)
{
	if (m->has_allow)
		w->s.leg[leg].session.update = msg_has_option(&m->allow, SPAN("UPDATE"));
}

void session_learn(struct work *w, enum call_leg_side leg, const struct msg *m)
{
	struct call_session *c = &w->s.leg[leg].session;
	struct session_asked a = session_timer_asked(m);
	struct session_terms t = session_timer_accept(&a, w->s.session_ttl, terms_of(c));
	c->answer = t.interval;
	c->answer_role = (uint8_t)t.role;
	c->named = session_timer_supported(&a);
	c->tagged = a.tag;
	c->supported |= c->named;
	session_learn_allow(w, leg, m);
}

void session_out_answer(const struct work *w, struct out *o, const struct call_txn *t)
{
	const struct call_session *c = &w->s.leg[t->leg].session;
	if (!c->named || !c->answer || w->s.phase == CALL_SETUP) /* an UPDATE before the answer refreshes nothing */
		return;
	if (c->tagged)
		out_lit(o, "Require: timer\r\n");
	out_lit(o, "Supported: timer\r\nSession-Expires: ");
	out_u64(o, c->answer);
	if (c->answer_role == SESSION_PEERS)
		out_lit(o, ";refresher=uac\r\n");
	else
		out_lit(o, ";refresher=uas\r\n");
}

void session_answered(struct work *w, enum call_leg_side leg)
{
	struct call_session *c = &w->s.leg[leg].session;
	begin_interval(w, c, (struct session_terms){ c->answer, (enum session_role)c->answer_role });
}

/* --- our requests --- */

void session_out_request(const struct work *w, struct out *o, const struct call_txn *t)
{
	const struct call_session *c = &w->s.leg[t->leg].session;
	bool initial = t->flags & TXN_INITIAL;
	if (!c->supported || (!initial && c->role == SESSION_OFF))
		return;
	out_lit(o, "Supported: timer\r\nSession-Expires: ");
	out_u64(o, initial ? session_timer_offer(w->s.session_ttl, c->min_se) : c->interval);
	if (!initial && c->role == SESSION_OURS)
		out_lit(o, ";refresher=uac");
	else if (!initial)
		out_lit(o, ";refresher=uas");
	out_lit(o, "\r\n");
	if (c->min_se) {
		out_lit(o, "Min-SE: ");
		out_u64(o, c->min_se);
		out_lit(o, "\r\n");
	}
}

void session_agreed(struct work *w, enum call_leg_side leg, const struct msg *m)
{
	struct call_session *c = &w->s.leg[leg].session;
	struct session_asked a = session_timer_asked(m);
	session_learn_allow(w, leg, m);
	if (c->supported || a.expires >= 0)
		begin_interval(w, c, session_timer_agreed(&a, w->s.session_ttl, c->min_se, terms_of(c)));
	c->supported = c->role != SESSION_OFF;
}

bool session_raise(struct work *w, enum call_leg_side leg, const struct msg *m)
{
	struct call_session *c = &w->s.leg[leg].session;
	uint32_t said = c->interval ? c->interval : session_timer_offer(w->s.session_ttl, c->min_se);
	if (!c->supported || m->min_se <= 0 || (uint32_t)m->min_se <= said)
		return false; /* it would be refused again */
	if (c->min_se && (uint32_t)m->min_se / 2 < c->min_se)
		return false; /* several on the way may each want more, but one that always wants a little more must not go on for ever */
	c->min_se = (uint32_t)m->min_se;
	if (c->interval) /* what the next request asks for; the interval under way ends when it was to end */
		c->interval = c->min_se;
	return true;
}

/* --- refreshing --- */

static struct call_txn *refresh_under_way(struct work *w, enum call_leg_side leg)
{
	for (uint32_t i = 0; i < CALL_TXNS; i++) {
		struct call_txn *t = &w->s.txn[i];
		if (t->flags & TXN_REFRESH && t->leg == leg && (t->state == TXN_CALLING || t->state == TXN_PROCEEDING))
			return t;
	}
	return NULL;
}

/* RFC 3261 section 14.1: not while another INVITE is open on the leg, nor while an offer is unanswered */
static bool leg_is_busy(const struct work *w, enum call_leg_side leg)
{
	if (w->s.phase != CALL_UP || work_text(w, TEXT_REOFFER).n)
		return true;
	for (uint32_t i = 0; i < CALL_TXNS; i++) {
		const struct call_txn *t = &w->s.txn[i];
		bool open = t->state == TXN_CALLING || t->state == TXN_PROCEEDING ||
			    (t->server && t->state == TXN_ACCEPTED) || t->flags & TXN_ACK_WAITS;
		if (t->state != TXN_FREE && t->method == METHOD_INVITE && t->leg == leg &&
			!(t->flags & TXN_ABANDONED) && open)
			return true;
	}
	return false;
}

/* An answered re-INVITE is kept for 64*T1 to be acknowledged again; when a later one is answered the peer has had the ACK. */
static void forget_before(struct work *w, enum call_leg_side leg, uint32_t cseq)
{
	for (uint32_t i = 0; i < CALL_TXNS; i++) {
		struct call_txn *t = &w->s.txn[i];
		if (t->flags & TXN_REFRESH && t->leg == leg && t->state == TXN_ACCEPTED && t->cseq < cseq)
			txn_free(w, t);
	}
}

static void refresh(struct work *w, enum call_leg_side leg)
{
	struct call_session *c = &w->s.leg[leg].session;
	uint64_t ends = c->expires_at - w->s.session_grace * UINT64_C(1000), due = c->refresh_at;
	struct span sdp = work_text(w, leg == LEG_CALLER ? TEXT_SDP_TO_CALLER : TEXT_SDP_TO_CALLEE);
	struct body body = { SPAN("application/sdp"), sdp };
	c->refresh_at = session_timer_next(terms_of(c), w->s.session_segment, due, w->now, ends);
	if (refresh_under_way(w, leg) || (!c->update && !sdp.n))
		return;
	if (leg_is_busy(w, leg)) {
		c->refresh_at = w->now + BUSY_MS < ends ? w->now + BUSY_MS : 0;
		return;
	}
	struct call_txn *t = call_send(
		w, leg, c->update ? METHOD_UPDATE : METHOD_INVITE, (struct span){ 0 }, c->update ? NULL : &body);
	if (t)
		t->flags |= TXN_REFRESH;
}

static void again_at(struct work *w, struct call_session *c, uint64_t at)
{
	if (at < c->expires_at - w->s.session_grace * UINT64_C(1000))
		c->refresh_at = at;
}

void session_refreshed(struct work *w, enum call_leg_side leg, enum txn_method method, const struct msg *m)
{
	struct call_session *c = &w->s.leg[leg].session;
	if (m->status < 300) {
		session_agreed(w, leg, m);
		forget_before(w, leg, m->cseq);
		if (m->body.n && msg_type_is(m, SPAN("application/sdp")))
			media_refreshed(w, leg, m->body);
	} else if (m->status == 422 && session_raise(w, leg, m)) {
		again_at(w, c, w->now);
	} else if (m->status == 491) { /* section 14.1: who made the Call-ID waits longer */
		uint64_t least = leg == LEG_CALLEE ? 2100 : 0;
		again_at(w, c, w->now + least + uuid_random() % 1900);
	} else if (method == METHOD_UPDATE && (m->status == 405 || m->status == 501)) {
		c->update = 0;
		again_at(w, c, w->now);
	} /* else: unanswered, the next segment comes */
}

/* --- time --- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return !a ? b : !b ? a : a < b ? a : b;
}

uint64_t session_deadline(const struct call_state *s)
{
	const struct call_session *a = &s->leg[LEG_CALLER].session, *b = &s->leg[LEG_CALLEE].session;
	return earlier(earlier(a->refresh_at, a->expires_at), earlier(b->refresh_at, b->expires_at));
}

void session_due(struct work *w)
{
	for (int i = 0; i < 2; i++) {
		struct call_session *c = &w->s.leg[i].session;
		if (c->expires_at && c->expires_at <= w->now) {
			session_stop(&w->s);
			call_terminate(w, END_SESSION_EXPIRED);
		} else if (c->refresh_at && c->refresh_at <= w->now) {
			refresh(w, (enum call_leg_side)i);
		}
	}
}

void session_stop(struct call_state *s)
{
	for (int i = 0; i < 2; i++)
		s->leg[i].session.refresh_at = s->leg[i].session.expires_at = 0;
}
