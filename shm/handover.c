#include "shm/handover.h"
#include "base/clock.h"
#include "shm/layout.h"
#include "tandem-config.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define VISITORS     4u
#define BACKLOG	     16
#define ANSWER_MS    500u /* a process that has not answered by then may hang: another is asked */
#define OWNER_OF(at) ((struct env *)(void *)((char *)(at)-offsetof(struct env, visitors)))

static struct visitor { /* of this process */
	struct loop_source source;
	struct env *env; /* NULL: free */
} visitors[VISITORS];

/* --- what there is ----------------------------------------------------------------------------------------------- */

typedef void (*visit_fn)(void *context, const struct handover_entry *entry, int *fd);

static void each_seat(struct env *e, visit_fn visit, void *context)
{
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++) {
		int *const at[] = { &e->region[seat].fd, &e->doorbell[seat], &e->post[seat], &e->desk[seat] };
		for (uint32_t kind = HAND_REGION; kind <= HAND_DESK; kind++)
			visit(context, &(struct handover_entry){ .kind = kind, .a = seat }, at[kind]);
	}
}

static void each_socket(struct env *e, visit_fn visit, void *context)
{
	for (uint32_t i = 0; i < LISTEN_MAX; i++)
		for (uint32_t w = 0; w < WORKERS_MAX; w++)
			visit(context, &(struct handover_entry){ .kind = HAND_SIP, .a = i, .b = w }, &e->sip[i][w]);
	for (uint32_t i = 0; i < MEDIA_ADDRESSES_MAX; i++)
		for (uint32_t w = 0; w < WORKERS_MAX; w++)
			visit(context, &(struct handover_entry){ .kind = HAND_RELAY, .a = i, .b = w }, &e->relay[i][w]);
	for (uint32_t i = 0; e->port_socket && i < e->n_port_sockets; i++)
		visit(context, &(struct handover_entry){ .kind = HAND_PORT, .a = i }, &e->port_socket[i]);
}

static void each(struct env *e, visit_fn visit, void *context)
{
	const struct {
		uint32_t kind;
		int *fd;
		uint64_t value;
	} single[] = { { HAND_RAW4, &e->raw4, 0 }, { HAND_RAW6, &e->raw6, 0 }, { HAND_STATUS, &e->status_socket, 0 },
		{ HAND_HTTP, &e->http_socket, 0 }, { HAND_LOCK, &e->lock, 0 }, { HAND_DOOR, &e->door, 0 },
		{ HAND_LINK, &e->relay_link, 0 }, { HAND_CONFIG, &e->config.fd, e->config.generation },
		{ HAND_ROUTES, &e->routes.fd, e->routes.generation } };
	each_seat(e, visit, context);
	each_socket(e, visit, context);
	for (size_t i = 0; i < sizeof single / sizeof single[0]; i++)
		visit(context, &(struct handover_entry){ .kind = single[i].kind, .value = single[i].value }, single[i].fd);
}

static void forget_one(void *context, const struct handover_entry *entry, int *fd)
{
	(void)context, (void)entry;
	*fd = -1;
}

void handover_forget(struct env *e)
{
	e->port_socket = NULL;
	e->n_port_sockets = 0;
	each(e, forget_one, NULL);
}

static void close_one(void *context, const struct handover_entry *entry, int *fd)
{
	(void)context, (void)entry;
	if (*fd > 0)
		close(*fd);
}

void handover_drop(struct env *e)
{
	each(e, close_one, NULL);
	free(e->port_socket);
	handover_forget(e);
}

/* --- handing out ------------------------------------------------------------------------------------------------- */

struct packet {
	struct handover_head head;
	struct handover_entry entry[HANDOVER_BATCH];
};
union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(HANDOVER_BATCH * sizeof(int))];
};
struct pick {
	struct packet *packet;
	uint32_t from;
	int fd[HANDOVER_BATCH];
};

static void pick_one(void *context, const struct handover_entry *entry, int *fd)
{
	struct pick *p = context;
	struct handover_head *h = &p->packet->head;
	if (*fd <= 0)
		return;
	if (h->total >= p->from && h->n < HANDOVER_BATCH) {
		p->packet->entry[h->n] = *entry;
		p->fd[h->n++] = *fd;
	}
	h->total++;
}

