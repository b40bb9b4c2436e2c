/* Digest authentication towards routing gateways with username and password: RFC 3261 section 22, RFC 7616, RFC 8760; MD5 and
 * SHA-256, qop auth or none. A challenge is answered when it came from one of the gateway's own addresses and the request goes
 * there again; its first realm holds for the attempt. Each request answers one challenge, and one more if that says stale. The
 * last challenge lies in TEXT_CHALLENGE: later requests of the dialog carry credentials from the start. */
#ifndef TANDEM_SIGNALING_DIGEST_H
#define TANDEM_SIGNALING_DIGEST_H
#include "base/md.h"
#include "signaling/compose.h"

struct digest_challenge {
	struct span realm, nonce, opaque; /* as they stood between the quotation marks */
	enum md algorithm;
	bool named;  /* the algorithm was given */
	bool qop;    /* auth was offered; else RFC 2069 */
	bool stale;
};
/* value of a WWW-Authenticate or Proxy-Authenticate header; 0, -EBADMSG, -EPROTONOSUPPORT (scheme, algorithm or qop) */
int digest_read(struct span value, struct digest_challenge *ret_challenge);

struct digest_user {
	struct span name, password;
};
struct digest_request {
	struct span method, uri, cnonce;
	uint32_t nc;
};
/* the value of Authorization */
void digest_write(const struct digest_challenge *c, const struct digest_user *u, const struct digest_request *r, struct out *o);

void digest_next_attempt(struct work *w);
/* a 401 or 407 to `t`: true when it can be answered; the challenge is kept and `t` marked */
bool digest_challenged(struct work *w, struct call_txn *t, const struct event *ev);
/* sends the request of `t` again, in the same transaction slot: next CSeq, new branch, credentials */
void digest_repeat(struct work *w, struct call_txn *t);
/* the next request to the gateway that is composed counts one use of the nonce more */
void digest_count(struct work *w);
/* line for a request being composed in `o`, whose request line stands there already; nothing without a challenge. An ACK gets that of
 * its INVITE */
void digest_out(const struct work *w, struct out *o, const struct call_txn *t);
#endif
