/* SIP as text. */
#include "../crash/rtp.h"
#include <errno.h>
#include <stdlib.h>

const char *const method_text[] = { "", "INVITE", "ACK", "BYE", "CANCEL", "UPDATE", "OTHER" };

static enum method method_of(struct span s)
{
	for (enum method m = M_INVITE; m < M_OTHER; m++)
		if (span_eq(s, span_of(method_text[m])))
			return m;
	return M_OTHER;
}

static struct span header(struct span head, const char *name)
{
	char key[32];
	int n = snprintf(key, sizeof key, "\r\n%s: ", name);
	const char *p = memmem(head.p, head.n, key, (size_t)n);
	if (!p)
		return (struct span){ "", 0 };
	p += n;
	const char *end = memmem(p, (size_t)(head.p + head.n - p), "\r\n", 2);
	return (struct span){ p, (size_t)((end ? end : head.p + head.n) - p) };
}

struct span text_param(struct span value, const char *name)
{
	char key[32];
	int n = snprintf(key, sizeof key, ";%s=", name);
	const char *p = memmem(value.p, value.n, key, (size_t)n), *end = value.p + value.n;
	if (!p)
		return (struct span){ "", 0 };
	p += n;
	const char *q = p;
	while (q < end && *q != ';' && *q != '>' && *q != ',')
		q++;
	return (struct span){ p, (size_t)(q - p) };
}

static struct span between(struct span s, char from, char to)
{
	const char *a = s.n ? memchr(s.p, from, s.n) : NULL;
	const char *b = a ? memchr(a, to, (size_t)(s.p + s.n - a)) : NULL;
	return a && b ? (struct span){ a + 1, (size_t)(b - a - 1) } : (struct span){ "", 0 };
}

int text_read(const char *p, size_t n, struct text *ret_text)
{
	const char *end = memmem(p, n, "\r\n\r\n", 4), *line = memmem(p, n, "\r\n", 2);
	if (!end || !line)
		return -EBADMSG;
	struct span head = { p, (size_t)(end - p) }, first = { p, (size_t)(line - p) };
	struct text t = { .body = { end + 4, n - (size_t)(end + 4 - p) } };
	if (span_starts(first, SPAN("SIP/2.0 "))) {
		t.code = (uint16_t)atoi(p + 8);
		if (t.code < 100 || t.code > 699)
			return -EBADMSG;
	} else {
		const char *blank = memchr(p, ' ', first.n);
		const char *second = blank ? memchr(blank + 1, ' ', (size_t)(line - blank - 1)) : NULL;
		if (!second || line - second != 8 || memcmp(second, " SIP/2.0", 8) != 0)
			return -EBADMSG;
		t.method = method_of((struct span){ p, (size_t)(blank - p) });
		t.uri = (struct span){ blank + 1, (size_t)(second - blank - 1) };
	}
	struct span cseq = header(head, "CSeq"), length = header(head, "Content-Length");
	t.via = header(head, "Via");
	t.branch = text_param(t.via, "branch");
	t.from = header(head, "From");
	t.from_tag = text_param(t.from, "tag");
	t.to = header(head, "To");
	t.to_tag = text_param(t.to, "tag");
	t.call_id = header(head, "Call-ID");
	t.contact = between(header(head, "Contact"), '<', '>');
	if (!t.branch.n || !t.from_tag.n || !t.to.n || !t.call_id.n || !cseq.n || !length.n ||
		strtoul(length.p, NULL, 10) != t.body.n)
		return -EBADMSG;
	char *rest;
	t.cseq = (uint32_t)strtoul(cseq.p, &rest, 10);
	t.cseq_method = method_of((struct span){ rest + 1, cseq.n - (size_t)(rest + 1 - cseq.p) });
	if (t.method != M_NONE && t.method != t.cseq_method)
		return -EBADMSG;
	*ret_text = t;
	return 0;
}

struct out text_begin(char *buffer)
{
	return out_init(buffer, TEXT_SIZE);
}

void text_sdp(struct out *o, const struct leg *l)
{
	char sdp[256], ip[ADDR_TEXT_MAX];
	addr_format_ip(&l->port->addr, ip, sizeof ip);
	int n = snprintf(sdp, sizeof sdp,
		"v=0\r\no=- %u %u IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %u RTP/AVP 8 101\r\na=rtpmap:101 "
		"telephone-event/8000\r\n",
		l->number + 1, l->next_txn + 1, ip, ip, rtp_port(l));
	out_lit(o, "Content-Type: application/sdp\r\nContent-Length: ");
	out_u64(o, (uint64_t)n);
	out_lit(o, "\r\n\r\n");
	out_bytes(o, sdp, (size_t)n);
}
