/* A line of the file in state_dir that endpoints are kept in: one account with all of its contacts, so that they come back
 * together or not at all. Fields are separated by tabs; what would break the line is written as \XX.
 *
 *	CHECK <tab> WORKER/RECORD [ <tab> ACCOUNT { <tab> 14 fields of a contact } ] <newline>
 *
 * The last line of a record counts; one without an account: the record is free. CHECK is of all that follows it: a torn or
 * damaged line is known by it. Times are wall-clock milliseconds. Pure functions. */
#ifndef TANDEM_REGISTRAR_ENDPOINT_LINE_H
#define TANDEM_REGISTRAR_ENDPOINT_LINE_H
#include "base/out.h"
#include "shm/location.h"

#define ENDPOINT_LINE_HEAD "tandem endpoints 1\n" /* first line of the file */
#define ENDPOINT_LINE_MAX  (LOCATION_CONTACTS * (3u * LOCATION_TEXT_MAX + 512u) + 512u)

struct endpoint_clock { /* the same moment on both clocks */
	uint64_t wall_ms, mono_ms;
};
struct endpoint_key {
	uint32_t worker, record;
};

/* n contacts of one account; n 0: the record is free */
void endpoint_line_write(struct out *o, const struct config *c, const struct endpoint_clock *clock, struct endpoint_key key,
	const struct location_contact *at, uint32_t n);
/* `line`: without its end. 0 or -EBADMSG: damaged */
int endpoint_line_key(struct span line, struct endpoint_key *ret_key);
/* Its contacts, n 0: the record is free. Texts lie in the contacts. Each contact has what a MESSAGE_BINDING needs: account, binding,
 * texts; listen is that of the same address in this configuration, or LISTEN_MAX: there is none. 0 or -EBADMSG */
int endpoint_line_read(struct span line, const struct config *c, const struct endpoint_clock *clock, struct location_contact *ret_at,
	uint32_t *ret_n);
#endif
