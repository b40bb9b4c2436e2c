#include "media-proxy/header.h"
#include <criterion/criterion.h>

static struct addr parse(const char *text)
{
	struct addr a;
	cr_assert_eq(addr_parse(span_of(text), &a), 0);
	return a;
}

/* RFC 1071 in the plainest way: 16-bit words in network order */
static uint32_t plain_sum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint32_t folded(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

Test(header, example_of_rfc_1071)
{
	static const uint8_t p[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };
	uint16_t sum = header_sum(p, sizeof(p), 0);
	cr_assert_eq(memcmp(&sum, "\xdd\xf2", 2), 0);
}

Test(header, sum_equals_the_plain_one_for_every_length)
{
	uint8_t p[300];
	for (size_t i = 0; i < sizeof(p); i++)
		p[i] = (uint8_t)(i * 167 + 13);
	for (size_t n = 0; n + 1 < sizeof(p); n++) {
		uint16_t sum = header_sum(p + 1, n, 0);
		uint8_t b[2];
		memcpy(b, &sum, 2);
		cr_assert_eq((uint32_t)b[0] << 8 | b[1], plain_sum(p + 1, n), "%zu bytes", n);
	}
}

Test(header, sum_of_large_words_does_not_overflow)
{
	static uint8_t p[65535];
	memset(p, 0xff, sizeof(p));
	uint16_t sum = header_sum(p, sizeof(p) - 1, UINT32_MAX);
	cr_assert_eq(sum, 0xffff);
}

Test(header, ipv4)
{
	uint8_t buffer[HEADER_MAX + 9];
	uint8_t *payload = buffer + HEADER_MAX, *ip = payload - HEADER_V4;
	struct addr from = parse("192.0.2.1:10000"), to = parse("198.51.100.7:40000");
	struct header h = { .from = &from, .to = &to, .dscp = 0xb8, .id = 0x1234 };
	memcpy(payload, "123456789", 9);
	cr_assert_eq(header_write(&h, payload, 9), HEADER_V4);
	static const uint8_t expected[] = { 0x45, 0xb8, 0, 37, 0x12, 0x34, 0, 0, 64, 17 };
	cr_assert_eq(memcmp(ip, expected, sizeof(expected)), 0);
	cr_assert_eq(memcmp(ip + 12, "\xc0\0\2\1\xc6\x33\x64\7", 8), 0);
	cr_assert_eq(plain_sum(ip, 20), 0xffff);
	cr_assert_eq(memcmp(ip + 20, "\x27\x10\x9c\x40\0\x11", 6), 0);
	/* pseudo header: addresses, protocol, UDP length */
	cr_assert_eq(folded(plain_sum(ip + 12, 8) + 17 + 17 + plain_sum(ip + 20, 17)), 0xffff);
	cr_assert_eq(memcmp(payload, "123456789", 9), 0);
}

Test(header, ipv6)
{
	uint8_t buffer[HEADER_MAX + 172];
	uint8_t *payload = buffer + HEADER_MAX;
	struct addr from = parse("[2001:db8::1]:10000"), to = parse("[2001:db8:ffff::2]:40000");
	struct header h = { .from = &from, .to = &to, .dscp = 0xb8 };
	for (unsigned i = 0; i < 172; i++)
		payload[i] = (uint8_t)(i * 31);
	cr_assert_eq(header_write(&h, payload, 172), HEADER_V6);
	static const uint8_t expected[] = { 0x6b, 0x80, 0, 0, 0, 180, 17, 64 };
	cr_assert_eq(memcmp(buffer, expected, sizeof(expected)), 0);
	cr_assert(memcmp(buffer + 8, from.ip, 16) == 0 && memcmp(buffer + 24, to.ip, 16) == 0);
	cr_assert_eq(folded(plain_sum(buffer + 8, 32) + 17 + 180 + plain_sum(buffer + 40, 180)), 0xffff);
}

/* a sum that comes out as zero is sent as 0xffff: zero would say "no checksum" */
Test(header, checksum_is_never_zero)
{
	uint8_t buffer[HEADER_MAX + 2];
	uint8_t *payload = buffer + HEADER_MAX;
	struct addr from = parse("192.0.2.1:10000"), to = parse("198.51.100.7:40000");
	struct header h = { .from = &from, .to = &to };
	bool seen = false;
	for (unsigned i = 0; i < 65536; i++) {
		payload[0] = (uint8_t)(i >> 8);
		payload[1] = (uint8_t)i;
		header_write(&h, payload, 2);
		cr_assert_neq(payload[-1] | payload[-2], 0);
		seen |= payload[-1] == 0xff && payload[-2] == 0xff;
	}
	cr_assert(seen);
}
