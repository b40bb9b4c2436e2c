/* Builds the image: a block that grows at its end and is free of pointers. struct config comes first. */
#ifndef TANDEM_CONFIG_IMAGE_H
#define TANDEM_CONFIG_IMAGE_H
#include "config/config.h"

struct image {
	char *p;
	size_t n, cap;
};

void image_init(struct image *m);
void image_done(struct image *m);
/* a zero-terminated copy; nothing is stored for an empty text */
struct cfg_text image_text(struct image *m, struct span text);
/* copies `count` elements of `size` bytes */
struct cfg_list image_list(struct image *m, const void *elements, size_t count, size_t size);
/* what a text of the unfinished image says; valid until the next addition */
struct span image_span(const struct image *m, struct cfg_text text);
const void *image_at(const struct image *m, struct cfg_list list);
/* Puts `config` at the front, fills in magic, size and hash. The image belongs to the caller (free). */
struct config *image_finish(struct image *m, const struct config *config, size_t *ret_size);
#endif
