/* A dialog of a peer, with its transactions: RFC 3261 sections 12 and 17, RFC 6026 for what is answered twice. */
#include "walk.h"
#include <stdlib.h>

/* --- legs by Call-ID --- */

#define BUCKETS (1u << 20)
static struct bucket {
	uint32_t leg, next; /* + 1 */
} * chain;
static uint32_t *first;

static uint32_t bucket_of(struct span s)
{
	uint64_t h = 0xcbf29ce484222325ull;
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3ull;
	return (uint32_t)(h >> 20) % BUCKETS;
}

struct leg *leg_find(struct span call_id)
{
	for (uint32_t e = first ? first[bucket_of(call_id)] : 0; e; e = chain[e - 1].next)
		if (span_eq(span_of(run.leg[e - 1]->call_id), call_id))
			return run.leg[e - 1];
	return NULL;
}

struct leg *leg_new(struct walk *w, struct port *p, struct span call_id)
{
	struct leg *l = calloc(1, sizeof *l);
	if (!first)
		first = calloc(BUCKETS, sizeof *first);
	if (run.n_legs == run.cap_legs) {
		run.cap_legs = run.cap_legs ? 2 * run.cap_legs : 4096;
		run.leg = realloc(run.leg, run.cap_legs * sizeof(struct leg *));
		chain = realloc(chain, run.cap_legs * sizeof *chain);
	}
	if (!l || !first || !run.leg || !chain || w->n_legs == WALK_LEGS || call_id.n >= sizeof l->call_id)
		abort();
	l->walk = w;
	l->port = p;
	l->number = run.n_legs;
	l->place = (uint8_t)w->n_legs;
	memcpy(l->call_id, call_id.p, call_id.n);
	w->leg[w->n_legs++] = l;
	uint32_t *head = &first[bucket_of(call_id)];
	chain[run.n_legs].next = *head;
	*head = run.n_legs + 1;
	run.leg[run.n_legs++] = l;
	return l;
}

void leg_arm(struct leg *l, uint32_t clock, uint32_t after, void (*f)(struct wheel_timer *, uint64_t))
{
	if (after)
		wheel_add(&run.loop.wheel, &l->clock[clock], clock_ms() + after, f);
}

struct leg *leg_of_clock(struct wheel_timer *t, uint32_t clock)
{
	return (struct leg *)((char *)(t - clock) - offsetof(struct leg, clock));
}

void leg_die(struct leg *l)
{
	l->dead = true;
	wheel_del(&run.loop.wheel, &l->step);
	for (uint32_t i = 0; i < 4; i++)
		wheel_del(&run.loop.wheel, &l->clock[i]);
	for (struct asked *a = l->asked; a; a = a->next)
		wheel_del(&run.loop.wheel, &a->timer);
	for (struct heard *h = l->heard; h; h = h->next)
		wheel_del(&run.loop.wheel, &h->timer);
}

/* --- requests of ours --- */

static void asked_over(struct asked *a)
{
	wheel_del(&run.loop.wheel, &a->timer);
	a->over = true;
}

static void asked_timer(struct wheel_timer *t, uint64_t now)
{
	struct asked *a = (struct asked *)t;
	if (now >= a->end) {
		asked_over(a);
		return;
	}
	if (a->method != M_INVITE || !a->proceeding)
		wire_send(a->leg, a->bytes, a->n);
	a->interval = a->method == M_INVITE ? 2 * a->interval : 2 * a->interval < T2 ? 2 * a->interval : T2;
	wheel_add(&run.loop.wheel, t, now + a->interval, asked_timer);
}

static void out_number(struct out *o, const char *before, uint64_t v, const char *after)
{
	out_span(o, span_of(before));
	out_u64(o, v);
	out_span(o, span_of(after));
}

