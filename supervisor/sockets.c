#include "supervisor/sockets.h"
#include "signaling/worker.h"
#include "supervisor/rundir.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CALL_SECONDS	60u /* the rated load, see sockets.h */
#define CALL_DATAGRAMS	8u
#define BUFFER_MS	300u
#define DATAGRAM_CHARGE 2304u
#define BUFFER_MIN	(4u << 20)
#define BUFFER_MAX	(1u << 30)
#define STATUS_BACKLOG	64

uint32_t sockets_receive_bytes(const struct config *c)
{
	uint64_t bytes =
		(uint64_t)c->system.calls * CALL_DATAGRAMS * BUFFER_MS * DATAGRAM_CHARGE / (CALL_SECONDS * 1000u);
	return bytes < BUFFER_MIN ? BUFFER_MIN : bytes > BUFFER_MAX ? BUFFER_MAX : (uint32_t)bytes;
}

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static void set_receive_buffer(int fd, uint32_t wanted)
{
	static bool said;
	int got = 0;
	socklen_t n = sizeof(got);
	if (set(fd, SOL_SOCKET, SO_RCVBUFFORCE, (int)wanted) < 0)
		set(fd, SOL_SOCKET, SO_RCVBUF, (int)wanted);
	if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &got, &n) < 0 || (uint32_t)got >= wanted || said)
		return;
	said = true;
	log_warning("SIP receive buffers: wanted %u bytes for 300 ms of the rated load, the kernel gives %d; "
		    "raise net.core.rmem_max or start with CAP_NET_ADMIN",
		wanted, got);
}

static int bind_to(int fd, const struct addr *a)
{
	struct sockaddr_storage sa;
	socklen_t n = addr_to_sockaddr(a, &sa);
	return bind(fd, (const struct sockaddr *)&sa, n) < 0 ? -errno : 0;
}

static int open_udp(const struct addr *a, bool shared, int *ret_fd)
{
	int fd = socket(a->family == 6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int r = shared ? set(fd, SOL_SOCKET, SO_REUSEPORT, 1) : 0;
	if (r == 0 && a->family == 6)
		r = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (r == 0)
		r = bind_to(fd, a);
	if (r)
		close(fd);
	else
		*ret_fd = fd;
	return r;
}

static int open_listen(const struct config *c, const struct addr *a, int *fds)
{
	int fd, r = open_udp(a, false, &fd);
	if (r)
		return r;
	close(fd); /* alone on that address: with SO_REUSEPORT another program's socket would not have been noticed */
	for (uint32_t w = 0; r == 0 && w < c->system.signaling; w++) {
		r = open_udp(a, true, &fds[w]);
		if (r == 0)
			set_receive_buffer(fds[w], sockets_receive_bytes(c));
	}
	return r;
}

int sockets_open_sip(const struct config *c, struct env *e)
{
	const struct cfg_listen *l = CFG_LIST(c, &c->sip.listen, struct cfg_listen);
	uint32_t udp = 0;
	for (uint32_t i = 0; i < LISTEN_MAX; i++)
		for (uint32_t w = 0; w < WORKERS_MAX; w++)
			e->sip[i][w] = -1;
	if (c->sip.listen.n > LISTEN_MAX) {
		log_error("sip.listen: %u addresses; at most %u are possible", c->sip.listen.n, LISTEN_MAX);
		return -E2BIG;
	}
	e->n_listen = c->sip.listen.n;
	for (uint32_t i = 0; i < e->n_listen; i++) {
		char text[ADDR_TEXT_MAX];
		if (l[i].transport != TRANSPORT_UDP)
			continue;
		udp++;
		int r = open_listen(c, &l[i].addr, e->sip[i]);
		if (r < 0) {
			addr_format(&l[i].addr, false, text, sizeof(text));
			log_error("sip.listen udp:%s: %s", text, strerror(-r));
			return r;
		}
	}
	if (!udp) {
		log_error("sip.listen: no UDP address; only UDP is available in this version");
		return -EPROTONOSUPPORT;
	}
	sockets_set_tos(c, e);
	return 0;
}

void sockets_set_tos(const struct config *c, const struct env *e)
{
	const struct cfg_listen *l = CFG_LIST(c, &c->sip.listen, struct cfg_listen);
	int tos = (int)c->param[P_SS_QOS_SIGNAL];
	for (uint32_t i = 0; i < e->n_listen; i++)
		for (uint32_t w = 0; w < c->system.signaling; w++) {
			if (e->sip[i][w] < 0)
				continue;
			int r = l[i].addr.family == 6 ? set(e->sip[i][w], IPPROTO_IPV6, IPV6_TCLASS, tos)
						      : set(e->sip[i][w], IPPROTO_IP, IP_TOS, tos);
			if (r)
				log_warning("SS_QOS_SIGNAL 0x%x: %s", (unsigned)tos, strerror(-r));
		}
}

enum steering sockets_steer(const struct config *c, const struct env *e)
{
	const char *forced = getenv("TANDEM_STEERING");
	if (c->system.signaling < 2)
		return STEERING_RING; /* nothing to steer */
	if (forced && strcmp(forced, "ring") == 0)
		return STEERING_RING;
	for (uint32_t i = 0; i < e->n_listen; i++) {
		if (e->sip[i][0] < 0)
			continue;
		int r = steer_attach(e->sip[i], c->system.signaling, e->roster->partition, e->roster->instance);
		if (r) {
			log_info("datagrams are handed over by ring: %s",
				r == -ENOTSUP ? "built without BPF" : strerror(-r));
			return STEERING_RING;
		}
	}
	return STEERING_KERNEL;
}

int sockets_open_status(const char *run_dir, const struct identity *owner, int *ret_fd)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int r = rundir_path(run_dir, "status.sock", sa.sun_path, sizeof(sa.sun_path));
	if (r) {
		log_error("system.run_dir %s: too long for a socket's path (at most %zu characters)", run_dir,
			sizeof(sa.sun_path) - sizeof("/status.sock"));
		return r;
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	unlink(sa.sun_path); /* a dead one's: the lock is ours */
	mode_t old = umask(0117);
	if (bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, STATUS_BACKLOG) < 0)
		r = -errno;
	umask(old);
	if (r == 0)
		r = identity_own(owner, sa.sun_path);
	if (r) {
		log_error("%s: %s", sa.sun_path, strerror(-r));
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

uint64_t sockets_raise_limit(void)
{
	struct rlimit l;
	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return 0;
	if (l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
		getrlimit(RLIMIT_NOFILE, &l);
	}
	return l.rlim_cur;
}
