#include "peers.h"
#include "agent.h"
#include "base/clock.h"
#include <poll.h>
#include <stdarg.h>
#include <unistd.h>

#define CALLS     256 /* remembered, also when they are over */
#define T1        25u
#define T2        200u
#define LONGEST   10000u /* a call must be over by then */
#define LATE      1400u /* of the gateway that is silent first; its time limit is 1 s */
#define GATEWAYS  2
#define TEXT      2048

enum { CALLER, GATEWAY };
struct resend { /* of a message that waits for its answer */
	bool on;
	char text[TEXT];
	uint64_t next;
	unsigned interval;
};
struct side { /* of one dialog */
	int fd;
	struct addr peer;
	char call_id[64], from[256], to[256], target[128]; /* From and To of requests that this side sends */
	char branch[80];         /* of the INVITE: caller's last sent, gateway's first received */
	char last_branch[80];    /* gateway: of the last INVITE received */
	char last[TEXT];         /* gateway: last response to it */
	unsigned cseq, invite_cseq;
	struct resend request, answer;
	bool over;
};
struct call_of_ours {
	bool used, burst, cancelled, final;
	unsigned serial;
	const struct script *script;
	const char *step;        /* the next one */
	struct side side[2];
	unsigned gateway;        /* index of the one that took it */
	bool tried[GATEWAYS];
	char tried_call_id[GATEWAYS][64], failed[GATEWAYS][TEXT];
	struct resend failing;   /* the 503 or 487 of gw-a until its ACK */
	struct resend late;      /* its 180, until the CANCEL */
	uint64_t late_at;
	uint64_t started, ring_at, answer_at, again_at;
	uint64_t answer_hash;    /* of code, To tag and body of the final answer */
	unsigned records, finals;
};
struct peers {
	struct agent caller, gateway[GATEWAYS];
	struct call_of_ours call[CALLS];
	unsigned serial;
};

static const char sdp[] = "v=0\r\no=x 1 1 IN IP4 127.0.3.1\r\ns=-\r\nc=IN IP4 127.0.3.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 0\r\n";

struct peers *peers_new(void)
{
	struct peers *p = calloc(1, sizeof *p);
	CHECK(p, "memory");
	agent_open(&p->caller, "caller", "127.0.1.2");
	agent_open(&p->gateway[0], "alpha", "127.0.2.1");
	agent_open(&p->gateway[1], "beta", "127.0.2.2");
	return p;
}
const struct addr *peers_caller(const struct peers *p) { return &p->caller.addr; }
const struct addr *peers_gateway(const struct peers *p, unsigned i) { return &p->gateway[i].addr; }
uint64_t peers_calls(const struct peers *p) { return p->serial; }

static struct call_of_ours *call_of(struct peers *p, unsigned serial)
{
	struct call_of_ours *c = &p->call[serial % CALLS];
	return c->used && c->serial == serial ? c : NULL;
}

static bool running(const struct call_of_ours *c)
{
	return c->used && !(c->side[CALLER].over && c->side[GATEWAY].over && !c->failing.on && !c->late_at && !c->late.on && !c->side[CALLER].request.on &&
			    !c->side[CALLER].answer.on && !c->side[GATEWAY].request.on && !c->side[GATEWAY].answer.on);
}

unsigned peers_running(const struct peers *p)
{
	unsigned n = 0;
	for (unsigned i = 0; i < CALLS; i++)
		n += running(&p->call[i]);
	return n;
}

/* --- sending --- */

static void transmit(const struct side *s, const char *text)
{
	struct sockaddr_storage sa;
	socklen_t n = addr_to_sockaddr(&s->peer, &sa);
	CHECK(sendto(s->fd, text, strlen(text), 0, (struct sockaddr *)&sa, n) > 0, "sendto");
}

static void start(struct resend *r, const struct side *s, const char *text)
{
	r->on = true;
	snprintf(r->text, sizeof r->text, "%s", text);
	r->interval = T1;
	r->next = clock_ms() + T1;
	transmit(s, text);
}

static void resend_due(struct resend *r, const struct side *s, uint64_t now)
{
	if (!r->on || r->next > now)
		return;
	transmit(s, r->text);
	r->interval = r->interval * 2 < T2 ? r->interval * 2 : T2;
	r->next = now + r->interval;
}

