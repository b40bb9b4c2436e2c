/* What a list of codecs leaves of a body. */
#include "signaling/codec.h"
#include <criterion/criterion.h>
#include <errno.h>

#define HEAD "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
static const struct span list[] = { SPAN("opus"), SPAN("pcma"), SPAN("PCMU") };

static int filtered(const char *sdp, const char **ret_text)
{
	static char text[4096];
	struct out o = out_init(text, sizeof text - 1);
	int r = codec_filter(span_of(sdp), list, 3, &o);
	text[o.n] = 0;
	*ret_text = text;
	return r;
}

static void becomes(const char *sdp, const char *want)
{
	const char *text;
	cr_assert_eq(filtered(sdp, &text), 0, "%s", sdp);
	cr_expect_str_eq(text, want);
}

Test(codec, order_and_attributes)
{
	becomes(HEAD "m=audio 4000 RTP/AVP 0 8 18 111 101\r\na=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:111 OPUS/48000/2\r\n"
		     "a=fmtp:111 useinbandfec=1\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=rtcp-fb:18 nack\r\na=rtcp-fb:* nack\r\na=sendonly\r\n",
		HEAD "m=audio 4000 RTP/AVP 111 8 0 101\r\na=rtpmap:111 OPUS/48000/2\r\na=fmtp:111 useinbandfec=1\r\na=rtpmap:101 telephone-event/8000\r\n"
		     "a=fmtp:101 0-15\r\na=rtcp-fb:* nack\r\na=sendonly\r\n");
}

Test(codec, other_lines_stay)
{
	const char *fax = HEAD "m=image 4000 udptl t38\r\na=T38FaxVersion:0\r\n", *refused = HEAD "m=audio 0 RTP/AVP 18\r\nm=video 5000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n";
	becomes(fax, fax);
	becomes(refused, refused);
	becomes(HEAD "m=audio 4000 RTP/AVP 18\nm=audio 4002 RTP/AVP 8 18\na=rtpmap:18 G729/8000\n",
		HEAD "m=audio 0 RTP/AVP 18\r\nm=audio 4002 RTP/AVP 8\r\n");
}

Test(codec, nothing_in_common)
{
	const char *text;
	cr_expect_eq(filtered(HEAD "m=audio 4000 RTP/AVP 18 101\r\na=rtpmap:101 telephone-event/8000\r\n", &text), -ENOTSUP);
	cr_expect_eq(filtered(HEAD "m=audio 4000 RTP/AVP 99\r\nm=video 5000 RTP/AVP 96\r\n", &text), -ENOTSUP);
	cr_expect_eq(filtered("v=0\r\n", &text), -EBADMSG);
	struct out small = out_init((char[20]){ 0 }, 20);
	cr_expect_eq(codec_filter(span_of(HEAD "m=audio 4000 RTP/AVP 8\r\n"), list, 3, &small), -EMSGSIZE);
}
