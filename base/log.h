/* Log lines to stderr, text or JSON, never blocking: a line that the reader does not take is dropped and counted.
 * Each call site is limited to LOG_BURST lines a second; what was suppressed is said with the next line.
 * Only workers, the supervisor and tools log; libraries return errors. */
#ifndef TANDEM_BASE_LOG_H
#define TANDEM_BASE_LOG_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };
#define LOG_BURST 20

struct log_site { /* one per call site */
	uint64_t second;
	uint32_t count, suppressed;
};

void log_init(const char *process, enum log_format format, enum log_level level, int fd);
void log_process(const char *process); /* after fork: "signaling/0" */
void log_set_level(enum log_level level);
enum log_level log_level(void);
int log_level_parse(const char *name, enum log_level *ret_level); /* 0 or -EINVAL */
uint64_t log_dropped(void);
void log_write(struct log_site *site, enum log_level level, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define LOG_AT(level, ...)                                       \
	do {                                                     \
		static struct log_site log_site_;                \
		if ((level) <= log_level())                      \
			log_write(&log_site_, (level), __VA_ARGS__); \
	} while (0)
#define log_error(...) LOG_AT(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) LOG_AT(LOG_WARNING, __VA_ARGS__)
#define log_info(...) LOG_AT(LOG_INFO, __VA_ARGS__)
#define log_debug(...) LOG_AT(LOG_DEBUG, __VA_ARGS__)
#endif
