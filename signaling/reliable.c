#include "signaling/reliable.h"
#include "base/uuid.h"
#include "signaling/call.h"
#include "signaling/headers.h"

static const struct span option = SPAN("100rel");

void reliable_begin(struct work *w, const struct msg *m)
{
	struct call_reliable *r = &w->s.reliable;
	r->required = msg_has_option(&m->require, option);
	r->supported = r->required || msg_has_option(&m->supported, option);
}

void reliable_next_attempt(struct work *w)
{
	struct call_reliable *r = &w->s.reliable;
	r->heard = r->passes = 0;
	r->wanted = 0;
}

bool reliable_insisted(struct work *w, const struct msg *m)
{
	struct call_reliable *r = &w->s.reliable;
	/* an offer in a reliable response would have to be answered in our PRACK: there is nobody to answer it */
	if (m->status != 421 || !msg_has_option(&m->require, option) || r->supported || r->wanted || w->s.offer_pending)
		return false;
	r->wanted = 1;
	return true;
}

void reliable_out_request(const struct work *w, struct out *o)
{
	if (w->s.reliable.supported || w->s.reliable.wanted)
		out_lit(o, "Supported: 100rel\r\n");
}

static bool is_reliable(const struct msg *m)
{
	return m->rseq > 0 && msg_has_option(&m->require, option);
}

static void out_rack(const struct work *w, struct out *o, uint32_t rseq)
{
	uint32_t cseq = 1;
	for (uint32_t i = 0; i < CALL_TXNS; i++)
		if (w->s.txn[i].state != TXN_FREE && w->s.txn[i].flags & TXN_INITIAL && !(w->s.txn[i].flags & TXN_ABANDONED))
			cseq = w->s.txn[i].cseq;
	out_lit(o, "RAck: ");
	out_u64(o, rseq);
	out_char(o, ' ');
	out_u64(o, cseq);
	out_lit(o, " INVITE\r\n");
}

/* our own PRACK, in the dialog as it is known */
static void acknowledge(struct work *w, uint32_t rseq)
{
	char line[64];
	struct out o = out_init(line, sizeof line);
	out_rack(w, &o, rseq);
	call_send(w, LEG_CALLEE, METHOD_PRACK, out_done(&o), NULL);
}

bool reliable_in_order(struct work *w, const struct msg *m)
{
	struct call_reliable *r = &w->s.reliable;
	struct span to = work_text(w, TEXT_OUT_TO);
	if (!is_reliable(m))
		return true;
	bool same = w->s.leg[LEG_CALLEE].remote_tag_n && m->to.tag.n && memmem(to.p, to.n, m->to.tag.p, m->to.tag.n);
	if (same && r->heard && m->rseq != (int64_t)r->heard + 1)
		return false;
	if (r->passes) { /* another early dialog goes on: the caller's PRACK would reach the wrong one */
		acknowledge(w, r->passes);
		r->passes = 0;
	}
	r->heard = (uint32_t)m->rseq;
	return true;
}

static void show(struct work *w, struct call_txn *server, uint16_t code, bool reliably, struct span lines, const struct body *b)
{
	static char text[20000];
	struct call_reliable *r = &w->s.reliable;
	struct out extra = out_init(text, sizeof text), o;
	if (reliably) {
		r->rseq = r->rseq ? r->rseq + 1 : (uint32_t)(uuid_random() % 0x3fffffffu) + 1;
		r->outstanding = 1;
		r->shown = b->text.n > 0;
		out_lit(&extra, "Require: 100rel\r\nRSeq: ");
		out_u64(&extra, r->rseq);
		out_lit(&extra, "\r\n");
	}
	out_span(&extra, lines);
	o = compose_begin(w->g);
	server->code = code;
	compose_response(w, &o, server, code, out_done(&extra), b);
	txn_message(w, server, &o);
	if (reliably)
		txn_start_server_final(w, server);
}

/* what goes out when the caller has acknowledged the one before; the latest wins */
static void hold(struct work *w, uint16_t code, struct span lines, const struct body *b)
{
	static char text[SCRATCH_BYTES];
	struct call_reliable *r = &w->s.reliable;
	struct out o = out_init(text, sizeof text);
	if (b->text.n) {
		out_span(&o, b->type);
		out_lit(&o, "\r\n");
		out_span(&o, b->text);
	}
	r->held = code;
	r->held_sdp = b->text.n > 0;
	work_put(w, TEXT_HELD, lines);
	work_put(w, TEXT_HELD_BODY, o.full ? (struct span){ 0 } : out_done(&o));
}

bool reliable_holds_answer(const struct work *w)
{
	return w->s.reliable.outstanding && w->s.reliable.shown;
}

void reliable_hold_answer(struct work *w, uint16_t code, struct span lines, const struct body *b)
{
	hold(w, code, lines, b);
}

void reliable_pass(struct work *w, struct call_txn *server, const struct msg *m, uint16_t code, struct span lines, const struct body *b)
{
	struct call_reliable *r = &w->s.reliable;
	bool came = is_reliable(m), reliably = r->required || (r->supported && came);
	if (r->outstanding) {
		hold(w, code, lines, b);
	} else {
		show(w, server, code, reliably, lines, b);
	}
	if (!came)
		return;
	if (reliably && !r->held) {
		r->passes = (uint32_t)m->rseq;
		r->attempt = w->s.attempt;
	} else {
		acknowledge(w, (uint32_t)m->rseq);
	}
}

enum reliable_ack reliable_acknowledged(struct work *w, const struct msg *m, struct out *rack)
{
	struct call_reliable *r = &w->s.reliable;
	struct call_txn *server = txn_find(w, true, METHOD_INVITE, LEG_CALLER);
	if (!r->outstanding || m->rack_rseq != (int64_t)r->rseq || m->rack_method != METHOD_INVITE ||
	    (server && m->rack_cseq != (int64_t)server->cseq))
		return RELIABLE_UNKNOWN;
	uint32_t passes = r->attempt == w->s.attempt ? r->passes : 0;
	r->outstanding = 0;
	r->passes = 0;
	r->answered |= r->shown;
	if (server && server->state == TXN_PROCEEDING)
		server->resend_ms = server->end_ms = 0;
	if (!passes)
		return RELIABLE_OURS;
	out_rack(w, rack, passes);
	return RELIABLE_PASSES;
}

void reliable_next(struct work *w)
{
	struct call_reliable *r = &w->s.reliable;
	struct call_txn *server = txn_find(w, true, METHOD_INVITE, LEG_CALLER);
	struct span lines = work_text(w, TEXT_HELD), text = work_text(w, TEXT_HELD_BODY);
	struct body b = { 0 };
	uint16_t code = r->held;
	if (!code || r->outstanding)
		return;
	const char *end = text.n ? memmem(text.p, text.n, "\r\n", 2) : NULL;
	if (end)
		b = (struct body){ { text.p, (size_t)(end - text.p) }, { end + 2, text.n - (size_t)(end + 2 - text.p) } };
	r->held = 0;
	r->held_sdp = 0;
	if (server && server->state == TXN_PROCEEDING && code < 200)
		show(w, server, code, r->required, lines, &b);
	else if (server && server->state == TXN_PROCEEDING)
		call_answer(w, server, code, lines, &b);
	work_put(w, TEXT_HELD, (struct span){ 0 });
	work_put(w, TEXT_HELD_BODY, (struct span){ 0 });
}
