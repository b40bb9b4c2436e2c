/* What ps shows of a process. */
#ifndef TANDEM_SUPERVISOR_TITLE_H
#define TANDEM_SUPERVISOR_TITLE_H
void title_init(int argc, char **argv); /* keeps argv: its memory is overwritten by title_set() */
void title_set(const char *name);       /* "signaling/0" */
#endif
