#include "base/log.h"
#include "base/clock.h"
#include "base/out.h"
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096 /* what a pipe takes in one piece (PIPE_BUF) */
#define MESSAGE_MAX    3584
#define PROCESS_MAX    64

static struct {
	char process[PROCESS_MAX];
	enum log_format format;
	enum log_level level;
	int fd;
	mode_t type; /* S_IFMT of fd */
	bool torn;   /* the last line went out in part: end it before the next */
	atomic_uint_fast64_t dropped;
} state = { .process = "tandem", .level = LOG_INFO, .fd = STDERR_FILENO };

static const char *const level_names[] = { "error", "warning", "info", "debug" };

void log_process(const char *process)
{
	snprintf(state.process, sizeof(state.process), "%s", process);
}

void log_init(const char *process, enum log_format format, enum log_level level, int fd)
{
	struct stat st;
	log_process(process);
	state.format = format;
	state.level = level;
	state.fd = fd;
	state.type = fstat(fd, &st) == 0 ? st.st_mode & S_IFMT : 0;
	state.torn = false;
}

void log_set_level(enum log_level level)
{
	state.level = level;
}

enum log_level log_level(void)
{
	return state.level;
}

int log_level_parse(const char *name, enum log_level *ret_level)
{
	for (int i = LOG_ERROR; i <= LOG_DEBUG; i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*ret_level = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

uint64_t log_dropped(void)
{
	return atomic_load_explicit(&state.dropped, memory_order_relaxed);
}

/* false: this one is too much. Otherwise *ret_suppressed lines were left out since the last that was let through. */
static bool admit(struct log_site *site, uint32_t *ret_suppressed)
{
	uint64_t second = clock_ms() / 1000;
	if (site->second != second) {
		site->second = second;
		site->count = 0;
	}
	if (site->count >= LOG_BURST) {
		site->suppressed++;
		return false;
	}
	site->count++;
	*ret_suppressed = site->suppressed;
	site->suppressed = 0;
	return true;
}

static void put_suppressed(struct out *o, uint32_t suppressed)
{
	if (suppressed == 0)
		return;
	out_lit(o, " (");
	out_u64(o, suppressed);
	out_lit(o, " similar lines suppressed)");
}

/* one line whatever the message holds: a peer's text must not be able to forge another */
static void compose_text(struct out *o, enum log_level level, struct span message, uint32_t suppressed)
{
	out_time(o, clock_wall_ms());
	out_char(o, ' ');
	out_span(o, span_of(level_names[level]));
	out_char(o, ' ');
	out_span(o, span_of(state.process));
	out_lit(o, ": ");
	for (size_t i = 0; i < message.n; i++) {
		unsigned char c = (unsigned char)message.p[i];
		out_char(o, c < 0x20 || c == 0x7f ? '?' : message.p[i]);
	}
	put_suppressed(o, suppressed);
	out_char(o, '\n');
}

static void compose_json(struct out *o, enum log_level level, struct span message, uint32_t suppressed)
{
	out_lit(o, "{\"time\":\"");
	out_time(o, clock_wall_ms());
	out_lit(o, "\",\"level\":\"");
	out_span(o, span_of(level_names[level]));
	out_lit(o, "\",\"process\":");
	out_json(o, span_of(state.process));
	out_lit(o, ",\"message\":");
	out_json(o, message);
	if (suppressed && !o->full) {
		o->n--; /* the closing quote */
		put_suppressed(o, suppressed);
		out_char(o, '"');
	}
	out_lit(o, "}\n");
}

static size_t compose(char *line, enum log_level level, struct span message, uint32_t suppressed)
{
	for (;;) {
		struct out o = out_init(line, LINE_MAX_BYTES);
		if (state.torn)
			out_char(&o, '\n');
		if (state.format == LOG_JSON)
			compose_json(&o, level, message, suppressed);
		else
			compose_text(&o, level, message, suppressed);
		if (!o.full)
			return o.n;
		message.n -= message.n / 4 + 1; /* escapes made it too long */
	}
}

/* The other processes write to the same pipe, so that poll alone does not promise that write returns: pipes and sockets
 * are also written without waiting. Old kernels know no RWF_NOWAIT for pipes; files never wait for a reader. */
static ssize_t write_now(const char *line, size_t n)
{
	struct pollfd p = { .fd = state.fd, .events = POLLOUT };
	if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT) || (p.revents & (POLLERR | POLLHUP | POLLNVAL)))
		return -1;
	if (state.type == S_IFSOCK)
		return send(state.fd, line, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (state.type == S_IFIFO) {
		struct iovec v = { .iov_base = (void *)(uintptr_t)line, .iov_len = n };
		ssize_t written = pwritev2(state.fd, &v, 1, -1, RWF_NOWAIT);
		if (written >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS))
			return written;
	}
	return write(state.fd, line, n);
}

void log_write(struct log_site *site, enum log_level level, const char *format, ...)
{
	char message[MESSAGE_MAX], line[LINE_MAX_BYTES];
	uint32_t suppressed;
	int saved = errno; /* for %m, and because nobody expects a log line to change it */
	if (!admit(site, &suppressed))
		return;
	va_list args;
	va_start(args, format);
	errno = saved;
	int n = vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	size_t length = n < 0 ? 0 : (size_t)n < sizeof(message) ? (size_t)n : sizeof(message) - 1;
	size_t line_length = compose(line, level, (struct span){ message, length }, suppressed);
	ssize_t written = write_now(line, line_length);
	if (written > 0)
		state.torn = (size_t)written < line_length;
	if (written < 0 || (size_t)written < line_length) {
		atomic_fetch_add_explicit(&state.dropped, 1, memory_order_relaxed);
		site->suppressed += suppressed; /* still to be said */
	}
	errno = saved;
}