static const char *contact(const struct agent *a)
{
	static char text[ADDR_TEXT_MAX];
	addr_format(&a->addr, false, text, sizeof text);
	return text;
}

static const char *compose(const struct peers *p, const struct call_of_ours *c, unsigned side, const char *method, unsigned cseq, const char *branch,
	const char *body)
{
	static char text[TEXT];
	const struct side *s = &c->side[side];
	const struct agent *a = side == CALLER ? &p->caller : &p->gateway[c->gateway];
	int n = snprintf(text, sizeof text,
		"%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=%s;rport\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %u %s\r\n"
		"Contact: <sip:%s>\r\n%sContent-Length: %zu\r\n\r\n%s",
		method, s->target, contact(a), branch, s->from, s->to, s->call_id, cseq, method, contact(a),
		*body ? "Content-Type: application/sdp\r\n" : "", strlen(body), body);
	CHECK(n < TEXT, "too long");
	return text;
}

/* a request inside the dialog, resent until it is answered */
static void ask(struct peers *p, struct call_of_ours *c, unsigned side, const char *method)
{
	struct side *s = &c->side[side];
	char branch[80];
	bool invite = !strcmp(method, "INVITE");
	snprintf(branch, sizeof branch, "z9hG4bK%s%u-%u", side == CALLER ? "c" : "g", c->serial, ++s->cseq);
	if (invite) {
		memcpy(s->branch, branch, sizeof branch);
		s->invite_cseq = s->cseq;
	}
	start(&s->request, s, compose(p, c, side, method, s->cseq, branch, invite || !strcmp(method, "UPDATE") ? sdp : ""));
}

static const char *compose_response(const struct peers *p, const struct call_of_ours *c, const struct sip *m, unsigned side, unsigned code)
{
	static char text[TEXT];
	const struct agent *a = side == CALLER ? &p->caller : &p->gateway[c->gateway];
	bool body = code == 200 && (!strcmp(m->method, "INVITE") || !strcmp(m->method, "UPDATE"));
	char to[256];
	snprintf(to, sizeof to, "%s", sip_header(m, "To", 0));
	if (!*sip_tag(m, "To") && code > 100)
		snprintf(to + strlen(to), sizeof to - strlen(to), ";tag=%c%u", side == GATEWAY && c->gateway == 0 && c->script->forked ? 'f' : 'g', c->serial);
	int n = snprintf(text, sizeof text,
		"SIP/2.0 %u X\r\nVia: %s\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %u %s\r\nContact: <sip:%s>\r\n%sContent-Length: %zu\r\n\r\n%s", code,
		sip_header(m, "Via", 0), sip_header(m, "From", 0), to, sip_header(m, "Call-ID", 0), m->cseq, m->method, contact(a),
		body ? "Content-Type: application/sdp\r\n" : "", body ? strlen(sdp) : 0, body ? sdp : "");
	CHECK(n < TEXT, "too long");
	return text;
}

static void ack(struct peers *p, struct call_of_ours *c, unsigned side, const struct sip *m)
{
	struct side *s = &c->side[side];
	char branch[96], to[256];
	snprintf(branch, sizeof branch, "%s%s", m->code < 300 ? sip_branch(m) : "", m->code < 300 ? "ack" : sip_branch(m));
	memcpy(to, s->to, sizeof to);
	snprintf(s->to, sizeof s->to, "%s", sip_header(m, "To", 0));
	transmit(s, compose(p, c, side, "ACK", m->cseq, branch, c->script->delayed && m->code < 300 && m->cseq == 1 && side == CALLER ? sdp : ""));
	memcpy(s->to, to, sizeof to);
}

