/* A piece of somebody else's text: not terminated, not owned. */
#ifndef TANDEM_BASE_SPAN_H
#define TANDEM_BASE_SPAN_H
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct span {
	const char *p;
	size_t n;
};

#define SPAN(literal) ((struct span){ (literal), sizeof(literal) - 1 })

static inline struct span span_of(const char *text)
{
	return (struct span){ text ? text : "", text ? strlen(text) : 0 };
}
static inline bool span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool span_ieq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}
static inline bool span_starts(struct span a, struct span prefix)
{
	return a.n >= prefix.n && (prefix.n == 0 || memcmp(a.p, prefix.p, prefix.n) == 0);
}
/* takes the next line off `*rest`, without its end (LF or CR LF) */
static inline struct span span_line(struct span *rest)
{
	const char *end = memchr(rest->p, '\n', rest->n);
	struct span line = { rest->p, end ? (size_t)(end - rest->p) : rest->n };
	size_t taken = line.n + (end ? 1 : 0);
	*rest = (struct span){ rest->p + taken, rest->n - taken };
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}
#endif
