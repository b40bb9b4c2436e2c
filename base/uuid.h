/* UUID version 7 (RFC 9562 section 5.7): sorts by time; call ids of records. */
#ifndef TANDEM_BASE_UUID_H
#define TANDEM_BASE_UUID_H
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct uuid {
	uint8_t b[16];
};
#define UUID_TEXT 36
/* from wall time and a process-private generator seeded by getrandom */
void uuid_make(uint64_t wall_ms, struct uuid *ret_uuid);
void uuid_format(const struct uuid *u, char text[UUID_TEXT + 1]);
static inline bool uuid_is_nil(const struct uuid *u) { return memcmp(u->b, (const uint8_t[16]){ 0 }, 16) == 0; }
int uuid_parse(const char *text, struct uuid *ret_uuid); /* 0 or -EINVAL */
/* cheap random number for jitter and ids that need not be secret */
uint64_t uuid_random(void);
#endif
