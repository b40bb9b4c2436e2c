#include "signaling/transport.h"
#include "base/log.h"
#include "signaling/protect.h"
#include "signaling/trace.h"
#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCHES_PER_TURN 4 /* then timers and rings have their turn */
#define LATE_MS		 500u /* of the loop, or with a backlog: beyond, new calls are refused */
#define BACKLOG_HALF	 50u
#define BACKLOG_SHED	 75u

/* an empty datagram has a source */
static bool received(const struct receive_batch *r, uint32_t i)
{
	return i < RECEIVE_BATCH && (r->header[i].msg_len || r->source[i].ss_family);
}

/* what is not to be read: it costs no more than this */
static bool left_out(struct sig *g, const char *p, size_t n, const struct addr *source)
{
	if (g->listen[g->receive->listen < LISTEN_MAX ? g->receive->listen : 0].backlog >= BACKLOG_SHED && protect_is_new_call(p, n)) {
		count_one(g->head, COUNT_SHED);
		return true;
	}
	if (!protect_is_ping(p, n))
		return protect_ignored(g, source);
	count_one(g->head, COUNT_PINGS);
	return true;
}

static void work_off(struct sig *g)
{
	const struct receive_batch *r = g->receive;
	protect_follow(g);
	while (received(r, r->done)) {
		uint32_t i = r->done;
		struct addr source;
		working_event(g->head, WORKING_DATAGRAM, 0);
		addr_from_sockaddr((const struct sockaddr *)&r->source[i], &source);
		if (left_out(g, r->data[i], r->header[i].msg_len, &source)) {
			commit_u32(&r->done, i + 1);
			continue;
		}
		if (g->tracing)
			trace_in(g, r->data[i], r->header[i].msg_len, &source, (uint16_t)r->listen);
		sig_datagram(g, r->data[i], r->header[i].msg_len <= RECEIVE_SIZE ? r->header[i].msg_len : 0, &source, (uint16_t)r->listen, 0);
		if (g->tracing)
			trace_end(g);
		commit_u32(&r->done, i + 1);
		working_done(g->head);
	}
	transport_flush(g);
}

/* The kernel stores into the region: lengths are zeroed and the batch is counted as done before it is asked to. */
static int read_batch(struct sig *g, uint16_t listen, int fd)
{
	const struct receive_batch *r = g->receive;
	commit_u32(&r->done, RECEIVE_BATCH);
	struct mmsghdr *h = commit_fill(r->header);
	struct iovec *v = commit_fill(r->piece);
	for (uint32_t i = 0; i < RECEIVE_BATCH; i++) {
		v[i] = (struct iovec){ commit_fill(r->data[i]), RECEIVE_SIZE };
		((struct sockaddr_storage *)commit_fill(&r->source[i]))->ss_family = 0;
		h[i] = (struct mmsghdr){ .msg_hdr = { .msg_name = commit_fill(&r->source[i]), .msg_namelen = sizeof r->source[i],
						 .msg_iov = &v[i], .msg_iovlen = 1 } };
	}
	commit_u32(&r->listen, listen);
	commit_u32(&r->done, 0);
	int n = recvmmsg(fd, h, RECEIVE_BATCH, MSG_DONTWAIT, NULL);
	if (n < 0) {
		commit_u32(&r->done, RECEIVE_BATCH);
		return -errno;
	}
	count_add(g->head, COUNT_DATAGRAMS_IN, (uint64_t)n);
	return n;
}

static void say_behind(struct sig *g, bool behind)
{
	static const char text[] = "more comes in than can be worked off: new calls are refused";
	struct message_event e = { .type = EVENT_ALARM };
	if (g->behind_said == behind)
		return;
	g->behind_said = behind;
	if (behind)
		log_warning("%s", text);
	else
		log_info("the backlog is worked off: new calls are taken again");
	if (behind)
		env_push(g->env, seat_of(ROLE_CONTROL, 0), MESSAGE_EVENT, &e, sizeof e, text, sizeof text - 1);
}

