/* Ring: messages from one process to one other. Data and tail lie in the producer's region, the head in the consumer's
 * (region_head.ring_head[producer's seat]). Wait-free on both sides. Producer dead: everything before the tail is whole.
 * Consumer dead: its successor goes on from its head; a message is consumed again if its head was not stored yet, so
 * messages are idempotent. Full: -EAGAIN, the caller drops and counts (datagrams) or repeats later (orders). */
#ifndef TANDEM_SHM_RING_H
#define TANDEM_SHM_RING_H
#include "shm/commit.h"
#include "shm/region.h"

struct ring {
	uint64_t tail;     /* W: producer; bytes ever written, committed */
	uint64_t capacity; /* RO; bytes of data, a power of two */
	uint64_t pad[6];
	/* data follows: messages, each 8-byte aligned, never wrapping */
};
struct ring_message {
	uint32_t size; /* of the body; RING_SKIP: rest of the data up to the wrap is unused */
	uint32_t type; /* enum message_type, messages.h */
	/* body follows */
};
#define RING_SKIP UINT32_MAX

/* the producer's and the consumer's ends; made by ring_open from the two regions */
struct ring_end {
	const struct ring *ring;
	const uint64_t *head;
};
/* *ret_end from producer to consumer; -ENOENT when there is no such ring */
int ring_open(const struct region *producer, const struct region *consumer, struct ring_end *ret_end);
/* body in two pieces (header, payload); -EAGAIN full, -EMSGSIZE larger than half the ring. Does not ring the doorbell. */
int ring_push(const struct ring_end *e, uint32_t type, const void *a, size_t na, const void *b, size_t nb);
/* next message or NULL; stays valid until ring_pop. A message that cannot be right (damaged ring) skips to the tail. */
const struct ring_message *ring_peek(const struct ring_end *e);
void ring_pop(const struct ring_end *e); /* after the message has been worked off */
uint64_t ring_waiting(const struct ring_end *e); /* bytes */
#endif
