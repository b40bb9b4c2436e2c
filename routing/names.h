/* Keeps the names of the configuration resolved: asks when they are due, writes shm/names.h. */
#ifndef TANDEM_ROUTING_NAMES_H
#define TANDEM_ROUTING_NAMES_H
#include "shm/names.h"

struct names;
/* `changed`: some name stands for other addresses now. NULL: no memory. */
struct names *names_new(struct env *e, void (*changed)(void *context), void *context);
struct names *names_free(struct names *n);
/* The names are those of e->config from now on. True: there are any. */
bool names_configure(struct names *n);
#endif
