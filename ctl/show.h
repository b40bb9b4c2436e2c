/* Prints the result of a command for people. */
#ifndef TANDEM_CTL_SHOW_H
#define TANDEM_CTL_SHOW_H
#include "ctl/json.h"
#include <stdio.h>

void show_result(const char *command, const struct json *result, FILE *f);
#endif