static int answer(struct env *e, int sock, uint32_t from)
{
	static struct packet packet; /* large */
	static struct pick pick;
	union control control = { 0 };
	packet.head = (struct handover_head){ .magic = HANDOVER_MAGIC, .layout_hash = layout_hash(), .images = e->images, .n_listen = e->n_listen,
		.n_port_sockets = e->n_port_sockets, .owner = e->owner, .version = TANDEM_VERSION };
	pick.packet = &packet;
	pick.from = from;
	each(e, pick_one, &pick);
	uint32_t n = packet.head.n;
	struct iovec piece = { &packet, offsetof(struct packet, entry) + n * sizeof packet.entry[0] };
	struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1 };
	if (n) {
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), pick.fd, n * sizeof(int));
	}
	return sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static void visitor_leaves(struct visitor *v)
{
	loop_del(&v->env->loop, &v->source);
	close(v->source.fd);
	v->env = NULL;
}

static void visitor_ready(struct loop_source *s, uint32_t events)
{
	struct visitor *v = (struct visitor *)(void *)((char *)s - offsetof(struct visitor, source));
	struct handover_ask ask;
	(void)events;
	ssize_t n = recv(s->fd, &ask, sizeof ask, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n != sizeof ask || ask.magic != HANDOVER_MAGIC || answer(v->env, s->fd, ask.from))
		visitor_leaves(v);
}

static bool may_ask(const struct env *e, int fd)
{
	struct ucred who;
	socklen_t n = sizeof who;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && (who.uid == 0 || who.uid == e->owner);
}

/* all processes hear the knock; one of them gets the visitor */
static void door_ready(struct loop_source *s, uint32_t events)
{
	struct env *e = OWNER_OF(s);
	struct visitor *v = NULL;
	(void)events;
	for (uint32_t i = 0; i < VISITORS && !v; i++)
		v = visitors[i].env ? NULL : &visitors[i];
	int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	if (!v || !may_ask(e, fd)) {
		close(fd);
		return;
	}
	*v = (struct visitor){ .source = { fd, visitor_ready }, .env = e };
	if (loop_add(&e->loop, &v->source, EPOLLIN) < 0) {
		v->env = NULL;
		close(fd);
	}
}

int handover_serve(struct env *e)
{
	if (e->door <= 0)
		return 0;
	memset(visitors, 0, sizeof visitors);
	e->visitors = (struct loop_source){ e->door, door_ready };
	return loop_add(&e->loop, &e->visitors, EPOLLIN);
}

static int address(const char *path, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof ret->sun_path)
		return -ENAMETOOLONG;
	strcpy(ret->sun_path, path);
	return 0;
}

int handover_listen(const char *path, int *ret_fd)
{
	struct sockaddr_un sa;
	int r = address(path, &sa);
	if (r)
		return r;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	unlink(path); /* a dead one's: the lock is ours */
	mode_t old = umask(0177);
	if (bind(fd, (const struct sockaddr *)&sa, sizeof sa) < 0 || listen(fd, BACKLOG) < 0)
		r = -errno;
	umask(old);
	if (r)
		close(fd);
	else
		*ret_fd = fd;
	return r;
}

/* --- taking over ------------------------------------------------------------------------------------------------- */

/* where it belongs; NULL: nowhere */
static int *place(struct env *e, const struct handover_entry *entry)
{
	bool seat = entry->a < SEATS_MAX, worker = entry->b < WORKERS_MAX;
	switch (entry->kind) {
	case HAND_REGION:
		return seat ? &e->region[entry->a].fd : NULL;
	case HAND_BELL:
		return seat ? &e->doorbell[entry->a] : NULL;
	case HAND_POST:
		return seat ? &e->post[entry->a] : NULL;
	case HAND_DESK:
		return seat ? &e->desk[entry->a] : NULL;
	case HAND_SIP:
		return worker && entry->a < LISTEN_MAX ? &e->sip[entry->a][entry->b] : NULL;
	case HAND_RELAY:
		return worker && entry->a < MEDIA_ADDRESSES_MAX ? &e->relay[entry->a][entry->b] : NULL;
	case HAND_PORT:
		return entry->a < e->n_port_sockets ? &e->port_socket[entry->a] : NULL;
	default:
		break;
	}
	int *const single[] = { [HAND_RAW4] = &e->raw4, [HAND_RAW6] = &e->raw6, [HAND_STATUS] = &e->status_socket, [HAND_HTTP] = &e->http_socket,
		[HAND_LOCK] = &e->lock, [HAND_DOOR] = &e->door, [HAND_LINK] = &e->relay_link, [HAND_CONFIG] = &e->config.fd,
		[HAND_ROUTES] = &e->routes.fd };
	return entry->kind < sizeof single / sizeof single[0] ? single[entry->kind] : NULL;
}

