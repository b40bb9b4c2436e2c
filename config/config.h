/* The configuration as the processes see it: one immutable image (a sealed memfd or a heap block), free of pointers,
 * everything resolved: gateways carry their effective values (their own, else the global ones), references are indices.
 * Written by config_compile(), read by everybody. All times are milliseconds unless the name says otherwise. */
#ifndef TANDEM_CONFIG_CONFIG_H
#define TANDEM_CONFIG_CONFIG_H
#include "base/addr.h"
#include "base/log.h"
#include "base/span.h"
#include <stdbool.h>
#include <stdint.h>

#define CONFIG_MAGIC 0x31474643444e5454ull /* "TTNDCFG1" */
#define CONFIG_NONE UINT32_MAX             /* "none" for limits, "no such index" for references */

struct cfg_text { /* text in the image, zero-terminated; empty when not set */
	uint32_t at, n;
};
struct cfg_list { /* `n` elements of the type the field's comment names */
	uint32_t at, n;
};

enum cfg_transport { TRANSPORT_UDP, TRANSPORT_TCP, TRANSPORT_TLS };
enum cfg_lock { LOCK_NONE, LOCK_OUT, LOCK_IN, LOCK_ALL };
enum cfg_media_mode { MEDIA_AUTO, MEDIA_ON, MEDIA_OFF, MEDIA_MUST }; /* ascending strength: must > off > on > auto */
enum cfg_latch { LATCH_OFF, LATCH_ON, LATCH_AUTO, LATCH_ANY };
enum cfg_media_check { CHECK_NONE, CHECK_TO_PEER, CHECK_FROM_PEER, CHECK_BOTH };
enum cfg_offload { OFFLOAD_AUTO, OFFLOAD_OFF, OFFLOAD_REQUIRED };
enum cfg_auth { AUTH_IP, AUTH_IP_PORT, AUTH_DIGEST };
enum cfg_callee_from { CALLEE_FROM_TO, CALLEE_FROM_REQUEST_LINE };
enum cfg_caller_from { CALLER_FROM_FROM, CALLER_FROM_RPID, CALLER_FROM_PAI, CALLER_FROM_DISPLAY };
enum cfg_reply_address { REPLY_AUTO, REPLY_SOCKET, REPLY_VIA_PORT, REPLY_VIA };
enum cfg_request_address { REQUEST_AUTO, REQUEST_SOCKET, REQUEST_CONTACT_PORT, REQUEST_CONTACT };
enum cfg_prefix_mode { PREFIX_EXTENSION, PREFIX_TERMINAL };
enum cfg_ringback { RINGBACK_PASSTHROUGH, RINGBACK_183_SDP, RINGBACK_180_SDP };
enum cfg_refer { REFER_REFUSE, REFER_PASS };
enum cfg_privacy { PRIVACY_NONE, PRIVACY_PASSTHROUGH, PRIVACY_ID, PRIVACY_DEFAULT, PRIVACY_IGNORE };
enum cfg_identity { IDENTITY_NONE, IDENTITY_PASSTHROUGH, IDENTITY_CALLER };
enum cfg_display { DISPLAY_IGNORE, DISPLAY_E164, DISPLAY_NUMBER };
enum cfg_sort { SORT_PRIORITY, SORT_LOAD, SORT_HISTORY, SORT_ID, SORT_ASR, SORT_RATE };
enum cfg_cdr_format { CDR_JSONL, CDR_CSV };

struct cfg_listen {
	struct addr addr;
	uint32_t transport; /* enum cfg_transport */
};

struct cfg_resend {
	uint16_t n;             /* 1-10 */
	uint16_t limit;         /* SS_SIP_SEND_RETRY applied: resends allowed, <= n */
	uint32_t interval[10];
};

/* The stages of call set-up, per attempt (behaviour section 2). */
struct cfg_timeouts {
	uint32_t invite, trying, session_progress, session_progress_sdp, ringing;
};

/* When a failed attempt is not followed by another (behaviour section 3). */
struct cfg_switch {
	bool after_sdp, after_rtp_start, after_user_busy, after_invite_timeout, until_connect;
	struct cfg_list response_codes; /* uint16_t */
};

struct cfg_prefix_lists {
	struct cfg_list allow, deny; /* struct cfg_text */
};

