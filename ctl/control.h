/* What the files of the control process share. */
#ifndef TANDEM_CTL_CONTROL_H
#define TANDEM_CTL_CONTROL_H
#include "ctl/json.h"
#include "ctl/request.h"
#include "shm/env.h"
#include "shm/messages.h"

#define CONTROL_CLIENTS   64u
#define CONTROL_PENDING   64u
#define CONTROL_BACKLOG   (1u << 20)  /* bytes unsent with which a client is not read any further, a subscriber dropped */
#define CONTROL_OUT_MAX   (256u << 20)/* bytes unsent, never more */
#define CONTROL_STUCK_MS  30000u      /* a client that has taken nothing for so long is dropped */

struct control;
struct client {
	struct loop_source source; /* fd -1: free */
	struct control *control;
	uint32_t serial;           /* which client this was, for orders in flight */
	char *in;                  /* REQUEST_LINE bytes */
	size_t in_n;
	char *out;
	size_t out_n, out_at, out_cap;
	uint64_t moved_ms;         /* something was sent, or there was nothing to send */
	uint32_t orders;           /* waiting for the supervisor's answer */
	bool subscribed;
	bool tracing;              /* one of control.trace is its */
	bool eof;                  /* it will send nothing more; closed when it has its answers */
	bool ending;               /* closed when all is sent */
};

struct usage { /* of a seat's process */
	uint32_t pid;
	uint64_t ticks, at_ms; /* CPU time used so far, clock ticks */
	double cpu_percent;    /* over the last sample */
	uint64_t rss_kb;
};

struct trace_subscription {
	uint32_t client; /* its serial; 0: free */
	struct message_trace_filter filter;
	uint64_t lost;   /* not sent since the last that was */
};

struct control {
	struct env *env;
	struct loop_source listener;
	struct client client[CONTROL_CLIENTS];
	struct { /* orders the supervisor has not answered yet */
		uint32_t serial, client_serial; /* serial 0: free */
		char id[REQUEST_ID];
	} pending[CONTROL_PENDING];
	uint32_t next_serial, next_client;
	struct wheel_timer sample, look;
	struct usage usage[SEATS_MAX];
	struct trace_subscription trace[TRACE_MAX];
	uint32_t tracing;                        /* of them in use */
	uint64_t trace_incarnation[WORKERS_MAX]; /* of the signalling workers that know of them */
};

/* A command fills `result` and returns 0, or fills `error` and returns -errno; or returns COMMAND_LATER, when the answer
 * will come from the supervisor. */
#define COMMAND_LATER 1
#define COMMAND_ERROR 2000
struct command {
	struct control *control;
	struct client *client;
	const struct request *request;
	struct json *result;
	char error[COMMAND_ERROR];
};
int command_error(struct command *c, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
int commands_run(struct command *c); /* commands.c: finds and runs it */

/* commands_show.c, commands_call.c, commands_gateway.c */
int command_status(struct command *c);
int command_workers(struct command *c);
int command_parameters(struct command *c);
int command_metrics(struct command *c);
int command_cdr(struct command *c);
int command_calls(struct command *c);
int command_call(struct command *c);
int command_hangup(struct command *c);
int command_gateways(struct command *c);
int command_route(struct command *c);
int command_endpoints(struct command *c); /* commands_endpoint.c */
int command_suspended(struct command *c); /* commands_suspended.c */
int command_unsuspend(struct command *c);
int command_registrations(struct command *c); /* commands_registration.c */
int command_register(struct command *c);
int command_unregister(struct command *c);
int command_trace(struct command *c); /* trace.c */

/* control.c */
/* to one client, by its serial; false: it is not there or does not keep up */
bool control_send(struct control *k, uint32_t client, const struct json *event);
int control_order(struct command *c, uint32_t type, int64_t value); /* COMMAND_LATER or -errno */
bool control_has_subscribers(const struct control *k);
void control_publish(struct control *k, const struct json *event);
void control_sample(struct control *k); /* usage.c */

static inline const struct config *control_config(const struct control *k)
{
	return k->env->config.p;
}
#endif