static void out_request(
	struct out *o, const struct leg *l, enum method method, uint32_t number, uint32_t cseq, struct span to)
{
	const char *name = method_text[method];
	out_span(o, span_of(name));
	out_char(o, ' ');
	out_span(o, span_of(l->target));
	out_lit(o, " SIP/2.0\r\nVia: SIP/2.0/UDP ");
	out_addr(o, &l->port->addr);
	out_number(o, ";branch=z9hG4bKw", l->number, ".");
	out_number(o, "", number, ";rport\r\nMax-Forwards: 70\r\nFrom: ");
	out_span(o, span_of(l->local));
	out_lit(o, "\r\nTo: ");
	out_span(o, to);
	out_lit(o, "\r\nCall-ID: ");
	out_span(o, span_of(l->call_id));
	out_number(o, "\r\nCSeq: ", cseq, " ");
	out_span(o, span_of(name));
	out_lit(o, "\r\nContact: <sip:walk@");
	out_addr(o, &l->port->addr);
	out_lit(o, ">\r\n");
}

static struct asked *keep(struct leg *l, enum method method, uint32_t number, uint32_t cseq, const struct out *o)
{
	struct asked *a = calloc(1, sizeof *a);
	char *bytes = malloc(o->n);
	if (!a || !bytes || o->full)
		abort();
	memcpy(bytes, o->p, o->n);
	*a = (struct asked){ .leg = l,
		.method = method,
		.number = number,
		.cseq = cseq,
		.interval = T1,
		.n = (uint32_t)o->n,
		.end = clock_ms() + LIFE,
		.bytes = bytes,
		.next = l->asked };
	l->asked = a;
	wheel_add(&run.loop.wheel, &a->timer, clock_ms() + T1, asked_timer);
	wire_send(l, bytes, o->n);
	return a;
}

struct asked *leg_ask(struct leg *l, enum method method, bool sdp)
{
	char buffer[TEXT_SIZE];
	struct out o = text_begin(buffer);
	uint32_t number = ++l->next_txn;
	if (l->dead)
		return NULL;
	out_request(&o, l, method, number, ++l->cseq, span_of(l->remote));
	if (sdp)
		text_sdp(&o, l);
	else
		out_lit(&o, "Content-Length: 0\r\n\r\n");
	return keep(l, method, number, l->cseq, &o);
}

/* The answer's To carries the tag. For a failure the branch is the INVITE's, for a 2xx a new one. */
void leg_ack(struct leg *l, const struct asked *a, const struct text *t)
{
	char buffer[TEXT_SIZE];
	struct out o = text_begin(buffer);
	bool ok = t->code < 300, answer = ok && l->place == 0 && a->cseq == 1 && l->walk->script.no_offer;
	out_request(&o, l, M_ACK, ok ? 100000 + ++l->next_txn : a->number, a->cseq, t->to);
	if (answer)
		text_sdp(&o, l);
	else
		out_lit(&o, "Content-Length: 0\r\n\r\n");
	wire_send(l, o.p, o.n);
}

/* of the first INVITE, whose To has no tag */
void leg_cancel(struct leg *l)
{
	char buffer[TEXT_SIZE];
	struct out o = text_begin(buffer);
	struct span to = span_of(l->remote);
	const char *tag = strstr(l->remote, ";tag=");
	if (tag)
		to.n = (size_t)(tag - l->remote);
	l->cancelling = true;
	char target[sizeof l->target];
	memcpy(target, l->target, sizeof target);
	snprintf(l->target, sizeof l->target, "%.*s", (int)(to.n > 2 ? to.n - 2 : 0),
		l->remote + 1); /* the INVITE's URI */
	out_request(&o, l, M_CANCEL, 1, 1, to);
	memcpy(l->target, target, sizeof target);
	out_lit(&o, "Content-Length: 0\r\n\r\n");
	keep(l, M_CANCEL, 1, 1, &o);
}

struct asked *leg_asked(struct leg *l, const struct text *t)
{
	const char *dot = memchr(t->branch.p, '.', t->branch.n);
	uint32_t number = dot ? (uint32_t)strtoul(dot + 1, NULL, 10) : 0;
	for (struct asked *a = l->asked; a; a = a->next)
		if (a->number == number && a->method == t->cseq_method)
			return a;
	return NULL;
}

