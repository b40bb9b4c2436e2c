/* The only way to store into shared memory. Records in a region are reached by pointers to const, so that the compiler
 * refuses any other store (-Wcast-qual); only this file casts. Every store is a crash point: in builds with
 * -Dcrashpoints=true a test may choose to die before or after any one of them (tests/stress). Loads by other processes
 * use uatomic/cmm of liburcu through the readers in slot.h and ring.h.
 *
 * Memory that nothing refers to yet (a fresh block, a FILLING slot) may be filled by commit_fill(), which hands out a
 * writable pointer: what is stored there becomes visible only by a later commit. */
#ifndef TANDEM_SHM_COMMIT_H
#define TANDEM_SHM_COMMIT_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <urcu/arch.h>
#include <urcu/compiler.h>
#include <urcu/system.h>
#include <urcu/uatomic.h>

#ifdef TANDEM_CRASHPOINTS
extern uint64_t crash_at;    /* 0: never; n: die (SIGKILL to self) at the n-th crash point passed from now */
extern uint64_t crash_count; /* points passed */
void crash_point(void);
#define CRASHPOINT() crash_point()
/* Dies here of these bytes when TANDEM_POISON in the environment, "PLACE=TEXT PLACE=TEXT ...", names the place and a text that
 * they contain; TANDEM_POISON_HOW: SEGV (default), ABRT, KILL or HANG. */
void crash_mark(const char *place, const void *p, size_t n);
#define CRASHMARK(place, p, n) crash_mark(place, p, n)
#else
#define CRASHPOINT() cmm_barrier()
#define CRASHMARK(place, p, n) ((void)0)
#endif

#define COMMIT_MUTABLE(type, at) ((type *)(uintptr_t)(at))

static inline void commit_u8(const uint8_t *at, uint8_t v)
{
	CRASHPOINT();
	__atomic_store_n(COMMIT_MUTABLE(uint8_t, at), v, __ATOMIC_RELAXED);
}
static inline void commit_u32(const uint32_t *at, uint32_t v)
{
	CRASHPOINT();
	__atomic_store_n(COMMIT_MUTABLE(uint32_t, at), v, __ATOMIC_RELAXED);
}
static inline void commit_u64(const uint64_t *at, uint64_t v)
{
	CRASHPOINT();
	__atomic_store_n(COMMIT_MUTABLE(uint64_t, at), v, __ATOMIC_RELAXED);
}
/* all earlier stores are visible to whoever sees this one */
static inline void commit_release_u32(const uint32_t *at, uint32_t v)
{
	CRASHPOINT();
	__atomic_store_n(COMMIT_MUTABLE(uint32_t, at), v, __ATOMIC_RELEASE);
	CRASHPOINT();
}
static inline void commit_release_u64(const uint64_t *at, uint64_t v)
{
	CRASHPOINT();
	__atomic_store_n(COMMIT_MUTABLE(uint64_t, at), v, __ATOMIC_RELEASE);
	CRASHPOINT();
}
/* full order with later loads: "reserve, then verify" of capacity.h */
static inline void commit_seq_u32(const uint32_t *at, uint32_t v)
{
	CRASHPOINT();
	__atomic_store_n(COMMIT_MUTABLE(uint32_t, at), v, __ATOMIC_SEQ_CST);
	CRASHPOINT();
}
static inline void commit_bytes(const void *at, const void *from, size_t n)
{
#ifdef TANDEM_CRASHPOINTS
	for (size_t i = 0; i < n; i += 64) {
		CRASHPOINT();
		memcpy((char *)(uintptr_t)at + i, (const char *)from + i, n - i < 64 ? n - i : 64);
	}
#else
	memcpy((void *)(uintptr_t)at, from, n);
#endif
	CRASHPOINT();
}
static inline void commit_zero(const void *at, size_t n)
{
	CRASHPOINT();
	memset((void *)(uintptr_t)at, 0, n);
}
/* memory nothing refers to yet */
static inline void *commit_fill(const void *at)
{
	CRASHPOINT();
	return (void *)(uintptr_t)at;
}
/* statistics and heartbeats: may tear or be lost, need no crash point */
static inline void stat_add(const uint64_t *at, uint64_t v)
{
	__atomic_store_n(COMMIT_MUTABLE(uint64_t, at), *at + v, __ATOMIC_RELAXED);
}
static inline void stat_set(const uint64_t *at, uint64_t v)
{
	__atomic_store_n(COMMIT_MUTABLE(uint64_t, at), v, __ATOMIC_RELAXED);
}
#endif
