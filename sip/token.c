#include "sip/token.h"
#include <errno.h>

#define PLAIN_BYTES 9u
#define MAC_BYTES   6u
#define TOKEN_BYTES (PLAIN_BYTES + MAC_BYTES)

static const char alphabet[32] = "abcdefghijklmnopqrstuvwxyz234567";
static const struct span call_id_prefix = SPAN("td"), tag_prefix = SPAN("td"), branch_prefix = SPAN("z9hG4bKtd");

static int digit_of(char c)
{
	if (c >= 'a' && c <= 'z')
		return c - 'a';
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	return c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

/* five bytes are eight characters */
static void encode(const uint8_t *bytes, char *out)
{
	for (unsigned group = 0; group < TOKEN_BYTES / 5; group++) {
		uint64_t v = 0;
		for (unsigned i = 0; i < 5; i++)
			v = v << 8 | bytes[group * 5 + i];
		for (unsigned i = 0; i < 8; i++)
			out[group * 8 + i] = alphabet[v >> (35 - 5 * i) & 31];
	}
}

static int decode(const char *text, uint8_t *ret_bytes)
{
	for (unsigned group = 0; group < TOKEN_BYTES / 5; group++) {
		uint64_t v = 0;
		for (unsigned i = 0; i < 8; i++) {
			int d = digit_of(text[group * 8 + i]);
			if (d < 0)
				return -EBADMSG;
			v = v << 5 | (uint64_t)d;
		}
		for (unsigned i = 0; i < 5; i++)
			ret_bytes[group * 5 + i] = (uint8_t)(v >> (32 - 8 * i));
	}
	return 0;
}

/* 48 bits over the plain bytes, the purpose and, of branches, the transaction number */
static uint64_t mac_of(const struct hash_key *key, char purpose, const uint8_t *plain, uint32_t number)
{
	uint8_t covered[PLAIN_BYTES + 1 + 4];
	memcpy(covered, plain, PLAIN_BYTES);
	covered[PLAIN_BYTES] = (uint8_t)purpose;
	for (unsigned i = 0; i < 4; i++)
		covered[PLAIN_BYTES + 1 + i] = (uint8_t)(number >> (24 - 8 * i));
	return hash_sip(key, covered, sizeof(covered)) >> 16;
}

static void make(const struct hash_key *key, char purpose, const struct token *t, uint32_t number, char *out)
{
	uint8_t b[TOKEN_BYTES] = { t->worker, t->aux, (uint8_t)(t->slot >> 16), (uint8_t)(t->slot >> 8),
		(uint8_t)t->slot, (uint8_t)(t->generation >> 24), (uint8_t)(t->generation >> 16),
		(uint8_t)(t->generation >> 8), (uint8_t)t->generation };
	uint64_t mac = mac_of(key, purpose, b, number);
	for (unsigned i = 0; i < MAC_BYTES; i++)
		b[PLAIN_BYTES + i] = (uint8_t)(mac >> (40 - 8 * i));
	encode(b, out);
}

static int read_token(const struct hash_key *key, char purpose, const char *text, uint32_t number, struct token *ret)
{
	uint8_t b[TOKEN_BYTES];
	uint64_t mac = 0;
	if (decode(text, b) < 0)
		return -EBADMSG;
	for (unsigned i = 0; i < MAC_BYTES; i++)
		mac = mac << 8 | b[PLAIN_BYTES + i];
	if (mac != mac_of(key, purpose, b, number))
		return -EBADMSG;
	*ret = (struct token){ .worker = b[0],
		.aux = b[1],
		.slot = (uint32_t)b[2] << 16 | (uint32_t)b[3] << 8 | b[4],
		.generation = (uint32_t)b[5] << 24 | (uint32_t)b[6] << 16 | (uint32_t)b[7] << 8 | b[8] };
	return 0;
}

void token_make(const struct hash_key *key, char purpose, const struct token *t, char *out)
{
	make(key, purpose, t, 0, out);
}

int token_read(const struct hash_key *key, char purpose, struct span text, struct token *ret_token)
{
	return text.n == TOKEN_TEXT ? read_token(key, purpose, text.p, 0, ret_token) : -EBADMSG;
}

static bool starts_with(struct span text, struct span prefix)
{
	return text.n >= prefix.n && strncasecmp(text.p, prefix.p, prefix.n) == 0;
}

size_t call_id_make(const struct hash_key *key, const char *instance, const struct token *t, char out[CALL_ID_TEXT])
{
	memcpy(out, call_id_prefix.p, call_id_prefix.n);
	memcpy(out + call_id_prefix.n, instance, 4);
	make(key, TOKEN_CALL_ID, t, 0, out + call_id_prefix.n + 4);
	return CALL_ID_TEXT;
}

static bool call_id_is_ours(struct span text, const char *instance)
{
	return text.n == CALL_ID_TEXT && starts_with(text, call_id_prefix) &&
	       strncasecmp(text.p + call_id_prefix.n, instance, 4) == 0;
}

int call_id_read(const struct hash_key *key, const char *instance, struct span text, struct token *ret_token)
{
	if (!call_id_is_ours(text, instance))
		return -EBADMSG;
	return read_token(key, TOKEN_CALL_ID, text.p + call_id_prefix.n + 4, 0, ret_token);
}

uint32_t call_id_worker(struct span text, const char *instance)
{
	if (!call_id_is_ours(text, instance))
		return UINT32_MAX;
	int high = digit_of(text.p[call_id_prefix.n + 4]), low = digit_of(text.p[call_id_prefix.n + 5]);
	return high < 0 || low < 0 ? UINT32_MAX : (uint32_t)(high << 3 | low >> 2);
}

size_t branch_make(const struct hash_key *key, const struct token *t, uint32_t number, char out[BRANCH_TEXT])
{
	size_t n = branch_prefix.n + TOKEN_TEXT;
	int digits = 1;
	memcpy(out, branch_prefix.p, branch_prefix.n);
	make(key, TOKEN_BRANCH, t, number, out + branch_prefix.n);
	while (digits < 8 && number >> (4 * digits))
		digits++;
	while (digits-- > 0)
		out[n++] = "0123456789abcdef"[number >> (4 * digits) & 15];
	return n;
}

int branch_read(const struct hash_key *key, struct span text, struct token *ret_token, uint32_t *ret_number)
{
	size_t head = branch_prefix.n + TOKEN_TEXT;
	uint32_t number = 0;
	if (text.n <= head || text.n > BRANCH_TEXT || !starts_with(text, branch_prefix))
		return -EBADMSG;
	for (size_t i = head; i < text.n; i++) {
		char c = (char)(text.p[i] | 0x20);
		if (text.p[i] >= '0' && text.p[i] <= '9')
			number = number << 4 | (uint32_t)(text.p[i] - '0');
		else if (c >= 'a' && c <= 'f')
			number = number << 4 | (uint32_t)(c - 'a' + 10);
		else
			return -EBADMSG;
	}
	if (read_token(key, TOKEN_BRANCH, text.p + branch_prefix.n, number, ret_token) < 0)
		return -EBADMSG;
	*ret_number = number;
	return 0;
}

size_t tag_make(const struct hash_key *key, const struct token *t, char out[TAG_TEXT])
{
	memcpy(out, tag_prefix.p, tag_prefix.n);
	make(key, TOKEN_TAG, t, 0, out + tag_prefix.n);
	return TAG_TEXT;
}

int tag_read(const struct hash_key *key, struct span text, struct token *ret_token)
{
	if (text.n != TAG_TEXT || !starts_with(text, tag_prefix))
		return -EBADMSG;
	return read_token(key, TOKEN_TAG, text.p + tag_prefix.n, 0, ret_token);
}