bool leg_asking(const struct leg *l, enum method method)
{
	for (const struct asked *a = l->asked; a; a = a->next)
		if (a->method == method && !a->over)
			return true;
	return false;
}

/* --- requests of the softswitch --- */

static void heard_timer(struct wheel_timer *t, uint64_t now)
{
	struct heard *h = (struct heard *)t;
	if (h->acked)
		return;
	if (now >= h->end) {
		if (h->code < 300 && !h->leg->byed) { /* RFC 3261 section 13.3.1.4 */
			h->leg->byed = true;
			leg_ask(h->leg, M_BYE, false);
		}
		return;
	}
	wire_send(h->leg, h->bytes, h->n);
	h->interval = 2 * h->interval < T2 ? 2 * h->interval : T2;
	wheel_add(&run.loop.wheel, t, now + h->interval, heard_timer);
}

struct heard *leg_hear(struct leg *l, const struct text *t, bool *ret_again)
{
	for (struct heard *h = l->heard; h; h = h->next) {
		if (h->method != t->method || h->cseq != t->cseq)
			continue;
		if (h->bytes)
			wire_send(l, h->bytes, h->n);
		*ret_again = true;
		return h;
	}
	struct heard *h = calloc(1, sizeof *h);
	size_t n = t->via.n + t->from.n + t->to.n + t->call_id.n + 128;
	char *head = malloc(n);
	if (!h || !head)
		abort();
	snprintf(head, n, "\r\nVia: %.*s\r\nFrom: %.*s\r\nCall-ID: %s\r\nCSeq: %u %s\r\nTo: %.*s", (int)t->via.n,
		t->via.p, (int)t->from.n, t->from.p, l->call_id, t->cseq, method_text[t->method], (int)t->to.n,
		t->to.p);
	*h = (struct heard){ .leg = l,
		.method = t->method,
		.cseq = t->cseq,
		.head = head,
		.has_tag = t->to_tag.n > 0,
		.next = l->heard };
	l->heard = h;
	*ret_again = false;
	return h;
}

void leg_answer(struct heard *h, uint16_t code, bool sdp)
{
	char buffer[TEXT_SIZE];
	struct out o = text_begin(buffer);
	struct leg *l = h->leg;
	const char *tag = strstr(l->local, ";tag=");
	out_number(&o, "SIP/2.0 ", code, " Walk");
	out_span(&o, span_of(h->head));
	if (!h->has_tag && code > 100 && tag)
		out_span(&o, span_of(tag));
	out_lit(&o, "\r\nContact: <sip:walk@");
	out_addr(&o, &l->port->addr);
	out_lit(&o, ">\r\n");
	if (sdp)
		text_sdp(&o, l);
	else
		out_lit(&o, "Content-Length: 0\r\n\r\n");
	if (o.full)
		abort();
	free(h->bytes);
	h->bytes = malloc(o.n);
	if (!h->bytes)
		abort();
	memcpy(h->bytes, o.p, o.n);
	h->n = (uint32_t)o.n;
	h->code = code;
	if (h->method == M_INVITE && code >= 200) {
		h->interval = T1;
		h->end = clock_ms() + LIFE;
		wheel_add(&run.loop.wheel, &h->timer, clock_ms() + T1, heard_timer);
	}
	wire_send(l, h->bytes, h->n);
}

/* --- what was received --- */

static void acked(struct leg *l, const struct text *t)
{
	for (struct heard *h = l->heard; h; h = h->next) {
		if (h->method != M_INVITE || h->cseq != t->cseq || h->code < 200 || h->acked)
			continue;
		h->acked = true;
		wheel_del(&run.loop.wheel, &h->timer);
		if (l->place && h->code < 300 && !h->has_tag)
			gateway_acked(l);
	}
}

