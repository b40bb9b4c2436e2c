/* The files of records. One is active: DIR/cdr.jsonl. Rotation renames it to cdr-YYYYMMDDThhmmss.mmmZ-SERIAL.jsonl and
 * begins a new one; the renames are atomic and the directory is synced, so that at any instant every record is in a
 * complete file or in the active one. The directory is locked while it is open: two writers never share it.
 *
 * Appending is all or nothing: what a failed write left behind is cut off before anything else is written. All functions
 * return 0 or -errno; the caller tries again. */
#ifndef TANDEM_CDR_FILE_H
#define TANDEM_CDR_FILE_H
#include "base/span.h"
#include <stdint.h>

#define CDR_FILE_ACTIVE "cdr.jsonl"

struct cdr_file {
	int dir, fd;	  /* -1: not open */
	uint64_t serial;  /* of the active file */
	uint64_t size;	  /* bytes of whole records in it */
	uint64_t synced;  /* of these, on disk for certain */
	uint64_t born_ms; /* wall; 0: it is empty */
	bool torn;	  /* beyond `size` there may be remains of a failed write */
};
#define CDR_FILE_NONE ((struct cdr_file){ .dir = -1, .fd = -1 })

/* Opens (makes) directory and active file and cuts off a torn last line. `serial` is the lowest its number may be: it is
 * also above that of every rotated file there. -EWOULDBLOCK: another writer has the directory. */
int cdr_file_open(struct cdr_file *f, const char *dir, uint64_t serial);
void cdr_file_close(struct cdr_file *f);
/* calls `line` with each line (no newline) of the active file from byte `from` (0 when that is beyond its end) */
int cdr_file_scan(
	const struct cdr_file *f, uint64_t from, void (*line)(void *context, struct span text), void *context);
int cdr_file_append(struct cdr_file *f, const void *p, size_t n, uint64_t wall_ms);
int cdr_file_sync(struct cdr_file *f);
/* gives up what is not synced: the caller will append it again */
int cdr_file_rewind(struct cdr_file *f);
/* Renames the active file (which must be synced) and closes it; then cdr_file_begin() opens the next one. */
int cdr_file_rotate(struct cdr_file *f, uint64_t wall_ms);
int cdr_file_begin(struct cdr_file *f);
/* somebody has renamed or deleted the active file */
bool cdr_file_gone(const struct cdr_file *f);
#endif
