/* What a configuration may say, as data, and the engine that reads a tree by it into structs of the image.
 *
 * A schema is a table of keys. A key says where its value goes (offset), how it is written (type, or a schema of its
 * own), and its default, as an operator would write it. Values are read in the order of the table, whatever their order
 * in the file, so that a later section may take its defaults from an earlier one (`prepare`).
 */
#ifndef TANDEM_CONFIG_SCHEMA_H
#define TANDEM_CONFIG_SCHEMA_H
#include "config/image.h"
#include "config/node.h"
#include <stddef.h>

enum ref_table { /* what can be referred to by name */
	REF_MAPPING_GATEWAY,
	REF_ROUTING_GATEWAY,
	REF_GROUP,
	REF_ACCOUNT,
	REF_REGISTRATION,
	REF_DIAL_PLAN,
	REF_NUMBER_LIST,
	REF_RATE_TABLE,
	REF_LRN_SOURCE,
	REF_TABLES
};

struct ref_names { /* sorted by name */
	struct ref_name {
		struct span name;
		struct mark at;
		uint32_t index;
	} *list;
	uint32_t n;
};

struct compile { /* one run of the compiler */
	struct config_errors *errors;
	struct arena arena;
	struct image image;
	struct config config; /* filled in here, copied to the front of the image at the end */
	struct ref_names refs[REF_TABLES];
	struct built *built; /* built.c */
	uint32_t muted;      /* > 0: what is not built has been said of a whole section */
	uint32_t send_retry; /* SS_SIP_SEND_RETRY, CONFIG_NONE when not given */
	bool sort_given;     /* routing.sort */
	struct cfg_text origins[P_COUNT];
	bool sealed;         /* neither files nor the environment may be read */
};

/* --- scalars (value.c, text.c, address.c) ------------------------------------------------------------------------- */

struct input { /* one scalar to be read */
	struct compile *c;
	struct mark at;
	const struct place *place;
	struct span text;
	bool secret; /* never shown */
};

struct choice {
	const char *word;
	int64_t value;
};

struct type {
	uint32_t size; /* of what is stored */
	/* stores the value; false when it is wrong, which has then been said */
	bool (*read)(const struct input *in, const struct type *t, void *out);
	int64_t min, max;             /* of a number or time as stored, of a text its length */
	const struct choice *choices; /* the words; of a number those that may stand for it */
	bool (*character)(unsigned char c); /* of a text */
	const char *allowed;          /* for messages */
	enum ref_table ref;
	bool null;   /* null or nothing: stays zero (a reference: CONFIG_NONE) */
	bool secret; /* may be given as {file: PATH} or {env: NAME} */
	bool text;   /* stored as struct cfg_text */
};

/* says that a value is wrong; returns false */
bool value_wrong(const struct input *in, const char *what, const char *allowed);
void value_store(void *out, size_t size, int64_t v);
/* "12" or "0x1f": true; beyond 64 bits it saturates */
bool value_integer(struct span text, int64_t *ret_value);
/* "1.5" times `scale`, exactly; false when it is no number or has more digits than the scale keeps */
bool value_decimal(struct span text, int64_t scale, int64_t *ret_value);
/* the word's value; on/true/yes and off/false/no stand for each other */
bool value_choice(const struct choice *choices, struct span word, int64_t *ret_value);
/* "a, b, c" */
const char *value_words(const struct choice *choices, char *buf, size_t cap);

bool read_number(const struct input *in, const struct type *t, void *out);
bool read_seconds(const struct input *in, const struct type *t, void *out); /* "30", "1.5", "15m", "1h"; stored in ms */
bool read_size(const struct input *in, const struct type *t, void *out);    /* "64M" */
bool read_price(const struct input *in, const struct type *t, void *out);   /* decimal; stored in millionths */
bool read_onoff(const struct input *in, const struct type *t, void *out);
bool read_choice(const struct input *in, const struct type *t, void *out);
bool read_ref(const struct input *in, const struct type *t, void *out);
bool read_text(const struct input *in, const struct type *t, void *out);
bool read_prefix(const struct input *in, const struct type *t, void *out);
bool read_ip_text(const struct input *in, const struct type *t, void *out); /* an IP, stored as text */
bool read_path(const struct input *in, const struct type *t, void *out); /* stored absolute */
bool read_target(const struct input *in, const struct type *t, void *out); /* struct addr, a place to send to */
bool read_network(const struct input *in, const struct type *t, void *out);
bool read_ip(const struct input *in, const struct type *t, void *out);
bool read_place(const struct input *in, const struct type *t, void *out); /* as read_target, or a name: family 0 and its port */
bool read_server(const struct input *in, const struct type *t, void *out); /* struct addr of a name server */
bool address_is_name(struct span text); /* a host name (RFC 1123), not an address */
bool read_bind(const struct input *in, const struct type *t, void *out); /* struct addr with its port */
bool read_listen(const struct input *in, const struct type *t, void *out);

bool character_free(unsigned char c);
bool character_id(unsigned char c);
bool character_host(unsigned char c);
bool character_token(unsigned char c);
bool character_quotable(unsigned char c); /* what may stand between quotes in a SIP header */
bool character_user(unsigned char c);
bool character_digit(unsigned char c); /* of a telephone number: also letters, + * # */
bool character_hex(unsigned char c);

extern const struct type type_onoff, type_id, type_text, type_host, type_quotable, type_number_text, type_prefix,
	type_path, type_token, type_secret, type_target, type_network, type_limit, type_count, type_lock,
	type_media_mode, type_latch, type_media_check, type_reply_address, type_request_address, type_dial_plan,
	type_number_list, type_rate_table, type_routing_gateway, type_callee_from;

