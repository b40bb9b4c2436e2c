/* Collects what is wrong with a configuration: all of it, sorted by file, line and column, each said once. */
#ifndef TANDEM_CONFIG_ERRORS_H
#define TANDEM_CONFIG_ERRORS_H
#include "config/config.h"

struct mark { /* a place in a file; line and column count from 1, 0: unknown */
	uint32_t file, line, column;
};

struct place { /* where in the key tree; lives on the stack of who walks */
	const struct place *up; /* NULL: below the root */
	struct span key;        /* the key; of an item its id, empty when it has none */
	uint32_t index;         /* of an item without id */
	bool item;              /* element of a list or entry of a map with free names: no part of the schema's path */
};

#define PLACE_MAX 256
/* "routing_gateways[gw-a].timeouts.invite"; without `items` "routing_gateways.timeouts.invite". Returns buf. */
const char *place_format(const struct place *p, bool items, char buf[PLACE_MAX]);

#define ERRORS_MAX 1000 /* kept; the rest is only counted */

/* files are numbered in the order they are read; the name is copied; returns the number */
uint32_t errors_file(struct config_errors *e, const char *name);
const char *errors_file_name(const struct config_errors *e, uint32_t file);
/* adds "FILE:LINE:COL: key: message"; without `key:` when `place` is NULL */
void errors_add(struct config_errors *e, struct mark at, const struct place *place, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* brings the errors into order; texts are valid afterwards */
void errors_sort(struct config_errors *e);

/* A value for a message: control bytes replaced, shortened to fit. Returns buf. */
#define SHOWN_MAX 72
const char *errors_shown(struct span value, char buf[SHOWN_MAX]);
#endif
