/* Scalar types that several sections use. */
#include "config/schema.h"

static const struct choice none_limit[] = { { "none", CONFIG_NONE }, { 0 } };
static const struct choice locks[] = { { "none", LOCK_NONE }, { "out", LOCK_OUT }, { "in", LOCK_IN }, { "all",
	LOCK_ALL }, { 0 } };
static const struct choice media_modes[] = { { "must", MEDIA_MUST }, { "on", MEDIA_ON }, { "off", MEDIA_OFF },
	{ "auto", MEDIA_AUTO }, { 0 } };
static const struct choice latches[] = { { "on", LATCH_ON }, { "off", LATCH_OFF }, { "auto", LATCH_AUTO }, { "any",
	LATCH_ANY }, { 0 } };
static const struct choice checks[] = { { "none", CHECK_NONE }, { "to-peer", CHECK_TO_PEER }, { "from-peer",
	CHECK_FROM_PEER },
	{ "both", CHECK_BOTH }, { 0 } };
static const struct choice reply_addresses[] = { { "auto", REPLY_AUTO }, { "socket", REPLY_SOCKET }, { "via-port",
	REPLY_VIA_PORT },
	{ "via", REPLY_VIA }, { 0 } };
static const struct choice request_addresses[] = { { "auto", REQUEST_AUTO }, { "socket", REQUEST_SOCKET },
	{ "contact-port", REQUEST_CONTACT_PORT }, { "contact", REQUEST_CONTACT }, { 0 } };

#define TEXT_TYPE(function, low, high, ok, words) \
	{ .size = sizeof(struct cfg_text), .read = function, .min = low, .max = high, .character = ok, \
		.allowed = words, .text = true }
#define CHOICE_TYPE(words) { .size = sizeof(uint32_t), .read = read_choice, .choices = words }
#define REF_TYPE(table)    { .size = sizeof(uint32_t), .read = read_ref, .ref = table, .null = true }

const struct type type_onoff = { .size = sizeof(bool), .read = read_onoff, .allowed = "on, off" };
const struct type type_id = TEXT_TYPE(read_text, 1, 64, character_id, "visible characters, no blank , \" ' \\ [ ] { }");
const struct type type_text = { .size = sizeof(struct cfg_text), .read = read_text, .max = 255,
	.character = character_free,
	.allowed = "no control characters", .text = true, .null = true };
const struct type type_host = { .size = sizeof(struct cfg_text), .read = read_text, .min = 1, .max = 255,
	.character = character_host,
	.allowed = "a host name or IP address", .text = true, .null = true };
const struct type type_quotable = { .size = sizeof(struct cfg_text), .read = read_text, .min = 1, .max = 128,
	.character = character_quotable,
	.allowed = "no control characters, no \" and \\", .text = true, .null = true };
const struct type type_number_text = { .size = sizeof(struct cfg_text), .read = read_text, .min = 1, .max = 32,
	.character = character_digit,
	.allowed = "digits, letters, + * #", .text = true, .null = true };
const struct type type_prefix = TEXT_TYPE(read_prefix, 0, 32, character_digit, "digits, letters, + * #");
const struct type type_path = { .size = sizeof(struct cfg_text), .read = read_path, .min = 1, .max = 1024,
	.character = character_free,
	.allowed = "a path", .text = true, .null = true };
const struct type type_token = TEXT_TYPE(read_text, 1, 64, character_token, "letters, digits, - . ! % * _ + ` ' ~ /");
const struct type type_secret = { .size = sizeof(struct cfg_text), .read = read_text, .min = 1, .max = 255,
	.character = character_free,
	.allowed = "no control characters", .text = true, .null = true, .secret = true };
const struct type type_target = { .size = sizeof(struct addr), .read = read_target,
	.allowed = "IP, IP:PORT, [IPv6]:PORT" };
const struct type type_network = { .size = sizeof(struct addr), .read = read_network,
	.allowed = "IP, IP:PORT, IP/BITS" };
const struct type type_limit = { .size = sizeof(uint32_t), .read = read_number, .choices = none_limit, .min = 0,
	.max = 1000000,
	.allowed = "none, 0-1000000" };
const struct type type_count = { .size = sizeof(uint32_t), .read = read_number, .min = 0, .max = 1000000,
	.allowed = "0-1000000" };
const struct type type_lock = CHOICE_TYPE(locks);
const struct type type_media_mode = CHOICE_TYPE(media_modes);
const struct type type_latch = CHOICE_TYPE(latches);
const struct type type_media_check = CHOICE_TYPE(checks);
const struct type type_reply_address = CHOICE_TYPE(reply_addresses);
const struct type type_request_address = CHOICE_TYPE(request_addresses);
const struct type type_dial_plan = REF_TYPE(REF_DIAL_PLAN);
const struct type type_number_list = REF_TYPE(REF_NUMBER_LIST);
const struct type type_rate_table = REF_TYPE(REF_RATE_TABLE);
const struct type type_routing_gateway = REF_TYPE(REF_ROUTING_GATEWAY);
