/* Sections `sip` and `media`. */
#include "config/country_tone.h"
#include "config/schema.h"
#include "config/wav.h"
#include <stdlib.h>

/* --- sip ------------------------------------------------------------------------------------------------------ */

static const struct type type_listen = { .size = sizeof(struct cfg_listen), .read = read_listen,
	.allowed = "udp:IP:PORT, tcp:IP:PORT, tls:IP:PORT" };
static const struct type type_message = { .size = sizeof(uint32_t), .read = read_number, .min = 1024, .max = 65535,
	.allowed = "1024-65535" };
static const struct type type_headers = { .size = sizeof(uint32_t), .read = read_number, .min = 16, .max = 1024,
	.allowed = "16-1024" };
static const struct type type_uri = { .size = sizeof(uint32_t), .read = read_number, .min = 64, .max = 8192,
	.allowed = "64-8192" };
static const struct type type_sdp = { .size = sizeof(uint32_t), .read = read_number, .min = 256, .max = 65535,
	.allowed = "256-65535" };
static const struct type type_media_lines = { .size = sizeof(uint32_t), .read = read_number, .min = 1, .max = 64,
	.allowed = "1-64" };

static const struct key limit_keys[] = {
	{ "message", KEY_VALUE, FIELD(config, sip.max_message), .type = &type_message, .fallback = "65535" },
	{ "headers", KEY_VALUE, FIELD(config, sip.max_headers), .type = &type_headers, .fallback = "128" },
	{ "uri", KEY_VALUE, FIELD(config, sip.max_uri), .type = &type_uri, .fallback = "1024" },
	{ "sdp", KEY_VALUE, FIELD(config, sip.max_sdp), .type = &type_sdp, .fallback = "16384" },
	{ "media_lines", KEY_VALUE, FIELD(config, sip.max_media_lines), .type = &type_media_lines, .fallback = "16" },
	{ 0 }
};
static const struct schema schema_limits = { .keys = limit_keys, .size = sizeof(struct config) };

static const struct key tls_keys[] = {
	{ "certificate", KEY_VALUE, FIELD(config, sip.tls.certificate), .type = &type_path },
	{ "key", KEY_VALUE, FIELD(config, sip.tls.key), .type = &type_path },
	{ "ca", KEY_VALUE, FIELD(config, sip.tls.ca), .type = &type_path },
	{ "verify", KEY_VALUE, FIELD(config, sip.tls.verify), .type = &type_onoff, .fallback = "on" },
	{ 0 }
};
static const struct schema schema_tls = { .keys = tls_keys, .size = sizeof(struct config) };

enum algorithm { ALGORITHM_MD5, ALGORITHM_SHA256 };
static const struct choice algorithms[] = { { "md5", ALGORITHM_MD5 }, { "sha-256", ALGORITHM_SHA256 }, { 0 } };
static const struct type type_algorithm = { .size = sizeof(uint32_t), .read = read_choice, .choices = algorithms };

static bool digest_read(struct compile *c, const struct node *n, const struct place *place, void *out)
{
	struct config *config = out;
	struct cfg_list list;
	bool wanted[2] = { false, false };
	if (!schema_list(c, &type_algorithm, n, place, &list))
		return false;
	if (!list.n) {
		errors_add(c->errors, n->at, place, "is empty, allowed: md5, sha-256");
		return false;
	}
	const uint32_t *algorithm = image_at(&c->image, list);
	for (uint32_t i = 0; i < list.n; i++)
		wanted[algorithm[i]] = true;
	config->sip.digest_md5 = wanted[ALGORITHM_MD5];
	config->sip.digest_sha256 = wanted[ALGORITHM_SHA256];
	config->sip.digest_sha256_first = algorithm[0] == ALGORITHM_SHA256;
	return !config->sip.digest_md5 || config->sip.digest_sha256;
}

static void prepare_sip(struct compile *c, void *out)
{
	struct config *config = out;
	(void)c;
	config->sip.digest_md5 = true;
}

static const struct key sip_keys[] = {
	{ "listen", KEY_LIST, FIELD(config, sip.listen), .type = &type_listen, .required = true },
	{ "advertise", KEY_VALUE, FIELD(config, sip.advertise), .type = &type_host },
	{ "realm", KEY_VALUE, FIELD(config, sip.realm), .type = &type_quotable, .fallback = "tandem" },
	{ "digest", KEY_CUSTOM, NOWHERE, .custom = digest_read },
	{ "tls", KEY_MAP, NOWHERE, .schema = &schema_tls },
	{ "user_agent", KEY_VALUE, FIELD(config, sip.user_agent), .type = &type_text },
	{ "limits", KEY_MAP, NOWHERE, .schema = &schema_limits },
	{ 0 }
};
const struct schema schema_sip = { .keys = sip_keys, .size = sizeof(struct config), .prepare = prepare_sip };

/* --- media ---------------------------------------------------------------------------------------------------- */

static const struct choice offloads[] = { { "auto", OFFLOAD_AUTO }, { "off", OFFLOAD_OFF }, { "required",
	OFFLOAD_REQUIRED }, { 0 } };
