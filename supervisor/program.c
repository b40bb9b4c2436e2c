#include "supervisor/program.h"
#include "config/config.h"
#include "shm/layout.h"
#include "tables/route_image.h"
#include "tandem-config.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DELETED " (deleted)" /* how the kernel shows that something else lies there now */

static uint64_t add(uint64_t h, uint64_t value) /* FNV-1a */
{
	for (unsigned shift = 0; shift < 64; shift += 8)
		h = (h ^ (value >> shift & 0xff)) * 0x100000001b3ull;
	return h;
}

static uint64_t hash(const uint64_t *values, size_t n)
{
	uint64_t h = 0xcbf29ce484222325ull;
	for (size_t i = 0; i < n; i++)
		h = add(h, values[i]);
	return h;
}

/* of all that lies in the images of configuration and routes */
static uint64_t images_hash(void)
{
	static const uint64_t sizes[] = { CONFIG_MAGIC, ROUTES_MAGIC, P_COUNT, sizeof(struct config), sizeof(struct cfg_listen),
		sizeof(struct cfg_resend), sizeof(struct cfg_timeouts), sizeof(struct cfg_switch), sizeof(struct cfg_prefix_lists),
		sizeof(struct cfg_mapping_gateway), sizeof(struct cfg_header), sizeof(struct cfg_response_map), sizeof(struct cfg_options_ping),
		sizeof(struct cfg_circuit), sizeof(struct cfg_lrn), sizeof(struct cfg_routing_gateway), sizeof(struct cfg_group),
		sizeof(struct cfg_account), sizeof(struct cfg_registration), sizeof(struct cfg_guard), sizeof(struct cfg_dial_plan),
		sizeof(struct cfg_number_list), sizeof(struct cfg_rate_table), sizeof(struct cfg_lrn_source), sizeof(struct routes),
		sizeof(struct route_part), sizeof(struct route_gateway), sizeof(struct route_mapping), sizeof(struct route_prefix),
		sizeof(struct route_slot), sizeof(struct route_source), sizeof(struct route_mask) };
	uint64_t h = hash(sizes, sizeof(sizes) / sizeof(sizes[0]));
#ifdef TANDEM_CRASHPOINTS
	h = add(h, 1); /* so that tests have a program whose images are other ones */
#endif
	return h;
}

void program_layout(struct program_layout *ret_layout)
{
	*ret_layout = (struct program_layout){ .version = TANDEM_VERSION, .memory = layout_hash(), .images = images_hash() };
}

int program_format(const struct program_layout *l, char *buf, size_t cap)
{
	int n = snprintf(buf, cap, "version %s\nmemory %016" PRIx64 "\nimages %016" PRIx64 "\n", l->version, l->memory, l->images);
	return n < 0 || (size_t)n >= cap ? -ENOSPC : 0;
}

int program_parse(const char *text, struct program_layout *ret_layout)
{
	struct program_layout l;
	int end = 0;
	if (sscanf(text, "version %31s memory %16" SCNx64 " images %16" SCNx64 " %n", l.version, &l.memory, &l.images, &end) != 3 || !end ||
		text[end])
		return -EINVAL;
	*ret_layout = l;
	return 0;
}

int program_path(char *buf, size_t cap)
{
	ssize_t n = readlink("/proc/self/exe", buf, cap - 1);
	if (n < 0)
		return -errno;
	if ((size_t)n == cap - 1)
		return -ENAMETOOLONG;
	buf[n] = 0;
	size_t tail = sizeof(DELETED) - 1;
	if ((size_t)n > tail && strcmp(buf + n - tail, DELETED) == 0)
		buf[(size_t)n - tail] = 0;
	return 0;
}

uint64_t program_id(void)
{
	struct stat st;
	if (stat("/proc/self/exe", &st) < 0)
		return 0;
	const uint64_t values[] = { st.st_dev, st.st_ino, (uint64_t)st.st_size, (uint64_t)st.st_mtim.tv_sec, (uint64_t)st.st_mtim.tv_nsec };
	return hash(values, sizeof(values) / sizeof(values[0]));
}
