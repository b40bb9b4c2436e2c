/* Random walks through whole calls: a caller and a few gateways over UDP, with a wire that loses, doubles and reorders.
 *
 *	walk.c     arguments, the rate, the end of the run
 *	script.c   what the two sides of a walk are going to do: a pure function of seed and number
 *	wire.c     sockets and the bad wire; what goes over it is noted in the walk
 *	text.c     SIP as text, written and read by functions of its own: the product's reader is not trusted here
 *	leg.c      transactions of a peer by RFC 3261 section 17: repeats, answers to repeats, ACK
 *	caller.c   gateway.c   the two sides
 *	verdict.c  what must have happened: from the walk's own notes and the records
 *	product.c  the softswitch under test: configuration, status socket, records, memory
 * With --kills it is the bench of faults (tests/crash/run): ../crash/killer.c ends processes while the walks go on, ../crash/rtp.c
 * sends RTP on some of them, ../crash/ledger.c judges what all that left behind.
 *
 * One process, one thread, one event loop. Memory of walks is kept until the verdict. */
#ifndef TANDEM_TESTS_WALK_H
#define TANDEM_TESTS_WALK_H
#include "base/addr.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/out.h"
#include <stdio.h>

#define GATEWAYS  4u
#define T1	  500u
#define T2	  4000u
#define LIFE	  (64 * T1)
#define STEPS	  6u
#define TEXT_SIZE 2048u

enum method { M_NONE, M_INVITE, M_ACK, M_BYE, M_CANCEL, M_UPDATE, M_OTHER };
extern const char *const method_text[];

struct text {		    /* a message that was received; points into it */
	enum method method; /* M_NONE: a response */
	uint16_t code;
	enum method cseq_method;
	uint32_t cseq;
	struct span uri, via, branch, from, from_tag, to, to_tag, call_id, contact, body;
};
int text_read(const char *p, size_t n, struct text *ret_text); /* 0 or -EBADMSG */

enum { CALLER, CALLEE, BOTH, NEITHER };
struct step {
	uint32_t after; /* ms after the step before */
	uint16_t code;
	bool sdp;
};
struct gateway_script {
	struct step step[STEPS];
	uint32_t n;
	bool cross;				 /* answers 200 to the INVITE when the CANCEL comes */
	uint32_t reinvite_at, update_at, die_at; /* ms after the ACK; 0: never */
};
struct caller_script {
	uint32_t cancel_at, early_update_at, die_at; /* ms after the INVITE; 0: never */
	bool early_bye;				     /* BYE in the early dialog instead of CANCEL */
	bool no_offer;				     /* the offer comes in the answer */
	uint32_t hold;				     /* ms from ACK to BYE */
	uint32_t reinvite_at, update_at, die_after;  /* ms after the answer; 0: never */
	int ender;				     /* who says BYE: CALLER, CALLEE or BOTH */
};

struct note {
	uint32_t at; /* ms since the walk began */
	uint8_t leg; /* 0 caller, 1.. gateway's attempt */
	char way;    /* '>' sent to the softswitch, '<' received, 'x' lost on the way there, 'o' lost on the way back */
	uint8_t method; /* of the request, or of the CSeq */
	uint16_t code;	/* 0: a request */
	uint32_t cseq;
};
#define WALK_LEGS 8u
struct record { /* a line of the records */
	uint8_t attempt;
	bool final;
	uint16_t code;
	char ended_by, egress; /* first letter of caller, callee ('g'), system; a b c d, 0: none */
	const char *reason;
	struct leg *leg;
};
struct walk {
	uint32_t index;
	uint64_t rng, wire_rng, begin;
	struct caller_script script;
	struct leg *leg[WALK_LEGS];
	uint32_t n_legs;
	struct note *note;
	uint32_t n_notes, cap_notes;
	struct record record[WALK_LEGS];
	uint32_t n_records;
};

