/* The record of a call: all that a successor needs. A slot of a signalling worker's AREA_CALLS. Text lives in one block
 * (call_state.text), append-only within one commit history: what is appended beyond `text_used` is invisible until the commit
 * that raises it; when the block is full the live texts move to a larger one. */
#ifndef TANDEM_SHM_CALL_H
#define TANDEM_SHM_CALL_H
#include "base/addr.h"
#include "base/uuid.h"
#include "shm/region.h"

#define CALL_TXNS       8u  /* transactions a call may have at once */
#define CALL_STREAMS    4u  /* relayed m= lines */
#define CALL_CANDIDATES 33u /* SS_GATEWAY_SWITCH_LIMIT + 1 */

enum call_leg_side { LEG_CALLER, LEG_CALLEE };

/* SETUP    no final answer to the caller yet
 * ANSWERED 2xx sent to the caller, its ACK not seen
 * UP       ACK seen
 * ENDING   decided; BYE or final answers are still being delivered. The record is in the journal.
 *
 *	SETUP --2xx--> ANSWERED --ACK--> UP --BYE/system--> ENDING --all transactions over--> freed
 *	SETUP --final failure/CANCEL--> ENDING            ANSWERED --no ACK for 64*T1/BYE--> ENDING */
enum call_phase { CALL_SETUP, CALL_ANSWERED, CALL_UP, CALL_ENDING };

/* Why a call (or attempt) ended: closed list, X(enum, text in records, SIP code, Q.850 cause) */
#define END_REASONS(X)                                                        \
	X(END_NONE, "", 0, 0)                                                 \
	X(END_NORMAL, "normal", 200, 16)                                      \
	X(END_CANCELLED, "cancelled", 487, 16)                                \
	X(END_REJECTED, "rejected by gateway", 503, 0)                        \
	X(END_INVITE_TIMEOUT, "invite timeout", 408, 102)                     \
	X(END_TRYING_TIMEOUT, "trying timeout", 408, 102)                     \
	X(END_PROGRESS_TIMEOUT, "progress timeout", 408, 102)                 \
	X(END_NO_ANSWER, "no answer", 480, 19)                                \
	X(END_BUSY, "busy", 486, 17)                                          \
	X(END_SWITCH_LIMIT, "switch limit", 503, 34)                          \
	X(END_NOT_AUTHORISED, "not authorised", 403, 21)                      \
	X(END_LOCKED, "locked", 403, 21)                                      \
	X(END_FILTERED, "number not allowed", 403, 21)                        \
	X(END_NO_ROUTE, "no route", 404, 1)                                   \
	X(END_INCOMPLETE, "number incomplete", 484, 28)                       \
	X(END_NO_GATEWAY, "no gateway available", 503, 34)                    \
	X(END_INGRESS_LIMIT, "ingress limit", 503, 34)                        \
	X(END_NOT_REGISTERED, "not registered", 480, 20)                      \
	X(END_NO_CODEC, "no common codec", 488, 88)                           \
	X(END_OVERLOAD, "overload", 503, 42)                                  \
	X(END_DRAINING, "draining", 503, 42)                                  \
	X(END_NO_ACK, "answer not acknowledged", 408, 102)                    \
	X(END_DIALOG_GONE, "peer lost the dialog", 481, 41)                   \
	X(END_MEDIA_TIMEOUT, "media timeout", 0, 41)                          \
	X(END_MAX_DURATION, "maximum duration", 0, 16)                        \
	X(END_OPERATOR, "ended by operator", 503, 41)                         \
	X(END_SHUTDOWN, "shutdown", 503, 41)                                  \
	X(END_INTERNAL, "internal error", 500, 41)                            \
	X(END_BAD_REQUEST, "malformed request", 400, 95)                      \
	X(END_TOO_MANY_HOPS, "too many hops", 483, 25)                        \
	X(END_LOOP, "loop", 482, 25)                                          \
	X(END_EXTENSION, "unsupported extension", 420, 79)                    \
	X(END_SESSION_INTERVAL, "session interval too small", 422, 127)       \
	X(END_SESSION_EXPIRED, "session expired", 0, 41)                      \
	X(END_SESSION_LIMIT, "session limit", 0, 16)                          \
	X(END_URI_SCHEME, "unsupported URI scheme", 416, 127)
