/* Addresses of a configuration: places to send to, networks, listeners. Names are not resolved here but by the routing
 * worker while it runs: whoever reads the configuration at two moments must get the same. */
#include "config/schema.h"
#include <stdio.h>

#define SIP_PORT     5060
#define SIP_TLS_PORT 5061
#define DNS_PORT     53

/* a port that was written must be one: addr_parse takes a missing one for 0 */
static bool parse(struct span text, struct addr *ret_addr)
{
	return addr_parse(text, ret_addr) == 0 &&
	       !(text.n > 2 && memcmp(text.p + text.n - 2, ":0", 2) == 0 && ret_addr->family == 4) &&
	       !(text.n > 3 && memcmp(text.p + text.n - 3, "]:0", 3) == 0);
}

static bool multicast(const struct addr *a)
{
	return a->family == 4 ? a->ip[0] >= 224 : a->ip[0] == 0xff;
}

bool read_target(const struct input *in, const struct type *t, void *out)
{
	struct addr a;
	(void)t;
	if (!parse(in->text, &a))
		return value_wrong(
			in, "is not an address, allowed: IP, IP:PORT, [IPv6]:PORT, NAME, NAME:PORT", "");
	if (addr_is_any(&a) || multicast(&a))
		return value_wrong(in, "is not an address that something can be sent to", "");
	if (!a.port)
		a.port = SIP_PORT;
	memcpy(out, &a, sizeof(a));
	return true;
}

bool address_is_name(struct span text)
{
	size_t label = 0;
	bool letter = false; /* in the last label: else it would be an address that is wrong */
	if (text.n > 1 && text.p[text.n - 1] == '.')
		text.n--;
	if (!text.n || text.n > 253)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		bool digit = c >= '0' && c <= '9', hyphen = c == '-' || c == '_';
		if (c == '.') {
			if (!label || text.p[i - 1] == '-')
				return false;
			label = 0;
			letter = false;
			continue;
		}
		if (!digit && !hyphen && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
			return false;
		if (++label > 63 || (label == 1 && c == '-'))
			return false;
		letter |= !digit && !hyphen;
	}
	return label && letter && text.p[text.n - 1] != '-';
}

bool read_place(const struct input *in, const struct type *t, void *out)
{
	const char *colon = memchr(in->text.p, ':', in->text.n);
	struct span host = { in->text.p, colon ? (size_t)(colon - in->text.p) : in->text.n };
	struct addr a = { 0 };
	int64_t port = 0;
	if (!address_is_name(host))
		return read_target(in, t, out);
	if (colon && (!value_integer((struct span){ colon + 1, in->text.n - host.n - 1 }, &port) || port < 1 || port > 65535))
		return value_wrong(in, "is not a place to send to, allowed: IP, IP:PORT, [IPv6]:PORT, NAME, NAME:PORT", "");
	a.port = (uint16_t)port;
	memcpy(out, &a, sizeof(a));
	return true;
}

bool read_server(const struct input *in, const struct type *t, void *out)
{
	struct addr a;
	(void)t;
	if (!parse(in->text, &a) || addr_is_any(&a) || multicast(&a))
		return value_wrong(in, "is not a name server, allowed: IP, IP:PORT, [IPv6]:PORT", "");
	if (!a.port)
		a.port = DNS_PORT;
	memcpy(out, &a, sizeof(a));
	return true;
}

bool read_network(const struct input *in, const struct type *t, void *out)
{
	static const char allowed[] = "is not an address or network, allowed: IP, IP:PORT, IP/BITS";
	const char *slash = memchr(in->text.p, '/', in->text.n);
	struct addr a;
	(void)t;
	if (slash) {
		if (addr_parse_net(in->text, &a) < 0)
			return value_wrong(in, allowed, "");
		if (a.bits == 0) /* which would mean a host */
			return value_wrong(in, "would be everybody, allowed: /1 to /32, IPv6 /1 to /128", "");
	} else if (!parse(in->text, &a)) {
		return value_wrong(in, allowed, "");
	} else if (addr_is_any(&a) || multicast(&a)) {
		return value_wrong(in, "is not an address that something can come from", "");
	}
	memcpy(out, &a, sizeof(a));
	return true;
}

bool read_ip(const struct input *in, const struct type *t, void *out)
{
	struct addr a;
	(void)t;
	if (addr_parse(in->text, &a) < 0 || a.port || multicast(&a))
		return value_wrong(in, "is not an IP address without port", "");
	memcpy(out, &a, sizeof(a));
	return true;
}

bool read_ip_text(const struct input *in, const struct type *t, void *out)
{
	struct addr a;
	return read_ip(in, t, &a) && read_text(in, t, out);
}

bool read_bind(const struct input *in, const struct type *t, void *out)
{
	struct addr a;
	(void)t;
	if (!parse(in->text, &a) || multicast(&a) || !a.port)
		return value_wrong(in, "is not an address to listen on, allowed: IP:PORT, [IPv6]:PORT", "");
	memcpy(out, &a, sizeof(a));
	return true;
}

bool read_listen(const struct input *in, const struct type *t, void *out)
{
	static const struct {
		struct span prefix;
		enum cfg_transport transport;
	} prefixes[] = { { { "udp:", 4 }, TRANSPORT_UDP }, { { "tcp:", 4 }, TRANSPORT_TCP }, { { "tls:", 4 },
		TRANSPORT_TLS } };
	struct cfg_listen l = { .transport = TRANSPORT_UDP };
	struct span rest = in->text;
	(void)t;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
		if (span_starts(in->text, prefixes[i].prefix)) {
			l.transport = prefixes[i].transport;
			rest.p += prefixes[i].prefix.n;
			rest.n -= prefixes[i].prefix.n;
		}
	}
	if (!parse(rest, &l.addr) || multicast(&l.addr))
		return value_wrong(in,
			"is not an address to listen on, allowed: udp:IP:PORT, tcp:IP:PORT, tls:IP:PORT, IPv6 in "
			"brackets",
			"");
	if (!l.addr.port)
		l.addr.port = l.transport == TRANSPORT_TLS ? SIP_TLS_PORT : SIP_PORT;
	memcpy(out, &l, sizeof(l));
	return true;
}
