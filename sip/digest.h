/* Digest authentication, RFC 3261 section 22, RFC 7616, RFC 8760: reading challenges and writing credentials. MD5 and SHA-256, qop
 * auth or none. Pure functions; spans point into what was given. */
#ifndef TANDEM_SIP_DIGEST_H
#define TANDEM_SIP_DIGEST_H
#include "base/md.h"
#include "base/out.h"
#include "base/span.h"
#include <stdbool.h>
#include <stdint.h>

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
#endif