struct cfg_period { /* weekdays bit 0 = Monday; from > to runs over midnight; minutes of the day, local time */
	uint32_t days;
	uint16_t from, to;
	uint32_t line_limit, priority;                /* CONFIG_NONE: as without the row; limit "none" is PERIOD_UNLIMITED */
	uint32_t callee_dial_plan, caller_dial_plan;  /* CONFIG_NONE: as without the row */
	struct cfg_prefix_lists callee_prefixes, caller_prefixes;
	bool has_callee_prefixes, has_caller_prefixes;
};
#define PERIOD_UNLIMITED (UINT32_MAX - 1)

struct cfg_mapping_gateway { /* who may send us calls, by address */
	struct cfg_text id;
	struct cfg_list addresses; /* struct addr: bits 0 and port 0 allowed */
	struct cfg_text tech_prefix;
	uint32_t priority, authentication, lock, callee_from, caller_from;
	bool enabled, trusted, support_privacy;
	uint32_t line_limit, rate_limit;              /* CONFIG_NONE: no limit */
	uint32_t callee_dial_plan, caller_dial_plan;  /* index into dial_plans or CONFIG_NONE */
	struct cfg_list lists;                        /* uint32_t: index into number_lists */
	struct cfg_prefix_lists callee_prefixes, caller_prefixes;
	struct cfg_list routes_allow, routes_deny;    /* uint32_t: index into routing_gateways */
	uint32_t reply_address, request_address, media, latch;
	uint32_t rate_table;                          /* index into rate_tables or CONFIG_NONE */
	struct cfg_list periods;                      /* struct cfg_period */
};

struct cfg_header { /* headers.add */
	struct cfg_text name, value;
};
struct cfg_response_map {
	uint16_t from, to;
};
struct cfg_options_ping {
	bool on;
	uint32_t interval, timeout, down_after, up_after;
};
struct cfg_circuit {
	bool on;
	uint32_t failures, open; /* open: ms */
};
struct cfg_lrn {
	bool on, send_lrn;
	uint32_t source, eat_prefix;
	uint32_t on_failure; /* 0 dialed, 1 skip, 2 reject */
};

struct cfg_routing_gateway { /* where calls go */
	struct cfg_text id;
	struct cfg_list addresses;  /* struct addr, tried in turn; port 0 never occurs (5060 put in) */
	uint32_t via_registration;  /* index into registrations or CONFIG_NONE */
	uint32_t transport, lock, prefix_mode, priority, weight, group, reserved_lines;
	bool enabled, protect, local_domain, follow_redirect, check_rate;
	struct cfg_list prefixes;   /* struct cfg_text */
	uint32_t line_limit, rate_limit;
	struct cfg_timeouts timeouts;
	struct cfg_resend resend;
	struct cfg_switch switching;
	struct cfg_list response_map; /* struct cfg_response_map */
	uint32_t refer, ringback_mode, reply_address, request_address;
	uint32_t privacy, p_asserted_identity, p_preferred_identity;
	uint32_t caller_dial_plan, callee_dial_plan;
	struct cfg_prefix_lists caller_prefixes;
	struct cfg_list lists;      /* uint32_t */
	struct cfg_text username, password;
	struct cfg_list headers_pass, headers_remove; /* struct cfg_text */
	struct cfg_list headers_add;                  /* struct cfg_header */
	struct cfg_list codecs;                       /* struct cfg_text */
	struct cfg_options_ping options_ping;
	struct cfg_circuit circuit;
	struct cfg_lrn lrn;
	uint32_t rate_table;
	int64_t min_profit, max_rate; /* millionths per minute; INT64_MIN: not set */
	uint32_t media, latch, media_check;
	struct cfg_list periods;
	struct cfg_list hosts;      /* struct cfg_text, one for each of `addresses`, or empty when none is a name. Of a name the
	                               address has family 0 and the port that was given, 0: none (shm/names.h resolves it) */
};

struct cfg_group {
	struct cfg_text id;
	uint32_t line_limit;
};

struct cfg_account {
	struct cfg_text id, password, ha1;
	uint32_t max_contacts, lock, line_limit, callee_dial_plan, caller_dial_plan, media;
	bool enabled;
	struct cfg_text forward_unconditional, forward_offline, forward_busy, forward_no_answer;
	struct cfg_list forward_period; /* struct cfg_forward_period: the first that holds counts */
};
struct cfg_forward_period { /* as in struct cfg_period */
	struct cfg_text number;
	uint32_t days;
	uint16_t from, to;
};