enum end_reason {
#define X(id, text, code, cause) id,
	END_REASONS(X)
#undef X
	END_REASON_COUNT
};
struct end_reason_info {
	const char *text;
	uint16_t code, cause;
};
const struct end_reason_info *end_reason_info(enum end_reason r);

/* Texts of a call */
enum call_text_id {
	TEXT_INGRESS,      /* id of the mapping gateway, account or registration */
	TEXT_EGRESS,       /* id of the routing gateway of the current attempt */
	TEXT_CALLER_IN, TEXT_CALLEE_IN, TEXT_CALLER_OUT, TEXT_CALLEE_OUT, /* numbers */
	TEXT_DISPLAY,      /* display name of the caller's From */
	TEXT_CODEC,        /* of the first answered audio line */
	/* caller's dialog */
	TEXT_IN_CALL_ID, TEXT_IN_FROM, TEXT_IN_TO, /* header values: From with the caller's tag; To as received, without ours */
	TEXT_IN_TARGET,    /* Contact URI */
	TEXT_IN_ROUTES,    /* route set: header values joined by ", ", in the order to send */
	/* callee's dialog of the current attempt */
	TEXT_OUT_FROM, TEXT_OUT_TO, /* header values as sent: To with the callee's tag once known */
	TEXT_OUT_URI,      /* Request-URI of the INVITE */
	TEXT_OUT_TARGET, TEXT_OUT_ROUTES,
	TEXT_OFFER,        /* the caller's SDP of the INVITE, as received, until answered */
	TEXT_SDP_TO_CALLER, TEXT_SDP_TO_CALLEE, /* last body we sent on each leg */
	/* what an attempt begins with (signaling/identity.h) */
	TEXT_CALLER, TEXT_CALLEE, /* numbers behind the dial plans of the ingress */
	TEXT_ASSERTED, TEXT_PREFERRED, TEXT_PARTY, /* values of P-Asserted-Identity, P-Preferred-Identity, Remote-Party-ID */
	TEXT_SIGNED,       /* lines Identity and Date */
	TEXT_SDP_BEFORE,   /* while an offer inside the dialog is open: what it takes the place of, in case it is refused */
	TEXT_HEADERS,      /* end-to-end header lines of the caller's INVITE */
	TEXT_PARTS,        /* the parts of its body that are no SDP, ready to be sent */
	TEXT_REOFFER,      /* an offer inside the dialog, as received, until answered */
	TEXT_CHALLENGE,    /* the gateway's last: '1' (401) or '7' (407), then the header's value */
	TEXT_REDIRECTS,    /* Contact URIs of a 3xx still to be tried, separated by blanks */
	TEXT_HELD,         /* end-to-end header lines of the response that waits for the caller's PRACK (call_reliable.held) */
	TEXT_HELD_BODY,    /* its body: the type, a line end, the text */
	TEXT_ACCOUNT,      /* id of the account whose credentials came with the call */
	TEXT_FORWARDER,    /* id of the account that forwarded it last */
	TEXT_DIVERSIONS,   /* header lines: who has forwarded it and why, the last one first */
	TEXT_CHARGED,      /* id of the account that the attempt's record names */
	TEXT_COUNT
};
struct call_text {
	uint32_t at, n; /* bytes from the start of the block; n 0: not set */
};

/* Transaction states, RFC 3261 section 17 and RFC 6026.
 *	client INVITE:     CALLING -> PROCEEDING -> COMPLETED (non-2xx) or ACCEPTED (2xx) -> over
 *	client non-INVITE: CALLING -> PROCEEDING -> over
 *	server INVITE:     PROCEEDING -> COMPLETED (non-2xx sent, awaits ACK) or ACCEPTED (2xx sent, resent until ACK) -> CONFIRMED -> over
 *	server non-INVITE: PROCEEDING -> over (the response is kept in AREA_DONE) */
