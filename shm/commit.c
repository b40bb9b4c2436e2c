#include "shm/commit.h"

#ifdef TANDEM_CRASHPOINTS
#include <signal.h>
#include <unistd.h>

uint64_t crash_at, crash_count;

void crash_point(void)
{
	cmm_barrier();
	crash_count++;
	if (crash_at && !--crash_at)
		kill(getpid(), SIGKILL);
	cmm_barrier();
}
#endif

/* a store of these sizes is one store: what dies in the middle of it is the next one */
_Static_assert(__atomic_always_lock_free(4, 0) && __atomic_always_lock_free(8, 0),
	"plain stores of 4 and 8 bytes must be whole");
