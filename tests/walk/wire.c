/* The wire: sockets, and what happens to datagrams on the way. What the softswitch sent is noted as it comes (leg_seen), the
 * peer hears of it later, twice or never; what a peer sends counts when it really leaves (leg_gave). */
#include "walk.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

struct parcel { /* a datagram that is late */
	struct wheel_timer timer;
	struct leg *leg;
	bool in;
	uint32_t n;
	char bytes[];
};

void note(struct leg *l, char way, const struct text *t)
{
	struct walk *w = l->walk;
	if (w->n_notes == w->cap_notes) {
		w->cap_notes = w->cap_notes ? 2 * w->cap_notes : 16;
		w->note = realloc(w->note, w->cap_notes * sizeof *w->note);
		if (!w->note)
			abort();
	}
	w->note[w->n_notes++] = (struct note){ (uint32_t)(clock_ms() - w->begin), l->place, way,
		(uint8_t)(t->code ? t->cseq_method : t->method), t->code, t->cseq };
}

static void deliver(struct leg *l, bool in, const char *p, uint32_t n)
{
	struct text t;
	if (text_read(p, n, &t) < 0)
		return;
	if (in) {
		if (!l->dead) {
			note(l, '<', &t);
			leg_receive(l, &t);
		}
		return;
	}
	struct sockaddr_storage sa;
	socklen_t sa_n = addr_to_sockaddr(&run.target, &sa);
	note(l, '>', &t);
	leg_gave(l, &t);
	run.sent++;
	if (sendto(l->port->source.fd, p, n, 0, (struct sockaddr *)&sa, sa_n) < 0 && errno != EAGAIN)
		perror("sendto");
}

static void parcel_arrives(struct wheel_timer *timer, uint64_t now)
{
	struct parcel *p = (struct parcel *)timer;
	(void)now;
	deliver(p->leg, p->in, p->bytes, p->n);
	run.parcels--;
	free(p);
}

static void later(struct leg *l, bool in, const char *p, uint32_t n, uint32_t after)
{
	struct parcel *parcel = calloc(1, sizeof *parcel + n);
	if (!parcel)
		abort();
	parcel->leg = l;
	parcel->in = in;
	parcel->n = n;
	memcpy(parcel->bytes, p, n);
	run.parcels++;
	wheel_add(&run.loop.wheel, &parcel->timer, clock_ms() + after, parcel_arrives);
}

static void carry(struct leg *l, bool in, const char *p, uint32_t n)
{
	uint64_t *r = &l->walk->wire_rng;
	bool lost = draw(r, 1000) < run.loss, twice = draw(r, 1000) < run.twice, late = draw(r, 1000) < run.reorder;
	uint32_t delay = 1 + draw(r, 40), again = 1 + draw(r, 60);
	if (lost) {
		struct text t;
		run.lost++;
		if (text_read(p, n, &t) == 0)
			note(l, in ? 'o' : 'x', &t);
		return;
	}
	if (twice)
		later(l, in, p, n, again);
	if (late)
		later(l, in, p, n, delay);
	else
		deliver(l, in, p, n);
}

void wire_send(struct leg *l, const char *p, size_t n)
{
	if (!l->dead)
		carry(l, false, p, (uint32_t)n);
}

static void received(struct port *port, char *p, size_t n)
{
	struct text t;
	run.received++;
	if (text_read(p, n, &t) < 0) {
		if (run.broken++ == 0)
			fprintf(stderr, "the softswitch sent what is no message:\n%.*s\n", (int)n, p);
		return;
	}
	struct leg *l = leg_find(t.call_id);
	if (!l && port->number && t.method == M_INVITE)
		l = gateway_leg(port, &t);
	if (!l || l->port != port) {
		if (run.broken++ == 0)
			fprintf(stderr, "the softswitch sent to the wrong side:\n%.*s\n", (int)n, p);
		return;
	}
	leg_seen(l, &t);
	carry(l, true, p, (uint32_t)n);
}

static void ready(struct loop_source *s, uint32_t events)
{
	char buffer[16384];
	(void)events;
	for (int i = 0; i < 256; i++) {
		ssize_t n = recv(s->fd, buffer, sizeof buffer, 0);
		if (n < 0)
			return;
		received((struct port *)s, buffer, (size_t)n);
	}
}

int wire_open(void)
{
	for (uint32_t i = 0; i <= GATEWAYS; i++) {
		struct port *p = &run.port[i];
		char text[64];
		struct sockaddr_storage sa;
		int size = 8 << 20;
		snprintf(text, sizeof text, "%s.%u:%u", run.net, i ? 10 + i : 2, i ? 5080 : 5070);
		if (addr_parse(span_of(text), &p->addr) < 0)
			return -EINVAL;
		socklen_t n = addr_to_sockaddr(&p->addr, &sa);
		p->number = i;
		p->source.ready = ready;
		p->source.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (p->source.fd < 0)
			return -errno;
		if (setsockopt(p->source.fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
			setsockopt(p->source.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
		if (bind(p->source.fd, (struct sockaddr *)&sa, n) < 0)
			return -errno;
		int r = loop_add(&run.loop, &p->source, EPOLLIN);
		if (r < 0)
			return r;
	}
	return 0;
}
