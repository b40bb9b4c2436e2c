/* A SIP user agent for tests: sends and reads single messages as text, with simple matchers; nothing is resent unless a test
 * does so. It shares no code with what is tested. */
#ifndef TANDEM_TESTS_SIGNALING_AGENT_H
#define TANDEM_TESTS_SIGNALING_AGENT_H
#include "base/addr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIP_BYTES 6000
#define AGENT_LOG 64 /* messages kept: enough for the longest case */

struct sip { /* a message */
	char text[SIP_BYTES];
	size_t n;
	struct addr source;
	uint16_t code;     /* 0: a request */
	char method[16];   /* of the request, or of the CSeq */
	unsigned cseq;
	bool again;        /* the same bytes came before */
};
/* n-th value (from 0) of a header, long form; "" when there is none. In static memory, four at a time. */
const char *sip_header(const struct sip *m, const char *name, unsigned n);
const char *sip_tag(const struct sip *m, const char *header);
const char *sip_uri(const struct sip *m, const char *header); /* between < and > */
const char *sip_branch(const struct sip *m);
const char *sip_body(const struct sip *m);

struct agent {
	const char *name;
	struct addr addr;
	int fd;
	struct sip log[AGENT_LOG]; /* everything received */
	unsigned received, taken;  /* messages in the log; how many expect() has passed */
	bool skipped[AGENT_LOG];
};
void agent_open(struct agent *a, const char *name, const char *ip);
void agent_close(struct agent *a);
void agent_send(struct agent *a, const struct addr *to, const char *text);
/* The next message that is `what`: "INVITE", or "200" (of any method), or "200 BYE". 100 and repetitions are passed over unless
 * asked for; anything else before it fails the test. */
const struct sip *agent_expect(struct agent *a, const char *what, unsigned ms);
const struct sip *agent_next(struct agent *a, unsigned ms); /* whatever it is; NULL: nothing */
const struct sip *agent_again(struct agent *a, const char *what, unsigned ms); /* the next repetition of something that is `what` */
void agent_quiet(struct agent *a, unsigned ms); /* nothing but repetitions and 100 */
unsigned agent_count(struct agent *a, const char *what); /* messages received so far, repetitions too */
/* no message received contains it */
void agent_must_not_know(const struct agent *a, const char *secret);

struct dialog {
	struct agent *agent;
	struct addr peer;
	char call_id[96], local[256], remote[256], target[256];
	char invite_branch[80], invite_target[256]; /* of the last INVITE sent */
	char record_route[256];
	unsigned cseq, invite_cseq;
	struct sip invite;  /* callee: as received */
	char tag[32];       /* callee: ours */
};
/* a caller's; the callee is the user part */
void dialog_init(struct dialog *d, struct agent *a, const struct addr *peer, const char *callee);
/* takes the INVITE that comes next: the callee's dialog */
void dialog_take(struct dialog *d, struct agent *a, unsigned ms);
/* composes and sends; `headers`: more lines with their ends; `body`: SDP, or with "type\n" before it anything else; NULL: none */
void dialog_send(struct dialog *d, const char *method, const char *headers, const char *body);
void dialog_send_as(struct dialog *d, const char *method, unsigned cseq, const char *branch, const char *headers, const char *body);
void dialog_ack(struct dialog *d, const char *body);             /* of a 2xx */
void dialog_ack_failure(struct dialog *d, const struct sip *response);
void dialog_cancel(struct dialog *d);
/* the response's To tag and Contact become the dialog's */
void dialog_learn(struct dialog *d, const struct sip *response);
void dialog_reply(struct dialog *d, const struct sip *request, unsigned code, const char *headers, const char *body);
void dialog_reply_as(struct dialog *d, const struct sip *request, unsigned code, const char *headers, const char *body); /* no Contact but in `headers` */
const struct sip *dialog_expect(struct dialog *d, const char *what); /* 3 s; learns from 1xx and 2xx of INVITE */
#endif
