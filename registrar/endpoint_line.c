#include "registrar/endpoint_line.h"
#include <errno.h>

#define CHECK_DIGITS 8

/* --- writing --- */

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c != 0x7f && c != '\\';
}

static void put_text(struct out *o, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (is_plain(c)) {
			out_char(o, (char)c);
		} else {
			out_char(o, '\\');
			out_hex(o, c, 2);
		}
	}
}

static void put_number(struct out *o, uint64_t v)
{
	out_char(o, '\t');
	out_u64(o, v);
}

static void put_addr(struct out *o, const struct addr *a)
{
	out_char(o, '\t');
	out_addr(o, a);
}

static uint64_t to_wall(const struct endpoint_clock *c, uint64_t mono_ms)
{
	return c->wall_ms + mono_ms - c->mono_ms;
}

static void put_contact(struct out *o, const struct config *c, const struct endpoint_clock *clock, const struct location_contact *at)
{
	const struct location_binding *b = &at->binding;
	const struct span texts[] = { at->uri, at->path, at->instance, at->user_agent };
	put_number(o, to_wall(clock, b->expires_ms));
	put_number(o, to_wall(clock, b->registered_ms));
	put_number(o, to_wall(clock, b->first_ms));
	put_number(o, b->call_id);
	put_number(o, b->cseq);
	put_number(o, b->reg_id);
	put_number(o, b->q);
	put_number(o, b->behind_nat);
	out_char(o, '\t');
	if (b->listen < c->sip.listen.n)
		out_addr(o, &CFG_LIST(c, &c->sip.listen, struct cfg_listen)[b->listen].addr);
	put_addr(o, &b->source);
	put_addr(o, &b->target);
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		out_char(o, '\t');
		put_text(o, texts[i]);
	}
}

static uint64_t check_of(struct span s)
{
	return location_hash(s) & 0xffffffffu;
}

void endpoint_line_write(struct out *o, const struct config *c, const struct endpoint_clock *clock, struct endpoint_key key,
	const struct location_contact *at, uint32_t n)
{
	size_t start = o->n;
	out_hex(o, 0, CHECK_DIGITS);
	put_number(o, key.worker);
	out_char(o, '/');
	out_u64(o, key.record);
	if (n) {
		out_char(o, '\t');
		put_text(o, at[0].account);
	}
	for (uint32_t i = 0; i < n; i++)
		put_contact(o, c, clock, &at[i]);
	if (o->full) {
		o->n = start;
		return;
	}
	struct out check = out_init(o->p + start, CHECK_DIGITS);
	out_hex(&check, check_of((struct span){ o->p + start + CHECK_DIGITS, o->n - start - CHECK_DIGITS }), CHECK_DIGITS);
	out_char(o, '\n');
}

/* --- reading --- */

static bool next_field(struct span *rest, struct span *ret_field)
{
	if (!rest->n || rest->p[0] != '\t')
		return false;
	const char *start = rest->p + 1;
	size_t left = rest->n - 1;
	const char *end = left ? memchr(start, '\t', left) : NULL;
	*ret_field = (struct span){ start, end ? (size_t)(end - start) : left };
	*rest = (struct span){ start + ret_field->n, left - ret_field->n };
	return true;
}

