/* One signalling worker and all that it needs, made as the supervisor would: configuration and route images, regions, roster, a
 * bound SIP socket on 127.0.0.1. The worker is forked and talked to over UDP (agent.h); what it leaves in shared memory is read
 * from here. Every failed check ends the process with what was expected on stderr; the worker dies with it.
 *
 *	static struct harness h;
 *	struct agent caller, gateway;
 *	agent_open(&caller, "caller", "127.0.1.2"); agent_open(&gateway, "gw", "127.0.2.1");
 *	harness_make(&h, &(struct harness_options){ .caller = &caller.addr, .gateway = { &gateway.addr }, .gateways = 1 });
 *	harness_start(&h, 0);
 *	...
 *	harness_finish(&h);     // waits for all calls to be over, stops the worker, looks for leaks */
#ifndef TANDEM_TESTS_SIGNALING_HARNESS_H
#define TANDEM_TESTS_SIGNALING_HARNESS_H
#include "shm/env.h"
#include "shm/journal.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#define HARNESS_GATEWAYS 6
#define CHECK(condition, ...)                                                                          \
	do {                                                                                           \
		if (!(condition)) {                                                                    \
			fprintf(stderr, "%s:%d: [%s] ", __FILE__, __LINE__, #condition);               \
			fprintf(stderr, __VA_ARGS__);                                                  \
			fputc('\n', stderr);                                                           \
			exit(1);                                                                       \
		}                                                                                      \
	} while (0)

struct harness_options {
	const struct addr *caller;                    /* mapping gateway "customer" */
	const struct addr *gateway[HARNESS_GATEWAYS]; /* routing gateways "gw-a", "gw-b", ... for numbers with a 1, in this order */
	unsigned gateways;
	const char *media;        /* media.proxy; NULL: off */
	const char *ports;        /* media.ports; NULL: 20000-20199 */
	unsigned calls;           /* 0: 64 */
	const char *customer, *each, *keys[HARNESS_GATEWAYS]; /* more keys: ", lock: out" */
	const char *sections;     /* more lines of the file */
	const char *parameters;   /* "SS_X: 1, SS_Y: 2" */
	bool silent;              /* SS_REPLY_UNAUTHORIZED off, whether the configuration takes it yet or not */
};

struct harness_contact { /* where an account is */
	const struct addr *addr;
	const char *uri;          /* NULL: sip:phone@ADDR */
	const char *path;         /* value of Path */
	bool behind_nat;
	unsigned q;               /* thousandths */
};

struct harness {
	struct env env;           /* what a worker gets; regions mapped writable here */
	const struct config *c;
	const struct region_head *head; /* of the worker */
	struct addr sip;          /* where the worker listens */
	int boss;                 /* the supervisor's end */
	pid_t pid;                /* 0: none */
	uint64_t read;            /* journal entries read */
};

void harness_make(struct harness *h, const struct harness_options *o);
/* forks a worker and waits until it is in service; `crash_at`: dies there (builds with crash points only), 0: never */
/* as a REGISTER would, between two workers; n 0: it is not registered any more */
void harness_register(struct harness *h, const char *account, const struct harness_contact *at, unsigned n);
void harness_start(struct harness *h, uint64_t crash_at);
void harness_fork(struct harness *h, uint64_t crash_at); /* the same without waiting */
bool harness_alive(struct harness *h); /* false once: it was killed by SIGKILL (anything else fails) */
void harness_kill(struct harness *h);
void harness_leave_blocks(struct harness *h, uint32_t n); /* the idle worker forgets all its free blocks but `n` of 4096 bytes */
void harness_drain(struct harness *h);
void harness_reload(struct harness *h, const struct harness_options *o); /* other images; told to the worker if there is one */
void harness_hang_up(struct harness *h); /* an operator's order for every call, by the control process's ring */
void harness_order_stop(struct harness *h, bool now); /* tells the worker */
void harness_await_stop(struct harness *h);  /* waits for its orderly end */
void harness_idle(struct harness *h, unsigned ms); /* waits until no call is left; then checks what must be free */
void harness_finish(struct harness *h); /* harness_idle(), then a stop whose worker finds everything given back, too */
unsigned harness_calls(const struct harness *h); /* slots not free */

/* the next journal entry, acknowledged; NULL: none */
const struct journal_entry *harness_record(struct harness *h);
void record_must(const struct journal_entry *e, bool final, unsigned attempt, unsigned code, const char *reason);
bool record_text_is(const struct journal_entry *e, struct journal_text t, const char *text);
uint64_t harness_counter(const struct harness *h, unsigned counter);
#endif
