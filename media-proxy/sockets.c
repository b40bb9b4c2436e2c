#include "media-proxy/sockets.h"
#include "media-proxy/lookup_bpf.h"
#include "shm/media.h"
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define RECEIVE_BYTES                                                                                                  \
	(16 << 20) /* a shared socket: 300 ms of 50,000 packets a second, as the kernel counts their memory */
#define SEND_BYTES  (16 << 20)
#define OTHER_FILES 512u /* descriptors for all but the port sockets */

static const struct addr *address_of(const struct config *c, uint32_t i)
{
	return CFG_LIST(c, &c->media.addresses, struct addr) + i;
}

static uint32_t ports_of(const struct config *c)
{
	return 2 * media_pairs(c);
}

static void forget(struct env *e)
{
	for (uint32_t a = 0; a < MEDIA_ADDRESSES_MAX; a++)
		for (uint32_t w = 0; w < WORKERS_MAX; w++)
			e->relay[a][w] = -1;
	e->raw4 = e->raw6 = e->relay_link = -1;
	e->port_socket = NULL;
	e->n_port_sockets = 0;
}

static void close_at(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* the first address before `a` whose socket of worker `w` serves `a` too, or `a` */
uint32_t relay_socket_first(const struct env *e, uint32_t a, uint32_t w)
{
	for (uint32_t i = 0; i < a; i++)
		if (e->relay[i][w] == e->relay[a][w])
			return i;
	return a;
}

void relay_sockets_close(const struct config *c, struct env *e)
{
	lookup_bpf_detach();
	for (uint32_t a = MEDIA_ADDRESSES_MAX; a-- > 0;)
		for (uint32_t w = 0; w < WORKERS_MAX; w++)
			if (relay_socket_first(e, a, w) == a)
				close_at(&e->relay[a][w]);
			else
				e->relay[a][w] = -1;
	close_at(&e->raw4);
	close_at(&e->raw6);
	for (uint32_t i = 0; e->port_socket && i < c->media.addresses.n * ports_of(c); i++)
		close_at(&e->port_socket[i]);
	free(e->port_socket);
	e->port_socket = NULL;
	e->n_port_sockets = 0;
	e->relay_link = -1;
}

/* the privileged form goes beyond net.core.rmem_max */
static void set_buffer(int fd, int forced, int plain, int bytes)
{
	if (setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof(bytes)) < 0)
		setsockopt(fd, SOL_SOCKET, plain, &bytes, sizeof(bytes));
}

static int open_udp(const struct addr *ip, uint16_t port, int *ret_fd)
{
	struct sockaddr_storage sa;
	struct addr at = *ip;
	int one = 1;
	at.port = port;
	socklen_t n = addr_to_sockaddr(&at, &sa);
	int fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (sa.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sa, n) < 0) {
		int r = -errno;
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

/* --- one socket per worker and address family ------------------------------------------------------------------ */
/* It gets the packets for all our addresses of its family, so that batches are larger. A socket must be bound to be steered
 * to; a port of the range does, and makes a second instance with the same range fail as it would with a socket for every
 * port. Shared from then on: send_large() of relay.c binds every port for a moment. */
static int open_shared(const struct addr *ip, uint16_t port, int *ret_fd)
{
	int fd, one = 1, r = open_udp(ip, port, &fd);
	if (r)
		return r;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, RECEIVE_BYTES);
	if (ip->family == 4)
		r = setsockopt(fd, IPPROTO_IP, IP_RECVORIGDSTADDR, &one, sizeof(one));
	else
		r = setsockopt(fd, IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, &one, sizeof(one));
	if (r < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

/* IPPROTO_RAW: we write the IP header, and nothing is ever received */
static int open_raw(int family, int *ret_fd)
{
	int fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW);
	if (fd < 0)
		return -errno;
	set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, SEND_BYTES);
	*ret_fd = fd;
	return 0;
}

static int open_workers(const struct config *c, struct env *e, uint32_t a)
{
	const struct addr *ip = address_of(c, a);
	int r = 0;
	for (uint32_t i = 0; i < a; i++)
		if (address_of(c, i)->family == ip->family) {
			memcpy(e->relay[a], e->relay[i], sizeof(e->relay[a]));
			return 0;
		}
	for (uint32_t w = 0; r == 0 && w < c->system.media; w++)
		r = open_shared(ip, (uint16_t)(c->media.port_low + w), &e->relay[a][w]);
	return r;
}

