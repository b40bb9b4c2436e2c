/* The command line of `tandem`. Pure: prints nothing, ends nothing. */
#ifndef TANDEM_SUPERVISOR_OPTIONS_H
#define TANDEM_SUPERVISOR_OPTIONS_H
#include <stddef.h>

enum options_mode { OPTIONS_RUN, OPTIONS_CHECK, OPTIONS_ADOPT, OPTIONS_LAYOUT, OPTIONS_HELP, OPTIONS_VERSION };
struct options {
	enum options_mode mode;
	const char *file; /* borrowed from argv; NULL with help, version and layout */
};
extern const char options_help[];
/* 0, or -EINVAL with the reason in `why` */
int options_parse(int argc, char *const argv[], struct options *ret_options, char *why, size_t cap);
#endif