/* --- keys --------------------------------------------------------------------------------------------------------- */

struct schema;
enum key_kind {
	KEY_VALUE, /* one scalar of `type` */
	KEY_LIST,  /* struct cfg_list of scalars: YAML list or comma-separated */
	KEY_PARAM, /* overrides a parameter; the field is a uint32_t or bool */
	KEY_MAP,   /* a schema of its own, into the struct at the offset */
	KEY_ITEMS, /* list of maps: struct cfg_list of the schema's structs */
	KEY_NAMED, /* map of maps with free names, stored as struct cfg_text at the start of each */
	KEY_CUSTOM
};
struct key {
	const char *name;
	enum key_kind kind;
	uint32_t offset, size;
	const struct type *type;
	const struct schema *schema;
	/* reads everything itself; true when the value is not the default */
	bool (*custom)(struct compile *c, const struct node *n, const struct place *place, void *out);
	const char *fallback; /* NULL: zero, an empty list, no reference */
	enum cfg_param param;
	bool required;
	bool present; /* KEY_MAP: a bool at its start says that it was given */
};
struct schema {
	const struct key *keys; /* ends with a key without name */
	uint32_t size;
	/* defaults that come from elsewhere, after the fallbacks */
	void (*prepare)(struct compile *c, void *out);
	/* the struct is filled in: what its values must have in common */
	void (*finish)(struct compile *c, const struct node *n, const struct place *place, void *out);
};

#define FIELD(s, field) .offset = (uint32_t)offsetof(struct s, field), .size = (uint32_t)sizeof(((struct s *)0)->field)
#define NOWHERE         .offset = UINT32_MAX, .size = 0 /* checked, but nothing keeps it */

/* puts the fallbacks into `out` */
void schema_defaults(struct compile *c, const struct schema *s, void *out);
/* reads a map; `place` is NULL for the root */
void schema_read(
	struct compile *c, const struct schema *s, const struct node *map, const struct place *place, void *out);
/* complains about keys that the table does not have */
void schema_known(struct compile *c, const struct key *keys, const struct node *map, const struct place *place);
/* a list (KEY_LIST) of any source; true when it could be read */
bool schema_list(struct compile *c, const struct type *t, const struct node *n, const struct place *place,
	struct cfg_list *ret_list);
/* the elements of a list that is given as a YAML list or comma-separated: calls `each`; counts elements */
uint32_t schema_each(struct compile *c, const struct node *n, const struct place *place,
	void (*each)(const struct input *in, void *context), void *context);
/* one scalar: kind, null and secrets are dealt with, ret_in->text is what is to be read. False: said why, or null
 * (*ret_null). */
bool schema_scalar(struct compile *c, const struct type *t, const struct node *n, const struct place *place,
	struct input *ret_in, bool *ret_null);
bool days_read(struct compile *c, const struct node *n, const struct place *place, void *out); /* schema_mapping.c: uint32_t */
extern const struct type type_clock;                                                          /* minutes of the day */
extern const struct schema schema_root, schema_sip, schema_media, schema_mapping_gateway, schema_routing_gateway,
	schema_group, schema_account, schema_registration, schema_period, schema_prefix_lists, schema_number_list,
	schema_rate_table, schema_lrn_source;

/* --- parts with a file of their own ------------------------------------------------------------------------------- */

/* parameters.c */
bool parameters_read(struct compile *c, const struct node *n, const struct place *place, void *out);
void parameters_defaults(struct compile *c);
const struct type *parameters_type(enum cfg_param p); /* of one that a single number holds; stores an int64_t */
/* reads the value of such a parameter */
bool parameters_value(const struct input *in, enum cfg_param p, int64_t *ret_value);
bool resend_read(struct compile *c, const struct node *n, const struct place *place, void *out); /* struct cfg_resend */
void resend_limit(struct compile *c, struct cfg_resend *r); /* SS_SIP_SEND_RETRY */

/* schema_numbers.c */
bool dial_plans_read(struct compile *c, const struct node *n, const struct place *place, void *out);

/* accounts.c: fills config.account_table */
void accounts_table(struct compile *c);

/* refs.c */
void refs_collect(struct compile *c, const struct node *root);
void refs_free(struct compile *c);
uint32_t refs_find(const struct compile *c, enum ref_table t, struct span name); /* CONFIG_NONE: no such */
const char *refs_noun(enum ref_table t);

/* suggest.c: " (did you mean a or b?)" out of many names, or "" */
struct suggest {
	struct span wanted;
	struct {
		struct span name;
		uint32_t distance;
	} best[3];
	uint32_t n;
};
void suggest_offer(struct suggest *s, struct span name);
const char *suggest_text(const struct suggest *s, char *buf, size_t cap);

/* built.c: a value that differs from its default; what it asks for may not be there yet. `text` is the scalar or one
 * element of a list of `count`, empty for a whole section. True when something was said. */
bool built_check(struct compile *c, const struct place *place, struct mark at, struct span text, uint32_t count);
bool built_concerns(const struct place *place); /* is there a row at all */
void built_finish(struct compile *c);           /* fills config.not_built */
void built_free(struct compile *c);

/* files.c: everything that touches the file system */
struct span files_text(
	struct compile *c, const char *path, size_t max, int *ret_error); /* in the arena; p NULL: *ret_error */
/* the file and all it includes, merged; NULL: said why, *ret_error is an errno when it could not be read */
struct node *files_load(struct compile *c, const char *name, int *ret_error);
struct node *files_load_text(struct compile *c, const char *name, struct span text);
/* absolute; relative to the directory of the file that `at` lies in */
struct span files_resolve(struct compile *c, struct mark at, struct span path);

/* check.c: what lies between sections */
void check_all(struct compile *c, const struct node *root);
#endif