/* what is still in the kernel when the socket is left */
static void measure(struct sig_listen *l, bool emptied)
{
	struct sig *g = l->g;
	uint32_t info[SK_MEMINFO_VARS] = { 0 }, most = 0;
	socklen_t n = sizeof info;
	if (emptied && !l->backlog)
		return;
	l->backlog = 0;
	if (!emptied && getsockopt(l->source.fd, SOL_SOCKET, SO_MEMINFO, info, &n) == 0 && info[SK_MEMINFO_RCVBUF])
		l->backlog = (uint32_t)((uint64_t)info[SK_MEMINFO_RMEM_ALLOC] * 100 / info[SK_MEMINFO_RCVBUF]);
	for (uint32_t i = 0; i < g->n_listen; i++)
		most = g->listen[i].backlog > most ? g->listen[i].backlog : most;
	if (most < BACKLOG_HALF)
		g->behind_ms = 0;
	else if (!g->behind_ms)
		g->behind_ms = g->env->loop.now;
	say_behind(g, g->behind_ms && g->env->loop.now - g->behind_ms > LATE_MS);
}

bool transport_overloaded(const struct sig *g)
{
	return g->env->loop.late_ms > LATE_MS || (g->behind_ms && g->env->loop.now - g->behind_ms > LATE_MS);
}

static void socket_ready(struct loop_source *s, uint32_t events)
{
	(void)events;
	struct sig_listen *l = (struct sig_listen *)s;
	for (int i = 0; i < BATCHES_PER_TURN; i++) {
		int n = read_batch(l->g, l->number, s->fd);
		if (n > 0)
			work_off(l->g);
		if (n < (int)RECEIVE_BATCH) {
			measure(l, true);
			return;
		}
	}
	measure(l, false);
	l->g->env->loop.more = true;
}

#define PACE_MS	   64u /* how often it is looked at */
#define PACE_BUSY  64u /* datagrams in so long: 1000 a second, about 140 calls */
#define PACE_NAP_MS 4u

void transport_pace(struct sig *g)
{
	static uint64_t window, before;
	if (g->env->loop.now / PACE_MS == window)
		return;
	uint64_t n = g->head->counter[COUNT_DATAGRAMS_IN];
	g->env->loop.nap = g->env->loop.now / PACE_MS == window + 1 && n - before >= PACE_BUSY ? PACE_NAP_MS : 0;
	window = g->env->loop.now / PACE_MS;
	before = n;
}

void transport_replay(struct sig *g)
{
	if (g->receive->listen < g->n_listen)
		work_off(g);
}

void transport_configure(struct sig *g)
{
	const struct cfg_listen *l = CFG_LIST(g->c, &g->c->sip.listen, struct cfg_listen);
	g->n_listen = g->c->sip.listen.n < LISTEN_MAX ? g->c->sip.listen.n : LISTEN_MAX;
	for (uint32_t i = 0; i < g->n_listen; i++) {
		struct sig_listen *s = &g->listen[i];
		struct out o = out_init(s->host, sizeof s->host);
		s->g = g;
		s->number = (uint16_t)i;
		s->addr = l[i].addr;
		s->any = addr_is_any(&s->addr) && !g->c->sip.advertise.n;
		if (g->c->sip.advertise.n) {
			out_span(&o, cfg_span(g->c, g->c->sip.advertise));
			out_char(&o, ':');
			out_u64(&o, s->addr.port);
		} else if (!s->any) {
			out_addr(&o, &s->addr);
		}
		s->host_n = (uint32_t)o.n;
	}
}

