/* media.ringback: countries, and what a file must be. */
#include "config/country_tone.h"
#include "config/wav.h"
#include "helper.h"
#include <unistd.h>

struct wav { /* as it lies in a file */
	char riff[4];
	uint32_t size;
	char wave[4], fmt[4];
	uint32_t fmt_n;
	uint16_t format, channels;
	uint32_t rate, bytes;
	uint16_t block, bits;
	char data[4];
	uint32_t data_n;
	int16_t samples[4];
};

static struct wav good(void)
{
	return (struct wav){ "RIFF", 44, "WAVE", "fmt ", 16, 1, 1, 8000, 16000, 2, 16, "data", 8, { 1, -2, 30000, -30000 } };
}

static int16_t out[16];
static size_t n;

static const char *read_it(const struct wav *w, size_t bytes, size_t cap)
{
	const char *why = NULL;
	int r = wav_read((struct span){ (const char *)w, bytes }, out, cap, &n, &why);
	cr_assert_eq(r == 0, why == NULL);
	return why;
}

Test(wav, pcm)
{
	struct wav w = good();
	cr_assert_null(read_it(&w, sizeof(w), 16));
	cr_assert_eq(n, 4);
	cr_expect_arr_eq(out, w.samples, sizeof(w.samples));
	cr_assert_null(read_it(&w, sizeof(w) - 4, 16)); /* shorter than it says: what is there */
	cr_expect_eq(n, 2);
}

Test(wav, laws)
{
	struct wav w = good();
	w.format = 6;
	w.bits = 8;
	memcpy(w.samples, "\xd5\xaa\x2a\x55\xd5\xd5\xd5\xd5", 8);
	cr_assert_null(read_it(&w, sizeof(w), 16));
	cr_expect_eq(n, 8);
	cr_expect_eq(out[1], 32256);
	w.format = 7;
	cr_assert_null(read_it(&w, sizeof(w), 16));
	cr_expect_eq(out[0], 716, "%d", out[0]);
}

Test(wav, refused)
{
	static const struct {
		size_t at;
		char value;
		const char *why;
	} rows[] = {
		{ 0, 'X', "is not a WAV file" },
		{ 8, 'X', "is not a WAV file" },
		{ 12, 'X', "has no format" },
		{ 20, 3, "is neither 16-bit PCM nor A-law nor u-law" },
		{ 22, 2, "has more than one channel" },
		{ 24, 0, "has not 8000 samples a second" },
		{ 34, 24, "is neither 16-bit PCM nor A-law nor u-law" },
		{ 36, 'X', "has no samples" },
		{ 40, 0, "has no samples" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct wav w = good();
		((char *)&w)[rows[i].at] = rows[i].value;
		const char *why = read_it(&w, sizeof(w), 16);
		cr_expect(why && strcmp(why, rows[i].why) == 0, "byte %zu: %s", rows[i].at, why ? why : "accepted");
	}
	struct wav w = good();
	cr_expect_str_eq(read_it(&w, sizeof(w), 3), "is too long");
}

Test(wav, every_length_and_size_is_bounded)
{
	for (size_t bytes = 0; bytes <= sizeof(struct wav); bytes++) {
		for (unsigned field = 0; field < 3; field++) {
			struct wav w = good();
			if (field == 1)
				w.fmt_n = UINT32_MAX;
			if (field == 2)
				w.data_n = UINT32_MAX;
			char *exact = malloc(bytes + 1); /* so that a sanitizer sees any read beyond */
			memcpy(exact, &w, bytes);
			const char *why;
			wav_read((struct span){ exact, bytes }, out, 16, &n, &why);
			free(exact);
		}
	}
}

Test(ringback, countries)
{
	cr_assert_not_null(country_tone_find(SPAN("gb")));
	cr_assert_eq(country_tone_find(SPAN("US"))->hz[1], 480);
	cr_assert_null(country_tone_find(SPAN("xx")));
	cr_assert_null(country_tone_find(SPAN("gbr")));
	const char *list = country_tone_list();
	cr_expect_eq(strncmp(list, "ae, ar, ", 8), 0, "%s", list);
	cr_expect_str_eq(list + strlen(list) - 4, ", za");
	for (const char *p = list; *p; p += p[2] ? 4 : 2)
		cr_expect_not_null(country_tone_find((struct span){ p, 2 }), "%.2s", p);
}

static void write_file(const char *path, const struct wav *w)
{
	FILE *f = fopen(path, "w");
	cr_assert(f && fwrite(w, sizeof(*w), 1, f) == 1 && fclose(f) == 0);
}

Test(ringback, file)
{
	char path[] = "/tmp/ringback-XXXXXX", text[256];
	struct wav w = good();
	close(mkstemp(path));
	write_file(path, &w);
	struct compiled r = accepted_with("media: {ringback: {file: %s}}\n", path);
	const struct cfg_list *l = &r.config->media.ringback_samples;
	cr_assert_eq(l->n, 4);
	cr_expect_arr_eq(CFG_LIST(r.config, l, int16_t), w.samples, sizeof(w.samples));
	compiled_free(&r);
	w.rate = 16000;
	write_file(path, &w);
	snprintf(text, sizeof(text),
		"sw.yaml:2:26: media.ringback.file: %s has not 8000 samples a second, allowed: WAV, one channel, 8000 Hz, 16-bit PCM, A-law "
		"or u-law, at most 30 s",
		path);
	refuse_with("media: {ringback: {file: %s}}\n", path, text);
	unlink(path);
	snprintf(text, sizeof(text), "sw.yaml:2:26: media.ringback.file: cannot read %s: No such file or directory", path);
	refuse_with("media: {ringback: {file: %s}}\n", path, text);
	refuse(LISTEN "media: {ringback: {country: xx}}\n", NULL);
}
