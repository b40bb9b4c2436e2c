#include "signaling/sdp.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>

#define HEAD "v=0\r\no=alice 2890844526 2890844527 IN IP4 192.0.2.1\r\ns=A call\r\n"
#define CALL HEAD "c=IN IP4 192.0.2.1\r\nt=0 0\r\n"

static struct sdp s;
static char buf[70000];
static struct span written;

static int read_text(const char *text)
{
	memset(&s, 0xa5, sizeof(s)); /* nothing may depend on what was there */
	return sdp_read(span_of(text), &s);
}

static struct sdp_rewrite relayed(const char *address)
{
	struct sdp_rewrite r = { .session_id = 77, .version = 3, .relayed = true };
	cr_assert_eq(addr_parse(span_of(address), &r.address), 0);
	return r;
}

static int write_text(const struct sdp_rewrite *r)
{
	struct out o = out_init(buf, sizeof(buf));
	int e = sdp_write(&s, r, &o);
	written = out_done(&o);
	return e;
}

static bool is(struct span a, const char *text)
{
	return span_eq(a, span_of(text));
}

static bool has_addr(const struct addr *a, const char *text)
{
	char b[ADDR_TEXT_MAX];
	size_t n = a->family ? addr_format(a, false, b, sizeof(b)) : 0;
	return is((struct span){ b, n }, text);
}

static void expect_written(const char *text)
{
	cr_expect(is(written, text), "got:\n%.*s\nwanted:\n%s", (int)written.n, written.p, text);
}

Test(sdp, reads_a_usual_offer)
{
	cr_assert_eq(
		read_text(CALL "m=audio 6000 RTP/AVP 8 0 96 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:96 opus/48000/2\r\n"
			       "a=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=sendonly\r\n"),
		0);
	cr_expect(is(s.origin_user, "alice") && is(s.origin_id, "2890844526") && is(s.origin_version, "2890844527"));
	cr_expect(is(s.origin_address, "192.0.2.1") && is(s.session_name, "A call"));
	cr_assert_eq(s.n_media, 1);
	const struct sdp_media *m = &s.media[0];
	cr_expect(m->kind == SDP_KIND_AUDIO && m->transport == SDP_PROTO_RTP && m->port == 6000 && m->port_count == 1);
	cr_expect(has_addr(&m->address, "192.0.2.1:6000") && has_addr(&m->rtcp, "192.0.2.1:6001"));
	cr_expect(m->direction == SDP_SENDONLY && m->ptime == 20 && !m->has_connection && !m->hold_address);
	cr_assert_eq(m->n_formats, 4);
	cr_expect(is(m->format[0], "8") && is(m->format[3], "101") && is(m->formats, "8 0 96 101"));
	cr_assert_eq(m->n_rtpmaps, 3);
	cr_expect(m->rtpmap[1].payload == 96 && m->rtpmap[1].clock == 48000 && is(m->rtpmap[1].encoding, "opus"));
	cr_expect(is(sdp_codec(&s), "PCMA"));
	cr_expect(is(sdp_encoding(m, SPAN("0")), "PCMU"), "from the static table");
	cr_expect(is(sdp_encoding(m, SPAN("99")), "") && is(sdp_encoding(m, SPAN("x")), ""));
}

Test(sdp, line_ends_and_defaults)
{
	cr_assert_eq(
		read_text(
			"v=0\no=- 1 1 IN IP6 2001:db8::1\ns=-\nc=IN IP6 2001:db8::1\na=inactive\nm=audio 0 RTP/AVP 18"),
		0);
	cr_expect(s.media[0].direction == SDP_INACTIVE && s.media[0].port == 0 && s.media[0].rtcp.port == 0);
	cr_expect(is(sdp_codec(&s), ""), "a refused line has no codec");
	cr_expect(!sdp_on_hold(&s));
}

