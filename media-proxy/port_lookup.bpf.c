/* sk_lookup: a UDP datagram to a port of the relay's range and to one of its addresses goes to the socket of the media
 * worker that serves the port pair. Everything else takes the ordinary way. */
#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>

#define ADDRESSES 8  /* MEDIA_ADDRESSES_MAX */
#define WORKERS   64 /* WORKERS_MAX */
#define INET	  2  /* AF_INET */

const volatile __u32 low, high, workers = 1, n_addresses;
const volatile __u32 family[ADDRESSES];
const volatile __u32 ip[ADDRESSES][4]; /* network order */

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, ADDRESSES * WORKERS);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

static __always_inline int is_local(const struct bpf_sk_lookup *c, __u32 a)
{
	if (c->family != family[a])
		return 0;
	if (c->family == INET)
		return c->local_ip4 == ip[a][0];
	return c->local_ip6[0] == ip[a][0] && c->local_ip6[1] == ip[a][1] && c->local_ip6[2] == ip[a][2] &&
		c->local_ip6[3] == ip[a][3];
}

SEC("sk_lookup")
int port_lookup(struct bpf_sk_lookup *c)
{
	__u32 port = c->local_port;
	if (c->protocol != IPPROTO_UDP || port < low || port > high || !workers)
		return SK_PASS;
	for (__u32 a = 0; a < ADDRESSES && a < n_addresses; a++) {
		if (!is_local(c, a))
			continue;
		__u32 key = a * WORKERS + (port - low) / 2 % workers;
		struct bpf_sock *s = bpf_map_lookup_elem(&sockets, &key);
		if (!s)
			return SK_PASS;
		bpf_sk_assign(c, s, 0);
		bpf_sk_release(s);
		return SK_PASS;
	}
	return SK_PASS;
}

char port_lookup_license[] SEC("license") = "Dual BSD/GPL";