void peers_call(struct peers *p, const struct addr *to, const struct script *script, bool burst)
{
	struct call_of_ours *c = &p->call[++p->serial % CALLS];
	char where[ADDR_TEXT_MAX];
	CHECK(!running(c), "too many calls at once");
	CHECK(!c->used || c->records == c->script->records, "call %u has %u records instead of %u", c->serial, c->records, c->script->records);
	memset(c, 0, sizeof *c);
	c->used = true;
	c->burst = burst;
	c->serial = p->serial;
	c->script = script;
	c->step = script->steps;
	c->started = clock_ms();
	struct side *s = &c->side[CALLER];
	s->fd = p->caller.fd;
	s->peer = *to;
	addr_format(to, false, where, sizeof where);
	snprintf(s->call_id, sizeof s->call_id, "crash-%u-%d", c->serial, (int)getpid());
	snprintf(s->from, sizeof s->from, "<sip:500%u@caller.private>;tag=c%u", c->serial, c->serial);
	snprintf(s->to, sizeof s->to, "<sip:%s%u@%s>", script->number, c->serial, where);
	snprintf(s->target, sizeof s->target, "sip:%s%u@%s", script->number, c->serial, where);
	snprintf(s->branch, sizeof s->branch, "z9hG4bKc%u-1", c->serial);
	s->cseq = s->invite_cseq = 1;
	c->side[GATEWAY].over = true; /* until an INVITE comes there */
	start(&s->request, s, compose(p, c, CALLER, "INVITE", 1, s->branch, script->delayed ? "" : sdp));
}

/* --- the script --- */

static void advance(struct peers *p, struct call_of_ours *c)
{
	switch (c->step ? *c->step++ : 0) {
	case 'r':
		ask(p, c, CALLER, "INVITE");
		break;
	case 'R':
		ask(p, c, GATEWAY, "INVITE");
		break;
	case 'i':
		ask(p, c, CALLER, "INFO");
		break;
	case 'u':
		ask(p, c, GATEWAY, "UPDATE");
		break;
	case 'b':
		ask(p, c, CALLER, "BYE");
		break;
	case 'B':
		ask(p, c, GATEWAY, "BYE");
		break;
	default:
		CHECK(false, "call %u: nothing left to do", c->serial);
	}
}

/* a final response to something inside the dialog */
static void asked(struct peers *p, struct call_of_ours *c, unsigned side, const struct sip *m)
{
	struct side *s = &c->side[side];
	bool invite = !strcmp(m->method, "INVITE");
	if (invite)
		ack(p, c, side, m);
	if (!s->request.on || m->cseq != s->cseq)
		return;
	s->request.on = false;
	if (m->code == 491 || m->code == 500) { /* the other side's transaction is not over in between: once more */
		c->step--;
		c->again_at = clock_ms() + 20;
		return;
	}
	CHECK(m->code == 200, "call %u (%s): %s of %s answered %u", c->serial, c->script->name, m->method, side == CALLER ? "the caller" : "the callee", m->code);
	if (!strcmp(m->method, "BYE"))
		s->over = true;
	else
		advance(p, c);
}

/* --- the caller --- */

static uint64_t hash_answer(const struct sip *m)
{
	uint64_t k = 0xcbf29ce484222325ull + m->code;
	for (const char *t = sip_tag(m, "To"); *t; t++)
		k = (k ^ (unsigned char)*t) * 0x100000001b3ull;
	for (const char *t = sip_body(m); *t; t++)
		k = (k ^ (unsigned char)*t) * 0x100000001b3ull;
	return k;
}

static void caller_answered(struct peers *p, struct call_of_ours *c, const struct sip *m)
{
	struct side *s = &c->side[CALLER];
	if (c->final)
		CHECK(hash_answer(m) == c->answer_hash, "call %u (%s) got two answers, the second:\n%s", c->serial, c->script->name, m->text);
	if (m->code < 300 && !c->final) {
		snprintf(s->to, sizeof s->to, "%s", sip_header(m, "To", 0));
		snprintf(s->target, sizeof s->target, "%s", sip_uri(m, "Contact"));
	}
	ack(p, c, CALLER, m);
	if (c->final)
		return;
	c->final = true;
	c->answer_hash = hash_answer(m);
	CHECK(m->code == c->script->code, "call %u (%s): answered %u", c->serial, c->script->name, m->code);
	if (!c->cancelled)
		s->request.on = false;
	if (m->code < 300)
		advance(p, c);
	else
		s->over = true;
}

static void caller_response(struct peers *p, struct call_of_ours *c, const struct sip *m)
{
	struct side *s = &c->side[CALLER];
	if (!strcmp(m->method, "CANCEL")) {
		CHECK(m->code == 200, "call %u: CANCEL answered %u", c->serial, m->code);
		s->request.on = false;
	} else if (m->code < 200) {
		if (m->cseq == 1 && !c->cancelled && !c->final)
			s->request.on = false;
		if (m->code == 180 && c->script->cancel && !c->cancelled && !c->final) {
			c->cancelled = true;
			start(&s->request, s, compose(p, c, CALLER, "CANCEL", 1, s->branch, ""));
		}
	} else if (m->cseq == 1) {
		caller_answered(p, c, m);
	} else {
		asked(p, c, CALLER, m);
	}
}

