#include "media-proxy/relay.h"
#include "base/clock.h"
#include "media-proxy/header.h"
#include "media-proxy/player.h"
#include "media-proxy/sockets.h"
#include "shm/counters.h"
#include "shm/messages.h"
#include "shm/poison.h"
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#define BATCH	 64u
#define PER_PORT 4u    /* packets taken from one port's socket at a time */
#define ROUNDS	 16u   /* batches from one socket before the others have their turn */
#define HEADROOM 64u   /* for header_write() */
#define PAYLOAD	 9152u /* more than a jumbo frame carries; not a power of two, so that batches spread over the cache */

union name { /* as the kernel wants it */
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};
union control {
	struct cmsghdr align;
	uint8_t bytes[CMSG_SPACE(sizeof(struct sockaddr_in6))];
};

struct relay_source { /* a socket to receive from */
	struct loop_source source;
	struct relay *relay;
	uint32_t address;
	uint32_t port; /* 0: address and port are in the packet's control message */
};

struct relay {
	struct env *env;
	const struct region_head *head;
	struct pair_table table;
	struct player player;
	struct wheel_timer tick; /* armed while a tone plays */
	struct relay_source *source;
	uint32_t n_sources;
	uint32_t n_in, n_out; /* buffers in use, messages to send */
	uint16_t id;	      /* IPv4 identification */
	struct mmsghdr in[BATCH], out[BATCH];
	struct iovec in_iov[BATCH], out_iov[BATCH];
	union name in_name[BATCH], out_name[BATCH];
	union control in_control[BATCH], out_control[BATCH];
	struct departure departure[BATCH];
	int out_fd[BATCH];
	uint8_t buffer[BATCH][HEADROOM + PAYLOAD];
};

/* --- sending --------------------------------------------------------------------------------------------------- */
static void set_name(union name *to, const struct addr *a, uint16_t port)
{
	if (a->family == 4) {
		to->in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
		memcpy(&to->in.sin_addr, a->ip, 4);
	} else {
		to->in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
		memcpy(&to->in6.sin6_addr, a->ip, 16);
	}
}

static socklen_t name_size(const struct addr *a)
{
	return a->family == 4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static int set_tos(int fd, const struct departure *d)
{
	int tos = d->dscp;
	return d->from.family == 4 ? setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos))
				   : setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
}

/* A raw socket does not fragment. Media beyond the MTU is rare enough for a socket of its own: it cannot take packets away
 * from ours, because the look-up program comes before bound sockets. */
static bool send_large(const struct departure *d, const void *payload, size_t n)
{
	union name from, to;
	int one = 1, family = d->from.family == 4 ? AF_INET : AF_INET6;
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	set_name(&from, &d->from, d->from.port);
	set_name(&to, &d->to, d->to.port);
	int fragment = family == AF_INET ? IP_PMTUDISC_DONT : IPV6_PMTUDISC_WANT;
	setsockopt(fd, family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
		family == AF_INET ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &fragment, sizeof(fragment));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)); /* see open_shared() */
	set_tos(fd, d);
	bool sent = bind(fd, &from.any, name_size(&d->from)) == 0 &&
		    sendto(fd, payload, n, 0, &to.any, name_size(&d->to)) == (ssize_t)n;
	close(fd);
	return sent;
}

static bool send_again(struct relay *r, uint32_t i, int error)
{
	if (error != EMSGSIZE || r->env->port_socket)
		return false;
	size_t header = r->departure[i].from.family == 4 ? HEADER_V4 : HEADER_V6;
	const struct iovec *v = &r->out_iov[i];
	return send_large(&r->departure[i], (const char *)v->iov_base + header, v->iov_len - header);
}

/* everything queued; consecutive messages of one socket in one call */
static void flush(struct relay *r)
{
	uint32_t failed = 0;
	for (uint32_t i = 0, end; i < r->n_out; i = end) {
		for (end = i + 1; end < r->n_out && r->out_fd[end] == r->out_fd[i];)
			end++;
		int n = sendmmsg(r->out_fd[i], &r->out[i], end - i, 0);
		if (n > 0) {
			end = i + (uint32_t)n;
		} else if (errno == EINTR) {
			end = i;
		} else {
			failed += !send_again(r, i, errno);
			end = i + 1;
		}
	}
	if (failed)
		count_add(r->head, COUNT_RTP_SEND_FAILED, failed);
	if (r->n_out)
		count_add(r->head, COUNT_RTP_OUT, r->n_out - failed);
	r->n_out = r->n_in = 0;
}

