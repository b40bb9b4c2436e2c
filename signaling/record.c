/* Call detail records into the journal (shm/journal.h): written at the tail, named by the call's commit, then published. */
#include "signaling/call.h"
#include "signaling/identity.h"
#include "signaling/ingress.h"
#include "signaling/media_pool.h"

static uint64_t acknowledged(const struct sig *g)
{
	const struct journal_ack *acks = region_area(&g->env->region[seat_of(ROLE_CDR, 0)], AREA_ACKS);
	return acks ? CMM_LOAD_SHARED(acks[g->env->index].sequence) : g->journal->tail;
}

bool journal_has_room(const struct sig *g, uint32_t more)
{
	uint64_t used = g->journal->tail - acknowledged(g);
	return used + g->reserved + more <= g->journal->capacity;
}

static void put(struct journal_entry *e, uint32_t *used, struct journal_text *t, struct span s)
{
	uint32_t n = s.n < JOURNAL_TEXT - *used ? (uint32_t)s.n : JOURNAL_TEXT - *used; /* a text that does not fit is cut */
	memcpy(e->text + *used, s.p, n);
	*t = (struct journal_text){ (uint16_t)*used, (uint16_t)n };
	*used += n;
}

static void put_rtp(const struct work *w, enum call_leg_side leg, struct journal_rtp *ret_rtp)
{
	struct media_flow f;
	*ret_rtp = (struct journal_rtp){ 0 };
	for (uint32_t i = 0; i < CALL_STREAMS; i++) {
		if (media_seen(w, leg, i, &f) < 0)
			continue;
		ret_rtp->packets += f.packets;
		ret_rtp->bytes += f.bytes;
		ret_rtp->lost += media_flow_lost(&f);
		if (!i) {
			ret_rtp->jitter_us = media_flow_jitter_us(&f);
			ret_rtp->ssrc = f.ssrc;
		}
	}
}

/* E-model (ITU-T G.107) with default values, narrow-band G.711: what loss and jitter leave of R; the worse direction. */
static uint16_t mos_of(const struct journal_rtp *r)
{
	uint64_t expected = r->packets + r->lost;
	if (!r->packets)
		return 0;
	double loss = 100.0 * (double)r->lost / (double)expected, delay = 2.0 * r->jitter_us / 1000.0 + 20.0;
	double rating = 93.2 - 95.0 * loss / (loss + 4.3) - 0.024 * delay; /* Bpl of G.711 without concealment: 4.3 */
	if (rating < 0)
		return 100;
	double mos = 1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7.0e-6;
	return (uint16_t)(mos * 100.0 + 0.5);
}

static void fill_times(const struct work *w, struct journal_entry *e)
{
	const struct call_state *s = &w->s;
	uint64_t wall = clock_wall_ms();
	e->start_ms = s->attempt > 1 ? s->attempt_wall_ms : w->call->start_wall_ms;
	e->progress_ms = s->progress_wall_ms;
	e->alert_ms = s->alert_wall_ms;
	e->answer_ms = s->answer_wall_ms;
	e->end_ms = wall;
	e->pdd_ms = s->pdd_ms;
	e->duration_ms = s->answer_ms ? w->now - s->answer_ms : 0; /* monotonic: the clock on the wall may be set */
}

/* `named`: sequence + 1 of a record this event has written already, when an attempt fails and the next cannot start */
static struct journal_entry *next_entry(struct sig *g, uint64_t named, uint64_t *ret_sequence)
{
	*ret_sequence = named > g->journal->tail ? named : g->journal->tail;
	struct journal_entry *e = commit_fill(journal_at(g->journal, *ret_sequence));
	memset(e, 0, offsetof(struct journal_entry, text));
	e->sequence = *ret_sequence;
	return e;
}

void record_attempt(struct work *w, bool final)
{
	uint64_t sequence;
	uint32_t used = 0;
	const struct call_state *s = &w->s;
	if (!final && !w->g->c->param[P_SS_CDR_RECORD_NONCONNECT])
		return;
	if (final && !s->answer_ms && !w->g->c->param[P_SS_CDR_RECORD_NONCONNECT])
		return;
	struct journal_entry *e = next_entry(w->g, s->journal, &sequence);
	char call_id[CALL_ID_TEXT];
	e->call_id = w->call->id;
	e->attempt = s->attempt;
	e->final = final;
	e->ended_by = s->ended_by;
	e->recovered = s->recovered;
	e->relayed = s->relayed;
	fill_times(w, e);
	e->code = s->code;
	e->cause = s->cause;
	e->reason = s->reason;
	e->source_in = s->leg[LEG_CALLER].source;
	put(e, &used, &e->ingress, work_text(w, TEXT_INGRESS));
	put(e, &used, &e->account, work_text(w, TEXT_CHARGED));
	put(e, &used, &e->caller_in, work_text(w, TEXT_CALLER_IN));
	put(e, &used, &e->callee_in, work_text(w, TEXT_CALLEE_IN));
	put(e, &used, &e->sip_call_id_in, work_text(w, TEXT_IN_CALL_ID));
	put(e, &used, &e->codec, work_text(w, TEXT_CODEC));
	if (s->attempt) {
		e->target_out = s->leg[LEG_CALLEE].target;
		put(e, &used, &e->egress, work_text(w, TEXT_EGRESS));
		put(e, &used, &e->caller_out, work_text(w, TEXT_CALLER_OUT));
		put(e, &used, &e->callee_out, work_text(w, TEXT_CALLEE_OUT));
		put(e, &used, &e->sip_call_id_out, (struct span){ call_id, compose_call_id(w, call_id, sizeof call_id) });
	}
	if (s->relayed) {
		put_rtp(w, LEG_CALLER, &e->a_to_b);
		put_rtp(w, LEG_CALLEE, &e->b_to_a);
		uint16_t a = mos_of(&e->a_to_b), b = mos_of(&e->b_to_a);
		e->mos_x100 = a && (!b || a < b) ? a : b;
	}
	w->s.journal = sequence + 1;
}

uint64_t record_refused(struct sig *g, const struct event *ev, uint32_t ingress, uint32_t account, enum end_reason reason)
{
	const struct msg *m = ev->m;
	const struct end_reason_info *info = end_reason_info(reason);
	uint64_t sequence, wall = clock_wall_ms();
	uint32_t used = 0;
	if (!g->c->param[P_SS_CDR_RECORD_NONCONNECT] || !journal_has_room(g, 1))
		return 0;
	struct journal_entry *e = next_entry(g, 0, &sequence);
	uuid_make(wall, &e->call_id);
	e->final = 1;
	e->ended_by = ENDED_BY_SYSTEM;
	e->start_ms = e->end_ms = wall;
	e->pdd_ms = UINT64_MAX;
	e->code = info->code;
	e->cause = info->cause;
	e->reason = (uint16_t)reason;
	e->source_in = ev->source;
	struct cfg_mapping_gateway buffer;
	const struct cfg_mapping_gateway *mg = ingress_settings(g->c, ingress, &buffer);
	put(e, &used, &e->ingress, cfg_span(g->c, mg->id));
	if (account < g->c->accounts.n)
		put(e, &used, &e->account, cfg_span(g->c, cfg_account(g->c, account)->id));
	put(e, &used, &e->caller_in, identity_caller(mg, m));
	put(e, &used, &e->callee_in, identity_callee(g->c, mg, m));
	put(e, &used, &e->sip_call_id_in, m->call_id);
	return sequence + 1;
}

void call_journal_publish(struct work *w)
{
	if (w->s.journal > w->g->journal->tail)
		commit_release_u64(&w->g->journal->tail, w->s.journal);
}
