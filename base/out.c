#include "base/out.h"
#include <time.h>

void out_u64(struct out *o, uint64_t v)
{
	char digits[20];
	size_t n = sizeof(digits);
	do {
		digits[--n] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	out_bytes(o, digits + n, sizeof(digits) - n);
}

/* lower case, the lowest `digits` (1..16) digits with leading zeros */
void out_hex(struct out *o, uint64_t v, int digits)
{
	char text[16];
	size_t n = digits < 1 ? 1 : digits > 16 ? 16 : (size_t)digits;
	for (size_t i = n; i-- > 0; v >>= 4)
		text[i] = "0123456789abcdef"[v & 15];
	out_bytes(o, text, n);
}

static void put_digits(struct out *o, int v, unsigned digits)
{
	char text[10];
	for (unsigned i = digits; i-- > 0; v /= 10)
		text[i] = (char)('0' + v % 10);
	out_bytes(o, text, digits);
}

bool out_time(struct out *o, uint64_t wall_ms)
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm t;
	if (!gmtime_r(&seconds, &t) || t.tm_year > 9999 - 1900)
		return false;
	put_digits(o, t.tm_year + 1900, 4);
	out_char(o, '-');
	put_digits(o, t.tm_mon + 1, 2);
	out_char(o, '-');
	put_digits(o, t.tm_mday, 2);
	out_char(o, 'T');
	put_digits(o, t.tm_hour, 2);
	out_char(o, ':');
	put_digits(o, t.tm_min, 2);
	out_char(o, ':');
	put_digits(o, t.tm_sec, 2);
	out_char(o, '.');
	put_digits(o, (int)(wall_ms % 1000), 3);
	out_char(o, 'Z');
	return true;
}

void out_addr(struct out *o, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];
	out_bytes(o, text, addr_format(a, true, text, sizeof(text)));
}

void out_ip(struct out *o, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];
	out_bytes(o, text, addr_format_ip(a, text, sizeof(text)));
}

/* Length of the well-formed UTF-8 character at p (RFC 3629 section 4). When it is not well-formed: 0, and *ret_bad is
 * the length of the part that one U+FFFD stands for (the longest beginning of a character, or one byte). */
static size_t utf8_length(const unsigned char *p, size_t n, size_t *ret_bad)
{
	size_t length = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	*ret_bad = 1;
	if (length > 1 && (p[0] < 0xc2 || p[0] > 0xf4))
		return 0;
	for (size_t i = 1; i < length; i++) {
		unsigned low = 0x80, high = 0xbf;
		if (i == 1) {
			low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : low;
			high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : high;
		}
		if (i >= n || p[i] < low || p[i] > high)
			return 0;
		*ret_bad = i + 1;
	}
	return length;
}

static void json_escape(struct out *o, char c)
{
	static const char plain[] = "\"\"\\\\\bb\ff\nn\rr\tt";
	for (size_t i = 0; i + 1 < sizeof(plain); i += 2) {
		if (plain[i] == c) {
			out_char(o, '\\');
			out_char(o, plain[i + 1]);
			return;
		}
	}
	out_lit(o, "\\u");
	out_hex(o, (unsigned char)c, 4);
}

void out_json(struct out *o, struct span s)
{
	size_t i = 0, run = 0; /* run: start of the bytes not yet copied */
	out_char(o, '"');
	while (i < s.n) {
		unsigned char c = (unsigned char)s.p[i];
		size_t bad, length = utf8_length((const unsigned char *)s.p + i, s.n - i, &bad);
		if (length && c >= 0x20 && c != '"' && c != '\\') {
			i += length;
			continue;
		}
		out_bytes(o, s.p + run, i - run);
		if (length)
			json_escape(o, s.p[i]);
		else
			out_lit(o, "\xef\xbf\xbd");
		i += length ? length : bad;
		run = i;
	}
	if (run < s.n)
		out_bytes(o, s.p + run, s.n - run);
	out_char(o, '"');
}