/* --- the gateway --- */

static void gateway_ring(struct peers *p, struct call_of_ours *c, uint64_t now)
{
	struct side *s = &c->side[GATEWAY];
	struct sip invite = { .cseq = 1 };
	snprintf(invite.method, sizeof invite.method, "INVITE");
	snprintf(invite.text, sizeof invite.text, "%s", s->last); /* the 100: it has the headers of the INVITE */
	bool ring = c->ring_at && c->ring_at <= now, answer = c->answer_at && c->answer_at <= now;
	if (ring) {
		c->ring_at = 0;
		const char *text = compose_response(p, c, &invite, GATEWAY, 180);
		transmit(s, text);
	}
	if (answer) {
		c->answer_at = 0;
		snprintf(s->last, sizeof s->last, "%s", compose_response(p, c, &invite, GATEWAY, 200));
		start(&s->answer, s, s->last);
	}
}

/* of gw-a, whoever has taken the call */
static const char *first_response(const struct peers *p, struct call_of_ours *c, const struct sip *m, unsigned code)
{
	unsigned taker = c->gateway;
	c->gateway = 0;
	const char *text = compose_response(p, c, m, GATEWAY, code);
	c->gateway = taker;
	return text;
}

static void gateway_takes(struct peers *p, struct call_of_ours *c, unsigned gateway, const struct sip *m)
{
	struct side *s = &c->side[GATEWAY];
	char call_id[64];
	snprintf(call_id, sizeof call_id, "%s", sip_header(m, "Call-ID", 0));
	if (c->tried[gateway]) {
		CHECK(!strcmp(c->tried_call_id[gateway], call_id), "call %u (%s): gateway %u got a second INVITE", c->serial, c->script->name, gateway);
		if ((c->script->first_silent || c->script->forked) && gateway == 0 && !c->failed[0][0])
			return;
		transmit(s, c->failed[gateway][0] ? c->failed[gateway] : s->last);
		return;
	}
	c->tried[gateway] = true;
	memcpy(c->tried_call_id[gateway], call_id, sizeof call_id);
	if (c->script->forked && gateway == 0) {
		c->late_at = clock_ms();
		snprintf(c->late.text, sizeof c->late.text, "%s", first_response(p, c, m, 180));
		return;
	}
	memset(s, 0, sizeof *s);
	c->gateway = gateway;
	s->fd = p->gateway[gateway].fd;
	s->peer = m->source;
	if (c->script->first_silent && gateway == 0) {
		s->over = true;
		c->late_at = clock_ms() + LATE;
		snprintf(c->late.text, sizeof c->late.text, "%s", compose_response(p, c, m, GATEWAY, 180));
		return;
	}
	if (c->script->first_fails && gateway == 0) {
		s->over = true;
		snprintf(c->failed[0], sizeof c->failed[0], "%s", compose_response(p, c, m, GATEWAY, 503));
		start(&c->failing, s, c->failed[0]);
		return;
	}
	memcpy(s->call_id, call_id, sizeof call_id);
	snprintf(s->from, sizeof s->from, "%s;tag=g%u", sip_header(m, "To", 0), c->serial);
	snprintf(s->to, sizeof s->to, "%s", sip_header(m, "From", 0));
	snprintf(s->target, sizeof s->target, "%s", sip_uri(m, "Contact"));
	snprintf(s->branch, sizeof s->branch, "%s", sip_branch(m));
	memcpy(s->last_branch, s->branch, sizeof s->branch);
	snprintf(s->last, sizeof s->last, "%s", compose_response(p, c, m, GATEWAY, 100));
	transmit(s, s->last);
	c->ring_at = clock_ms() + (c->burst ? 0 : 2);
	c->answer_at = c->script->steps ? clock_ms() + (c->burst ? 0 : 4) : 0;
	gateway_ring(p, c, clock_ms());
}

