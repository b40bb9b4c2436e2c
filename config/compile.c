/* From a file to an image. Runs in a process of its own that ends right after, so clarity goes before speed; nothing
 * grows faster than n log n. */
#include "config/schema.h"
#include <errno.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <stdlib.h>

/* --- what is resolved when everything has been read ------------------------------------------------------------- */

/* the address that others would most likely reach this host at: the first of an interface that is up, else loopback */
static struct addr own_address(uint8_t family)
{
	struct addr found = { .family = family };
	struct ifaddrs *all = NULL;
	if (getifaddrs(&all) < 0)
		all = NULL;
	for (const struct ifaddrs *i = all; i && addr_is_any(&found); i = i->ifa_next) {
		struct addr a;
		if (!i->ifa_addr || (i->ifa_flags & IFF_LOOPBACK) || !(i->ifa_flags & IFF_UP))
			continue;
		addr_from_sockaddr(i->ifa_addr, &a);
		if (a.family == family && !(family == 6 && a.ip[0] == 0xfe && (a.ip[1] & 0xc0) == 0x80)) {
			a.port = 0;
			found = a;
		}
	}
	freeifaddrs(all);
	if (addr_is_any(&found))
		found.ip[family == 4 ? 0 : 15] = family == 4 ? 127 : 1;
	if (family == 4 && found.ip[0] == 127)
		found.ip[3] = 1;
	return found;
}

/* media.address absent: where SIP listens */
static void default_media_address(struct compile *c)
{
	const struct cfg_listen *l = image_at(&c->image, c->config.sip.listen);
	if (c->config.media.addresses.n || !c->config.sip.listen.n)
		return;
	struct addr a = l[0].addr;
	if (addr_is_any(&a))
		a = own_address(a.family);
	a.port = 0;
	c->config.media.addresses = image_list(&c->image, &a, 1, sizeof(a));
}

static void insert_sort(uint32_t *chain, uint32_t *n, int64_t position, uint32_t what)
{
	uint32_t at = position < *n ? (uint32_t)position : *n;
	for (uint32_t i = *n; i > at; i--)
		chain[i] = chain[i - 1];
	chain[at] = what;
	++*n;
}

/* SS_GATEWAY_ASR_ROUTE_SORT_CONFIG and its like put ASR and rate into the default chain; an explicit chain wins */
static void sort_by_parameters(struct compile *c)
{
	int64_t asr = c->config.param[P_SS_GATEWAY_ASR_ROUTE_SORT_CONFIG],
		rate = c->config.param[P_SS_GATEWAY_FEE_RATE_ROUTE_SORT_CONFIG];
	bool rate_first = c->config.param[P_SS_GATEWAY_FEE_RATE_ROUTE_BEFORE_ASR];
	uint32_t chain[SORT_RATE + 1] = { 0 }, n = c->config.routing.sort.n;
	if (c->sort_given || (asr == CONFIG_NONE && rate == CONFIG_NONE))
		return;
	memcpy(chain, image_at(&c->image, c->config.routing.sort), n * sizeof(*chain));
	/* the later position first, so that it does not shift; of equal ones the one that is to come second */
	bool asr_last = rate == CONFIG_NONE || (asr != CONFIG_NONE && (asr > rate || (asr == rate && rate_first)));
	for (int pass = 0; pass < 2; pass++) {
		bool is_asr = (pass == 0) == asr_last;
		int64_t position = is_asr ? asr : rate;
		if (position != CONFIG_NONE)
			insert_sort(chain, &n, position, is_asr ? SORT_ASR : SORT_RATE);
	}
	c->config.routing.sort = image_list(&c->image, chain, n, sizeof(*chain));
}

static void resolve(struct compile *c)
{
	resend_limit(c, &c->config.resend);
	c->config.param[P_SS_SIP_RESEND_INTERVAL] = c->config.resend.n;
	c->config.param[P_SS_SIP_SEND_RETRY] = c->config.resend.limit;
	default_media_address(c);
	sort_by_parameters(c);
	accounts_table(c);
	schema_defaults(c, &schema_mapping_gateway, &c->config.plain_mapping);
	schema_defaults(c, &schema_routing_gateway, &c->config.plain_routing);
	c->config.params_origin = image_list(&c->image, c->origins, P_COUNT, sizeof(*c->origins));
}

/* --- the run --------------------------------------------------------------------------------------------------- */

static void read_root(struct compile *c, const struct node *root)
{
	refs_collect(c, root);
	parameters_defaults(c);
	schema_defaults(c, &schema_root, &c->config);
	schema_read(c, &schema_root, root, NULL, &c->config);
	resolve(c);
	check_all(c, root);
	built_finish(c);
}

static struct cfg_text absolute_name(struct compile *c, const char *name)
{
	char path[PATH_MAX];
	bool found = !c->sealed && realpath(name, path);
	return image_text(&c->image, span_of(found ? path : name));
}

static int finish(struct compile *c, struct config **ret_config, size_t *ret_size)
{
	errors_sort(c->errors);
	if (config_errors_count(c->errors))
		return -EINVAL;
	*ret_config = image_finish(&c->image, &c->config, ret_size);
	return 0;
}

int config_compile_source(
	const struct config_source *source, struct config_errors *errors, struct config **ret_config, size_t *ret_size)
{
	struct compile *c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->errors = errors;
	c->sealed = source->sealed;
	image_init(&c->image);
	c->config.file = absolute_name(c, source->name);
	int error = 0;
	struct node *root = source->text ? files_load_text(c, source->name, (struct span){ source->text, source->n }) :
					   files_load(c, source->name, &error);
	if (root)
		read_root(c, root);
	int r = finish(c, ret_config, ret_size);
	built_free(c);
	refs_free(c);
	image_done(&c->image);
	arena_free(&c->arena);
	free(c);
	return error ? -error : r;
}

int config_compile(const char *file, struct config_errors *errors, struct config **ret_config, size_t *ret_size)
{
	const struct config_source source = { .name = file };
	return config_compile_source(&source, errors, ret_config, ret_size);
}

int config_compile_text(const char *name, const char *text, size_t n, struct config_errors *errors,
	struct config **ret_config, size_t *ret_size)
{
	const struct config_source source = { .name = name, .text = text ? text : "", .n = n };
	return config_compile_source(&source, errors, ret_config, ret_size);
}
