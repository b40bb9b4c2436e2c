/* The configuration compiler against any text: no crash, and either errors or a sound image. Files and the environment
 * are out of reach. */
#include "config/config.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void touch(const struct config *c, struct cfg_list list, size_t size)
{
	if ((uint64_t)list.at + (uint64_t)list.n * size > c->size)
		abort();
}

static void touch_text(const struct config *c, struct cfg_text text)
{
	if ((uint64_t)text.at + text.n >= c->size || cfg_str(c, text)[text.n] != 0)
		abort();
}

static void check_image(const struct config *c, size_t size)
{
	char buf[128];
	if (config_verify(c, size) < 0 || c->size != size || c->sip.listen.n == 0)
		abort();
	for (int p = 0; p < P_COUNT; p++)
		if (param_format(c, (enum cfg_param)p, buf, sizeof(buf)) >= sizeof(buf))
			abort();
	touch(c, c->mapping_gateways, sizeof(struct cfg_mapping_gateway));
	touch(c, c->routing_gateways, sizeof(struct cfg_routing_gateway));
	for (uint32_t i = 0; i < c->mapping_gateways.n; i++) {
		const struct cfg_mapping_gateway *g = cfg_mapping(c, i);
		touch_text(c, g->id);
		touch(c, g->addresses, sizeof(struct addr));
		touch(c, g->routes_allow, sizeof(uint32_t));
		for (uint32_t k = 0; k < g->routes_allow.n; k++)
			if (CFG_LIST(c, &g->routes_allow, uint32_t)[k] >= c->routing_gateways.n)
				abort();
	}
	for (uint32_t i = 0; i < c->routing_gateways.n; i++) {
		const struct cfg_routing_gateway *g = cfg_routing(c, i);
		touch_text(c, g->id);
		touch(c, g->prefixes, sizeof(struct cfg_text));
		for (uint32_t k = 0; k < g->prefixes.n; k++)
			touch_text(c, CFG_LIST(c, &g->prefixes, struct cfg_text)[k]);
		if (g->resend.n < 1 || g->resend.n > 10 || g->resend.limit > g->resend.n)
			abort();
		if (g->group != CONFIG_NONE && g->group >= c->groups.n)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct config_source source = { .name = "fuzz.yaml", .text = (const char *)data, .n = n, .sealed = true };
	struct config_errors *errors = config_errors_new();
	struct config *c = NULL;
	size_t size = 0;
	if (config_compile_source(&source, errors, &c, &size) == 0)
		check_image(c, size);
	else if (c || config_errors_count(errors) == 0)
		abort();
	free(c);
	config_errors_free(errors);
	return 0;
}
