#include "routing/dns.h"
#include "base/clock.h"
#include "base/log.h"
#include <ares.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#define SOCKETS	    64
#define TIMEOUT_MS  1500 /* of one try at one server; c-ares doubles it with each round */
#define TRIES	    2
#define TARGETS_MAX 8u
#define SIP_PORT    5060
#define SIPS_PORT   5061

struct watched {
	struct loop_source source;
	struct dns *d;
	bool used;
};

struct dns {
	struct loop *loop;
	ares_channel channel;
	struct wheel_timer timer;
	struct watched watched[SOCKETS];
	uint32_t families;
	bool closing;
};

struct target { /* of an SRV record, or the name itself */
	struct question *q;
	uint16_t port, priority, weight;
};

struct question {
	struct dns *d;
	dns_answered *answered;
	void *context;
	char host[NAME_HOST + 1];
	uint16_t port;
	uint8_t transport;
	uint32_t open;	  /* address queries without an answer yet, and 1 while they are being made */
	bool failed;	  /* one of them: not a word of whether there is anything */
	uint32_t ttl_ms;
	struct name_state state;
	struct target target[TARGETS_MAX];
};

/* --- c-ares on the loop ------------------------------------------------------------------------------------------ */

static void again(struct dns *d);

static void timed_out(struct wheel_timer *t, uint64_t now)
{
	struct dns *d = (struct dns *)(void *)((char *)t - offsetof(struct dns, timer));
	(void)now;
	ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	again(d);
}

static void again(struct dns *d)
{
	struct timeval most = { 3600, 0 }, tv, *next = ares_timeout(d->channel, &most, &tv);
	if (next && next->tv_sec < most.tv_sec)
		wheel_add(&d->loop->wheel, &d->timer, clock_ms() + (uint64_t)next->tv_sec * 1000 + (uint64_t)next->tv_usec / 1000 + 1, timed_out);
	else
		wheel_del(&d->loop->wheel, &d->timer);
}

static void ready(struct loop_source *s, uint32_t events)
{
	struct watched *w = (struct watched *)(void *)s;
	struct dns *d = w->d;
	ares_process_fd(d->channel, events & (EPOLLIN | EPOLLERR | EPOLLHUP) ? s->fd : ARES_SOCKET_BAD,
		events & EPOLLOUT ? s->fd : ARES_SOCKET_BAD);
	again(d);
}

static struct watched *watched(struct dns *d, int fd)
{
	struct watched *free_one = NULL;
	for (uint32_t i = 0; i < SOCKETS; i++) {
		if (d->watched[i].used && d->watched[i].source.fd == fd)
			return &d->watched[i];
		if (!d->watched[i].used)
			free_one = &d->watched[i];
	}
	return free_one;
}

/* a socket for which there is no room is looked at when its time is over */
static void socket_state(void *context, ares_socket_t fd, int readable, int writable)
{
	struct dns *d = context;
	struct watched *w = watched(d, fd);
	uint32_t events = (readable ? (uint32_t)EPOLLIN : 0) | (writable ? (uint32_t)EPOLLOUT : 0);
	if (!w)
		return;
	if (!events) {
		if (w->used)
			loop_del(d->loop, &w->source);
		w->used = false;
	} else if (w->used) {
		loop_change(d->loop, &w->source, events);
	} else {
		*w = (struct watched){ .source = { fd, ready }, .d = d };
		w->used = loop_add(d->loop, &w->source, events) == 0;
	}
}

static int set_servers(struct dns *d, const struct addr *servers, uint32_t n)
{
	char list[4096] = "";
	size_t at = 0;
	for (uint32_t i = 0; i < n && at + ADDR_TEXT_MAX + 2 < sizeof list; i++) {
		if (at)
			list[at++] = ',';
		at += addr_format(&servers[i], true, list + at, sizeof list - at);
	}
	return n ? ares_set_servers_ports_csv(d->channel, list) : ARES_SUCCESS;
}

struct dns *dns_new(struct loop *l, const struct addr *servers, uint32_t n, uint32_t families, int *ret_error)
{
	struct dns *d = calloc(1, sizeof *d);
	int mask = ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES;
	*ret_error = -ENOMEM;
	if (!d)
		return NULL;
	struct ares_options o = { .sock_state_cb = socket_state, .sock_state_cb_data = d, .timeout = TIMEOUT_MS, .tries = TRIES };
	d->loop = l;
	d->families = families;
	int r = ares_library_init(ARES_LIB_INIT_ALL);
	if (r == ARES_SUCCESS)
		r = ares_init_options(&d->channel, &o, mask);
	if (r != ARES_SUCCESS) {
		log_error("names cannot be resolved: %s", ares_strerror(r));
		*ret_error = -EIO;
		free(d);
		return NULL;
	}
	r = set_servers(d, servers, n);
	if (r != ARES_SUCCESS)
		log_error("dns.servers cannot be used: %s", ares_strerror(r));
	*ret_error = 0;
	return d;
}

struct dns *dns_free(struct dns *d)
{
	if (!d)
		return NULL;
	d->closing = true;
	ares_destroy(d->channel); /* which ends every query */
	wheel_del(&d->loop->wheel, &d->timer);
	for (uint32_t i = 0; i < SOCKETS; i++)
		if (d->watched[i].used)
			loop_del(d->loop, &d->watched[i].source);
	ares_library_cleanup();
	free(d);
	return NULL;
}

/* --- A and AAAA -------------------------------------------------------------------------------------------------- */

static int by_priority(const void *a, const void *b)
{
	const struct name_address *x = a, *y = b;
	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	return memcmp(&x->addr, &y->addr, sizeof x->addr);
}

