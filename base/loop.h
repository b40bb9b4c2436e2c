/* Event loop of a process: epoll, a timer wheel and one hook. Single-threaded; owned by the process that made it.
 * Each turn: wait -> sources -> due timers -> idle hook (where batches are sent and heartbeats written). */
#ifndef TANDEM_BASE_LOOP_H
#define TANDEM_BASE_LOOP_H
#include "base/wheel.h"
#include <stdbool.h>
#include <stdint.h>

struct epoll_event;
struct loop;
struct loop_source {
	int fd;
	void (*ready)(struct loop_source *s, uint32_t events); /* EPOLL* bits */
};

struct loop {
	int epoll_fd;
	bool stop;
	int exit_code;
	uint64_t now;      /* ms, CLOCK_MONOTONIC, read once a turn and after the wait */
	uint64_t late_ms;  /* how late due timers were reached, halved each turn without: the overload signal */
	uint64_t max_wait; /* ms; default 500: the hook runs at least this often */
	uint64_t nap;      /* ms; set by a busy worker: sources are looked at on a grid of so many ms, so that what comes meanwhile
	                    * shares a wake-up, which costs more than what it is for. Due timers end a nap. 0: at once */
	bool more;         /* set by a source that has left something unread: no nap before the next turn */
	struct wheel wheel;
	void (*hook)(struct loop *l); /* end of each turn; may be NULL */
	void *context;
	struct epoll_event *batch; /* events of this turn; private to loop.c */
	int batch_n;
};

int loop_init(struct loop *l); /* 0 or -errno */
void loop_done(struct loop *l);
/* `s` stays with the caller and must outlive its registration; a source may delete itself or another in its callback */
int loop_add(struct loop *l, struct loop_source *s, uint32_t events);
int loop_change(struct loop *l, struct loop_source *s, uint32_t events);
void loop_del(struct loop *l, struct loop_source *s);
int loop_run(struct loop *l); /* until loop_stop; returns its code */
void loop_stop(struct loop *l, int exit_code);
#endif
