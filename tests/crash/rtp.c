#include "rtp.h"
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define PORT   40000u
#define BYTES  172u
#define BATCH  64u
#define TURN   5u /* ms: a quarter of the streams each */
#define LATE   15u
#define SILENT 1000u

struct stream { /* what one leg sends; what of it reaches the other */
	struct leg *leg;
	uint16_t seq;
	uint64_t first_sent, stalled_first;
	bool heard, told;
	uint16_t last_seq;
	uint64_t last_at, stalled; /* of the last packet that was heard */
};

struct rtp_total rtp_total;
static struct stream **active;
static uint32_t n_active, cap_active;
static struct loop_source side[GATEWAYS + 1];
static struct wheel_timer timer;
static uint64_t last_turn;
static unsigned quarter;

bool rtp_wanted(const struct walk *w)
{
	return run.rtp && n_active / 2 < run.rtp && !w->script.no_offer;
}

uint16_t rtp_port(const struct leg *l)
{
	return (uint16_t)(run.rtp ? PORT : PORT + l->number % 10000 * 2);
}

void rtp_learn(struct leg *l, const struct text *t)
{
	const char *c = memmem(t->body.p, t->body.n, "c=IN IP4 ", 9), *m = memmem(t->body.p, t->body.n, "m=audio ", 8);
	char text[64];
	if (!run.rtp || !c || !m)
		return;
	c += 9;
	int n = snprintf(text, sizeof text, "%.*s:%lu", (int)strcspn(c, "\r\n"), c, strtoul(m + 8, NULL, 10));
	if (addr_parse((struct span){ text, (size_t)n }, &l->rtp_to) < 0)
		l->rtp_to.family = 0;
}

static struct leg *callee_of(const struct walk *w)
{
	for (uint32_t i = 1; i < w->n_legs; i++)
		if (w->leg[i]->up)
			return w->leg[i];
	return NULL;
}

static void add(struct leg *l)
{
	if (n_active == cap_active) {
		cap_active = cap_active ? 2 * cap_active : 512;
		active = realloc(active, cap_active * sizeof *active);
	}
	l->stream = calloc(1, sizeof *l->stream);
	if (!active || !l->stream)
		abort();
	l->stream->leg = l;
	active[n_active++] = l->stream;
	rtp_total.streams++;
}

void rtp_start(struct walk *w)
{
	struct leg *a = w->leg[0], *b = callee_of(w);
	if (!b || !a->up || a->stream || a->byed || b->byed || !a->rtp_to.family || !b->rtp_to.family || !rtp_wanted(w))
		return;
	add(a);
	add(b);
}

/* --- receiving --- */

static void note_gap(struct stream *s, uint64_t now, uint32_t ms, uint32_t lost)
{
	struct rtp_total *r = &rtp_total;
	if (r->n_gaps == r->cap_gaps) {
		r->cap_gaps = r->cap_gaps ? 2 * r->cap_gaps : 256;
		r->gap = realloc(r->gap, r->cap_gaps * sizeof *r->gap);
		if (!r->gap)
			abort();
	}
	r->gap[r->n_gaps++] = (struct gap){ s->last_at, now, ms, lost, s->leg->walk->index };
}

/* what the ear misses: the longer of what was lost and what was late */
static void look(struct stream *s, uint64_t now, uint32_t lost)
{
	uint64_t stalled = rtp_total.stalled_ms - s->stalled, gap = now - s->last_at;
	gap = gap > stalled ? gap - stalled : 0;
	if (lost * RTP_MS > gap)
		gap = lost * RTP_MS;
	rtp_total.lost += lost;
	if (lost || gap >= RTP_NOTICE)
		note_gap(s, now, (uint32_t)gap, lost);
}

static void packet(const uint8_t *p, size_t n, uint64_t now)
{
	uint32_t number = n >= 12 ? (uint32_t)p[8] << 24 | (uint32_t)p[9] << 16 | (uint32_t)p[10] << 8 | p[11] : 0;
	struct leg *l = number && number <= run.n_legs ? run.leg[number - 1] : NULL;
	struct stream *s = l ? l->stream : NULL;
	if (!s || n != BYTES) {
		run.broken++;
		return;
	}
	uint16_t seq = (uint16_t)(p[2] << 8 | p[3]);
	rtp_total.received++;
	if (s->heard) {
		uint16_t step = (uint16_t)(seq - s->last_seq);
		if (step > 0x8000) /* out of order */
			return;
		look(s, now, step ? step - 1u : 0);
	}
	s->heard = true;
	s->last_seq = seq;
	s->last_at = now;
	s->stalled = rtp_total.stalled_ms;
}

