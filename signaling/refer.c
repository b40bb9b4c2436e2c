#include "signaling/refer.h"
#include "signaling/headers.h"
#include "sip/msg_parts.h"
#include <errno.h>

bool refer_passes(const struct work *w)
{
	const struct config *c = w->g->c;
	return w->s.gateway < c->routing_gateways.n && cfg_routing(c, w->s.gateway)->refer == REFER_PASS;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

/* the value of Replaces among a URI's headers, unescaped; false: too long or wrongly escaped */
static bool read_replaces(struct span headers, char *text, size_t cap, struct span *ret_value)
{
	size_t n = 0;
	*ret_value = (struct span){ 0 };
	while (headers.n) {
		const char *amp = memchr(headers.p, '&', headers.n);
		struct span one = { headers.p, amp ? (size_t)(amp - headers.p) : headers.n };
		size_t taken = one.n + (amp ? 1 : 0);
		headers = (struct span){ headers.p + taken, headers.n - taken };
		if (one.n < 9 || strncasecmp(one.p, "Replaces=", 9) != 0)
			continue;
		for (size_t i = 9; i < one.n; i++) {
			char c = one.p[i];
			if (c == '%') {
				int high = i + 2 < one.n ? hex_digit(one.p[i + 1]) : -1, low = i + 2 < one.n ? hex_digit(one.p[i + 2]) : -1;
				if (high < 0 || low < 0)
					return false;
				c = (char)(high << 4 | low);
				i += 2;
			}
			if (n == cap)
				return false;
			text[n++] = c;
		}
		*ret_value = (struct span){ text, n };
	}
	return true;
}

/* The call whose dialog with the asking side has our tag `ours`, if it is a call of this worker and answered. */
static bool open_replaced(const struct work *w, struct span ours, struct work *ret_other)
{
	struct sig *g = w->g;
	struct token t;
	if (tag_read(&g->env->roster->token_key, ours, &t) < 0 || t.worker != g->env->index || t.slot >= g->n_calls)
		return false;
	const struct slot *slot = &g->calls[t.slot].slot;
	if (slot->generation != t.generation || slot->state < SLOT_LIVE || t.aux & 0x80) /* 0x80: our tag towards a callee */
		return false;
	*ret_other = (struct work){ .g = g, .slot = t.slot, .call = &g->calls[t.slot], .now = w->now };
	memcpy(&ret_other->s, slot_now(slot, g->calls[t.slot].copies, sizeof ret_other->s), sizeof ret_other->s);
	return ret_other->s.phase == CALL_UP || ret_other->s.phase == CALL_ANSWERED;
}

static void out_escaped(struct out *o, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c && strchr("-_.!~*'()", c))) {
			out_char(o, c);
		} else {
			out_char(o, '%');
			out_hex(o, (unsigned char)c, 2);
		}
	}
}

/* "call-id;to-tag=..;from-tag=..": to-tag and from-tag as the receiver of the INVITE will see them: its own is to-tag */
static int map_replaces(const struct work *w, struct span value, struct out *o)
{
	static struct work other; /* large */
	static struct msg_address to;
	struct span params = part_params(&value), to_tag, from_tag;
	char text[CALL_ID_TEXT], tag[32];
	size_t n;
	if (!params.n || !msg_param(params, SPAN("to-tag"), &to_tag) || !msg_param(params, SPAN("from-tag"), &from_tag))
		return -ENOENT;
	if (!open_replaced(w, to_tag, &other) && !open_replaced(w, from_tag, &other))
		return -ENOENT;
	if (!span_eq(value, work_text(&other, TEXT_IN_CALL_ID)) || address_parse(work_text(&other, TEXT_OUT_TO), &to) < 0 || !to.tag.n)
		return -ENOENT;
	out_lit(o, "?Replaces=");
	out_escaped(o, (struct span){ text, compose_call_id(&other, text, sizeof text) });
	out_lit(o, "%3Bto-tag%3D");
	out_escaped(o, to.tag);
	compose_local_tag(&other, LEG_CALLEE, tag, &n);
	out_lit(o, "%3Bfrom-tag%3D");
	out_bytes(o, tag, n);
	return 0;
}

int refer_lines(const struct work *w, enum call_leg_side to, const struct msg *m, struct out *o)
{
	static struct msg_address a;
	char text[512];
	struct span value = msg_other(m, SPAN("Refer-To")), replaces;
	if (!value.n || address_parse(value, &a) < 0)
		return -EBADMSG;
	if (!read_replaces(a.u.headers, text, sizeof text, &replaces))
		return -EBADMSG;
	out_lit(o, "Refer-To: <");
	a.u.headers = (struct span){ 0 };
	if (!headers_uri(w, to, &a.u, o))
		return -EBADMSG;
	if (replaces.n) {
		int r = map_replaces(w, replaces, o);
		if (r < 0)
			return r;
	}
	out_lit(o, ">\r\n");
	out_span(o, headers_pass(w, to, m));
	return 0;
}
