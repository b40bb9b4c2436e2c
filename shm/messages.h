/* Messages on the rings between processes. Bodies are these structs (and bytes after them where said). */
#ifndef TANDEM_SHM_MESSAGES_H
#define TANDEM_SHM_MESSAGES_H
#include "base/addr.h"
#include <stdint.h>

enum message_type {
	MESSAGE_DATAGRAM = 1, /* struct message_datagram + bytes: SIP that belongs to the receiver */
	MESSAGE_HANGUP,       /* control -> signaling: struct message_call */
	MESSAGE_EVENT,        /* any -> control: struct message_event + text */
	MESSAGE_TONE          /* signaling -> media: struct message_tone: look whether this pair's want asks for a tone */
};
struct message_datagram {
	struct addr source;
	uint32_t listen; /* index of the listening address it came in on */
	uint32_t hops;   /* how often it was handed over: at most 2, then dropped */
};
struct message_tone {
	uint32_t pair, pad;
};
struct message_call {
	uint32_t slot, generation;
	uint32_t serial, cause;
};
enum event_type { EVENT_CALL_START = 1, EVENT_CALL_ANSWER, EVENT_CALL_END, EVENT_ALARM };
struct message_event {
	uint32_t type;             /* enum event_type */
	uint32_t slot, generation; /* of the call */
	uint16_t code, reason;
	uint8_t call_id[16];
	/* alarm: text follows */
};
#endif
