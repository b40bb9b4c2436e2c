#include "shm/ring.h"

static uint64_t load(const uint64_t *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

/* bytes a message takes, header and padding included */
static uint64_t space(uint64_t body)
{
	return (sizeof(struct ring_message) + body + 7) & ~7ull;
}

static const char *data(const struct ring *r, uint64_t position)
{
	return (const char *)(r + 1) + (position & (r->capacity - 1));
}

int ring_open(const struct region *producer, const struct region *consumer, struct ring_end *ret_end)
{
	const struct region_head *p = producer->head, *c = consumer->head;
	if (!p || !c || c->seat >= SEATS_MAX || p->seat >= SEATS_MAX || !p->ring_at[c->seat])
		return -ENOENT;
	uint64_t at = p->ring_at[c->seat];
	if (at % 8 || at > producer->size || producer->size - at < sizeof(struct ring))
		return -EPROTO;
	const struct ring *r = (const struct ring *)((const char *)p + at);
	if (!r->capacity || (r->capacity & (r->capacity - 1)) || r->capacity > producer->size - at - sizeof *r)
		return -EPROTO;
	*ret_end = (struct ring_end){ .ring = r, .head = &c->ring_head[p->seat] };
	return 0;
}

int ring_push(const struct ring_end *e, uint32_t type, const void *a, size_t na, const void *b, size_t nb)
{
	const struct ring *r = e->ring;
	uint64_t need = space((uint64_t)na + nb), tail = r->tail;
	if (need > r->capacity / 2)
		return -EMSGSIZE;
	uint64_t used = tail - load(e->head), to_wrap = r->capacity - (tail & (r->capacity - 1));
	uint64_t skip = to_wrap < need ? to_wrap : 0;
	if (used > r->capacity || r->capacity - used < need + skip)
		return -EAGAIN;
	if (skip) {
		struct ring_message m = { .size = RING_SKIP };
		commit_bytes(data(r, tail), &m, sizeof m);
		tail += skip;
	}
	struct ring_message m = { .size = (uint32_t)(na + nb), .type = type };
	const char *at = data(r, tail);
	commit_bytes(at, &m, sizeof m);
	if (na)
		commit_bytes(at + sizeof m, a, na);
	if (nb)
		commit_bytes(at + sizeof m + na, b, nb);
	commit_release_u64(&r->tail, tail + need);
	return 0;
}

/* where the next whole message begins, skipping what is left before a wrap; *ret_position == tail: there is none. False:
 * what stands there cannot be a message. */
static bool find(const struct ring *r, uint64_t head, uint64_t tail, uint64_t *ret_position)
{
	if (tail - head > r->capacity || head % 8 || tail % 8)
		return false;
	if (head != tail && ((const struct ring_message *)data(r, head))->size == RING_SKIP)
		head += r->capacity - (head & (r->capacity - 1));
	*ret_position = head;
	if (head == tail)
		return true;
	if (tail - head > r->capacity)
		return false;
	uint32_t size = ((const struct ring_message *)data(r, head))->size;
	uint64_t need = space(size), to_wrap = r->capacity - (head & (r->capacity - 1));
	return size != RING_SKIP && need <= tail - head && need <= to_wrap;
}

const struct ring_message *ring_peek(const struct ring_end *e)
{
	uint64_t head = *e->head, tail = load(&e->ring->tail), at;
	if (head == tail)
		return NULL;
	if (!find(e->ring, head, tail, &at)) {
		commit_release_u64(e->head, tail);
		return NULL;
	}
	return at == tail ? NULL : (const struct ring_message *)data(e->ring, at);
}

void ring_pop(const struct ring_end *e)
{
	uint64_t head = *e->head, tail = load(&e->ring->tail), at;
	if (head == tail)
		return;
	if (!find(e->ring, head, tail, &at) || at == tail)
		commit_release_u64(e->head, tail);
	else
		commit_release_u64(e->head, at + space(((const struct ring_message *)data(e->ring, at))->size));
}

uint64_t ring_waiting(const struct ring_end *e)
{
	return load(&e->ring->tail) - load(e->head);
}
