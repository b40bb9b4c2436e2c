/* Which signalling worker a datagram belongs to, by its Call-ID alone: one that we made names its worker; any other is
 * hashed to a partition (base/hash.h). The kernel does it with steer.bpf.c, so that datagrams arrive at the owner's
 * socket; steer_worker() is the same rule for whatever comes another way.
 *
 * Only the first STEER_SCAN_BYTES are searched for the header. */
#ifndef TANDEM_SIGNALING_STEER_H
#define TANDEM_SIGNALING_STEER_H
#include "base/hash.h"
#include <stddef.h>
#include <stdint.h>

#define STEER_SCAN_BYTES 2048u

/* Attaches the steering program to one listening address. `sockets`: the n_workers SO_REUSEPORT sockets bound to it, by
 * worker; `partition`: STEER_PARTITIONS bytes; `instance`: roster.instance. The sockets hold the program and it
 * holds its maps, so nothing stays open here and it lasts as long as they do.
 * 0; -ENOTSUP: built without BPF; -EBUSY: attached before, which goes on; other: what the kernel said (-EPERM without the right to load programs). */
int steer_attach(const int *sockets, uint32_t n_workers, const uint8_t *partition, const char instance[8]);

/* the owner; UINT32_MAX: no Call-ID found, or it names a worker that is not there */
uint32_t steer_worker(const char *datagram, size_t n, const uint8_t *partition, const char *instance, uint32_t n_workers);
#endif