static void gateway_re_invite(struct peers *p, struct call_of_ours *c, unsigned side, const struct sip *m)
{
	struct side *s = &c->side[side];
	if (strcmp(s->last_branch, sip_branch(m)) == 0) {
		transmit(s, s->last);
		return;
	}
	snprintf(s->last_branch, sizeof s->last_branch, "%s", sip_branch(m));
	snprintf(s->last, sizeof s->last, "%s", compose_response(p, c, m, side, 200));
	start(&s->answer, s, s->last);
}

static struct side first_gateway(const struct peers *p, const struct call_of_ours *c)
{
	return (struct side){ .fd = p->gateway[0].fd, .peer = c->side[CALLER].peer };
}

/* the one that had been silent */
static void late_cancelled(struct peers *p, struct call_of_ours *c, const struct sip *m)
{
	struct side first = first_gateway(p, c);
	struct sip invite = *m;
	snprintf(invite.method, sizeof invite.method, "INVITE");
	CHECK(c->late.on || c->failed[0][0], "call %u: CANCEL before any response", c->serial);
	transmit(&first, first_response(p, c, m, 200));
	if (c->failed[0][0])
		return;
	c->late.on = false;
	snprintf(c->failed[0], sizeof c->failed[0], "%s", first_response(p, c, &invite, 487));
	start(&c->failing, &first, c->failed[0]);
}

static void gateway_cancelled(struct peers *p, struct call_of_ours *c, const struct sip *m)
{
	struct side *s = &c->side[GATEWAY];
	transmit(s, compose_response(p, c, m, GATEWAY, 200));
	if (s->over || s->answer.on)
		return;
	struct sip invite = *m;
	snprintf(invite.method, sizeof invite.method, "INVITE");
	c->ring_at = c->answer_at = 0;
	snprintf(s->last, sizeof s->last, "%s", compose_response(p, c, &invite, GATEWAY, 487));
	start(&s->answer, s, s->last);
}

static void in_dialog(struct peers *p, struct call_of_ours *c, unsigned side, const struct sip *m)
{
	struct side *s = &c->side[side];
	if (!strcmp(m->method, "INVITE")) {
		gateway_re_invite(p, c, side, m);
		return;
	}
	transmit(s, compose_response(p, c, m, side, 200));
	if (!strcmp(m->method, "BYE")) {
		s->over = true;
		s->answer.on = false;
	}
}

static void gateway_ack(struct call_of_ours *c, unsigned gateway)
{
	struct side *s = &c->side[GATEWAY];
	if (c->failed[gateway][0]) {
		c->failing.on = false;
		return;
	}
	s->answer.on = false;
	if (strstr(s->last, "SIP/2.0 487"))
		s->over = true;
}

/* --- what came --- */

static struct call_of_ours *by_call_id(struct peers *p, int gateway, const char *call_id)
{
	for (unsigned i = 0; i < CALLS; i++) {
		struct call_of_ours *c = &p->call[i];
		if (c->used && !strcmp(gateway < 0 ? c->side[CALLER].call_id : c->tried_call_id[gateway], call_id))
			return c;
	}
	return NULL;
}

static void came(struct peers *p, int gateway, const struct sip *m)
{
	struct call_of_ours *c;
	unsigned side = gateway < 0 ? CALLER : GATEWAY, serial;
	if (side == GATEWAY && !m->code && !strcmp(m->method, "INVITE") && !*sip_tag(m, "To")) {
		bool known = sscanf(m->text, "INVITE sip:1%u@", &serial) == 1 || sscanf(sip_header(m, "From", 0), "<sip:500%u@", &serial) == 1;
		CHECK(known, "an INVITE to %.40s", m->text);
		c = call_of(p, serial);
		CHECK(c, "an INVITE of no call of ours: %u", serial);
		gateway_takes(p, c, (unsigned)gateway, m);
		return;
	}
	c = by_call_id(p, gateway, sip_header(m, "Call-ID", 0));
	if (!c)
		return; /* long over */
	if (m->code && side == CALLER)
		caller_response(p, c, m);
	else if (m->code)
		m->code >= 200 ? asked(p, c, GATEWAY, m) : (void)0;
	else if (!strcmp(m->method, "ACK") && side == GATEWAY)
		gateway_ack(c, (unsigned)gateway);
	else if (!strcmp(m->method, "ACK"))
		c->side[CALLER].answer.on = false;
	else if (!strcmp(m->method, "CANCEL"))
		(c->script->first_silent || c->script->forked) && gateway == 0 ? late_cancelled(p, c, m) : gateway_cancelled(p, c, m);
	else
		in_dialog(p, c, side, m);
}