static const struct type type_offload = { .size = sizeof(uint32_t), .read = read_choice, .choices = offloads };
static const struct type type_ip = { .size = sizeof(struct addr), .read = read_ip, .allowed = "an IP address" };
static const struct type type_ip_text = { .size = sizeof(struct cfg_text), .read = read_ip_text, .min = 1, .max = 64,
	.allowed = "an IP address",
	.text = true, .null = true };
static const struct type type_silence = { .size = sizeof(uint32_t), .read = read_seconds, .min = 1000,
	.max = 86400000, .allowed = "1-86400" };

#define PORTS_ALLOWED "EVEN-ODD within 1024-65535, at least 4 ports"

/* "20000-29999": pairs of an even port for RTP and the odd one after it for RTCP */
static bool ports_read(struct compile *c, const struct node *n, const struct place *place, void *out)
{
	struct config *config = out;
	static const struct type plain = { .size = 0, .allowed = PORTS_ALLOWED };
	struct input in;
	bool null;
	int64_t low, high;
	if (!schema_scalar(c, &plain, n, place, &in, &null))
		return false;
	const char *dash = memchr(in.text.p, '-', in.text.n);
	struct span first = { in.text.p, dash ? (size_t)(dash - in.text.p) : 0 };
	struct span last = dash ? (struct span){ dash + 1, in.text.n - first.n - 1 } : first;
	if (!value_integer(first, &low) || !value_integer(last, &high))
		return value_wrong(&in, "is not a range of ports, allowed: ", PORTS_ALLOWED);
	if (low < 1024 || high > 65535 || high - low < 3 || low % 2 != 0 || high % 2 != 1)
		return value_wrong(&in, "cannot be used, allowed: ", PORTS_ALLOWED);
	config->media.port_low = (uint32_t)low;
	config->media.port_high = (uint32_t)high;
	return false;
}

static void prepare_media(struct compile *c, void *out)
{
	struct config *config = out;
	(void)c;
	config->media.port_low = 20000;
	config->media.port_high = 29999;
}

#define RINGBACK_SAMPLES (30u * 8000u) /* it is repeated; 30 s of it in memory are enough */
#define RINGBACK_FILE    (1u << 20)

static bool read_country(const struct input *in, const struct type *t, void *out)
{
	if (!country_tone_find(in->text))
		return value_wrong(in, "has no ringing tone here, allowed: ", country_tone_list());
	return read_text(in, t, out);
}
static const struct type type_country = { .size = sizeof(struct cfg_text), .read = read_country, .min = 2, .max = 2,
	.character = character_id,
	.allowed = "two letters", .text = true };
static const struct key ringback_keys[] = {
	{ "country", KEY_VALUE, FIELD(config, media.ringback_country), .type = &type_country, .fallback = "gb" },
	{ "file", KEY_VALUE, FIELD(config, media.ringback_file), .type = &type_path },
	{ 0 }
};

/* The samples come into the image: those who play them need not be able to read the file. */
static void finish_ringback(struct compile *c, const struct node *n, const struct place *place, void *out)
{
	static int16_t samples[RINGBACK_SAMPLES];
	struct config *config = out;
	struct place at = { place, SPAN("file"), 0, false };
	struct span path = image_span(&c->image, config->media.ringback_file);
	const char *why;
	size_t count;
	int error = 0;
	if (!path.n || c->sealed)
		return;
	const struct node *file = node_get(n, "file");
	struct span text = files_text(c, path.p, RINGBACK_FILE, &error);
	if (!text.p)
		errors_add(c->errors, file->at, &at, "cannot read %s: %s", path.p, strerror(error));
	else if (wav_read(text, samples, RINGBACK_SAMPLES, &count, &why) < 0)
		errors_add(c->errors, file->at, &at, "%s %s, allowed: WAV, one channel, 8000 Hz, 16-bit PCM, A-law or u-law, at most 30 s",
			path.p, why);
	else
		config->media.ringback_samples = image_list(&c->image, samples, (uint32_t)count, sizeof(*samples));
}
static const struct schema schema_ringback = { .keys = ringback_keys, .size = sizeof(struct config), .finish = finish_ringback };

static const struct key media_keys[] = {
	{ "address", KEY_LIST, FIELD(config, media.addresses), .type = &type_ip },
	{ "advertise", KEY_VALUE, FIELD(config, media.advertise), .type = &type_ip_text },
	{ "ports", KEY_CUSTOM, NOWHERE, .custom = ports_read },
	{ "proxy", KEY_VALUE, FIELD(config, media.proxy), .type = &type_media_mode, .fallback = "on" },
	{ "latch", KEY_VALUE, FIELD(config, media.latch), .type = &type_latch, .fallback = "auto" },
	{ "timeout", KEY_VALUE, FIELD(config, media.timeout), .type = &type_silence, .fallback = "60" },
	{ "check", KEY_VALUE, FIELD(config, media.check), .type = &type_media_check, .fallback = "both" },
	{ "offload", KEY_VALUE, FIELD(config, media.offload), .type = &type_offload, .fallback = "auto" },
	{ "ringback", KEY_MAP, NOWHERE, .schema = &schema_ringback },
	{ 0 }
};
const struct schema schema_media = { .keys = media_keys, .size = sizeof(struct config), .prepare = prepare_media };