static bool read_u64(struct span s, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;
	if (!s.n)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		uint64_t digit = (uint64_t)(unsigned char)s.p[i] - '0';
		if (digit > 9 || v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*ret = v;
	return v <= max;
}

static bool next_number(struct span *rest, uint64_t max, uint64_t *ret)
{
	struct span f;
	return next_field(rest, &f) && read_u64(f, max, ret);
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool next_text(struct span *rest, char *to, size_t cap, struct span *ret)
{
	struct span f;
	size_t n = 0;
	if (!next_field(rest, &f))
		return false;
	for (size_t i = 0; i < f.n; i++) {
		char c = f.p[i];
		if (n == cap)
			return false;
		if (c == '\\') {
			int high = f.n - i < 3 ? -1 : hex(f.p[i + 1]), low = f.n - i < 3 ? -1 : hex(f.p[i + 2]);
			if (high < 0 || low < 0)
				return false;
			c = (char)(high * 16 + low);
			i += 2;
		}
		to[n++] = c;
	}
	*ret = (struct span){ to, n };
	return true;
}

static bool next_addr(struct span *rest, struct addr *ret)
{
	struct span f;
	return next_field(rest, &f) && addr_parse(f, ret) == 0;
}

/* what was before this machine started is as good as its first millisecond */
static bool next_time(struct span *rest, const struct endpoint_clock *clock, uint64_t *ret)
{
	uint64_t wall;
	if (!next_number(rest, UINT64_MAX / 2, &wall))
		return false;
	if (wall >= clock->wall_ms)
		*ret = clock->mono_ms + (wall - clock->wall_ms);
	else
		*ret = clock->wall_ms - wall < clock->mono_ms ? clock->mono_ms - (clock->wall_ms - wall) : 1;
	return true;
}

static bool next_listen(struct span *rest, const struct config *c, uint16_t *ret)
{
	struct span f;
	struct addr a;
	*ret = LISTEN_MAX;
	if (!next_field(rest, &f))
		return false;
	if (addr_parse(f, &a) < 0)
		return f.n == 0;
	for (uint32_t i = c->sip.listen.n; i-- > 0;)
		if (addr_eq(&CFG_LIST(c, &c->sip.listen, struct cfg_listen)[i].addr, &a))
			*ret = (uint16_t)i;
	return true;
}

static bool next_contact(struct span *rest, const struct config *c, const struct endpoint_clock *clock, struct location_contact *at)
{
	struct location_binding b = { 0 };
	uint64_t cseq, reg_id, q, nat;
	static const size_t max[LOCATION_TEXTS] = { LOCATION_URI_MAX, LOCATION_PATH_MAX, LOCATION_INSTANCE_MAX, LOCATION_USER_AGENT_MAX };
	struct span *const texts[LOCATION_TEXTS] = { &at->uri, &at->path, &at->instance, &at->user_agent };
	if (!next_time(rest, clock, &b.expires_ms) || !next_time(rest, clock, &b.registered_ms) || !next_time(rest, clock, &b.first_ms) ||
	    !next_number(rest, UINT64_MAX, &b.call_id) || !next_number(rest, UINT32_MAX, &cseq) || !next_number(rest, UINT32_MAX, &reg_id) ||
	    !next_number(rest, 1000, &q) || !next_number(rest, 1, &nat) || !next_listen(rest, c, &b.listen) || !next_addr(rest, &b.source) ||
	    !next_addr(rest, &b.target))
		return false;
	b.cseq = (uint32_t)cseq;
	b.reg_id = (uint32_t)reg_id;
	b.q = (uint16_t)q;
	b.behind_nat = (uint8_t)nat;
	char *to = at->text + LOCATION_ACCOUNT_MAX;
	for (int i = 0; i < LOCATION_TEXTS; i++) {
		if (!next_text(rest, to, max[i], texts[i]))
			return false;
		b.n[i] = (uint16_t)texts[i]->n;
		to += texts[i]->n;
	}
	at->binding = b;
	at->listen = b.listen;
	at->expires_ms = b.expires_ms;
	return b.n[LOCATION_URI] > 0;
}

/* what is behind the key */
static int open_line(struct span line, struct endpoint_key *ret_key, struct span *ret_rest)
{
	uint64_t check = 0, worker, record;
	struct span key;
	if (line.n < CHECK_DIGITS + 4)
		return -EBADMSG;
	for (int i = 0; i < CHECK_DIGITS; i++) {
		if (hex(line.p[i]) < 0)
			return -EBADMSG;
		check = check << 4 | (uint64_t)hex(line.p[i]);
	}
	*ret_rest = (struct span){ line.p + CHECK_DIGITS, line.n - CHECK_DIGITS };
	if (check_of(*ret_rest) != check || !next_field(ret_rest, &key))
		return -EBADMSG;
	const char *slash = key.n ? memchr(key.p, '/', key.n) : NULL;
	if (!slash)
		return -EBADMSG;
	size_t n = (size_t)(slash - key.p);
	if (!read_u64((struct span){ key.p, n }, WORKERS_MAX - 1, &worker) ||
	    !read_u64((struct span){ slash + 1, key.n - n - 1 }, UINT32_MAX, &record))
		return -EBADMSG;
	*ret_key = (struct endpoint_key){ (uint32_t)worker, (uint32_t)record };
	return 0;
}

int endpoint_line_key(struct span line, struct endpoint_key *ret_key)
{
	struct span rest;
	return open_line(line, ret_key, &rest);
}

int endpoint_line_read(struct span line, const struct config *c, const struct endpoint_clock *clock, struct location_contact *ret_at,
	uint32_t *ret_n)
{
	struct endpoint_key key;
	struct span rest, account;
	char text[LOCATION_ACCOUNT_MAX];
	uint32_t n = 0;
	int r = open_line(line, &key, &rest);
	if (r < 0)
		return r;
	if (!rest.n) {
		*ret_n = 0;
		return 0;
	}
	if (!next_text(&rest, text, sizeof text, &account) || !account.n)
		return -EBADMSG;
	while (rest.n) {
		if (n == LOCATION_CONTACTS || !next_contact(&rest, c, clock, &ret_at[n]))
			return -EBADMSG;
		memcpy(ret_at[n].text, account.p, account.n);
		ret_at[n].account = (struct span){ ret_at[n].text, account.n };
		n++;
	}
	if (!n)
		return -EBADMSG;
	*ret_n = n;
	return 0;
}
