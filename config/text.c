/* Texts of a configuration: which characters they may have, how long they may be. Nothing with a control character gets
 * in, so that no value can break a SIP message, a log line or a record. */
#include "config/schema.h"
#include <stdio.h>

static bool alphanumeric(unsigned char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool any_of(unsigned char c, const char *set)
{
	return c && strchr(set, c);
}

bool character_free(unsigned char c)
{
	return c >= 0x20 && c != 0x7f;
}

bool character_id(unsigned char c)
{
	return c > 0x20 && c != 0x7f && !any_of(c, ",\"'\\[]{}");
}

bool character_host(unsigned char c)
{
	return alphanumeric(c) || any_of(c, ".-_:[]");
}

bool character_token(unsigned char c) /* RFC 3261 section 25.1, and the slash of "codec/8000" */
{
	return alphanumeric(c) || any_of(c, "-.!%*_+`'~/");
}

bool character_quotable(unsigned char c)
{
	return character_free(c) && c != '"' && c != '\\';
}

bool character_user(unsigned char c) /* RFC 3261 section 25.1: user, without escapes */
{
	return alphanumeric(c) || any_of(c, "-_.!~*'()&=+$,;?/#");
}

bool character_digit(unsigned char c)
{
	return alphanumeric(c) || any_of(c, "+*#");
}

bool character_hex(unsigned char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool acceptable(const struct input *in, const struct type *t)
{
	char why[128];
	for (size_t i = 0; i < in->text.n; i++) {
		unsigned char c = (unsigned char)in->text.p[i];
		if (t->character && !t->character(c))
			return value_wrong(in, "has a character that is not allowed here, allowed: ", t->allowed);
	}
	if ((int64_t)in->text.n < t->min || (int64_t)in->text.n > t->max) {
		snprintf(why, sizeof(why), "has %zu bytes, allowed: %lld-%lld", in->text.n, (long long)t->min,
			(long long)t->max);
		return value_wrong(in, why, "");
	}
	return true;
}

static bool store_text(const struct input *in, struct span text, void *out)
{
	struct cfg_text stored = image_text(&in->c->image, text);
	memcpy(out, &stored, sizeof(stored));
	return true;
}

bool read_text(const struct input *in, const struct type *t, void *out)
{
	return acceptable(in, t) && store_text(in, in->text, out);
}

/* A prefix is one without a sign for it: "880*" would only match numbers with a star, silently. */
bool read_prefix(const struct input *in, const struct type *t, void *out)
{
	if (in->text.n > 1 && in->text.p[in->text.n - 1] == '*')
		return value_wrong(in, "ends with *, which a prefix does not need", "");
	return read_text(in, t, out);
}

bool read_path(const struct input *in, const struct type *t, void *out)
{
	if (!acceptable(in, t))
		return false;
	struct span path = files_resolve(in->c, in->at, in->text);
	if ((int64_t)path.n > t->max) {
		char why[128];
		snprintf(why, sizeof(why), "is too long a path: at most %lld bytes with its directory",
			(long long)t->max);
		return value_wrong(in, why, "");
	}
	return store_text(in, path, out);
}
