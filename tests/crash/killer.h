/* Kills a process of the softswitch again and again: which one, when and how is drawn from the seed. One at a time, as
 * promised: the next one is killed when the successor of the last is there. */
#ifndef TANDEM_TESTS_CRASH_KILLER_H
#define TANDEM_TESTS_CRASH_KILLER_H
#include "walk.h"
#include <sys/types.h>

struct kill {		   /* one death of the ledger */
	uint64_t at, back; /* clock_ms(): the signal; a successor with another pid was seen. 0: not yet */
	char name[16];	   /* signaling/0 */
	pid_t pid;
	int signal;
};
extern struct kill *killed;
extern uint32_t n_killed;

int killer_open(void); /* after the softswitch is up; -errno */
bool killer_done(void);
const char *killer_signal(int number);
#endif
