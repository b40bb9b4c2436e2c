/* Bounded composer: appends to a buffer it does not own and remembers if it did not fit. Never allocates, never
 * formats by printf. Check `full` once at the end. */
#ifndef TANDEM_BASE_OUT_H
#define TANDEM_BASE_OUT_H
#include "base/addr.h"
#include "base/span.h"
#include <stdbool.h>
#include <stdint.h>

struct out {
	char *p;
	size_t n, cap;
	bool full;
};

static inline struct out out_init(char *buf, size_t cap) { return (struct out){ buf, 0, cap, false }; }
static inline void out_bytes(struct out *o, const void *p, size_t n)
{
	if (n == 0)
		return; /* an empty span may have no address */
	if (n > o->cap - o->n) {
		o->full = true;
		return;
	}
	memcpy(o->p + o->n, p, n);
	o->n += n;
}
static inline void out_span(struct out *o, struct span s) { out_bytes(o, s.p, s.n); }
static inline void out_char(struct out *o, char c) { out_bytes(o, &c, 1); }
#define out_lit(o, literal) out_bytes((o), (literal), sizeof(literal) - 1)
static inline struct span out_done(const struct out *o) { return (struct span){ o->p, o->n }; }
void out_u64(struct out *o, uint64_t v);
void out_hex(struct out *o, uint64_t v, int digits);
bool out_time(struct out *o, uint64_t wall_ms); /* ISO 8601, UTC, with milliseconds; false: beyond the year 9999, nothing written */
void out_addr(struct out *o, const struct addr *a); /* as in a URI: brackets around IPv6; port when not 0 */
void out_ip(struct out *o, const struct addr *a);   /* the bare IP, as in SDP */
void out_json(struct out *o, struct span s);        /* a JSON string with its quotes; invalid UTF-8 becomes U+FFFD */
#endif
