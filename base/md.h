/* Message digests for SIP authentication (RFC 7616, RFC 8760). The only user of libcrypto here. */
#ifndef TANDEM_BASE_MD_H
#define TANDEM_BASE_MD_H
#include "base/span.h"

enum md { MD_MD5, MD_SHA256 };
#define MD_HEX_MAX 64u

/* of the `n` parts one after the other, as lower-case hexadecimal digits without a zero at the end; returns how many (32 or 64),
 * 0 when libcrypto does not offer it (MD5 in a FIPS-only installation) */
size_t md_hex(enum md kind, const struct span *parts, size_t n, char ret_hex[MD_HEX_MAX]);
#endif