static int open_lookup(const struct config *c, struct env *e)
{
	struct lookup_bpf spec = {
		.low = c->media.port_low,
		.high = c->media.port_low + ports_of(c) - 1,
		.workers = c->system.media,
		.n_addresses = c->media.addresses.n,
		.addresses = address_of(c, 0),
		.sockets = e->relay,
	};
	for (uint32_t a = 0; a < spec.n_addresses; a++) {
		const struct addr *ip = address_of(c, a);
		int *raw = ip->family == 4 ? &e->raw4 : &e->raw6, r = 0;
		if (addr_is_any(ip)) /* what to write as source is then for the kernel to say */
			return -EADDRNOTAVAIL;
		if (*raw < 0)
			r = open_raw(ip->family == 4 ? AF_INET : AF_INET6, raw);
		if (r == 0)
			r = open_workers(c, e, a);
		if (r)
			return r;
	}
	int r = lookup_bpf_attach(&spec);
	e->relay_link = lookup_bpf_link();
	return r;
}

/* --- one socket per port --------------------------------------------------------------------------------------- */
static int check_files(uint64_t need)
{
	struct rlimit now;
	if (getrlimit(RLIMIT_NOFILE, &now) < 0)
		return -errno;
	if (now.rlim_cur >= need)
		return 0;
	struct rlimit more = { .rlim_cur = need, .rlim_max = now.rlim_max > need ? now.rlim_max : need };
	if (setrlimit(RLIMIT_NOFILE, &more) == 0)
		return 0;
	log_error("media.ports: a socket for every port needs %llu descriptors, RLIMIT_NOFILE allows %llu: raise it or "
		  "narrow the range",
		(unsigned long long)need, (unsigned long long)now.rlim_max);
	return -EMFILE;
}

static int open_ports(const struct config *c, struct env *e)
{
	uint32_t ports = ports_of(c), total = c->media.addresses.n * ports;
	int r = check_files((uint64_t)total + OTHER_FILES);
	if (r)
		return r;
	e->port_socket = malloc(sizeof(int) * total + 1);
	if (!e->port_socket)
		return -ENOMEM;
	for (uint32_t i = 0; i < total; i++)
		e->port_socket[i] = -1;
	e->n_port_sockets = total;
	for (uint32_t i = 0; i < total; i++) {
		uint16_t port = (uint16_t)(c->media.port_low + i % ports);
		r = open_udp(address_of(c, i / ports), port, &e->port_socket[i]);
		if (r) {
			char text[ADDR_TEXT_MAX];
			addr_format_ip(address_of(c, i / ports), text, sizeof(text));
			log_error("media.ports: cannot bind %s port %u: %s", text, port, strerror(-r));
			return r;
		}
	}
	return 0;
}

static const char *reason(int error)
{
	switch (error) {
	case -EADDRNOTAVAIL:
		return "needs addresses, not wildcards";
	case -ENOTSUP:
		return "built without it";
	default:
		return strerror(-error);
	}
}

int relay_sockets_open(const struct config *c, struct env *e)
{
	const char *wish = getenv("TANDEM_RELAY");
	int r = -ENOTSUP;
	forget(e);
	if (c->media.addresses.n > MEDIA_ADDRESSES_MAX) {
		log_error("media.addresses: at most %u addresses", MEDIA_ADDRESSES_MAX);
		return -EINVAL;
	}
	if (ports_of(c) < c->system.media) {
		log_error("media.ports: %u ports are too few for %u media workers", ports_of(c), c->system.media);
		return -EINVAL;
	}
	if (!wish || strcmp(wish, "sockets") != 0) {
		r = open_lookup(c, e);
		if (r == 0)
			return RELAY_SK_LOOKUP;
		relay_sockets_close(c, e);
		log_info("relay: no port look-up in the kernel (%s), opening a socket for every port", reason(r));
	}
	r = open_ports(c, e);
	if (r) {
		relay_sockets_close(c, e);
		return r;
	}
	return RELAY_SOCKETS;
}