struct cfg_registration {
	struct cfg_text id, proxy_host, domain, realm, host_name, username, auth_user, password;
	struct addr proxy; /* family 0 when proxy_host is a name: shm/names.h, with proxy_port and proxy_transport */
	uint32_t proxy_transport, proxy_port, port; /* proxy_port 0: a name without a port (SRV) */
	uint32_t period;   /* seconds; 0: auto */
	uint32_t privacy;
	uint32_t callee_from; /* of calls that arrive over it */
	bool enabled;
};

struct cfg_dial_rule { /* match and rewrites as written; guards are parsed */
	struct cfg_text match;    /* without the guards */
	struct cfg_list rewrites; /* struct cfg_text; several: chosen at random, or in turn when `poll` */
	bool poll;
	struct cfg_list guards;   /* struct cfg_guard: all must hold */
	uint32_t turn;            /* number among the rules of all plans with `poll`; CONFIG_NONE: not one of them */
};
struct cfg_guard {
	char kind; /* L E G F */
	uint8_t n;
};
struct cfg_dial_plan {
	struct cfg_text name;
	struct cfg_list rules; /* struct cfg_dial_rule, in order */
};
struct cfg_number_list {
	struct cfg_text name, file;
	bool white, caller, callee, system;
	struct cfg_list numbers; /* struct cfg_text; a final '*' makes a prefix */
};
struct cfg_rate_table {
	struct cfg_text name, file;
};
struct cfg_lrn_source {
	struct cfg_text name, type, path;
	uint32_t timeout, ttl_s;
};

/* Parameters of parameters.md with their global values, in the units of this header (ms), 0/1 for on/off. Where the
 * list of config/parameters.def gives a name P, param[P] holds it. Lists (resend) have their own fields. */
enum cfg_param {
#define PARAM(name, ...) P_##name,
#include "config/parameters.def"
#undef PARAM
	P_COUNT
};

struct config {
	uint64_t magic;
	uint64_t size;          /* of the whole image */
	uint64_t hash;          /* of all that follows, for "has it changed" */
	uint64_t generation;    /* counts reloads; set by the supervisor when it publishes */
	struct cfg_text file;   /* the main file, absolute */

	struct {
		struct cfg_text name, memo, user, run_dir, state_dir;
		uint32_t signaling, media; /* workers, `auto` resolved */
		uint32_t calls, endpoints, registrations;
		uint32_t drain_timeout;
		bool pin;
	} system;
	struct {
		uint32_t level, format; /* enum log_level, enum log_format */
	} log;
	struct {
		struct cfg_list listen; /* struct cfg_listen */
		struct cfg_text advertise, realm, user_agent, local_domain;
		struct cfg_text nat_keep_alive; /* SS_SIP_NAT_KEEP_ALIVE_MESSAGE; empty: off */
		bool digest_md5, digest_sha256, digest_sha256_first; /* algorithms offered; which one first */
		uint32_t max_message, max_headers, max_uri, max_sdp, max_media_lines;
		struct {
			struct cfg_text certificate, key, ca; /* absolute paths */
			bool verify;
		} tls;
	} sip;
	struct {
		struct cfg_list addresses; /* struct addr, port 0 */
		struct cfg_text advertise;
		uint32_t port_low, port_high; /* even, odd */
		uint32_t proxy, latch, check, offload, timeout;
		struct cfg_text ringback_country, ringback_file;
		struct cfg_list ringback_samples; /* int16_t, 8000 a second: what the file holds */
	} media;

	int64_t param[P_COUNT];
	uint32_t endpoint_expire_max; /* second value of SS_ENDPOINT_EXPIRE */
	struct cfg_resend resend;
	struct cfg_list params_origin; /* struct cfg_text by enum cfg_param: "default" or "FILE:LINE" */

	struct cfg_list mapping_gateways, routing_gateways, groups, accounts, registrations, dial_plans, number_lists,
		rate_tables, lrn_sources; /* of the structs above */
	uint32_t dial_turns; /* dial plan rules with `poll` */
	struct cfg_list account_table; /* uint32_t: index into accounts or CONFIG_NONE, see config_account() */
	/* what a gateway has that says nothing of itself: accounts and registrations call, and accounts are called, by these */
	struct cfg_mapping_gateway plain_mapping;
	struct cfg_routing_gateway plain_routing;
	struct {
		struct cfg_list sort; /* uint32_t: enum cfg_sort */
		uint32_t window, bucket, min_attempts;
	} routing;
	struct {
		uint32_t rate, unregister_timeout;
	} registration;
	struct {
		struct cfg_text dir, postgres;
		uint32_t format;
		uint64_t rotate_size;
		uint32_t rotate_age;
	} cdr;
	struct {
		struct addr listen;
	} http;
	struct {
		uint32_t rate, ban;
		bool gateways;
	} protect;
	struct {
		struct cfg_list servers; /* struct addr; empty: what the system uses */
	} dns;
	struct cfg_list not_built; /* struct cfg_text: "FILE:LINE:COL: key" accepted but without effect; said once at start */
};

