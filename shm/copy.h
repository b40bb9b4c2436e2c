/* Copying what another process may be writing at that moment. The copy may be torn; the caller finds out afterwards by
 * a counter, so the race is meant: it is hidden from the thread sanitizer, and made of loads the compiler may not repeat. */
#ifndef TANDEM_SHM_COPY_H
#define TANDEM_SHM_COPY_H
#include <stddef.h>
#include <stdint.h>
#include <urcu/arch.h>
#include <urcu/system.h>

/* all of the copy is read before any later load */
__attribute__((no_sanitize("thread"))) static inline void copy_racing(void *to, const void *from, size_t n)
{
	char *t = to;
	const char *f = from;
	uintptr_t both = (uintptr_t)to | (uintptr_t)from;
	size_t i = 0;
	if (both % 8 == 0)
		for (; i + 8 <= n; i += 8)
			*(uint64_t *)(void *)(t + i) = CMM_LOAD_SHARED(*(const uint64_t *)(const void *)(f + i));
	if (both % 4 == 0)
		for (; i + 4 <= n; i += 4)
			*(uint32_t *)(void *)(t + i) = CMM_LOAD_SHARED(*(const uint32_t *)(const void *)(f + i));
	for (; i < n; i++)
		t[i] = CMM_LOAD_SHARED(f[i]);
	cmm_smp_rmb();
}
#endif