enum txn_state { TXN_FREE, TXN_CALLING, TXN_PROCEEDING, TXN_COMPLETED, TXN_ACCEPTED, TXN_CONFIRMED };
enum txn_method { METHOD_NONE, METHOD_INVITE, METHOD_ACK, METHOD_BYE, METHOD_CANCEL, METHOD_OPTIONS, METHOD_UPDATE, METHOD_PRACK,
	METHOD_INFO, METHOD_REFER, METHOD_NOTIFY, METHOD_MESSAGE, METHOD_REGISTER, METHOD_SUBSCRIBE, METHOD_PUBLISH, METHOD_OTHER };

struct call_txn {
	uint8_t state;         /* enum txn_state */
	uint8_t method;        /* enum txn_method */
	uint8_t server;        /* 1: the peer's request; 0: ours */
	uint8_t leg;           /* enum call_leg_side */
	uint8_t attempt;       /* of a callee-leg transaction: which attempt (1..) */
	uint8_t resends;       /* so far */
	uint8_t flags;         /* TXN_* */
	uint8_t pair;          /* index + 1 of the transaction on the other leg that this one carries over; 0: none */
	uint32_t cseq;
	uint16_t code;         /* last response sent (server) or received (client) */
	uint16_t listen;       /* index of the listening address to send from */
	uint32_t message;      /* block: last request (client) or response (server), as sent; BLOCK_NONE: none yet */
	uint32_t message_n;
	uint32_t message_commit; /* commit number with which it was made: unsent if > slot.sent */
	uint32_t request;      /* block: server: headers to copy into responses (Via, From, To, Call-ID, CSeq, Record-Route) */
	uint32_t request_n;
	struct addr to;        /* where `message` goes */
	uint64_t key;          /* server: hash of the top Via's branch, sent-by and method; client: the number in our branch,
	                        * above it what stray.c finds it by, 0: nothing */
	uint64_t resend_ms;    /* next resend, clock_ms(); 0: none */
	uint64_t end_ms;       /* gives up, or state ends; 0: none */
	uint8_t challenged;    /* client: 401 and 407 that were answered */
	uint8_t pad[7];
};
#define TXN_CANCEL_WANTED 1u /* client INVITE: CANCEL as soon as a provisional response has come */
#define TXN_HELD          1u /* client BYE: waits for the ACK of the caller's 2xx (or for its time) before it is sent */
#define TXN_ABANDONED     2u /* client INVITE of an attempt that was switched away: a 2xx gets ACK and BYE */
#define TXN_RELIABLE      4u /* over TCP or TLS: not resent */
#define TXN_CANCELLED     8u /* CANCEL has been sent */
#define TXN_ACK_WAITS    16u /* client INVITE: answered with an offer; its ACK follows when the other side's brings the answer */
#define TXN_INITIAL      32u /* client INVITE that makes the dialog: of an attempt */
#define TXN_REFRESH      64u /* client INVITE or UPDATE that refreshes the session; nothing of it is passed on */
#define TXN_OFFER       128u /* client, inside the dialog: carries the offer that TEXT_REOFFER keeps */

/* The session timer of a leg, RFC 4028 (signaling/session_timer.h). SESSION_PEERS: the peer refreshes and is watched. */
enum session_role { SESSION_OFF, SESSION_OURS, SESSION_PEERS };
struct call_session {
	uint32_t interval;     /* seconds in force; 0: no timer */
	uint32_t answer;       /* what our next 2xx agrees to, with answer_role; 0: no timer */
	uint32_t min_se;       /* the largest Min-SE of the 422s received: goes into our requests; 0: none */
	uint8_t role, answer_role; /* enum session_role */
	uint8_t supported : 1; /* the peer supports it; callee leg before its answer: it is offered */
	uint8_t tagged : 1;    /* the request had the option tag: the 2xx has `Require: timer` */
	uint8_t named : 1;     /* the request names the extension at all: the 2xx has Session-Expires */
	uint8_t update : 1;    /* the peer's Allow has UPDATE */
	uint64_t refresh_at;   /* clock_ms(): our next refresh; 0: none */
	uint64_t expires_at;   /* clock_ms(): interval and grace are over; 0: none */
};

