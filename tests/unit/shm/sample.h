/* A small configuration and regions made from it. */
#ifndef TANDEM_TESTS_SHM_SAMPLE_H
#define TANDEM_TESTS_SHM_SAMPLE_H
#include "shm/region.h"
#include <unistd.h>

static inline struct config sample_config(void)
{
	struct config c = { .magic = CONFIG_MAGIC, .size = sizeof c, .generation = 1 };
	c.system.signaling = 2;
	c.system.media = 2;
	c.system.calls = 100;
	c.media.port_low = 30000;
	c.media.port_high = 30199;
	c.mapping_gateways.n = 3;
	c.routing_gateways.n = 4;
	return c;
}
static inline int sample_region(enum role role, uint32_t index, struct region *ret_region)
{
	struct config c = sample_config();
	struct region_head head;
	int r = region_plan(&c, role, index, &head);
	return r ? r : region_make(&head, ret_region);
}
static inline void sample_done(struct region *r)
{
	region_unmap(r);
	close(r->fd);
}
#endif
