#include "base/md.h"
#include <openssl/evp.h>

size_t md_hex(enum md kind, const struct span *parts, size_t n, char ret_hex[MD_HEX_MAX])
{
	static const char digits[] = "0123456789abcdef";
	static EVP_MD_CTX *context; /* kept: making one allocates */
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned length = 0;
	if (!context && !(context = EVP_MD_CTX_new()))
		return 0;
	if (EVP_DigestInit_ex(context, kind == MD_SHA256 ? EVP_sha256() : EVP_md5(), NULL) != 1)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (EVP_DigestUpdate(context, parts[i].p, parts[i].n) != 1)
			return 0;
	if (EVP_DigestFinal_ex(context, sum, &length) != 1 || 2 * length > MD_HEX_MAX)
		return 0;
	for (unsigned i = 0; i < length; i++) {
		ret_hex[2 * i] = digits[sum[i] >> 4];
		ret_hex[2 * i + 1] = digits[sum[i] & 15];
	}
	return 2 * length;
}