static void in_dialog(struct leg *l, struct heard *h, const struct text *t)
{
	bool sdp = t->body.n > 0;
	if (t->method == M_BYE) {
		leg_answer(h, 200, false);
		l->byed = true;
		if (!l->place)
			caller_bye_received(l);
	} else if (l->byed) {
		leg_answer(h, 481, false);
	} else if (t->method == M_INVITE) {
		bool glare = leg_asking(l, M_INVITE) || leg_asking(l, M_UPDATE);
		leg_answer(h, glare ? 491 : draw(&l->walk->rng, 10) == 0 ? 488 : 200, !glare && sdp);
	} else if (t->method == M_UPDATE) {
		bool glare = sdp && (leg_asking(l, M_INVITE) || leg_asking(l, M_UPDATE)) && l->up;
		leg_answer(h, glare ? 491 : 200, !glare && sdp);
	} else {
		leg_answer(h, 405, false);
	}
}

static void response(struct leg *l, const struct text *t)
{
	struct asked *a = leg_asked(l, t);
	if (!a)
		return;
	if (t->code < 200) {
		a->proceeding = true;
	} else if (a->method == M_INVITE) {
		leg_ack(l, a, t);
		asked_over(a);
	} else {
		asked_over(a);
	}
	if (!l->place)
		caller_response(l, a, t);
}

void leg_receive(struct leg *l, const struct text *t)
{
	bool again;
	if (t->method == M_NONE) {
		response(l, t);
	} else if (t->method == M_ACK) {
		acked(l, t);
	} else {
		struct heard *h = leg_hear(l, t, &again);
		if (again)
			return;
		if (t->method == M_CANCEL) {
			l->got_cancel = true;
			leg_answer(h, l->got_invite ? 200 : 481, false);
			if (l->place)
				gateway_cancelled(l);
		} else if (l->place && t->method == M_INVITE && !t->to_tag.n) {
			l->got_invite = true;
			gateway_invited(l, h);
		} else {
			in_dialog(l, h, t);
		}
	}
}

/* --- what the wire has seen --- */

static bool initial(const struct leg *l, const struct text *t)
{
	return t->cseq_method == M_INVITE && t->cseq == (l->place ? l->early_cseq : 1);
}

static void complain(const struct leg *l, const char *what)
{
	printf("walk %u: %s\n", l->walk->index, what);
	run.failures++;
	ladder(l->walk);
}

void leg_seen(struct leg *l, const struct text *t)
{
	if (t->method == M_BYE)
		l->seen_bye = true;
	else if (t->method == M_CANCEL)
		l->seen_cancel = true;
	else if (t->method == M_ACK && l->place && t->cseq == l->early_cseq)
		l->seen_ack = true;
	if (l->place || t->method != M_NONE || t->code < 200 || !initial(l, t))
		return;
	char tag[sizeof l->seen_tag];
	snprintf(tag, sizeof tag, "%.*s", (int)t->to_tag.n, t->to_tag.p);
	if (!l->seen_final) {
		l->seen_final = t->code;
		memcpy(l->seen_tag, tag, sizeof tag);
	} else if (l->seen_final != t->code || strcmp(tag, l->seen_tag) != 0) {
		note(l, '!', t);
		complain(l, "the caller got two different final answers");
	}
}

void leg_gave(struct leg *l, const struct text *t)
{
	uint64_t now = clock_ms();
	if (t->method == M_BYE)
		l->gave_bye = true;
	else if (t->method == M_CANCEL)
		l->gave_cancel = true;
	else if (t->method == M_ACK && t->cseq == 1)
		l->gave_ack = true;
	else if (t->method == M_INVITE && t->cseq == 1)
		l->gave_invite = true;
	if (t->method == M_NONE && t->code == 481)
		l->gave_gone = true;
	if (!l->place || t->method != M_NONE || !initial(l, t))
		return;
	if (t->code >= 200) {
		if (!l->gave_final) {
			l->gave_final = t->code;
			l->gave_final_at = now;
		}
		return;
	}
	if (l->gave_final)
		return;
	l->gave_100 = true;
	l->gave_late |= now - l->first_seen > 900;
	if (t->code == 180)
		l->gave_ring = true;
	else if (t->code > 100)
		l->gave_progress = true;
	if (t->body.n)
		l->gave_sdp = true;
}