static void queue_tos(struct relay *r, uint32_t i)
{
	struct msghdr *h = &r->out[i].msg_hdr;
	bool v4 = r->departure[i].from.family == 4;
	int tos = r->departure[i].dscp;
	h->msg_control = &r->out_control[i];
	h->msg_controllen = CMSG_SPACE(sizeof(tos));
	struct cmsghdr *c = CMSG_FIRSTHDR(h);
	c->cmsg_level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
	c->cmsg_type = v4 ? IP_TOS : IPV6_TCLASS;
	c->cmsg_len = CMSG_LEN(sizeof(tos));
	memcpy(CMSG_DATA(c), &tos, sizeof(tos));
}

/* the departure is already at r->departure[r->n_out] */
static void queue(struct relay *r, uint8_t *payload, size_t n)
{
	uint32_t i = r->n_out++;
	const struct departure *d = &r->departure[i];
	const struct env *e = r->env;
	uint32_t ports = r->table.high - r->table.low + 1;
	size_t header = 0;
	if (e->port_socket) {
		r->out_fd[i] = e->port_socket[d->address * ports + d->from.port - r->table.low];
		set_name(&r->out_name[i], &d->to, d->to.port);
		queue_tos(r, i);
	} else {
		struct header h = { .from = &d->from, .to = &d->to, .dscp = d->dscp, .id = ++r->id };
		header = header_write(&h, payload, n);
		r->out_fd[i] = d->from.family == 4 ? e->raw4 : e->raw6;
		set_name(&r->out_name[i], &d->to, 0); /* an IPv6 raw socket takes the port for a protocol */
	}
	r->out[i].msg_hdr.msg_namelen = name_size(&d->to);
	r->out_iov[i] = (struct iovec){ payload - header, n + header };
}

/* --- receiving ------------------------------------------------------------------------------------------------- */
static void read_name(const union name *from, struct addr *ret)
{
	*ret = (struct addr){ 0 };
	if (from->any.sa_family == AF_INET) {
		memcpy(ret->ip, &from->in.sin_addr, 4);
		ret->port = ntohs(from->in.sin_port);
		ret->family = 4;
	} else if (from->any.sa_family == AF_INET6) {
		memcpy(ret->ip, &from->in6.sin6_addr, 16);
		ret->port = ntohs(from->in6.sin6_port);
		ret->family = 6;
	}
}

/* where a packet was sent to, from its control message; family 0: unknown */
static void read_destination(struct msghdr *h, struct addr *ret)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(h);
	union name to = { .any.sa_family = AF_UNSPEC };
	if (c && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_ORIGDSTADDR)
		memcpy(&to.in, CMSG_DATA(c), sizeof(to.in));
	else if (c && c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_ORIGDSTADDR)
		memcpy(&to.in6, CMSG_DATA(c), sizeof(to.in6));
	read_name(&to, ret);
}

/* where packet `i` was sent to: the socket says it, or the packet */
static bool find_destination(struct relay *r, const struct relay_source *s, uint32_t i, struct packet *k)
{
	const struct pair_table *t = &r->table;
	struct addr to;
	k->address = s->address;
	k->port = s->port;
	if (s->port)
		return true;
	read_destination(&r->in[i].msg_hdr, &to);
	k->port = to.port;
	for (k->address = 0; k->address < t->n_addresses; k->address++)
		if (addr_same_ip(&to, &t->address[k->address]))
			return true;
	return false;
}

static bool route(struct relay *r, const struct relay_source *s, uint32_t i, uint64_t now_ns)
{
	uint8_t *payload = r->buffer[i] + HEADROOM;
	struct packet k = { .data = payload, .n = r->in[i].msg_len, .now_ns = now_ns };
	if (r->in[i].msg_hdr.msg_flags & MSG_TRUNC || !find_destination(r, s, i, &k))
		return false;
	read_name(&r->in_name[i], &k.source);
	working_call(r->head, pair_of_port(&r->table, k.port));
	bool good = packet_route(&r->table, &k, &r->departure[r->n_out]);
	working_done(r->head);
	if (!good)
		return false;
	if (r->departure[r->n_out].names)
		rtcp_hide_names(payload, k.n, r->departure[r->n_out].names);
	queue(r, payload, k.n);
	return true;
}

