/* Messages on the rings between processes. Bodies are these structs (and bytes after them where said). */
#ifndef TANDEM_SHM_MESSAGES_H
#define TANDEM_SHM_MESSAGES_H
#include "base/addr.h"
#include "shm/location.h"
#include <stdint.h>

enum message_type {
	MESSAGE_DATAGRAM = 1, /* struct message_datagram + bytes: SIP that belongs to the receiver */
	MESSAGE_HANGUP,       /* control -> signaling: struct message_call */
	MESSAGE_EVENT,        /* any -> control: struct message_event + text */
	MESSAGE_TRACE_ON,     /* control -> signaling: struct message_trace_filter; repeated to a successor */
	MESSAGE_TRACE_OFF,    /* control -> signaling: struct message_trace_filter, of which the number counts */
	MESSAGE_TRACE,        /* signaling -> control: struct message_trace + a datagram or a line */
	MESSAGE_TONE,         /* signaling -> media: struct message_tone: look whether this pair's want asks for a tone */
	MESSAGE_REGISTER,     /* control -> registrar: the id of an entry: registers now */
	MESSAGE_UNREGISTER, /* control -> registrar: the id of an entry: takes it back until the next MESSAGE_REGISTER */
	MESSAGE_BINDING,       /* any -> signaling: struct message_binding + texts: contact of an account of yours; taken unless it is known as new or newer */
	MESSAGE_UNBAN,        /* control -> signaling: struct message_unban: protect.h */
	MESSAGE_AUTH,         /* signaling, registrar -> signaling: struct message_auth: counts for a record of yours, shm/auth.h */
	MESSAGE_UNSUSPEND     /* control -> signaling: struct message_unsuspend */
};
struct message_datagram {
	struct addr source;
	uint32_t listen; /* index of the listening address it came in on */
	uint32_t hops;   /* how often it was handed over: at most 2, then dropped */
};
struct message_tone {
	uint32_t pair, pad;
};
struct message_binding {
	struct location_binding b; /* shm/location.h; texts behind: the account id, then those that b.n[] counts */
	uint32_t account_n, pad;
};
struct message_unban {
	struct addr source; /* the port does not count */
};
#define MESSAGE_NAME 64u
struct message_auth {
	uint32_t kind, event;      /* enum auth_kind, enum auth_event */
	uint64_t key;              /* of the record */
	uint64_t request, name;    /* hashes: of what is counted, of the account's name */
	struct addr source;
	uint32_t name_n;
	char text[MESSAGE_NAME];   /* the name; of a long one the beginning */
};
struct message_unsuspend {
	struct addr source;        /* family 0: from wherever */
	uint32_t name_n;           /* 0: whoever */
	char name[MESSAGE_NAME];
};
struct message_call {
	uint32_t slot, generation;
	uint32_t serial, cause;
};
#define TRACE_MAX     4u  /* subscriptions at once */
#define TRACE_GATEWAY 68u
enum trace_filter { TRACE_ALL, TRACE_CALL, TRACE_GATEWAY_ID, TRACE_ADDRESS };
struct message_trace_filter {
	uint32_t number; /* of the subscription, below TRACE_MAX */
	uint32_t kind;   /* enum trace_filter */
	uint8_t call[16];
	struct addr address; /* the port does not count */
	char gateway[TRACE_GATEWAY];
};
enum trace_kind { TRACE_IN, TRACE_OUT, TRACE_DECISION };
struct message_trace {
	uint32_t mask, kind;   /* bit of each subscription it is for; enum trace_kind */
	uint64_t wall_us;      /* microseconds since 1970 */
	uint64_t lost;         /* messages before this one for which the ring had no room */
	struct addr from, to;  /* not with a decision */
	uint8_t call[16];      /* zero: no call's */
};
enum event_type { EVENT_CALL_START = 1, EVENT_CALL_ANSWER, EVENT_CALL_END, EVENT_ALARM,
	EVENT_REGISTERED, EVENT_REGISTRATION_FAILED, EVENT_UNREGISTERED,
	EVENT_SUSPENDED,
	EVENT_ENDPOINT_REGISTERED, EVENT_ENDPOINT_UNREGISTERED, EVENT_ENDPOINT_EXPIRED };
struct message_event {
	uint32_t type;             /* enum event_type */
	uint32_t slot, generation; /* of the call */
	uint16_t code, reason;
	uint8_t call_id[16];
	/* alarm, suspended: text follows; registrations: their id and, after a zero, the reason; endpoints: the account
	   and, after a zero, the Contact URI */
};
#endif
