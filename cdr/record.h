/* A call detail record as a line of JSON. Pure functions: nothing here touches files or shared memory.
 * Fields, in this order, absent when not known:
 *	call_id attempt final ingress egress account caller_in caller_out callee_in callee_out lrn start progress alert answer
 *	end pdd_ms duration_ms code cause reason ended_by codec sip_call_id_in sip_call_id_out source_in target_out rtp mos
 *	recovered serial
 * `serial` ("INSTANCE-WORKER-SEQUENCE") is where the record stood in the journal. It is always the last field, so that a
 * restarted writer finds out what is on disk already from the ends of the lines. */
#ifndef TANDEM_CDR_RECORD_H
#define TANDEM_CDR_RECORD_H
#include "base/out.h"
#include "shm/journal.h"

/* No line is longer: each of the 11 texts is within JOURNAL_TEXT (in a damaged entry they may overlap), every byte of it
 * becomes at most six ("\u0000"), the rest is bounded. */
#define RECORD_MAX	    (11u * 6u * JOURNAL_TEXT + 2048u)
#define RECORD_INSTANCE_MAX 8u

/* who wrote a record */
struct record_serial {
	char instance[RECORD_INSTANCE_MAX + 1]; /* letters and digits only: record_instance() */
	uint32_t worker;
	uint64_t sequence;
};
/* `text` up to its first zero (at most n bytes), anything but letters and digits left out; "0" when nothing remains */
void record_instance(const char *text, size_t n, char ret_instance[RECORD_INSTANCE_MAX + 1]);
/* 0, or -EINVAL when this cannot be the entry with that sequence or its texts reach beyond it */
int record_check(const struct journal_entry *e, uint64_t sequence);
/* appends the line with its newline; `e` has been checked */
void record_format(const struct journal_entry *e, const struct record_serial *s, struct out *o);
/* the serial of a line (without its newline); 0 or -EINVAL when it has none */
int record_read_serial(struct span line, struct record_serial *ret_serial);
#endif
