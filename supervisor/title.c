#include "supervisor/title.h"
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

static struct {
	char *p;
	size_t n; /* bytes of the arguments; the environment behind them stays */
} area;

void title_init(int argc, char **argv)
{
	char *end = argc > 0 ? argv[0] : NULL;
	for (int i = 0; i < argc && argv[i] == end; i++)
		end = argv[i] + strlen(argv[i]) + 1;
	area.p = argc > 0 ? argv[0] : NULL;
	area.n = area.p ? (size_t)(end - area.p) : 0;
}

void title_set(const char *name)
{
	prctl(PR_SET_NAME, name);
	if (area.n < 2)
		return;
	memset(area.p, 0, area.n);
	/* as much as there is place for, the name first */
	snprintf(area.p, area.n, strlen(name) + sizeof("tandem: ") <= area.n ? "tandem: %s" : "%s", name);
}