static void ready(struct loop_source *source, uint32_t events)
{
	static uint8_t bytes[BATCH][256];
	struct mmsghdr h[BATCH];
	struct iovec v[BATCH];
	int n;
	(void)events;
	do {
		for (uint32_t i = 0; i < BATCH; i++) {
			v[i] = (struct iovec){ bytes[i], sizeof bytes[i] };
			h[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &v[i], .msg_iovlen = 1 } };
		}
		n = recvmmsg(source->fd, h, BATCH, MSG_DONTWAIT, NULL);
		for (int i = 0; i < n; i++)
			packet(bytes[i], h[i].msg_len, clock_ms());
	} while (n == (int)BATCH);
}

/* --- sending --- */

static void send_one(struct stream *s, uint64_t now)
{
	uint8_t p[BYTES] = { 0x80, 8, (uint8_t)(s->seq >> 8), (uint8_t)s->seq };
	uint32_t stamp = s->seq * 160u, ssrc = s->leg->number + 1;
	struct sockaddr_storage sa;
	for (unsigned i = 0; i < 4; i++) {
		p[4 + i] = (uint8_t)(stamp >> (24 - 8 * i));
		p[8 + i] = (uint8_t)(ssrc >> (24 - 8 * i));
	}
	socklen_t n = addr_to_sockaddr(&s->leg->rtp_to, &sa);
	if (sendto(side[s->leg->port->number].fd, p, sizeof p, MSG_DONTWAIT, (struct sockaddr *)&sa, n) < 0)
		return; /* an ICMP error of a moment ago: seen by the other side as lost */
	if (!s->first_sent) {
		s->first_sent = now;
		s->stalled_first = rtp_total.stalled_ms;
	}
	s->seq++;
	rtp_total.sent++;
}

static bool is_over(const struct stream *s)
{
	const struct walk *w = s->leg->walk;
	for (uint32_t i = 0; i < w->n_legs; i++)
		if (w->leg[i]->byed && w->leg[i]->up)
			return true;
	return s->leg->dead;
}

/* the last one may have been the first that was lost for good; BYEs stop a stream a little before its last packets are in */
static void close_stream(struct stream *s, uint64_t now)
{
	if (!s->first_sent)
		return;
	if (!s->heard) { /* all of it is a gap */
		rtp_total.silent += now - s->first_sent > SILENT;
		s->last_at = s->first_sent;
		s->stalled = s->stalled_first;
	}
	if (now - s->last_at > RTP_NOTICE)
		look(s, now, 0);
}

static void turn(struct wheel_timer *t, uint64_t now)
{
	now = clock_ms();
	if (last_turn && now - last_turn > LATE)
		rtp_total.stalled_ms += now - last_turn - TURN;
	last_turn = now;
	quarter = (quarter + 1) % (RTP_MS / TURN);
	for (uint32_t i = 0; i < n_active;) {
		struct stream *s = active[i];
		if (is_over(s)) {
			close_stream(s, now);
			active[i] = active[--n_active];
			continue;
		}
		if (s->leg->number % (RTP_MS / TURN) == quarter)
			send_one(s, now);
		i++;
	}
	wheel_add(&run.loop.wheel, t, now + TURN, turn);
}

int rtp_open(void)
{
	for (uint32_t i = 0; run.rtp && i <= GATEWAYS; i++) {
		struct addr a = run.port[i].addr;
		struct sockaddr_storage sa;
		int size = 8 << 20;
		a.port = PORT;
		socklen_t n = addr_to_sockaddr(&a, &sa);
		side[i] = (struct loop_source){ socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), ready };
		if (side[i].fd < 0)
			return -1;
		if (setsockopt(side[i].fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
			setsockopt(side[i].fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
		if (bind(side[i].fd, (struct sockaddr *)&sa, n) < 0 || loop_add(&run.loop, &side[i], EPOLLIN) < 0)
			return -1;
	}
	if (run.rtp)
		wheel_add(&run.loop.wheel, &timer, clock_ms() + TURN, turn);
	return 0;
}