struct asked { /* a request of ours: client transaction */
	struct wheel_timer timer;
	struct leg *leg;
	enum method method;
	uint32_t number, cseq, interval, n;
	uint64_t end;
	char *bytes;
	bool proceeding, over;
	struct asked *next;
};
struct heard { /* a request of the softswitch: server transaction */
	struct wheel_timer timer;
	struct leg *leg;
	enum method method;
	uint32_t cseq, interval, n;
	uint64_t end;
	uint16_t code;
	char *head; /* Via, From, To without our tag, Call-ID, CSeq: lines for the responses */
	char *bytes;
	bool has_tag, acked;
	struct heard *next;
};
struct leg { /* one dialog of ours with the softswitch */
	struct walk *walk;
	struct port *port;
	uint32_t number;
	uint8_t place; /* in walk->leg: 0 the caller's */
	char call_id[64], local[96], remote[160], target[96];
	uint32_t cseq, next_txn, early_cseq;
	struct asked *asked;
	struct heard *heard;
	struct wheel_timer step, clock[4]; /* script; caller or gateway: what they are for is said there */
	struct gateway_script script;
	uint32_t next_step;
	/* what happened here */
	bool dead, up, byed; /* ignores everything; answered and acknowledged; a BYE went either way */
	uint16_t final;	     /* final answer to the INVITE: sent by the gateway, received by the caller */
	bool has_tag, cancelling;
	/* what came over the wire from the softswitch, lost behind it or not */
	uint16_t seen_final;
	char seen_tag[64];
	bool seen_ack, seen_bye, seen_cancel, seen_invite, got_cancel, got_invite;
	/* what really went to the softswitch */
	bool gave_ring, gave_progress, gave_sdp, gave_100, gave_bye, gave_cancel, gave_gone, gave_ack, gave_invite;
	bool gave_late; /* a provisional answer after the first second */
	uint16_t gave_final;
	uint64_t gave_final_at, first_seen;
	struct addr rtp_to; /* family 0: not known */
	struct stream *stream; /* ../crash/rtp.c; NULL: no RTP */
};
struct port {
	struct loop_source source;
	struct addr addr;
	uint32_t number; /* 0 the caller's, 1.. gateways a.. */
};

struct run {
	struct loop loop;
	struct port port[GATEWAYS + 1];
	struct addr target;
	uint32_t walks, rate, workers;
	uint32_t loss, twice, reorder; /* in thousands */
	uint64_t seed;
	int64_t only; /* this walk alone; -1: all */
	bool loud;
	uint32_t kills, interval, rtp, gap_limit; /* kills 0: nobody is killed; ms between two; calls with RTP; ms */
	const char *targets, *signals, *report;	  /* NULL: all; all; none */
	struct walk *walk;
	struct leg **leg; /* by number */
	uint32_t n_legs, cap_legs, started;
	uint64_t sent, received, lost, broken, parcels;
	uint32_t failures, refused; /* refused: for overload, with --kills */
	char dir[128], net[32];
	const char *program;
	pid_t pid;
};
extern struct run run;

/* script.c */
uint32_t draw(uint64_t *rng, uint32_t below);
void script_caller(struct walk *w);
void script_gateway(struct leg *l);

/* wire.c */
int wire_open(void);
void wire_send(struct leg *l, const char *p, size_t n);
void note(struct leg *l, char way, const struct text *t);

/* text.c */
struct out text_begin(char *buffer);
void text_sdp(struct out *o, const struct leg *l);
struct span text_param(struct span value, const char *name);

/* leg.c */
struct leg *leg_new(struct walk *w, struct port *p, struct span call_id);
struct leg *leg_find(struct span call_id);
struct asked *leg_ask(struct leg *l, enum method method, bool sdp);
void leg_ack(struct leg *l, const struct asked *a, const struct text *t); /* of the answer t */
void leg_cancel(struct leg *l);
struct heard *leg_hear(struct leg *l, const struct text *t, bool *ret_again);
void leg_answer(struct heard *h, uint16_t code, bool sdp);
struct asked *leg_asked(struct leg *l, const struct text *t);
bool leg_asking(const struct leg *l, enum method method);
void leg_receive(struct leg *l, const struct text *t);
void leg_seen(struct leg *l, const struct text *t); /* on the wire from the softswitch */
void leg_gave(struct leg *l, const struct text *t); /* on the wire to it */
void leg_die(struct leg *l);
void leg_arm(struct leg *l, uint32_t clock, uint32_t after, void (*f)(struct wheel_timer *, uint64_t));
struct leg *leg_of_clock(struct wheel_timer *t, uint32_t clock);

/* caller.c, gateway.c */
void caller_begin(struct walk *w);
void caller_response(struct leg *l, struct asked *a, const struct text *t);
void caller_bye_received(struct leg *l);
void gateway_invited(struct leg *l, struct heard *h);
void gateway_cancelled(struct leg *l);
void gateway_acked(struct leg *l);
struct leg *gateway_leg(struct port *p, const struct text *t);

/* product.c */
int product_start(void);
void product_spawn(bool adopt); /* the supervisor alone; run.pid */
int product_calls(void);       /* calls and gateways' calls; -1: no answer */
uint64_t product_memory(void); /* private bytes of all its processes */
bool product_restarted(void);
int product_records(void); /* into the walks; number of lines or -1 */
int product_stop(void);	   /* exit status */
void product_end(void);

/* verdict.c */
void verdict(struct walk *w);
void ladder(const struct walk *w);
#endif