int transport_open(struct sig *g)
{
	transport_configure(g);
	for (uint32_t i = 0; i < g->n_listen; i++) {
		struct sig_listen *s = &g->listen[i];
		s->source = (struct loop_source){ g->env->sip[i][g->env->index], socket_ready };
		int r = s->source.fd < 0 ? 0 : loop_add(&g->env->loop, &s->source, EPOLLIN);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- sending --- */

static uint32_t to_headers(struct sig *g, uint32_t from, struct mmsghdr *h, struct iovec *v, struct sockaddr_storage *sa)
{
	uint32_t n = 0;
	for (uint32_t i = from; i < g->n_out && g->out[i].listen == g->out[from].listen; i++, n++) {
		const struct datagram_out *d = &g->out[i];
		v[n] = (struct iovec){ (void *)(uintptr_t)d->p, d->n };
		h[n] = (struct mmsghdr){ .msg_hdr = { .msg_name = &sa[n], .msg_namelen = addr_to_sockaddr(&d->to, &sa[n]),
						 .msg_iov = &v[n], .msg_iovlen = 1 } };
	}
	return n;
}

void transport_flush(struct sig *g)
{
	struct mmsghdr h[SEND_BATCH];
	struct iovec v[SEND_BATCH];
	struct sockaddr_storage sa[SEND_BATCH];
	for (uint32_t from = 0; from < g->n_out;) {
		uint32_t n = to_headers(g, from, h, v, sa), at = 0;
		int fd = g->env->sip[g->out[from].listen][g->env->index];
		while (at < n) {
			int sent = sendmmsg(fd, h + at, n - at, 0);
			if (sent > 0) {
				at += (uint32_t)sent;
				count_add(g->head, COUNT_DATAGRAMS_OUT, (uint64_t)sent);
			} else if (errno != EINTR) { /* this one cannot be sent: its resends try again */
				at++;
				count_one(g->head, COUNT_SEND_FAILED);
			}
		}
		from += n;
	}
	for (uint32_t i = 0; i < g->n_touched; i++)
		commit_u32(&g->calls[g->touched[i].slot].slot.sent, g->touched[i].commit);
	g->n_out = g->n_touched = 0;
	if (!g->arena_held)
		g->arena_used = 0;
	blocks_settle(&g->blocks);
}

void transport_queue(struct sig *g, const void *p, size_t n, uint16_t listen, const struct addr *to)
{
	if (listen >= g->n_listen || !to->family || !to->port) {
		count_one(g->head, COUNT_SEND_FAILED);
		return;
	}
	if (g->tracing)
		trace_out(g, p, n, listen, to);
	if (g->n_out == SEND_BATCH)
		transport_flush(g);
	g->out[g->n_out++] = (struct datagram_out){ p, (uint32_t)n, listen, *to };
}

void transport_queue_copy(struct sig *g, const void *p, size_t n, uint16_t listen, const struct addr *to)
{
	if (n > ARENA_BYTES)
		return;
	if (g->n_out == SEND_BATCH || n > ARENA_BYTES - g->arena_used)
		transport_flush(g);
	if (n > ARENA_BYTES - g->arena_used)
		return; /* held: as lost on the way */
	char *copy = g->arena + g->arena_used;
	memcpy(copy, p, n);
	g->arena_used += (uint32_t)n;
	transport_queue(g, copy, n, listen, to);
}

void transport_touched(struct sig *g, uint32_t slot, uint32_t commit)
{
	if (g->n_touched == SEND_BATCH)
		transport_flush(g);
	g->touched[g->n_touched].slot = slot;
	g->touched[g->n_touched++].commit = commit;
}

/* --- what we call ourselves --- */

/* Listening on every address: the one the kernel would send from. Asked once for each peer; peers are few. */
static struct addr own_address(const struct addr *to)
{
	static struct {
		struct addr to, own;
	} cache[256];
	uint32_t h = 2166136261u;
	for (size_t i = 0; i < sizeof to->ip; i++)
		h = (h ^ to->ip[i]) * 16777619u;
	h &= 255;
	if (cache[h].to.family && addr_same_ip(&cache[h].to, to))
		return cache[h].own;
	struct sockaddr_storage sa;
	socklen_t n = addr_to_sockaddr(to, &sa);
	int fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, n) == 0) {
		n = sizeof sa;
		if (getsockname(fd, (struct sockaddr *)&sa, &n) == 0) {
			cache[h].to = *to;
			addr_from_sockaddr((const struct sockaddr *)&sa, &cache[h].own);
		}
	}
	if (fd >= 0)
		close(fd);
	return cache[h].own;
}

void transport_host(struct sig *g, uint16_t listen, const struct addr *to, struct out *o)
{
	const struct sig_listen *l = &g->listen[listen < g->n_listen ? listen : 0];
	if (!l->any) {
		out_bytes(o, l->host, l->host_n);
		return;
	}
	struct addr own = own_address(to);
	own.port = l->addr.port;
	out_addr(o, &own);
}

uint16_t transport_listen_for(struct sig *g, const struct addr *to, uint16_t prefer)
{
	if (prefer < g->n_listen && g->listen[prefer].addr.family == to->family)
		return prefer;
	for (uint32_t i = 0; i < g->n_listen; i++)
		if (g->listen[i].addr.family == to->family && g->listen[i].source.fd >= 0)
			return (uint16_t)i;
	return prefer;
}
