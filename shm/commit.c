#include "shm/commit.h"

#ifdef TANDEM_CRASHPOINTS
#include <signal.h>
#include <stdlib.h>
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

static void die_of_it(void)
{
	static const struct {
		const char *name;
		int signal;
	} how[] = { { "ABRT", SIGABRT }, { "KILL", SIGKILL }, { "HANG", SIGSTOP } };
	const char *wanted = getenv("TANDEM_POISON_HOW");
	int number = SIGSEGV;
	for (size_t i = 0; wanted && i < sizeof how / sizeof *how; i++)
		if (strcmp(wanted, how[i].name) == 0)
			number = how[i].signal;
	signal(number, SIG_DFL);
	kill(getpid(), number);
}

void crash_mark(const char *place, const void *p, size_t n)
{
	const char *list = getenv("TANDEM_POISON");
	size_t length = strlen(place);
	for (const char *at = list; at && *at;) {
		size_t whole = strcspn(at, " ");
		if (whole > length + 1 && strncmp(at, place, length) == 0 && at[length] == '=' &&
			memmem(p, n, at + length + 1, whole - length - 1))
			die_of_it();
		at += whole + (at[whole] == ' ');
	}
}
#endif

/* a store of these sizes is one store: what dies in the middle of it is the next one */
_Static_assert(__atomic_always_lock_free(4, 0) && __atomic_always_lock_free(8, 0),
	"plain stores of 4 and 8 bytes must be whole");