Test(sdp, media_level_overrides)
{
	cr_assert_eq(read_text(CALL
			     "a=sendonly\r\nm=audio 6000/2 RTP/SAVP 0\r\nc=IN IP4 192.0.2.9/127\r\na=rtcp:53020\r\n"
			     "a=sendrecv\r\nm=video 7000 RTP/AVPF 31\r\na=rtcp:7777 IN IP4 192.0.2.7\r\na=rtcp-mux\r\n"
			     "a=candidate:1 1 UDP 1 10.0.0.1 9 typ host\r\nm=image 8000 udptl t38\r\nm=application 9 "
			     "DTLS/SCTP 5000\r\n"),
		0);
	cr_assert_eq(s.n_media, 4);
	cr_expect(has_addr(&s.media[0].address, "192.0.2.9:6000") && has_addr(&s.media[0].rtcp, "192.0.2.9:53020"));
	cr_expect(s.media[0].port_count == 2 && s.media[0].transport == SDP_PROTO_SRTP &&
		  s.media[0].direction == SDP_SENDRECV);
	cr_expect(has_addr(&s.media[1].rtcp, "192.0.2.7:7777") && s.media[1].rtcp_mux && s.media[1].ice);
	cr_expect(s.media[1].kind == SDP_KIND_VIDEO && s.media[1].direction == SDP_SENDONLY);
	cr_expect(s.media[2].kind == SDP_KIND_IMAGE && s.media[2].transport == SDP_PROTO_UDPTL && !s.media[2].ice);
	cr_expect(s.media[3].kind == SDP_KIND_OTHER && s.media[3].transport == SDP_PROTO_OTHER);
}

Test(sdp, names_have_no_address)
{
	cr_assert_eq(read_text(HEAD "c=IN IP4 host.example.com\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n"), 0);
	cr_expect(s.has_connection && s.connection.family == 0 && s.media[0].address.family == 0 &&
		  s.media[0].address.port == 6000);
}

Test(sdp, hold)
{
	cr_assert_eq(read_text(HEAD "c=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n"), 0);
	cr_expect(s.media[0].hold_address && sdp_on_hold(&s));
	cr_assert_eq(read_text(CALL "m=audio 6000 RTP/AVP 0\r\na=sendonly\r\nm=video 0 RTP/AVP 31\r\n"), 0);
	cr_expect(sdp_on_hold(&s));
	cr_assert_eq(read_text(CALL "m=audio 6000 RTP/AVP 0\r\na=sendonly\r\nm=video 1 RTP/AVP 31\r\n"), 0);
	cr_expect(!sdp_on_hold(&s), "one stream still flows");
	cr_assert_eq(read_text(CALL "m=audio 6000 RTP/AVP 0\r\na=recvonly\r\n"), 0);
	cr_expect(!sdp_on_hold(&s));
}

