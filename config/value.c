/* Scalars of a configuration: numbers, times, sizes, on/off, words, references. */
#include "config/schema.h"
#include <ctype.h>
#include <stdio.h>

bool value_wrong(const struct input *in, const char *what, const char *allowed)
{
	char shown[SHOWN_MAX];
	const char *value = in->secret ? "the secret" : errors_shown(in->text, shown);
	errors_add(in->c->errors, in->at, in->place, "%s %s%s", value, what, allowed);
	return false;
}

void value_store(void *out, size_t size, int64_t v)
{
	uint8_t one = (uint8_t)v;
	uint16_t two = (uint16_t)v;
	uint32_t four = (uint32_t)v;
	const void *from = size == 1   ? (const void *)&one
			   : size == 2 ? (const void *)&two
			   : size == 4 ? (const void *)&four
				       : (const void *)&v;
	memcpy(out, from, size);
}

static int digit_of(char c, int base)
{
	int d = c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : 99;
	return d < base ? d : -1;
}

static int64_t add_digit(int64_t v, int base, int digit)
{
	return v > (INT64_MAX - digit) / base ? INT64_MAX : v * base + digit;
}

bool value_integer(struct span text, int64_t *ret_value)
{
	bool negative = text.n && text.p[0] == '-';
	size_t i = negative ? 1 : 0;
	int base = 10;
	if (text.n - i > 2 && text.p[i] == '0' && (text.p[i + 1] | 0x20) == 'x') {
		base = 16;
		i += 2;
	}
	if (i == text.n)
		return false;
	int64_t v = 0;
	for (; i < text.n; i++) {
		int d = digit_of(text.p[i], base);
		if (d < 0)
			return false;
		v = add_digit(v, base, d);
	}
	*ret_value = negative ? -v : v;
	return true;
}

bool value_decimal(struct span text, int64_t scale, int64_t *ret_value)
{
	bool negative = text.n && text.p[0] == '-', digits = false, point = false;
	int64_t v = 0, left = scale;
	for (size_t i = negative ? 1 : 0; i < text.n; i++) {
		int d = digit_of(text.p[i], 10);
		if (text.p[i] == '.' && !point && digits) {
			point = true;
			digits = false;
			continue;
		}
		if (d < 0 || (point && left % 10 != 0))
			return false;
		if (point)
			left /= 10;
		v = add_digit(v, 10, d);
		digits = true;
	}
	if (!digits)
		return false;
	v = v > INT64_MAX / left ? INT64_MAX : v * left;
	*ret_value = negative ? -v : v;
	return true;
}

static bool truth(struct span word, bool *ret_on)
{
	static const struct {
		struct span word;
		bool on;
	} words[] = { { { "on", 2 }, true }, { { "true", 4 }, true }, { { "yes", 3 }, true },
		{ { "off", 3 }, false }, { { "false", 5 }, false }, { { "no", 2 }, false } };
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (span_ieq(word, words[i].word)) {
			*ret_on = words[i].on;
			return true;
		}
	}
	return false;
}

bool value_choice(const struct choice *choices, struct span word, int64_t *ret_value)
{
	bool on;
	if (truth(word, &on))
		word = on ? SPAN("on") : SPAN("off");
	for (const struct choice *c = choices; c && c->word; c++) {
		if (span_eq(word, span_of(c->word))) {
			*ret_value = c->value;
			return true;
		}
	}
	return false;
}

const char *value_words(const struct choice *choices, char *buf, size_t cap)
{
	size_t n = 0;
	buf[0] = 0;
	for (const struct choice *c = choices; c->word && n < cap; c++)
		n += (size_t)snprintf(buf + n, cap - n, "%s%s", n ? ", " : "", c->word);
	return buf;
}

/* a number that has been read must also lie in the range */
static bool store_in_range(const struct input *in, const struct type *t, int64_t v, void *out)
{
	if (v < t->min || v > t->max)
		return value_wrong(in, "is outside ", t->allowed);
	value_store(out, t->size, v);
	return true;
}

