/* Digest authentication, RFC 3261 section 22, RFC 7616, RFC 8760. MD5 and SHA-256, qop auth or none. The client's side reads
 * challenges and writes credentials, the server's side the other way round. Pure functions; spans point into what was given. */
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

/* --- the server's side --- */

/* the value of WWW-Authenticate: realm, nonce, algorithm (always named), qop=auth when c->qop, stale */
void digest_write_challenge(const struct digest_challenge *c, struct out *o);

struct digest_credentials {
	struct span username, realm, nonce, uri, response; /* as they stood between the quotation marks */
	struct span cnonce, nc_text;                       /* n 0 without qop */
	enum md algorithm;
	bool qop;      /* auth; else RFC 2069 */
	uint32_t nc;   /* 0 without qop */
};
/* Value of Authorization or Proxy-Authorization. 0, -EPROTONOSUPPORT (scheme, algorithm, qop or userhash), -EBADMSG (something is
 * missing, stands there twice or has a wrong length). */
int digest_read_credentials(struct span value, struct digest_credentials *ret_credentials);
struct digest_secret {
	struct span password, ha1; /* one of them; ha1: MD5 of user:realm:password in hexadecimal digits */
};
static inline bool digest_serves(const struct digest_secret *s, enum md algorithm) { return !s->ha1.n || algorithm == MD_MD5; }
/* Whether the response is what the secret makes of the rest; a secret that does not serve the algorithm: false. Takes as long for
 * a wrong response as for the right one. */
bool digest_verify(const struct digest_credentials *d, struct span method, const struct digest_secret *s);
#endif
