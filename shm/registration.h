/* Outbound registrations: one record per entry of `registrations`, in the registrar's region; the record is the state. It is
 * found by the entry's id, so that a reload keeps it. An entry that was removed, or became another's (its proxy, account or
 * contact changed), stays until it has been taken back from the upstream; its successor waits for that.
 *
 * Call-ID, From tag and branches are made of the slot's number and generation (sip/token.h, TOKEN_REGISTRAR), so that they
 * are the same for the entry's life and responses lead back here. */
#ifndef TANDEM_SHM_REGISTRATION_H
#define TANDEM_SHM_REGISTRATION_H
#include "base/addr.h"
#include "base/span.h"
#include "shm/env.h"
#include "shm/slot.h"

#define REGISTRATION_ID        64u
#define REGISTRATION_TEXTS     1344u
#define REGISTRATION_CHALLENGE 640u
#define REGISTRATION_URI       256u
#define REGISTRATION_ERROR     96u
#define REGISTRATION_MESSAGE   3072u

enum registration_phase {
	REGISTRATION_WAITING,     /* for its turn (next_ms) */
	REGISTRATION_UNRESOLVED,  /* the proxy's name has no address; asked again at next_ms */
	REGISTRATION_REGISTERING, /* not registered, and a request is under way */
	REGISTRATION_REGISTERED,  /* until expires_ms; refreshed at next_ms or being refreshed */
	REGISTRATION_FAILED,      /* tried again at next_ms */
	REGISTRATION_UNREGISTERED /* by order, or because the system stops */
};
enum registration_request { REQUEST_NONE, REQUEST_REGISTER, REQUEST_UNREGISTER };
enum registration_leave { LEAVE_NOT, LEAVE_ORDER, LEAVE_STOP, LEAVE_REMOVED };

enum registration_text { ACCOUNT_HOST, ACCOUNT_DOMAIN, ACCOUNT_REALM, ACCOUNT_HOST_NAME, ACCOUNT_USERNAME, ACCOUNT_AUTH_USER, ACCOUNT_PASSWORD,
	ACCOUNT_TEXTS };

struct registration_account {  /* of the configuration, kept: it may be gone before the entry has been taken back */
	struct addr proxy;     /* family 0: a name, ACCOUNT_HOST */
	uint32_t transport;    /* enum cfg_transport */
	uint32_t proxy_port, port;
	uint32_t period;       /* seconds; 0: auto */
	uint32_t privacy;      /* enum cfg_privacy */
	uint16_t n[ACCOUNT_TEXTS];
	uint16_t pad;
	char text[REGISTRATION_TEXTS]; /* one after the other */
};

struct registration_challenge {
	uint32_t nc;           /* uses of the nonce */
	uint16_t n;            /* bytes of `text`; 0: none */
	uint8_t answered;      /* times, in the current round of requests */
	uint8_t pad;
	char text[REGISTRATION_CHALLENGE]; /* value of the header */
};

struct registration_state {
	uint8_t phase;         /* enum registration_phase */
	uint8_t request;       /* enum registration_request: under way */
	uint8_t leave;         /* enum registration_leave: why it is being taken back, or was */
	uint8_t redirected;    /* requests go to `elsewhere` */
	uint8_t redirects;     /* 301 and 302 followed in the current round */
	uint8_t too_brief;     /* 423 heeded in the current round */
	uint8_t resends;       /* of the request */
	uint8_t told;          /* the failure has been logged */
	uint8_t avoid;         /* the last request to `server` failed: another address of the name comes first */
	uint8_t pad[3];
	uint16_t last_code;    /* of the last final response; 408: none came */
	uint16_t listen;       /* listening address it goes out of */
	uint32_t cseq;         /* of the last request */
	uint32_t number;       /* of the last request's branch */
	uint32_t asked;        /* seconds asked for in it */
	uint32_t granted;      /* seconds */
	uint32_t min_expires;  /* of the last 423; 0: none */
	uint32_t send_commit;  /* the commit whose message is to go out: it has if slot.sent has got there */
	uint32_t message_n;
	uint64_t expires_ms;   /* clock_ms(); 0: not registered */
	uint64_t next_ms;      /* clock_ms() of the next request; 0: none is due */
	uint64_t resend_ms;    /* of the request under way: the next resend, or its end */
	uint64_t leave_ms;     /* it is taken back until then, or given up */
	struct addr server;    /* the proxy's address in use */
	struct addr elsewhere; /* a Contact of a 301 or 302 */
	struct addr to;        /* where the request under way went */
	uint32_t uri_n;
	char uri[REGISTRATION_URI];        /* of that Contact */
	char error[REGISTRATION_ERROR];    /* terminated; "" after success */
	struct registration_challenge challenge[2]; /* WWW-, Proxy-Authenticate */
	struct registration_account account;
	char message[REGISTRATION_MESSAGE];/* the last request as sent */
};

struct registration {
	struct slot slot;      /* W: registrar */
	uint64_t id_hash;      /* W: registrar while FILLING, as the next two */
	uint32_t id_n;
	char id[REGISTRATION_ID];
	uint32_t pad;
	uint64_t until_ms;     /* W: registrar; clock_ms() to which it is registered, for readers in a hurry; 0: it is not */
	struct registration_state copies[2]; /* W: registrar */
};

uint64_t registration_hash(struct span id); /* never 0 */
static inline struct span registration_id(const struct registration *r) { return (struct span){ r->id, r->id_n <= REGISTRATION_ID ? r->id_n : 0 }; }
struct span registration_text(const struct registration_account *a, enum registration_text t);

/* --- reading: any process --- */
#define REGISTRATION_NOWHERE UINT32_MAX
/* The entry's slot; of one that was replaced, the new one's if it is there already. `hint`: where it was found before. */
uint32_t registration_find(const struct env *e, struct span id, uint32_t hint);
const struct registration *registration_at(const struct env *e, uint32_t slot); /* NULL: no such slot */
/* the proxy's address in use, and where it has sent us instead; how many, 0: none yet; -EBUSY */
int registration_addresses(const struct registration *r, struct addr ret_addrs[2]);
/* "registered", "failed" ... as operators see it */
const char *registration_state_text(const struct registration_state *s);
#endif
