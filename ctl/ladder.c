#include "ctl/ladder.h"
#include "base/pcap.h"
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define ADDRESS_WIDTH 21

static void print_time(int64_t us, FILE *f)
{
	char text[16];
	struct tm t;
	time_t s = (time_t)(us / 1000000);
	if (us > 0 && localtime_r(&s, &t) && strftime(text, sizeof(text), "%H:%M:%S", &t))
		fprintf(f, "%s.%06d  ", text, (int)(us % 1000000));
}

/* what came from the network must not move the cursor */
static void print_line(struct span s, FILE *f)
{
	for (size_t i = 0; i < s.n && s.p[i] != '\r' && s.p[i] != '\n'; i++)
		fputc((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f ? '?' : s.p[i], f);
	fputc('\n', f);
}

void ladder_print(const struct json *event, FILE *f)
{
	struct span from = js_text_of(js_get(event, "from")), to = js_text_of(js_get(event, "to"));
	int64_t lost = js_int_of(js_get(event, "lost"));
	if (!span_eq(js_text_of(js_get(event, "event")), SPAN("trace")))
		return;
	if (lost)
		fprintf(f, "-- %lld messages could not be shown --\n", (long long)lost);
	print_time(js_int_of(js_get(event, "time_us")), f);
	if (span_eq(js_text_of(js_get(event, "kind")), SPAN("decision"))) {
		fputs("   * ", f);
		print_line(js_text_of(js_get(event, "text")), f);
		return;
	}
	fprintf(f, "%-*.*s -> %-*.*s  ", ADDRESS_WIDTH, (int)from.n, from.p, ADDRESS_WIDTH, (int)to.n, to.p);
	print_line(js_text_of(js_get(event, "message")), f);
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0;
}

int ladder_capture(const struct json *event, FILE *pcap)
{
	struct addr from, to;
	struct span hex = js_text_of(js_get(event, "hex")), message = js_text_of(js_get(event, "message"));
	if (!message.n)
		return 0;
	if (addr_parse(js_text_of(js_get(event, "from")), &from) || addr_parse(js_text_of(js_get(event, "to")), &to))
		return -EINVAL;
	char *bytes = hex.n ? malloc(hex.n / 2 + 1) : NULL;
	if (hex.n && !bytes)
		return -ENOMEM;
	for (size_t i = 0; bytes && i + 1 < hex.n; i += 2)
		bytes[i / 2] = (char)(digit(hex.p[i]) << 4 | digit(hex.p[i + 1]));
	if (bytes)
		message = (struct span){ bytes, hex.n / 2 };
	int r = pcap_packet(pcap, (uint64_t)js_int_of(js_get(event, "time_us")), &from, &to, message);
	free(bytes);
	return r;
}
