/* Copying what another process may be writing at that moment. The copy may be torn; the caller finds out afterwards by
 * a counter, so the race is meant: it is hidden from the thread sanitizer, and made of loads the compiler may not repeat. */
#ifndef TANDEM_SHM_COPY_H
#define TANDEM_SHM_COPY_H
#include <stddef.h>
#include <stdint.h>
#include <urcu/arch.h>
#include <urcu/system.h>

/* `from` is aligned to 8 bytes; all of the copy is read before any later load */
__attribute__((no_sanitize("thread"))) static inline void copy_racing(void *to, const void *from, size_t n)
{
	const uint64_t *f = from;
	uint64_t *t = to;
	for (; n >= 8; n -= 8)
		*t++ = CMM_LOAD_SHARED(*f++);
	const uint8_t *fb = (const uint8_t *)f;
	for (uint8_t *tb = (uint8_t *)t; n; n--)
		*tb++ = CMM_LOAD_SHARED(*fb++);
	cmm_smp_rmb();
}
#endif
