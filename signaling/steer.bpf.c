/* Chooses the socket of a SO_REUSEPORT group by the Call-ID: see steer.h. The twin of steer.c, line by line.
 *
 * The start of the datagram is copied into a buffer of this CPU, once; line ends are looked for eight bytes at a time,
 * and the first character after each decides whether the line is worth a closer look. bpf_loop() (Linux 5.17) keeps the
 * verifier's work independent of the length. Whatever is in doubt goes where the kernel would have sent it: the worker
 * that gets it hands it over. */
#include "signaling/steer_consts.h"
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h> /* needs the types of the one before */

#define UDP_HEADER 8
#define CHUNK	   32u
#define BUFFER	   4096u /* a power of two above STEER_WINDOW: offsets are masked for the verifier */
#define LINE_FEEDS 0x0a0a0a0a0a0a0a0aull
#define LOW_BITS   0x0101010101010101ull
#define HIGH_BITS  0x8080808080808080ull

const volatile __u32 workers = 0;
const volatile unsigned char instance[4] = { 0 }; /* lower case */
const volatile unsigned char partition[STEER_MAP] = { 0 };

struct {
	__uint(type, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
	__uint(max_entries, STEER_WORKERS);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct buffer {
	unsigned char b[BUFFER + CHUNK];
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct buffer);
} buffers SEC(".maps");

struct scan {
	const unsigned char *b;
	__u32 n;     /* bytes in b */
	__u32 found; /* after the header's name; 0: not found */
};

static __always_inline unsigned char at(const unsigned char *b, __u32 i)
{
	return b[i & (BUFFER - 1)];
}

static __always_inline unsigned char lower(const unsigned char *b, __u32 i)
{
	return at(b, i) | 0x20;
}

static __always_inline int is_blank(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* `i`: after a line feed. Length of the name, 0: another header, -1: the headers are over */
static __always_inline int name_length(const unsigned char *b, __u32 i)
{
	unsigned char c = at(b, i);
	if (c == '\r' || c == '\n')
		return -1;
	c |= 0x20;
	if (c == 'i')
		return at(b, i + 1) == ':' || is_blank(at(b, i + 1)) ? 1 : 0;
	if (c != 'c' || lower(b, i + 1) != 'a' || lower(b, i + 2) != 'l' || lower(b, i + 3) != 'l' ||
		at(b, i + 4) != '-' || lower(b, i + 5) != 'i' || lower(b, i + 6) != 'd')
		return 0;
	return at(b, i + 7) == ':' || is_blank(at(b, i + 7)) ? 7 : 0;
}

static long scan_chunk(__u32 index, void *context)
{
	struct scan *s = context;
	__u32 start = index * CHUNK & (BUFFER - 1) & ~(CHUNK - 1);
	if (start >= s->n)
		return 1;
	const unsigned char *b = s->b;
#pragma unroll
	for (__u32 word = 0; word < CHUNK / 8; word++) {
		__u64 x = *(const __u64 *)(b + start + word * 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		x = __builtin_bswap64(x);
#endif
		x ^= LINE_FEEDS;
		__u64 hits = (x - LOW_BITS) & ~x & HIGH_BITS; /* of a run of candidates only the lowest is certain */
		for (int k = 0; k < 4 && hits; k++) {	      /* a line has two bytes at least */
			__u64 lowest = hits & -hits;
			/* the number of the byte, by multiplication: there is no instruction for it */
			__u32 i = start + word * 8 + (__u32)(((lowest >> 7) * 0x0001020304050607ull) >> 56);
			hits ^= lowest;
			if (at(b, i) != '\n')
				continue;
			if (i + 1 >= s->n)
				return 1;
			int name = name_length(b, i + 1);
			if (name) {
				if (name > 0)
					s->found = i + 1 + (__u32)name;
				return 1;
			}
		}
	}
	return 0;
}

/* The next two are global functions, so that the verifier looks at each once and not for every way that leads there. It
 * wants pointers checked in them. */
__noinline __u32 skip_blanks(const struct buffer *buffer, __u32 i, __u32 n)
{
	if (!buffer)
		return n;
	const unsigned char *b = buffer->b;
	for (int k = 0; k < STEER_BLANKS; k++) {
		if (i >= n || !is_blank(at(b, i)))
			break;
		i++;
	}
	return i;
}

static __always_inline int digit_of(unsigned char c)
{
	if (c >= '2' && c <= '7')
		return c - '2' + 26;
	c |= 0x20;
	return c >= 'a' && c <= 'z' ? c - 'a' : -1;
}

/* the worker in a Call-ID that we made; STEER_UNKNOWN: a foreign one */
static __always_inline __u32 own_worker(const unsigned char *b, __u32 i, __u32 length)
{
	if (length != STEER_OWN_ID || lower(b, i) != 't' || lower(b, i + 1) != 'd')
		return STEER_UNKNOWN;
#pragma unroll
	for (__u32 k = 0; k < 4; k++)
		if (lower(b, i + 2 + k) != (instance[k] | 0x20))
			return STEER_UNKNOWN;
	int high = digit_of(at(b, i + STEER_OWN_WORKER)), low = digit_of(at(b, i + STEER_OWN_WORKER + 1));
	return high < 0 || low < 0 ? STEER_UNKNOWN : (__u32)(high << 3 | low >> 2);
}

__noinline __u32 worker_of(const struct buffer *buffer, __u32 i, __u32 n)
{
	__u32 hash = 2166136261u, length = 0;
	if (!buffer)
		return STEER_UNKNOWN;
	const unsigned char *b = buffer->b;
	for (__u32 k = 0; k < STEER_VALUE; k++) {
		unsigned char c = at(b, i + k);
		if (i + k >= n || is_blank(c))
			break;
		hash = (hash ^ c) * 16777619u;
		length++;
	}
	if (length == 0)
		return STEER_UNKNOWN;
	__u32 own = own_worker(b, i, length);
	if (own != STEER_UNKNOWN)
		return own;
	hash ^= hash >> 16;
	hash *= 0x85ebca6bu;
	hash ^= hash >> 13;
	hash *= 0xc2b2ae35u;
	hash ^= hash >> 16;
	return partition[hash & (STEER_MAP - 1)];
}

SEC("sk_reuseport")
int steer(struct sk_reuseport_md *md)
{
	__u32 zero = 0;
	struct buffer *buffer = bpf_map_lookup_elem(&buffers, &zero);
	if (!buffer || md->len <= UDP_HEADER)
		return SK_PASS;
	__u64 n = md->len - UDP_HEADER;
	if (n > STEER_WINDOW)
		n = STEER_WINDOW;
	asm volatile("" : "+r"(n)); /* so that the verifier sees the bound on the very register that is passed */
	if (n == 0 || n > STEER_WINDOW || bpf_skb_load_bytes(md, UDP_HEADER, buffer->b, (__u32)n) < 0)
		return SK_PASS;
	struct scan s = { .b = buffer->b, .n = (__u32)n, .found = 0 };
	bpf_loop(STEER_SCAN / CHUNK, scan_chunk, &s, 0);
	if (s.found == 0)
		return SK_PASS;
	__u32 i = skip_blanks(buffer, s.found, s.n);
	if (i >= s.n || at(buffer->b, i) != ':')
		return SK_PASS;
	i = skip_blanks(buffer, i + 1, s.n);
	__u32 worker = worker_of(buffer, i, s.n);
	if (worker < workers)
		bpf_sk_select_reuseport(md, &sockets, &worker, 0); /* no socket there: the kernel's choice */
	return SK_PASS;
}

char steer_license[] SEC("license") = "Apache-2.0"; /* uses no function reserved for the GPL */
