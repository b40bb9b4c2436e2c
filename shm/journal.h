/* CDR journal: finished records on their way to the cdr process, in the signalling worker's region. An entry is written
 * at `tail`, then the call's commit names it (call_state.journal), then the tail is raised: death in between leaves an
 * entry that the adopter publishes, or one that never was. Kept until the cdr process has it on disk (journal_ack). A call
 * reserves a place when it is admitted, so that no record is ever without one. */
#ifndef TANDEM_SHM_JOURNAL_H
#define TANDEM_SHM_JOURNAL_H
#include "base/addr.h"
#include "base/uuid.h"
#include "shm/region.h"

struct journal {
	uint64_t tail;     /* W: owner; entries ever published */
	uint64_t capacity; /* RO; entries */
	uint64_t pad[6];
};
struct journal_text {
	uint16_t at, n; /* in entry.text; n 0: not known */
};
struct journal_rtp {
	uint64_t packets, bytes, lost;
	uint32_t jitter_us, ssrc;
};
enum journal_ended_by { ENDED_BY_NONE, ENDED_BY_CALLER, ENDED_BY_CALLEE, ENDED_BY_SYSTEM };

#define JOURNAL_AHEAD 2u /* entries one event may write before the tail is raised */
#define JOURNAL_TEXT 1536u
struct journal_entry {
	uint64_t sequence; /* its place counted from 0; checked by the reader */
	struct uuid call_id;
	uint32_t attempt;
	uint8_t final, ended_by, recovered, relayed;
	uint64_t start_ms, progress_ms, alert_ms, answer_ms, end_ms; /* wall, ms since 1970; 0: did not happen */
	uint64_t pdd_ms, duration_ms; /* monotonic differences; pdd UINT64_MAX: unknown */
	uint16_t code, cause;
	uint16_t reason; /* enum end_reason, shm/call.h */
	uint16_t mos_x100; /* 0: unknown */
	struct addr source_in, target_out; /* family 0: none */
	struct journal_rtp a_to_b, b_to_a;
	struct journal_text ingress, egress, account, caller_in, caller_out, callee_in, callee_out, lrn, codec,
		sip_call_id_in, sip_call_id_out;
	char text[JOURNAL_TEXT];
};
/* one per signalling worker in the cdr process's region */
struct journal_ack {
	uint64_t sequence; /* W: cdr; entries below are on disk */
	uint64_t written;  /* W: cdr; entries below are in the file, perhaps not synced */
	uint64_t file_serial; /* W: cdr; serial of the file in use when `sequence` was stored */
	uint64_t file_offset; /* W: cdr; size of that file up to `sequence` */
};
static inline const struct journal_entry *journal_at(const struct journal *j, uint64_t sequence)
{
	return (const struct journal_entry *)(j + 1) + sequence % j->capacity;
}
#endif
