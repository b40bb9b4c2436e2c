/* The image builder, and the check of an image before it is used. */
#include "config/image.h"
#include "base/hash.h"
#include <errno.h>
#include <stdlib.h>

#define IMAGE_ALIGN 8u

/* room for n bytes at the end, aligned; offsets have 32 bits, which the bounds on files and nodes keep sufficient */
static char *reserve(struct image *m, size_t n, size_t align)
{
	size_t at = (m->n + align - 1) & ~(align - 1);
	if (at + n > m->cap) {
		size_t cap = 2 * (at + n);
		char *more = at + n < UINT32_MAX ? realloc(m->p, cap) : NULL;
		if (!more)
			abort();
		memset(more + m->cap, 0, cap - m->cap);
		m->p = more;
		m->cap = cap;
	}
	m->n = at + n;
	return m->p + at;
}

void image_init(struct image *m)
{
	*m = (struct image){ 0 };
	reserve(m, sizeof(struct config), IMAGE_ALIGN);
}

void image_done(struct image *m)
{
	free(m->p);
	*m = (struct image){ 0 };
}

struct cfg_text image_text(struct image *m, struct span text)
{
	if (!text.n)
		return (struct cfg_text){ 0 };
	char *p = reserve(m, text.n + 1, 1);
	memcpy(p, text.p, text.n);
	p[text.n] = 0;
	return (struct cfg_text){ (uint32_t)(p - m->p), (uint32_t)text.n };
}

struct cfg_list image_list(struct image *m, const void *elements, size_t count, size_t size)
{
	if (!count)
		return (struct cfg_list){ 0 };
	char *p = reserve(m, count * size, IMAGE_ALIGN);
	memcpy(p, elements, count * size);
	return (struct cfg_list){ (uint32_t)(p - m->p), (uint32_t)count };
}

struct span image_span(const struct image *m, struct cfg_text text)
{
	return text.n ? (struct span){ m->p + text.at, text.n } : (struct span){ "", 0 };
}

const void *image_at(const struct image *m, struct cfg_list list)
{
	return m->p + list.at;
}

struct config *image_finish(struct image *m, const struct config *config, size_t *ret_size)
{
	static const struct hash_key key = { CONFIG_MAGIC, 0 };
	reserve(m, 0, IMAGE_ALIGN);
	struct config *c = (struct config *)(void *)m->p;
	memcpy(c, config, sizeof(*c));
	c->magic = CONFIG_MAGIC;
	c->size = m->n;
	c->generation = 0;
	size_t from = offsetof(struct config, generation);
	c->hash = hash_sip(&key, m->p + from, m->n - from);
	*ret_size = m->n;
	*m = (struct image){ 0 };
	return c;
}

int config_verify(const struct config *c, size_t size)
{
	if (size < sizeof(*c) || c->magic != CONFIG_MAGIC || c->size > size || c->size < sizeof(*c))
		return -EINVAL;
	return 0;
}
