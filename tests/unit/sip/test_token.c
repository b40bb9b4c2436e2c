#include "sip/token.h"
#include <criterion/criterion.h>
#include <errno.h>

static const struct hash_key key = { 0x0123456789abcdefu, 0xfedcba9876543210u };
static const struct hash_key other_key = { 0x0123456789abcdefu, 0xfedcba9876543211u };
static const char instance[8] = "ab2z";

static const struct token samples[] = {
	{ 0, 0, 0, 0 },
	{ 1, 2, 3, 4 },
	{ 255, 255, TOKEN_SLOT_MAX, UINT32_MAX },
	{ 63, 7, 0x123456, 0x89abcdef },
};
#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

static void expect_same(const struct token *a, const struct token *b)
{
	cr_expect_eq(a->worker, b->worker);
	cr_expect_eq(a->aux, b->aux);
	cr_expect_eq(a->slot, b->slot);
	cr_expect_eq(a->generation, b->generation);
}

Test(token, comes_back)
{
	for (size_t i = 0; i < SAMPLES; i++) {
		char text[TOKEN_TEXT];
		struct token t = { 0 };
		token_make(&key, 'x', &samples[i], text);
		for (size_t k = 0; k < sizeof(text); k++)
			cr_expect((text[k] >= 'a' && text[k] <= 'z') || (text[k] >= '2' && text[k] <= '7'));
		cr_assert_eq(token_read(&key, 'x', (struct span){ text, sizeof(text) }, &t), 0);
		expect_same(&t, &samples[i]);
	}
}

Test(token, refuses_other_key_purpose_and_length)
{
	char text[TOKEN_TEXT];
	struct token t = { 9, 9, 9, 9 }, before = t;
	token_make(&key, 'x', &samples[1], text);
	struct span s = { text, sizeof(text) };
	cr_expect_eq(token_read(&other_key, 'x', s, &t), -EBADMSG);
	cr_expect_eq(token_read(&key, 'y', s, &t), -EBADMSG);
	cr_expect_eq(token_read(&key, 'x', (struct span){ text, sizeof(text) - 1 }, &t), -EBADMSG);
	cr_expect_eq(token_read(&key, 'x', (struct span){ NULL, 0 }, &t), -EBADMSG);
	expect_same(&t, &before);
}

Test(token, any_changed_character_is_noticed)
{
	char text[TOKEN_TEXT];
	struct token t;
	token_make(&key, 'x', &samples[3], text);
	for (size_t i = 0; i < sizeof(text); i++) {
		char was = text[i];
		for (const char *c = "abcdefghijklmnopqrstuvwxyz2345671890-=.@"; *c; c++) {
			text[i] = *c;
			int expected = *c == was ? 0 : -EBADMSG;
			cr_expect_eq(token_read(&key, 'x', (struct span){ text, sizeof(text) }, &t), expected,
				"at %zu: %c", i, *c);
		}
		text[i] = was;
	}
}

Test(token, call_id)
{
	char text[CALL_ID_TEXT];
	struct token t;
	for (unsigned worker = 0; worker < 256; worker++) {
		struct token made = { (uint8_t)worker, 1, worker * 3, 77 };
		cr_assert_eq(call_id_make(&key, instance, &made, text), CALL_ID_TEXT);
		struct span s = { text, sizeof(text) };
		cr_assert_eq(call_id_read(&key, instance, s, &t), 0);
		expect_same(&t, &made);
		cr_expect_eq(call_id_worker(s, instance), worker);
		for (size_t i = 0; i < sizeof(text); i++)
			if (text[i] >= 'a' && text[i] <= 'z')
				text[i] = (char)(text[i] - 'a' + 'A');
		cr_expect_eq(call_id_read(&key, instance, s, &t), 0, "in capitals");
		cr_expect_eq(call_id_worker(s, instance), worker);
	}
	call_id_make(&key, instance, &samples[1], text);
	cr_expect_eq(call_id_read(&key, "ab2y", (struct span){ text, sizeof(text) }, &t), -EBADMSG);
	cr_expect_eq(call_id_worker((struct span){ text, sizeof(text) }, "ab2y"), UINT32_MAX);
	cr_expect_eq(call_id_worker((struct span){ text, sizeof(text) - 1 }, instance), UINT32_MAX);
	cr_expect_eq(call_id_worker(SPAN("tdab2z1aaaaaaaaaaaaaaaaaaaaaaa"), instance), UINT32_MAX, "1 is no digit");
	cr_expect_eq(call_id_read(&key, instance, SPAN("a84b4c76e66710@pc33.atlanta.com"), &t), -EBADMSG);
}

Test(token, branch)
{
	static const uint32_t numbers[] = { 0, 1, 15, 16, 255, 0x10000, 0xfffffff, UINT32_MAX };
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		char text[BRANCH_TEXT];
		struct token t;
		uint32_t number = 0;
		size_t n = branch_make(&key, &samples[1], numbers[i], text);
		cr_assert_leq(n, BRANCH_TEXT);
		cr_assert_eq(branch_read(&key, (struct span){ text, n }, &t, &number), 0);
		expect_same(&t, &samples[1]);
		cr_expect_eq(number, numbers[i]);
		/* the number is covered: nobody turns one transaction of a call into another */
		text[n - 1] = text[n - 1] == '7' ? '8' : '7';
		cr_expect_eq(branch_read(&key, (struct span){ text, n }, &t, &number), -EBADMSG);
		cr_expect_eq(branch_read(&key, (struct span){ text, 33 }, &t, &number), -EBADMSG, "without number");
	}
	struct token t;
	uint32_t number;
	cr_expect_eq(branch_read(&key, SPAN("z9hG4bK776asdhds"), &t, &number), -EBADMSG);
	cr_expect_eq(branch_read(&key, SPAN("z9hG4bKtdaaaaaaaaaaaaaaaaaaaaaaaaxyz"), &t, &number), -EBADMSG);
}

Test(token, tag)
{
	char text[TAG_TEXT];
	struct token t;
	cr_assert_eq(tag_make(&key, &samples[2], text), TAG_TEXT);
	cr_assert_eq(tag_read(&key, (struct span){ text, sizeof(text) }, &t), 0);
	expect_same(&t, &samples[2]);
	text[0] = 'x';
	cr_expect_eq(tag_read(&key, (struct span){ text, sizeof(text) }, &t), -EBADMSG);
	/* a tag is no Call-ID, though both hold a token */
	char call_id[CALL_ID_TEXT];
	call_id_make(&key, instance, &samples[2], call_id);
	char mixed[TAG_TEXT] = "td";
	memcpy(mixed + 2, call_id + 6, TOKEN_TEXT);
	cr_expect_eq(tag_read(&key, (struct span){ mixed, sizeof(mixed) }, &t), -EBADMSG);
}