/* at most `max` packets into the free buffers; returns how many came */
static uint32_t receive(struct relay *r, const struct relay_source *s, uint32_t max)
{
	uint32_t first = r->n_in, dropped = 0;
	if (max > BATCH - first)
		max = BATCH - first;
	for (uint32_t i = first; i < first + max; i++) {
		r->in[i].msg_hdr.msg_namelen = sizeof(r->in_name[i]);
		r->in[i].msg_hdr.msg_controllen = s->port ? 0 : sizeof(r->in_control[i]);
	}
	int n = recvmmsg(s->source.fd, &r->in[first], max, MSG_DONTWAIT, NULL);
	if (n <= 0)
		return 0;
	uint64_t now_ns = clock_ns();
	r->n_in += (uint32_t)n;
	for (uint32_t i = first; i < r->n_in; i++)
		dropped += !route(r, s, i, now_ns);
	count_add(r->head, COUNT_RTP_IN, (uint32_t)n);
	if (dropped)
		count_add(r->head, COUNT_RTP_DROPPED, dropped);
	return (uint32_t)n;
}

static void shared_ready(struct loop_source *source, uint32_t events)
{
	struct relay_source *s = (struct relay_source *)source;
	(void)events;
	for (uint32_t round = 0, n = BATCH; round < ROUNDS && n == BATCH; round++) {
		n = receive(s->relay, s, BATCH);
		flush(s->relay);
	}
}

/* what many ports bring in one turn is sent together at its end */
static void port_ready(struct loop_source *source, uint32_t events)
{
	struct relay_source *s = (struct relay_source *)source;
	(void)events;
	if (s->relay->n_in == BATCH)
		flush(s->relay);
	receive(s->relay, s, PER_PORT);
}

static void turn_ends(struct env *e)
{
	flush(e->context);
}

/* --- tones ----------------------------------------------------------------------------------------------------- */
static void play(struct relay *r, uint32_t i, uint64_t now_ms, bool *ret_gone)
{
	working_call(r->head, r->player.list[i].pair);
	for (int n = 1; n != 0;) {
		if (r->n_in == BATCH)
			flush(r);
		uint8_t *payload = r->buffer[r->n_in] + HEADROOM;
		n = player_next(&r->player, i, now_ms, payload, &r->departure[r->n_out], ret_gone);
		if (n > 0) {
			r->n_in++;
			queue(r, payload, (size_t)n);
		}
	}
	working_done(r->head);
}

static void tick(struct wheel_timer *t, uint64_t now)
{
	struct relay *r = (struct relay *)(void *)((char *)t - offsetof(struct relay, tick));
	uint64_t now_ms = clock_ms();
	(void)now;
	for (uint32_t i = 0; i < r->player.n;) {
		bool gone;
		play(r, i, now_ms, &gone);
		i += !gone;
	}
	flush(r);
	if (r->player.n)
		wheel_add(&r->env->loop.wheel, &r->tick, t->deadline + PLAYER_MS > now_ms ? t->deadline + PLAYER_MS : now_ms + 1, tick);
}

static void start_tick(struct relay *r)
{
	if (r->player.n && !r->tick.next)
		wheel_add(&r->env->loop.wheel, &r->tick, clock_ms(), tick);
}

static void on_ring(struct env *e, uint32_t from, const struct ring_message *m)
{
	struct relay *r = e->context;
	(void)from;
	if (m->type != MESSAGE_TONE || m->size < sizeof(struct message_tone))
		return;
	player_look(&r->player, ((const struct message_tone *)(m + 1))->pair);
	start_tick(r);
}

static void on_config(struct env *e)
{
	struct relay *r = e->context;
	player_configure(&r->player, e->config.p);
}

/* --- a worker's life ------------------------------------------------------------------------------------------- */
static int add_source(struct relay *r, int fd, uint32_t address, uint32_t port)
{
	struct relay_source *s = &r->source[r->n_sources];
	if (fd < 0)
		return -EBADF;
	*s = (struct relay_source){
		.source = { .fd = fd, .ready = port ? port_ready : shared_ready },
		.relay = r,
		.address = address,
		.port = port,
	};
	r->n_sources++;
	return loop_add(&r->env->loop, &s->source, EPOLLIN);
}

