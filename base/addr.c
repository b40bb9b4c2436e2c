#include "base/addr.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

/* decimal number without sign or blanks */
static int parse_number(struct span text, unsigned max, unsigned *ret_number)
{
	unsigned v = 0;
	if (text.n == 0 || text.n > 5)
		return -EINVAL;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return -EINVAL;
		v = v * 10 + (unsigned)(text.p[i] - '0');
	}
	if (v > max)
		return -EINVAL;
	*ret_number = v;
	return 0;
}

static int parse_ip(struct span text, uint8_t family, struct addr *ret_addr)
{
	char buf[INET6_ADDRSTRLEN];
	if (text.n == 0 || text.n >= sizeof(buf) || memchr(text.p, 0, text.n))
		return -EINVAL;
	memcpy(buf, text.p, text.n);
	buf[text.n] = 0;
	ret_addr->family = family;
	return inet_pton(family == 4 ? AF_INET : AF_INET6, buf, ret_addr->ip) == 1 ? 0 : -EINVAL;
}

/* the one form of an address: IPv4 when it is mapped into IPv6, so that memcmp is enough to compare */
static void unmap(struct addr *a)
{
	if (a->family != 6 || memcmp(a->ip, mapped_prefix, sizeof(mapped_prefix)) != 0)
		return;
	memmove(a->ip, a->ip + 12, 4);
	memset(a->ip + 4, 0, 12);
	a->family = 4;
}

/* as written: not yet unmapped, because the mask of a net counts the bits that are written */
static int parse_as_written(struct span text, struct addr *ret_addr)
{
	struct addr a = { 0 };
	struct span ip = text, port = { NULL, 0 };
	uint8_t family = 4;
	if (text.n == 0)
		return -EINVAL;
	const char *colon = memchr(text.p, ':', text.n);
	if (text.p[0] == '[') {
		const char *end = memchr(text.p, ']', text.n);
		if (!end)
			return -EINVAL;
		family = 6;
		ip = (struct span){ text.p + 1, (size_t)(end - text.p) - 1 };
		port = (struct span){ end + 1, text.n - ip.n - 2 };
		if (port.n && port.p[0] != ':')
			return -EINVAL;
	} else if (colon && memchr(colon + 1, ':', text.n - (size_t)(colon + 1 - text.p))) {
		family = 6;
	} else if (colon) {
		ip.n = (size_t)(colon - text.p);
		port = (struct span){ colon, text.n - ip.n };
	}
	unsigned number = 0;
	if (port.n && parse_number((struct span){ port.p + 1, port.n - 1 }, 65535, &number) < 0)
		return -EINVAL;
	if (parse_ip(ip, family, &a) < 0)
		return -EINVAL;
	a.port = (uint16_t)number;
	*ret_addr = a;
	return 0;
}

int addr_parse(struct span text, struct addr *ret_addr)
{
	struct addr a;
	if (parse_as_written(text, &a) < 0)
		return -EINVAL;
	unmap(&a);
	*ret_addr = a;
	return 0;
}

/* the mask of byte i of a net of that many bits */
static uint8_t mask_byte(unsigned bits, unsigned i)
{
	if (bits >= 8 * (i + 1))
		return 0xff;
	return (uint8_t)(bits <= 8 * i ? 0 : 0xff00u >> (bits - 8 * i));
}

int addr_parse_net(struct span text, struct addr *ret_addr)
{
	const char *slash = text.n ? memchr(text.p, '/', text.n) : NULL;
	if (!slash)
		return addr_parse(text, ret_addr);
	struct addr a;
	unsigned bits;
	size_t before = (size_t)(slash - text.p);
	if (parse_as_written((struct span){ text.p, before }, &a) < 0)
		return -EINVAL;
	if (parse_number((struct span){ slash + 1, text.n - before - 1 }, a.family == 4 ? 32 : 128, &bits) < 0)
		return -EINVAL;
	if (a.family == 6 && memcmp(a.ip, mapped_prefix, sizeof(mapped_prefix)) == 0 && bits) {
		if (bits < 96)
			return -EINVAL;
		unmap(&a);
		bits -= 96;
	}
	for (unsigned i = 0; i < sizeof(a.ip); i++)
		a.ip[i] &= mask_byte(bits, i);
	a.bits = (uint8_t)bits;
	*ret_addr = a;
	return 0;
}

size_t addr_format_ip(const struct addr *a, char *buf, size_t cap)
{
	if (cap == 0)
		return 0;
	if ((a->family != 4 && a->family != 6) ||
		!inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->ip, buf, (socklen_t)(cap > 4096 ? 4096 : cap))) {
		buf[0] = 0;
		return 0;
	}
	return strlen(buf);
}

size_t addr_format(const struct addr *a, bool brackets, char *buf, size_t cap)
{
	char text[ADDR_TEXT_MAX];
	bool bracketed = a->family == 6 && (brackets || a->port);
	size_t n = 0;
	if (cap == 0)
		return 0;
	buf[0] = 0;
	if (bracketed)
		text[n++] = '[';
	size_t ip = addr_format_ip(a, text + n, sizeof(text) - n);
	if (ip == 0)
		return 0;
	n += ip;
	if (bracketed)
		text[n++] = ']';
	if (a->port) {
		text[n++] = ':';
		unsigned place = 10000;
		while (place > a->port)
			place /= 10;
		for (; place; place /= 10)
			text[n++] = (char)('0' + a->port / place % 10);
	}
	if (n >= cap)
		return 0;
	memcpy(buf, text, n);
	buf[n] = 0;
	return n;
}

void addr_from_sockaddr(const struct sockaddr *sa, struct addr *ret_addr)
{
	struct addr a = { 0 };
	/* copied, as the caller's bytes need not be aligned for the real type */
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, sa, sizeof(in));
		a.family = 4;
		a.port = ntohs(in.sin_port);
		memcpy(a.ip, &in.sin_addr, 4);
	} else if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, sa, sizeof(in6));
		a.family = 6;
		a.port = ntohs(in6.sin6_port);
		memcpy(a.ip, &in6.sin6_addr, 16);
		unmap(&a);
	}
	*ret_addr = a;
}

socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ret_sa)
{
	memset(ret_sa, 0, sizeof(*ret_sa));
	if (a->family == 4) {
		struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(a->port) };
		memcpy(&in.sin_addr, a->ip, 4);
		memcpy(ret_sa, &in, sizeof(in));
		return sizeof(in);
	}
	if (a->family == 6) {
		struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(a->port) };
		memcpy(&in6.sin6_addr, a->ip, 16);
		memcpy(ret_sa, &in6, sizeof(in6));
		return sizeof(in6);
	}
	return 0;
}

bool addr_same_ip(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
	return a->port == b->port && addr_same_ip(a, b);
}

bool addr_is_any(const struct addr *a)
{
	static const uint8_t zero[16];
	return a->family != 0 && memcmp(a->ip, zero, sizeof(zero)) == 0;
}

bool addr_in_net(const struct addr *a, const struct addr *net)
{
	if (a->family != net->family || a->family == 0)
		return false;
	if (net->bits == 0)
		return addr_is_any(net) || addr_same_ip(a, net);
	for (unsigned i = 0; i < sizeof(a->ip); i++)
		if ((a->ip[i] ^ net->ip[i]) & mask_byte(net->bits, i))
			return false;
	return true;
}
