#include "signaling/steer.h"
#include "signaling/steer_consts.h"
#include "sip/token.h"
#include "tandem-config.h"
#include <errno.h>

_Static_assert(STEER_SCAN_BYTES == STEER_SCAN && STEER_VALUE == STEER_HASH_BYTES && STEER_MAP == STEER_PARTITIONS,
	"the kernel program computes the same");
_Static_assert(STEER_OWN_ID == CALL_ID_TEXT && STEER_OWN_WORKER + TOKEN_TEXT == CALL_ID_TEXT, "as token.h lays it out");

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t skip_blanks(struct span s, size_t i)
{
	for (int k = 0; k < STEER_BLANKS && i < s.n && is_blank(s.p[i]); k++)
		i++;
	return i;
}

/* `line`: what follows a line end. Length of the header's name; 0: another header */
static size_t name_length(struct span line)
{
	size_t n = line.n >= 7 && strncasecmp(line.p, "call-id", 7) == 0 ? 7
		   : line.n && (line.p[0] | 0x20) == 'i'		 ? 1
									 : 0;
	return n && n < line.n && (line.p[n] == ':' || is_blank(line.p[n])) ? n : 0;
}

/* index after the header's name; 0: not found */
static size_t find_header(struct span s)
{
	size_t i = 0;
	while (i < s.n && i < STEER_SCAN) {
		const char *feed = memchr(s.p + i, '\n', (s.n < STEER_SCAN ? s.n : STEER_SCAN) - i);
		if (!feed)
			return 0;
		i = (size_t)(feed - s.p) + 1;
		if (i < s.n && (s.p[i] == '\r' || s.p[i] == '\n'))
			return 0; /* the headers are over */
		size_t name = name_length((struct span){ s.p + i, s.n - i });
		if (name)
			return i + name;
	}
	return 0;
}

uint32_t steer_worker(
	const char *datagram, size_t n, const uint8_t *partition, const char *instance, uint32_t n_workers)
{
	struct span s = { datagram, n < STEER_WINDOW ? n : STEER_WINDOW };
	size_t i = find_header(s), end;
	if (i == 0)
		return UINT32_MAX;
	i = skip_blanks(s, i);
	if (i >= s.n || s.p[i] != ':')
		return UINT32_MAX;
	i = skip_blanks(s, i + 1);
	for (end = i; end < s.n && end - i < STEER_HASH_BYTES && !is_blank(s.p[end]); end++)
		continue;
	if (end == i)
		return UINT32_MAX;
	uint32_t worker = call_id_worker((struct span){ s.p + i, end - i }, instance);
	if (worker == UINT32_MAX)
		worker = partition[steer_hash(s.p + i, end - i)];
	return worker < n_workers ? worker : UINT32_MAX;
}

#if !HAVE_BPF
int steer_attach(const int *sockets, uint32_t n_workers, const uint8_t *partition, const char instance[8])
{
	(void)sockets, (void)n_workers, (void)partition, (void)instance;
	return -ENOTSUP;
}
#endif
