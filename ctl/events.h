/* Events of calls for subscribers. */
#ifndef TANDEM_CTL_EVENTS_H
#define TANDEM_CTL_EVENTS_H
#include "ctl/control.h"
#include "shm/messages.h"

/* an event from the process on `seat`, with `text_n` bytes of text behind it */
void events_publish(struct control *k, uint32_t seat, const struct message_event *m, size_t text_n);
/* UTC, ISO 8601 with milliseconds; nothing for 0 */
void events_add_time(struct json *o, const char *key, uint64_t wall_ms);
#endif
