/* system.state_dir: suspensions outlive the whole system, in a file "suspended" beside that of the endpoints: a line for each, "KIND UNTIL
 * REASON SOURCE NAME", the time in milliseconds since 1970, the name in hexadecimal digits, "-" for none. Written anew, beside it and
 * then put in its place, when it has changed, at most SUSPENSIONS_MS behind; read when the system starts, and given to the
 * workers that own what it is about (MESSAGE_AUTH). A line that cannot be read is left out. */
#ifndef TANDEM_REGISTRAR_SUSPENSIONS_H
#define TANDEM_REGISTRAR_SUSPENSIONS_H
#include "shm/env.h"

#define SUSPENSIONS_MS 2000u

void suspensions_open(struct env *e);
void suspensions_close(void); /* what is not written yet is */
#endif
