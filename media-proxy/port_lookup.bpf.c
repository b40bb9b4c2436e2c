/* sk_lookup: a UDP datagram to a port of the relay's range and to one of its addresses goes to the socket of the media
 * worker that serves the port pair. Everything else takes the ordinary way. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h> /* uses the types of the one above */
#include <linux/in.h>

#define ADDRESSES 8  /* MEDIA_ADDRESSES_MAX */
#define WORKERS	  64 /* WORKERS_MAX */
#define INET	  2  /* AF_INET */

const volatile __u32 low, high, workers = 1, n_addresses;
const volatile __u32 family[ADDRESSES];
const volatile __u32 ip[ADDRESSES][4]; /* network order */

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, ADDRESSES *WORKERS);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

/* a field of the context by an access of its own: the verifier refuses a computed pointer into it */
#define FIELD(c, f) (*(const volatile __u32 *)&(c)->f)

struct local {
	__u32 family, ip[4];
};

static __always_inline void read_local(const struct bpf_sk_lookup *c, struct local *l)
{
	l->family = FIELD(c, family);
	if (l->family == INET) {
		l->ip[0] = FIELD(c, local_ip4);
		return;
	}
	l->ip[0] = FIELD(c, local_ip6[0]);
	l->ip[1] = FIELD(c, local_ip6[1]);
	l->ip[2] = FIELD(c, local_ip6[2]);
	l->ip[3] = FIELD(c, local_ip6[3]);
}

static __always_inline int is_ours(const struct local *l, __u32 a)
{
	if (l->family != family[a] || l->ip[0] != ip[a][0])
		return 0;
	return l->family == INET || (l->ip[1] == ip[a][1] && l->ip[2] == ip[a][2] && l->ip[3] == ip[a][3]);
}

SEC("sk_lookup")
int port_lookup(struct bpf_sk_lookup *c)
{
	__u32 port = c->local_port;
	if (c->protocol != IPPROTO_UDP || port < low || port > high || !workers)
		return SK_PASS;
	struct local l = { 0 };
	read_local(c, &l);
	for (__u32 a = 0; a < ADDRESSES && a < n_addresses; a++) {
		if (!is_ours(&l, a))
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