static void read_all(struct peers *p, int gateway, int fd)
{
	static struct sip m;
	struct sockaddr_storage sa;
	socklen_t size = sizeof sa;
	ssize_t n;
	while ((n = recvfrom(fd, m.text, sizeof m.text - 1, MSG_DONTWAIT, (struct sockaddr *)&sa, &size)) > 0) {
		m.text[n] = 0;
		addr_from_sockaddr((struct sockaddr *)&sa, &m.source);
		if (sscanf(m.text, "SIP/2.0 %hu", &m.code) != 1)
			m.code = 0;
		CHECK(sscanf(sip_header(&m, "CSeq", 0), "%u %15s", &m.cseq, m.method) == 2, "CSeq in\n%s", m.text);
		came(p, gateway, &m);
		size = sizeof sa;
	}
}

static void due(struct peers *p, struct call_of_ours *c, uint64_t now)
{
	gateway_ring(p, c, now);
	if (c->again_at && c->again_at <= now) {
		c->again_at = 0;
		advance(p, c);
	}
	for (unsigned i = 0; i < 2; i++) {
		resend_due(&c->side[i].request, &c->side[i], now);
		resend_due(&c->side[i].answer, &c->side[i], now);
	}
	struct side first = first_gateway(p, c);
	if (c->late_at && c->late_at <= now) {
		c->late_at = 0;
		c->late.on = true;
		c->late.interval = T2;
		c->late.next = now;
	}
	resend_due(&c->late, &first, now);
	resend_due(&c->failing, &first, now);
	CHECK(now < c->started + LONGEST, "call %u (%s) does not come to its end: answered %d, caller over %d, callee over %d, waiting %d%d%d%d%d, step %s\n%s",
		c->serial, c->script->name, c->final, c->side[0].over, c->side[1].over, c->side[0].request.on, c->side[0].answer.on, c->side[1].request.on,
		c->side[1].answer.on, c->failing.on, c->step ? c->step : "-", c->side[0].request.on ? c->side[0].request.text : c->side[1].answer.text);
}

void peers_turn(struct peers *p, int ms)
{
	struct pollfd fds[1 + GATEWAYS] = { { .fd = p->caller.fd, .events = POLLIN } };
	for (int i = 0; i < GATEWAYS; i++)
		fds[1 + i] = (struct pollfd){ .fd = p->gateway[i].fd, .events = POLLIN };
	poll(fds, 1 + GATEWAYS, ms);
	for (int i = 0; i <= GATEWAYS; i++)
		if (fds[i].revents)
			read_all(p, i - 1, fds[i].fd);
	uint64_t now = clock_ms();
	for (unsigned i = 0; i < CALLS; i++)
		if (running(&p->call[i]))
			due(p, &p->call[i], now);
}

/* --- records --- */

void peers_records(struct peers *p, struct harness *h, bool all)
{
	const struct journal_entry *e;
	while ((e = harness_record(h))) {
		unsigned serial;
		char call_id[64];
		snprintf(call_id, sizeof call_id, "%.*s", (int)e->sip_call_id_in.n, e->text + e->sip_call_id_in.at);
		struct call_of_ours *c = sscanf(call_id, "crash-%u-", &serial) == 1 ? call_of(p, serial) : NULL;
		CHECK(c, "a record of no call of ours: %s", call_id);
		c->records++;
		c->finals += e->final;
		CHECK(c->records <= c->script->records && c->finals <= 1, "call %u (%s): record %u, final %u, too many", serial, c->script->name, c->records, c->finals);
		CHECK(e->final == (c->records == c->script->records), "call %u (%s): record %u of %u, final: %u", serial, c->script->name, c->records,
			c->script->records, e->final);
		if (e->final)
			CHECK(e->code == c->script->code, "call %u (%s): record says %u", serial, c->script->name, e->code);
	}
	for (unsigned i = 0; i < CALLS && all; i++) {
		struct call_of_ours *c = &p->call[i];
		CHECK(!c->used || running(c) || c->records == c->script->records, "call %u (%s) has %u records instead of %u", c->serial, c->script->name,
			c->records, c->script->records);
	}
}
