/* Which program this is, and whether another one may follow it while calls are up: `tandem --layout` and its reader. */
#ifndef TANDEM_SUPERVISOR_PROGRAM_H
#define TANDEM_SUPERVISOR_PROGRAM_H
#include <stddef.h>
#include <stdint.h>

struct program_layout {
	char version[32];
	uint64_t memory; /* layout_hash(): regions can be taken over when it is the same */
	uint64_t images; /* configuration and routes can be when this is the same; they can be made anew */
};
void program_layout(struct program_layout *ret_layout); /* this one's */
/* as `tandem --layout` prints it, and back; -EINVAL: that is no such text */
int program_format(const struct program_layout *l, char *buf, size_t cap);
int program_parse(const char *text, struct program_layout *ret_layout);

/* where this program was started from, for a later one at the same place; -errno */
int program_path(char *buf, size_t cap);
/* tells programs apart: of the running file, whatever lies at its place by now */
uint64_t program_id(void);
#endif