/* --- reading an image ------------------------------------------------------------------------------------------ */
static inline const void *cfg_at(const struct config *c, uint32_t at)
{
	return (const char *)c + at;
}
static inline struct span cfg_span(const struct config *c, struct cfg_text t)
{
	return (struct span){ (const char *)cfg_at(c, t.at), t.n };
}
static inline const char *cfg_str(const struct config *c, struct cfg_text t)
{
	return t.n ? (const char *)cfg_at(c, t.at) : "";
}
/* CFG_LIST(c, &c->mapping_gateways, struct cfg_mapping_gateway)[i] */
#define CFG_LIST(c, list, type) ((const type *)cfg_at((c), (list)->at))
static inline const struct cfg_mapping_gateway *cfg_mapping(const struct config *c, uint32_t i)
{
	return CFG_LIST(c, &c->mapping_gateways, struct cfg_mapping_gateway) + i;
}
static inline const struct cfg_routing_gateway *cfg_routing(const struct config *c, uint32_t i)
{
	return CFG_LIST(c, &c->routing_gateways, struct cfg_routing_gateway) + i;
}
static inline const struct cfg_account *cfg_account(const struct config *c, uint32_t i)
{
	return CFG_LIST(c, &c->accounts, struct cfg_account) + i;
}
/* index of the account with that id; CONFIG_NONE: there is none */
uint32_t config_account(const struct config *c, struct span id);
/* as what an account calls: the defaults and its own keys */
struct cfg_mapping_gateway config_account_settings(const struct config *c, uint32_t i);
/* is it that time of the week: days bit 0 = Monday, minutes of the day; from >= to runs over midnight and belongs to the day on
 * which it begins. Local time. */
bool config_in_period(uint32_t days, uint16_t from, uint16_t to, uint64_t wall_ms);
/* 0 when magic and size fit an image of `size` bytes, else -EINVAL */
int config_verify(const struct config *c, size_t size);

/* --- making one ------------------------------------------------------------------------------------------------ */
struct config_errors; /* every error as "FILE:LINE:COL: key: message", in order of file and line */
struct config_errors *config_errors_new(void);
struct config_errors *config_errors_free(struct config_errors *e);
size_t config_errors_count(const struct config_errors *e);
const char *config_errors_text(const struct config_errors *e, size_t i);

/* Reads FILE and what it includes. 0 with a malloc'ed image of *ret_size bytes (caller frees), or -EINVAL with all
 * errors in `errors`, or another negative errno when FILE cannot be read (also said in `errors`). */
int config_compile(const char *file, struct config_errors *errors, struct config **ret_config, size_t *ret_size);
struct config_source {
	const char *name;
	const char *text; /* NULL: `name` is read */
	size_t n;
	bool sealed; /* neither other files nor the environment may be read: no include, no {file:} or {env:} */
};
int config_compile_source(const struct config_source *source, struct config_errors *errors, struct config **ret_config,
	size_t *ret_size);
/* the same from text; `name` stands for the file in messages and relative paths (fuzzing, tests) */
int config_compile_text(const char *name, const char *text, size_t n, struct config_errors *errors,
	struct config **ret_config, size_t *ret_size);

/* --- parameters ------------------------------------------------------------------------------------------------ */
struct param_info {
	const char *name;       /* "SS_SIP_TIMEOUT_INVITE" */
	const char *fallback;   /* default as text */
	const char *range;      /* as documented: "1-300", "on/off", "none, 0-32" */
	const char *unit;       /* "s", "ms", "" */
	const char *scope;      /* "global" or the gateway key: "timeouts.invite" */
};
const struct param_info *param_info(enum cfg_param p);
/* the value as an operator writes it ("10", "on", "none", "0.5,1,2"); returns the length */
size_t param_format(const struct config *c, enum cfg_param p, char *buf, size_t cap);
#endif
