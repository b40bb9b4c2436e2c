/* Configurations for the tests of tables/, written gateway by gateway without the compiler of config/. */
#ifndef TANDEM_TESTS_TABLES_IMAGE_H
#define TANDEM_TESTS_TABLES_IMAGE_H
#include "config/config.h"
#include <stdlib.h>

struct image_writer {
	char *p;
	uint32_t n, cap;
};
static inline uint32_t image_add(struct image_writer *w, const void *from, size_t n)
{
	uint32_t at = (w->n + 7) / 8 * 8;
	while (at + n + 1 > w->cap) {
		uint32_t cap = w->cap ? 2 * w->cap : 1u << 16;
		w->p = realloc(w->p, cap);
		memset(w->p + w->cap, 0, cap - w->cap);
		w->cap = cap;
	}
	if (n)
		memcpy(w->p + at, from, n);
	w->p[at + n] = 0;
	w->n = at + (uint32_t)n + 1;
	return at;
}
static inline struct cfg_text image_text(struct image_writer *w, const char *text)
{
	return (struct cfg_text){ image_add(w, text, strlen(text)), (uint32_t)strlen(text) };
}
/* a comma-separated list; "" is one empty text, NULL none */
static inline struct cfg_list image_texts(struct image_writer *w, const char *list)
{
	struct cfg_text texts[64];
	uint32_t n = 0;
	while (list) {
		const char *comma = strchr(list, ',');
		size_t length = comma ? (size_t)(comma - list) : strlen(list);
		texts[n++] = (struct cfg_text){ image_add(w, list, length), (uint32_t)length };
		list = comma ? comma + 1 : NULL;
	}
	return (struct cfg_list){ image_add(w, texts, n * sizeof(texts[0])), n };
}
static inline struct cfg_list image_list(struct image_writer *w, const void *from, uint32_t n, size_t each)
{
	return (struct cfg_list){ image_add(w, from, n * each), n };
}
/* comma-separated addresses and networks */
static inline struct cfg_list image_addresses(struct image_writer *w, const char *list)
{
	struct addr addresses[16];
	uint32_t n = 0;
	while (list) {
		const char *comma = strchr(list, ',');
		struct span s = { list, comma ? (size_t)(comma - list) : strlen(list) };
		if (addr_parse_net(s, &addresses[n++]) < 0)
			abort();
		list = comma ? comma + 1 : NULL;
	}
	return image_list(w, addresses, n, sizeof(addresses[0]));
}
static inline struct image_writer image_begin(void)
{
	struct image_writer w = { 0 };
	struct config head = { 0 };
	image_add(&w, &head, sizeof(head));
	return w;
}
static inline struct cfg_routing_gateway image_routing(struct image_writer *w, const char *id, const char *prefixes)
{
	return (struct cfg_routing_gateway){ .id = image_text(w, id),
		.prefixes = image_texts(w, prefixes),
		.enabled = true,
		.addresses = image_addresses(w, "127.0.0.9:5060"),
		.priority = 10,
		.weight = 1,
		.line_limit = CONFIG_NONE,
		.rate_limit = CONFIG_NONE,
		.via_registration = CONFIG_NONE,
		.group = CONFIG_NONE };
}
static inline struct cfg_mapping_gateway image_mapping(struct image_writer *w, const char *id, const char *addresses)
{
	return (struct cfg_mapping_gateway){
		.id = image_text(w, id), .addresses = image_addresses(w, addresses), .enabled = true, .priority = 10
	};
}
/* the configuration; the caller frees */
static inline struct config *image_end(struct image_writer *w, const struct cfg_mapping_gateway *m, uint32_t n_m,
	const struct cfg_routing_gateway *r, uint32_t n_r, const uint32_t *sort, uint32_t n_sort)
{
	struct config head = { .magic = CONFIG_MAGIC, .generation = 7 };
	head.mapping_gateways = image_list(w, m, n_m, sizeof(*m));
	head.routing_gateways = image_list(w, r, n_r, sizeof(*r));
	head.routing.sort = image_list(w, sort, n_sort, sizeof(*sort));
	head.size = w->n;
	memcpy(w->p, &head, sizeof(head));
	return (struct config *)(void *)w->p;
}
static const uint32_t image_sort[] = { SORT_PRIORITY, SORT_LOAD, SORT_HISTORY, SORT_ID };
#endif