bool read_number(const struct input *in, const struct type *t, void *out)
{
	int64_t v;
	if (value_choice(t->choices, in->text, &v)) {
		value_store(out, t->size, v);
		return true;
	}
	if (!value_integer(in->text, &v))
		return value_wrong(in, "is not a whole number, allowed: ", t->allowed);
	return store_in_range(in, t, v, out);
}

/* the unit at the end of a text is cut off; its factor, or 0 when there is a unit that is none of `units` */
struct unit {
	const char *suffix;
	int64_t factor;
};
static int64_t cut_unit(struct span *text, const struct unit *units, int64_t without)
{
	size_t n = text->n;
	while (n && isalpha((unsigned char)text->p[n - 1]))
		n--;
	struct span suffix = { text->p + n, text->n - n };
	if (!suffix.n)
		return without;
	for (const struct unit *u = units; u->suffix; u++) {
		if (span_ieq(suffix, span_of(u->suffix))) {
			text->n = n;
			return u->factor;
		}
	}
	return 0;
}

bool read_seconds(const struct input *in, const struct type *t, void *out)
{
	static const struct unit units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d",
		86400000 }, { 0 } };
	int64_t v;
	if (value_choice(t->choices, in->text, &v)) {
		value_store(out, t->size, v);
		return true;
	}
	struct span number = in->text;
	int64_t factor = cut_unit(&number, units, 1000);
	if (!factor || !value_decimal(number, 1000, &v))
		return value_wrong(in, "is not a time in seconds, allowed: ", t->allowed);
	v = v > INT64_MAX / factor ? INT64_MAX : v * factor / 1000;
	return store_in_range(in, t, v, out);
}

bool read_size(const struct input *in, const struct type *t, void *out)
{
	static const struct unit units[] = { { "k", 1 << 10 }, { "m", 1 << 20 }, { "g", 1 << 30 }, { 0 } };
	struct span number = in->text;
	int64_t factor = cut_unit(&number, units, 1), v;
	if (!factor || !value_integer(number, &v))
		return value_wrong(in, "is not a size in bytes, allowed: ", t->allowed);
	v = v > INT64_MAX / factor ? INT64_MAX : v * factor;
	return store_in_range(in, t, v, out);
}

bool read_price(const struct input *in, const struct type *t, void *out)
{
	int64_t v;
	if (value_choice(t->choices, in->text, &v)) {
		value_store(out, t->size, v);
		return true;
	}
	if (!value_decimal(in->text, 1000000, &v))
		return value_wrong(in, "is not a price, allowed: ", t->allowed);
	return store_in_range(in, t, v, out);
}

bool read_onoff(const struct input *in, const struct type *t, void *out)
{
	bool on;
	if (!truth(in->text, &on))
		return value_wrong(in, "is neither on nor off", "");
	value_store(out, t->size, on);
	return true;
}

bool read_choice(const struct input *in, const struct type *t, void *out)
{
	int64_t v;
	char words[SHOWN_MAX * 2];
	if (!value_choice(t->choices, in->text, &v))
		return value_wrong(in, "is not known here, allowed: ", value_words(t->choices, words, sizeof(words)));
	value_store(out, t->size, v);
	return true;
}

bool read_ref(const struct input *in, const struct type *t, void *out)
{
	uint32_t i = refs_find(in->c, t->ref, in->text);
	if (i == CONFIG_NONE && t->null && span_eq(in->text, SPAN("none"))) {
		value_store(out, t->size, CONFIG_NONE);
		return true;
	}
	if (i == CONFIG_NONE) {
		char shown[SHOWN_MAX], hint[SHOWN_MAX * 4];
		struct suggest s = { .wanted = in->text };
		for (uint32_t k = 0; k < in->c->refs[t->ref].n; k++)
			suggest_offer(&s, in->c->refs[t->ref].list[k].name);
		errors_add(in->c->errors, in->at, in->place, "there is no %s %s%s", refs_noun(t->ref),
			errors_shown(in->text, shown), suggest_text(&s, hint, sizeof(hint)));
		return false;
	}
	value_store(out, t->size, i);
	return true;
}