static int add_sources(struct relay *r)
{
	const struct env *e = r->env;
	const struct pair_table *t = &r->table;
	uint32_t ports = t->high - t->low + 1, own = e->port_socket ? 2 * (t->pairs / t->workers + 1) : 1;
	int status = 0;
	r->source = calloc((size_t)own * t->n_addresses + 1, sizeof(*r->source));
	if (!r->source)
		return -ENOMEM;
	for (uint32_t a = 0; a < t->n_addresses && status == 0; a++) {
		if (!e->port_socket && relay_socket_first(e, a, t->index) == a)
			status = add_source(r, e->relay[a][t->index], a, 0);
		for (uint32_t i = 0; e->port_socket && i < ports && status == 0; i++)
			if (i / 2 % t->workers == t->index)
				status = add_source(r, e->port_socket[a * ports + i], a, t->low + i);
	}
	return status;
}

static void point_messages(struct relay *r)
{
	for (uint32_t i = 0; i < BATCH; i++) {
		r->in_iov[i] = (struct iovec){ r->buffer[i] + HEADROOM, PAYLOAD };
		r->in[i].msg_hdr = (struct msghdr){ .msg_name = &r->in_name[i],
			.msg_iov = &r->in_iov[i],
			.msg_iovlen = 1,
			.msg_control = &r->in_control[i] };
		r->out[i].msg_hdr =
			(struct msghdr){ .msg_name = &r->out_name[i], .msg_iov = &r->out_iov[i], .msg_iovlen = 1 };
	}
}

static int find_pairs(struct relay *r)
{
	struct env *e = r->env;
	const struct media_leg *legs[WORKERS_MAX];
	const struct media_flow *flows = region_area(&e->region[e->seat], AREA_FLOWS);
	for (uint32_t i = 0; i < WORKERS_MAX; i++)
		legs[i] = region_area(&e->region[seat_of(ROLE_SIGNALING, i)], AREA_MEDIA_LEGS);
	return flows ? pair_table_init(&r->table, e->config.p, e->index, legs, flows) : -EPROTO;
}

/* A leg that kills whoever serves it is not served: the packet that did it is gone, but the next one comes in 20 ms. Its call
 * has no audio then, and ends by media.timeout or by its peers. */
static void leave_out(struct relay *r)
{
	uint32_t number = working_slot(r->env->died_at);
	const struct pair *p = pair_get(&r->table, number);
	if (p && poison_blame(r->env, SUSPECT_RECORD, suspect_call(number, p->seen.generation)) == POISON_DEATHS) {
		struct poison_capture none;
		char what[80];
		poison_begin(&none);
		snprintf(what, sizeof(what), "audio of port pair %u, port %u", number, r->table.low + 2 * number);
		poison_tell(r->env, &none, what);
	}
	for (uint32_t i = 0; i < SUSPECTS; i++) {
		const struct suspect *s = &r->head->suspect[i];
		if (s->kind == SUSPECT_RECORD && s->deaths >= POISON_DEATHS)
			pair_shun(&r->table, (uint32_t)s->id, (uint32_t)(s->id >> 32));
	}
}

int relay_new(struct env *e, struct relay **ret_relay)
{
	struct relay *r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->env = e;
	r->head = e->region[e->seat].head;
	point_messages(r);
	int status = find_pairs(r);
	if (status == 0)
		leave_out(r);
	if (status == 0)
		status = player_init(&r->player, &r->table, e->config.p);
	if (status == 0)
		status = add_sources(r);
	if (status) {
		relay_free(r);
		return status;
	}
	e->context = r;
	e->on_turn = turn_ends;
	e->on_ring = on_ring;
	e->on_config = on_config;
	player_look_all(&r->player);
	start_tick(r);
	*ret_relay = r;
	return 0;
}

struct relay *relay_free(struct relay *r)
{
	if (!r)
		return NULL;
	for (uint32_t i = 0; i < r->n_sources; i++)
		loop_del(&r->env->loop, &r->source[i].source);
	wheel_del(&r->env->loop.wheel, &r->tick);
	player_done(&r->player);
	pair_table_done(&r->table);
	free(r->source);
	free(r);
	return NULL;
}