struct call_leg {
	uint32_t cseq_local;   /* last used by us */
	uint32_t cseq_remote;  /* highest seen */
	uint32_t sdp_version;  /* of the o= line we send */
	uint32_t remote_tag_n; /* length of the remote tag inside the remote header value, 0: no dialog yet */
	struct addr target;    /* where requests inside the dialog go */
	struct addr source;    /* where the peer's last packet came from */
	uint16_t listen;       /* listening address of this leg */
	uint8_t streams;       /* m= lines of the last body */
	uint8_t behind_nat : 1, on_hold : 1;
	uint16_t allow;        /* bit per enum txn_method that the peer's Allow names; 0: not known */
	uint16_t pad;
	uint32_t media[CALL_STREAMS]; /* port pair + 1; 0: none */
	uint32_t media_generation[CALL_STREAMS];
	struct call_session session;
	uint64_t sdp_hash;     /* of the last body that came from here and counts; 0: none */
};

struct call_reliable {         /* RFC 3262, signaling/reliable.h */
	uint32_t rseq;         /* last one sent to the caller */
	uint32_t heard;        /* last one of the callee's, in order; 0: none */
	uint32_t passes;       /* the callee's RSeq that the caller's PRACK of `rseq` acknowledges; 0: none, we have done so */
	uint16_t held;         /* code of a provisional response that waits for the caller's PRACK; 0: none */
	uint8_t supported : 1, /* the caller does 100rel */
		required : 1,  /* it insists */
		wanted : 1,    /* the gateway insists (421): asked for on its leg alone */
		outstanding : 1, /* `rseq` is not acknowledged */
		held_sdp : 1,  /* what is held has a body */
		shown : 1,     /* the response of `rseq` has one */
		answered : 1;  /* an answer has reached the caller reliably */
	uint8_t attempt;       /* that `passes` belongs to */
};

struct call_state {                    /* the changing part */
	uint8_t phase;                 /* enum call_phase */
	uint8_t relayed;               /* media goes through us */
	uint8_t ended_by;              /* enum journal_ended_by */
	uint8_t reason;                /* enum end_reason */
	uint16_t code, cause;
	uint8_t stage;                 /* enum call_stage of the current attempt, signaling/stage.h */
	uint8_t sdp_seen, rang;        /* in the current attempt */
	uint8_t attempt;               /* 0: none yet */
	uint8_t recovered;             /* adopted at least once */
	uint8_t offer_pending;         /* delayed offer: the offer is in the callee's answer */
	uint8_t early;                 /* number of the To tag in use towards the caller: a new answer needs a new one */
	uint32_t next_branch;          /* number of the next client transaction, part of its branch */
	uint32_t text, text_used;      /* block and bytes used */
	uint64_t end_at;               /* clock_ms(): maximum duration; 0: none */
	uint64_t stage_at;             /* clock_ms(): the stage's time is over; 0: none */
	uint64_t media_at;             /* clock_ms(): look at the RTP again; 0: none */
	uint64_t media_from;           /* clock_ms(): silence counts from here: the answer, the end of a hold */
	uint32_t session_ttl;          /* seconds: longest session interval; this and the next four are those of the call's start */
	uint8_t session_segment, session_grace; /* refreshes per interval; seconds after an interval unconfirmed */
	uint8_t limit_reason;          /* enum end_reason at the end of longest_ms */
	uint32_t longest_ms;           /* an answered call's longest duration; 0: none */
	uint64_t attempt_ms, attempt_wall_ms, progress_wall_ms, alert_wall_ms, answer_wall_ms;
	uint64_t answer_ms;            /* clock_ms() */
	uint64_t pdd_ms;               /* UINT64_MAX: unknown */
	uint64_t journal;              /* sequence + 1 of the last record written for this call; 0: none */
	uint64_t config_generation;    /* the one `candidates` belong to */
	uint16_t gateway;              /* routing gateway of the current attempt; UINT16_MAX: none, or an account */
	uint8_t n_candidates, next_candidate;
	uint16_t candidates[CALL_CANDIDATES];
	uint32_t to_account;           /* account + 1 that the attempt calls; UINT32_MAX: one that is no more; 0: a gateway */
	uint16_t fork_code, fork_cause;/* best failure of its branches so far, signaling/fork.h; 0: none */
	uint8_t fork_timeout;          /* which was that nothing came */
	uint8_t account_waits;         /* to_account is called next: it has no line yet */
	uint8_t forwards;              /* of the call so far */
	uint8_t forwarded_at;          /* attempts before the last of them */
	uint8_t privacy;               /* enum identity_asked */
	uint8_t redirects;             /* contacts of 3xx tried in the current attempt */
	uint8_t ringback;              /* stream + 1 of the caller's leg on which the relay plays the ring-back tone; 0: none */
	uint32_t auth_nc;              /* nonce count of TEXT_CHALLENGE's nonce */
	struct call_reliable reliable;
	struct call_leg leg[2];
	struct call_txn txn[CALL_TXNS];
	struct call_text t[TEXT_COUNT];
};

