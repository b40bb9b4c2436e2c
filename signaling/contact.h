/* Contacts of a REGISTER (RFC 3261 section 10.2.1, RFC 5626 section 4): what each asks for, and which known one it means. Pure. */
#ifndef TANDEM_SIGNALING_CONTACT_H
#define TANDEM_SIGNALING_CONTACT_H
#include "base/out.h"
#include "shm/location.h"
#include "sip/msg.h"

struct contact {
	const struct msg_address *from; /* the header value it was read from */
	struct span uri, instance;      /* instance: with its angle brackets; n 0: none */
	uint32_t reg_id;                /* 0: none */
	uint16_t q;                     /* thousandths */
	int64_t asked_ms;               /* -1: it does not say */
};

/* `a`: a value of Contact other than "*". 0; -EBADMSG: not a contact that requests can be sent to; -EMSGSIZE */
int contact_read(const struct msg_address *a, struct contact *ret_contact);
/* the one that is meant by `c`: same instance and reg-id, or same URI; set->n: none */
uint32_t contact_find(const struct location_set *set, const struct contact *c);
/* RFC 3261 section 19.1.4, of URIs already read */
bool contact_uri_same(const struct msg_uri *a, const struct msg_uri *b);

/* RFC 3327: all values of Path joined by ", " into `o`; false: there is none */
bool contact_path(const struct msg *m, struct out *o);
/* Via or Contact is another address than the packet came from; behind a proxy that adds Path its Via alone tells */
bool contact_behind_nat(const struct msg *m, const struct contact *c, bool has_path, const struct addr *source);
/* where requests to the contact go; names are not resolved: then to the source */
struct addr contact_target(const struct contact *c, struct span path, bool behind_nat, const struct addr *source);
#endif
