/* A registrar without a process: its region, a socket that it sends from, an upstream's socket, and a clock that the test moves.
 * Every failed check ends the test. */
#ifndef TANDEM_TESTS_REGISTRAR_RIG_H
#define TANDEM_TESTS_REGISTRAR_RIG_H
#include "registrar/registrar.h"
#include <stdio.h>
#include <stdlib.h>

#define RIG_MESSAGE 8192

#define CHECK(condition, ...)                                                            \
	do {                                                                             \
		if (!(condition)) {                                                      \
			fprintf(stderr, "%s:%d: [%s] ", __FILE__, __LINE__, #condition); \
			fprintf(stderr, __VA_ARGS__);                                    \
			fputc('\n', stderr);                                             \
			abort();                                                         \
		}                                                                        \
	} while (0)

struct rig {
	struct env env;
	struct registrar g;
	struct addr sip, upstream;
	int socket;   /* the upstream's */
	uint64_t now; /* starts at 1000000 */
	struct image image;
};

/* `registrations` and `parameters`: YAML flow of the sections; %s in `registrations` stands for the upstream's address and port */
void rig_make(struct rig *r, const char *registrations, const char *parameters);
void rig_config(struct rig *r, const char *registrations, const char *parameters); /* a reload */
void rig_succeed(struct rig *r); /* the registrar dies and has a successor */
void rig_drain(struct rig *r);   /* the roster says that the system ends */
void rig_done(struct rig *r);
void rig_advance(struct rig *r, uint64_t ms); /* time passes: what is due happens at its time */
uint64_t rig_next(const struct rig *r);       /* ms until the next deadline; UINT64_MAX: none */
const struct registration_state *rig_state(const struct rig *r, const char *id); /* NULL: there is no record */

struct got { /* a request that the upstream received */
	char text[RIG_MESSAGE];
	size_t n;
};
bool rig_receive(struct rig *r, struct got *ret_got); /* false: nothing came */
void rig_expect(struct rig *r, struct got *ret_got);  /* something must have come */
void rig_quiet(struct rig *r);                        /* nothing must have come */
/* value of the first header line with that name; "" */
const char *got_header(const struct got *m, const char *name, char *buffer, size_t cap);
bool got_is(const struct got *m, const char *name, const char *value);
unsigned got_cseq(const struct got *m);
/* "SIP/2.0 CODE ..." to `m` with more header lines ("A: b\r\n") */
void rig_answer(struct rig *r, const struct got *m, unsigned code, const char *lines);
/* 200 with the request's Contact and this `expires` */
void rig_grant(struct rig *r, const struct got *m, unsigned expires);
#endif