struct call {
	struct slot slot;
	struct uuid id;                        /* W: owner while FILLING, as the next five */
	uint64_t start_ms, start_wall_ms;
	uint32_t ingress;                      /* whose call it is: kind and index, signaling/ingress.h */
	uint32_t account;                      /* the account whose credentials came with it; CONFIG_NONE: none */
	uint32_t max_forwards;
	uint64_t config_generation;
	struct call_state copies[2];
};

/* What is left of a transaction that is over: an answer to give if the peer repeats itself. Kept for 64*T1.
 * DONE_RESPONSE   the request came again: send `message` (a response) again; an ACK is absorbed
 * DONE_ACK        the final response came again: send `message` (the ACK) again
 * DONE_ABANDONED  an INVITE given up before any response: `message` is its CANCEL, sent when a provisional one comes;
 *                 a failure is acknowledged, a 2xx acknowledged and ended
 * DONE_RECORDED   an INVITE whose refusal is too long to be kept: it is made again when the request is, its record is not
 * AREA_DONE is used as a circle; the oldest gives way when it is full. */
enum done_kind { DONE_NONE, DONE_RESPONSE, DONE_ACK, DONE_ABANDONED, DONE_RECORDED };
#define DONE_BYTES 952u
struct done {
	uint64_t key;      /* as call_txn.key; 0: free. W: owner, zeroed first and stored last */
	uint64_t end_ms;
	uint64_t journal;  /* sequence + 1 of the record of the refusal that this is; an adopter publishes it. 0: none */
	struct addr to;
	uint16_t listen, n;
	uint32_t kind;     /* enum done_kind */
	uint32_t slot;     /* call slot + 1 whose commit `commit` in life `generation` makes this true; 0: it is true by itself */
	uint32_t generation, commit;
	uint32_t pad;
	char message[DONE_BYTES]; /* a longer response is sent once and not kept */
};

/* For readers in other processes: the state and the block of its texts, together. *generation as in slot_read(). ret_text
 * has room for CALL_TEXT_MAX bytes; texts of a damaged record come out as not set. 0, -ENOENT or -EBUSY. */
#define CALL_TEXT_MAX 66560u
struct block_plan;
int call_read(const struct call *c, const struct block_plan *plan, uint32_t *generation, struct call_state *ret_state,
	void *ret_text);
/* of `block`, or of the copy that call_read() made */
static inline struct span call_text_span(const struct call_state *s, const void *block, enum call_text_id id)
{
	return (struct span){ block ? (const char *)block + s->t[id].at : "", block ? s->t[id].n : 0 };
}
#endif