/* answers come in any order and with any rotation: what is the same looks the same */
static void finish(struct question *q)
{
	struct name_state *s = &q->state;
	if (--q->open)
		return;
	qsort(s->at, s->n, sizeof s->at[0], by_priority);
	s->status = s->n ? NAME_RESOLVED : q->failed ? NAME_FAILED : NAME_NONE;
	if (!q->d->closing)
		q->answered(q->context, s, q->ttl_ms);
	free(q);
}

static bool usable(const struct question *q, const struct addr *a)
{
	bool multicast = a->family == 4 ? a->ip[0] >= 224 : a->ip[0] == 0xff;
	return a->family && !addr_is_any(a) && !multicast && q->d->families & 1u << a->family;
}

static void keep(struct question *q, const struct target *t, const struct addr *a)
{
	struct name_state *s = &q->state;
	for (uint32_t i = 0; i < s->n; i++)
		if (addr_eq(&s->at[i].addr, a))
			return;
	if (s->n < NAME_ADDRESSES)
		s->at[s->n++] = (struct name_address){ *a, t->priority, t->weight };
}

static void keep_ttl(struct question *q, int64_t seconds)
{
	uint64_t ms = seconds > 0 ? (uint64_t)seconds * 1000 : 0;
	if (ms < q->ttl_ms)
		q->ttl_ms = (uint32_t)ms;
}

static void got_addresses(void *context, int status, int timeouts, struct ares_addrinfo *info)
{
	struct target *t = context;
	struct question *q = t->q;
	(void)timeouts;
	if (status != ARES_SUCCESS && status != ARES_ENOTFOUND && status != ARES_ENODATA)
		q->failed = true;
	for (const struct ares_addrinfo_node *n = status == ARES_SUCCESS ? info->nodes : NULL; n; n = n->ai_next) {
		struct addr a;
		addr_from_sockaddr(n->ai_addr, &a);
		a.port = t->port;
		if (!usable(q, &a))
			continue;
		keep(q, t, &a);
		keep_ttl(q, n->ai_ttl);
	}
	if (info)
		ares_freeaddrinfo(info);
	finish(q);
}

static void ask_addresses(struct question *q, struct target *t, const char *host)
{
	struct ares_addrinfo_hints hints = { .ai_family = q->d->families == 1u << 4 ? AF_INET : q->d->families == 1u << 6 ? AF_INET6 : AF_UNSPEC,
		.ai_flags = ARES_AI_NOSORT };
	t->q = q;
	q->open++;
	ares_getaddrinfo(q->d->channel, host, NULL, &hints, got_addresses, t);
}

static void ask_host(struct question *q, uint16_t port)
{
	q->target[0] = (struct target){ .port = port };
	ask_addresses(q, &q->target[0], q->host);
}

/* --- SRV --------------------------------------------------------------------------------------------------------- */

/* Asks for the addresses of the targets; how many there are. The reply is taken apart by the C library's reader. */
static uint32_t ask_targets(struct question *q, const unsigned char *reply, int n)
{
	ns_msg m;
	uint32_t targets = 0;
	if (ns_initparse(reply, n, &m) < 0)
		return 0;
	for (int i = 0; i < ns_msg_count(m, ns_s_an) && targets < TARGETS_MAX; i++) {
		ns_rr rr;
		char host[NS_MAXDNAME];
		if (ns_parserr(&m, ns_s_an, i, &rr) < 0 || ns_rr_type(rr) != ns_t_srv || ns_rr_rdlen(rr) < 7)
			continue;
		const unsigned char *p = ns_rr_rdata(rr);
		if (ns_name_uncompress(reply, reply + n, p + 6, host, sizeof host) < 0)
			continue;
		struct target *t = &q->target[targets++];
		*t = (struct target){ .port = (uint16_t)ns_get16(p + 4), .priority = (uint16_t)ns_get16(p), .weight = (uint16_t)ns_get16(p + 2) };
		keep_ttl(q, ns_rr_ttl(rr));
		if (host[0] && strcmp(host, ".") != 0 && t->port) /* ".": decidedly not offered here */
			ask_addresses(q, t, host);
	}
	return targets;
}

static void got_services(void *context, int status, int timeouts, unsigned char *reply, int n)
{
	struct question *q = context;
	uint32_t targets = 0;
	(void)timeouts;
	if (status == ARES_SUCCESS)
		targets = ask_targets(q, reply, n);
	else if (status != ARES_ENOTFOUND && status != ARES_ENODATA)
		q->failed = true;
	if (!targets && !q->failed && !q->d->closing)
		ask_host(q, q->transport == TRANSPORT_TLS ? SIPS_PORT : SIP_PORT);
	finish(q);
}

int dns_ask(struct dns *d, const struct name_key *key, dns_answered *answered, void *context)
{
	static const char *const service[] = { [TRANSPORT_UDP] = "_sip._udp", [TRANSPORT_TCP] = "_sip._tcp", [TRANSPORT_TLS] = "_sips._tcp" };
	struct question *q = calloc(1, sizeof *q);
	char name[NAME_HOST + 16];
	if (!q)
		return -ENOMEM;
	q->d = d;
	q->answered = answered;
	q->context = context;
	q->transport = key->transport;
	q->ttl_ms = UINT32_MAX;
	q->open = 1;
	snprintf(q->host, sizeof q->host, "%.*s", (int)key->host.n, key->host.p);
	if (key->port) {
		ask_host(q, key->port);
		finish(q);
	} else {
		snprintf(name, sizeof name, "%s.%s", service[key->transport <= TRANSPORT_TLS ? key->transport : TRANSPORT_UDP], q->host);
		ares_query(d->channel, name, ns_c_in, ns_t_srv, got_services, q);
	}
	again(d);
	return 0;
}