/* takes fd */
static void keep(struct env *e, const struct handover_entry *entry, int fd)
{
	int *at = place(e, entry);
	if (!at || *at > 0) {
		close(fd);
		return;
	}
	*at = fd;
	if (entry->kind == HAND_CONFIG)
		e->config.generation = entry->value;
	if (entry->kind == HAND_ROUTES)
		e->routes.generation = entry->value;
}

static int prepare(struct env *e, const struct handover_head *h)
{
	e->n_listen = h->n_listen < LISTEN_MAX ? h->n_listen : LISTEN_MAX;
	e->owner = h->owner;
	if (!h->n_port_sockets)
		return 0;
	if (h->n_port_sockets > MEDIA_ADDRESSES_MAX * 65536u)
		return -EPROTO;
	e->port_socket = malloc(h->n_port_sockets * sizeof *e->port_socket);
	if (!e->port_socket)
		return -ENOMEM;
	for (uint32_t i = 0; i < h->n_port_sockets; i++)
		e->port_socket[i] = -1;
	e->n_port_sockets = h->n_port_sockets;
	return 0;
}

/* one packet: its descriptors are in fd[], as many as the head says, or it is none */
static int receive(int sock, struct packet *ret_packet, int *fd)
{
	union control control;
	struct iovec piece = { ret_packet, sizeof *ret_packet };
	struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
	ssize_t n;
	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : -ECONNRESET;
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	uint32_t got = c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS ? (uint32_t)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int)) : 0;
	if (got)
		memcpy(fd, CMSG_DATA(c), got * sizeof(int));
	const struct handover_head *h = &ret_packet->head;
	if ((size_t)n >= sizeof *h && h->magic == HANDOVER_MAGIC && h->n == got && h->n <= HANDOVER_BATCH &&
		(size_t)n == offsetof(struct packet, entry) + h->n * sizeof ret_packet->entry[0] && !(m.msg_flags & MSG_CTRUNC))
		return 0;
	for (uint32_t i = 0; i < got; i++)
		close(fd[i]);
	return -EBADMSG;
}

static int converse(int sock, struct env *e, struct handover_head *ret_head)
{
	static struct packet packet; /* large */
	static int fd[HANDOVER_BATCH + 64];
	uint32_t from = 0;
	do {
		const struct handover_ask ask = { .magic = HANDOVER_MAGIC, .from = from };
		if (send(sock, &ask, sizeof ask, MSG_NOSIGNAL) < 0)
			return -errno;
		int r = receive(sock, &packet, fd);
		if (r)
			return r;
		const struct handover_head *h = &packet.head;
		if (from == 0)
			r = prepare(e, h);
		*ret_head = *h;
		ret_head->version[sizeof ret_head->version - 1] = 0;
		if (r == 0 && h->layout_hash != layout_hash())
			r = -EPROTO;
		for (uint32_t i = 0; i < h->n; i++)
			if (r)
				close(fd[i]);
			else
				keep(e, &packet.entry[i], fd[i]);
		if (r)
			return r;
		if (h->n == 0 && from < h->total)
			return -EBADMSG;
		from += h->n;
	} while (from < packet.head.total);
	return 0;
}

static int visit(const struct sockaddr_un *sa, struct env *e, struct handover_head *ret_head)
{
	const struct timeval limit = { .tv_usec = ANSWER_MS * 1000 };
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	int r = 0;
	if (setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0 || setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0 ||
		connect(sock, (const struct sockaddr *)sa, sizeof *sa) < 0)
		r = -errno;
	if (r == 0)
		r = converse(sock, e, ret_head);
	close(sock);
	return r;
}

int handover_take(const char *path, uint32_t ms, struct env *e, struct handover_head *ret_head)
{
	struct sockaddr_un sa;
	uint64_t end = clock_ms() + ms;
	int r = address(path, &sa);
	handover_forget(e);
	if (r)
		return r;
	for (;;) {
		r = visit(&sa, e, ret_head);
		if (r == 0)
			return 0;
		handover_drop(e);
		if (r == -EPROTO || r == -ENOMEM || clock_ms() >= end)
			return r == -EAGAIN ? -ETIMEDOUT : r;
		usleep(20000);
	}
}