struct wrong {
	const char *text;
	uint32_t line;
};
Test(sdp, malformed)
{
	static const struct wrong cases[] = {
		{ "", 1 },
		{ "v=1\r\n", 1 },
		{ "o=- 1 1 IN IP4 1.1.1.1\r\n", 1 },
		{ "v=0\r\ns=-\r\n", 3 },
		{ "v=0\r\no=- 1 1 IN IP4\r\n", 2 },
		{ "v=0\r\no=- 1 1 IN IP9 1.1.1.1\r\n", 2 },
		{ HEAD "o=- 1 1 IN IP4 1.1.1.1\r\n", 4 },
		{ HEAD "nonsense\r\n", 4 },
		{ HEAD "x\r\n", 4 },
		{ HEAD "c=IN IP4\r\n", 4 },
		{ HEAD "c=IN IP4 ::1\r\n", 4 },
		{ HEAD "c=IN IP6 1.2.3.4\r\n", 4 },
		{ HEAD "c=IN IP4 1.2.3.4:5\r\n", 4 },
		{ CALL "m=audio\r\n", 6 },
		{ CALL "m=audio 6000 RT[/AVP\r\n", 6 },
		{ CALL "m=audio 65536 RTP/AVP 0\r\n", 6 },
		{ CALL "m=audio -1 RTP/AVP 0\r\n", 6 },
		{ CALL "m=audio 6000/x RTP/AVP 0\r\n", 6 },
		{ CALL "m=audio 99999999999999999999 RTP/AVP 0\r\n", 6 },
		{ CALL "m=audio 6000 RTP/AVP 0\r\na=rtcp:x\r\n", 7 },
		{ CALL "m=audio 6000 RTP/AVP 0\r\na=rtcp:1 IN\r\n", 7 },
		{ CALL "m=audio 6000 RTP/AVP 0\r\no=- 1 1 IN IP4 1.1.1.1\r\n", 7 },
		{ CALL "a=x\ry\r\n", 6 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect_eq(read_text(cases[i].text), -EBADMSG, "%s", cases[i].text);
		cr_expect_eq(s.error_line, cases[i].line, "%s: line %u", cases[i].text, s.error_line);
	}
	cr_expect_eq(sdp_read((struct span){ "v=0\r\na=\0\r\n", 10 }, &s), -EBADMSG);
	cr_expect_eq(s.error_line, 2);
	cr_expect_eq(read_text(CALL "m=audio 20000 RT[/AVP 8"), 0, "what made another parser allocate for ever");
}

Test(sdp, too_many_media_lines)
{
	char text[4096] = CALL;
	for (unsigned i = 0; i < SDP_MEDIA; i++)
		strcat(text, "m=audio 6000 RTP/AVP 0\r\n");
	cr_expect_eq(read_text(text), 0);
	cr_expect_eq(s.n_media, SDP_MEDIA);
	strcat(text, "m=audio 6000 RTP/AVP 0\r\n");
	cr_expect_eq(read_text(text), -E2BIG);
	cr_expect_eq(s.error_line, 6 + SDP_MEDIA);
}

Test(sdp, more_formats_and_maps_than_are_listed)
{
	char text[8192] = CALL "m=audio 6000 RTP/AVP";
	for (int i = 0; i < 100; i++)
		sprintf(text + strlen(text), " %d", i);
	strcat(text, "\r\n");
	for (int i = 0; i < 100; i++)
		sprintf(text + strlen(text), "a=rtpmap:%d X%d/8000\r\n", i, i);
	cr_assert_eq(read_text(text), 0);
	cr_expect(s.media[0].n_formats == SDP_FORMATS && s.media[0].n_rtpmaps == SDP_RTPMAPS);
	struct sdp_rewrite r = relayed("198.51.100.1");
	r.port[0] = 20000;
	cr_assert_eq(write_text(&r), 0);
	cr_expect(memmem(written.p, written.n, " 98 99\r\n", 8) &&
			  memmem(written.p, written.n, "a=rtpmap:99 X99/8000\r\n", 22),
		"all pass");
}

Test(sdp, writes_for_a_relay)
{
	cr_assert_eq(
		read_text(CALL
			"b=AS:64\r\na=group:BUNDLE 1 2\r\na=ice-lite\r\na=tool:x\r\nm=audio 6000 RTP/AVP 8 101\r\nc=IN "
			"IP4 192.0.2.5\r\n"
			"a=rtcp:6001 IN IP4 192.0.2.5\r\na=rtcp-fb:* nack\r\na=candidate:1 1 UDP 1 10.0.0.1 9 typ "
			"host\r\n"
			"a=ice-ufrag:x\r\na=ice-pwd:y\r\na=remote-candidates:1 10.0.0.2 3\r\na=end-of-candidates\r\n"
			"a=ssrc:7 cname:a@192.0.2.5\r\n"
			"a=source-filter: incl IN IP4 * 192.0.2.5\r\na=fmtp:101 0-15\r\nm=video 7000 RTP/AVP 31\r\n"
			"m=image 0 udptl t38\r\n\r\n"),
		0);
	struct sdp_rewrite r = relayed("198.51.100.1");
	r.port[0] = 20000;
	r.rtcp_port[0] = 20005;
	r.port[2] = 20010;
	r.rtcp_port[2] = 20011;
	cr_assert_eq(write_text(&r), 0);
	expect_written("v=0\r\no=- 77 3 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 "
		       "0\r\nb=AS:64\r\n"
		       "m=audio 20000 RTP/AVP 8 101\r\nc=IN IP4 198.51.100.1\r\na=rtcp-fb:* nack\r\na=fmtp:101 0-15\r\n"
		       "a=rtcp:20005 IN IP4 198.51.100.1\r\nm=video 0 RTP/AVP 31\r\nm=image 0 udptl t38\r\n");
	cr_expect_null(memmem(written.p, written.n, "192.0.2.", 8));
	cr_expect_eq(sdp_read(written, &s), 0, "we can read what we write");
}

Test(sdp, writes_another_family_and_user)
{
	cr_assert_eq(read_text(CALL "m=audio 6000 RTP/AVP 8\n"), 0);
	struct sdp_rewrite r = relayed("2001:db8::5");
	r.origin_user = SPAN("sw1");
	r.port[0] = 20000;
	cr_assert_eq(write_text(&r), 0);
	expect_written("v=0\r\no=sw1 77 3 IN IP6 2001:db8::5\r\ns=-\r\nc=IN IP6 2001:db8::5\r\nt=0 0\r\nm=audio "
		       "20000 RTP/AVP 8\r\n");
}

Test(sdp, hold_address_stays)
{
	cr_assert_eq(read_text(CALL "m=audio 6000 RTP/AVP 8\r\nc=IN IP4 0.0.0.0\r\nc=IN IP4 192.0.2.3\r\n"), 0);
	struct sdp_rewrite r = relayed("198.51.100.1");
	r.port[0] = 20000;
	cr_assert_eq(write_text(&r), 0);
	expect_written("v=0\r\no=- 77 3 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\nm=audio "
		       "20000 RTP/AVP 8\r\nc=IN IP4 0.0.0.0\r\n");
}

Test(sdp, connection_is_added_where_there_is_none)
{
	cr_assert_eq(
		read_text(HEAD "t=0 0\r\nm=audio 6000 RTP/AVP 8\r\nm=video 7000 RTP/AVP 31\r\nc=IN IP4 192.0.2.3\r\n"),
		0);
	struct sdp_rewrite r = relayed("198.51.100.1");
	r.port[0] = 20000;
	r.port[1] = 20002;
	cr_assert_eq(write_text(&r), 0);
	expect_written("v=0\r\no=- 77 3 IN IP4 198.51.100.1\r\ns=-\r\nt=0 0\r\nm=audio 20000 RTP/AVP 8\r\nc=IN "
		       "IP4 198.51.100.1\r\n"
		       "m=video 20002 RTP/AVP 31\r\nc=IN IP4 198.51.100.1\r\n");
}

Test(sdp, not_relayed_only_the_origin_is_ours)
{
	const char *media = "m=audio 6000 RTP/AVP 8\r\na=rtcp:1\r\na=ice-ufrag:x\r\nm=video 7000 RTP/AVP 31\r\n";
	char text[1024] = CALL;
	strcat(text, media);
	cr_assert_eq(read_text(text), 0);
	struct sdp_rewrite r = relayed("198.51.100.1");
	r.relayed = false;
	r.keep_ports = true;
	cr_assert_eq(write_text(&r), 0);
	char wanted[1024] = "v=0\r\no=- 77 3 IN IP4 198.51.100.1\r\ns=A call\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";
	strcat(wanted, media);
	expect_written(wanted);
	r.keep_ports = false;
	r.port[0] = 1;
	cr_assert_eq(write_text(&r), 0);
	cr_expect(memmem(written.p, written.n, "m=audio 6000 ", 13) && memmem(written.p, written.n, "m=video 0 ", 10));
}

Test(sdp, too_small_a_buffer)
{
	cr_assert_eq(read_text(CALL "m=audio 6000 RTP/AVP 8\r\n"), 0);
	struct sdp_rewrite r = relayed("198.51.100.1");
	cr_assert_eq(write_text(&r), 0);
	for (size_t cap = 0; cap < written.n; cap++) {
		struct out o = out_init(buf, cap);
		cr_expect_eq(sdp_write(&s, &r, &o), -EMSGSIZE);
		cr_expect_leq(o.n, cap);
	}
}

/* No 64 KB may cost much more than any other. */
Test(sdp, time_is_bounded)
{
	static const char *const repeated[] = { "\n", "\r\n", "a=\n", "x=y\n", "m=audio 1 x 1 2 3\n",
		"c=IN IP4 1.1.1.1\n", " 1", "a=rtpmap:8 X/8\n", "/", "=" };
	static const char *const starts[] = { "", CALL, CALL "m=audio 6000 RTP/AVP", CALL "m=audio 6000 RTP/AVP 0\r\n",
		HEAD "c=IN IP4 " };
	static char text[65535];
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]) * (sizeof(repeated) / sizeof(repeated[0])); i++) {
		const char *start = starts[i % 5], *more = repeated[i / 5];
		size_t n = strlen(start), step = strlen(more);
		memcpy(text, start, n);
		for (; n + step <= sizeof(text); n += step)
			memcpy(text + n, more, step);
		clock_t before = clock();
		if (sdp_read((struct span){ text, n }, &s) == 0) {
			struct sdp_rewrite r = relayed("198.51.100.1");
			write_text(&r);
		}
		cr_expect_lt(clock() - before, CLOCKS_PER_SEC / 20, "%s then %s", start, more);
	}
}
