/* Cost of a routing decision: 1,000,000 prefixes, 2,000 gateways, 8 candidates of one length, and of finding the ingress
 * among 2,000 addresses. Prints medians over batches; numbers are drawn at random, so the tables are as warm as in use. */
#include "../unit/tables/image.h"
#include "base/clock.h"
#include "base/uuid.h"
#include "tables/route.h"
#include <stdio.h>

#define GATEWAYS 2000u
#define PREFIXES 1000000u
#define SHARED	 8u /* gateways that have the same prefix */
#define NUMBERS	 4096u
#define BATCHES	 101u

static struct cfg_routing_gateway g[GATEWAYS];
static struct cfg_mapping_gateway m[GATEWAYS];

/* Numbers as operators have them: country and area codes of 3 to 8 digits. The i-th prefix belongs to 8 gateways, so
 * there are 125,000 different ones; with `spread` every one is different and only "" is shared by 8. */
static struct config *world(bool spread)
{
	struct image_writer w = image_begin();
	uint32_t each = PREFIXES / GATEWAYS;
	struct cfg_text *texts = calloc(each + 1, sizeof(*texts));
	for (uint32_t i = 0; i < GATEWAYS; i++) {
		char text[24];
		for (uint32_t k = 0; k < each; k++) {
			uint32_t number = spread ? i * each + k : i / SHARED * each + k;
			snprintf(text, sizeof(text), "%u", 1000 + number * 7);
			texts[k] = image_text(&w, text);
		}
		texts[each] = image_text(&w, "");
		snprintf(text, sizeof(text), "gw-%u", i);
		g[i] = image_routing(&w, text, NULL);
		g[i].prefixes = image_list(&w, texts, each + (spread && i < SHARED), sizeof(*texts));
		g[i].line_limit = 100;
		snprintf(text, sizeof(text), "10.%u.%u.1:5060", i / 250, i % 250);
		m[i] = image_mapping(&w, text, text);
	}
	free(texts);
	return image_end(&w, m, GATEWAYS, g, GATEWAYS, image_sort, 4);
}

static uint32_t calls_of(const void *context, uint32_t i)
{
	(void)context;
	return i * 2654435761u >> 27;
}
static bool down(const void *context, uint32_t i)
{
	(void)context;
	(void)i;
	return false;
}
static bool full(const void *context, uint32_t i, enum route_verdict *ret_why)
{
	(void)context;
	(void)i;
	(void)ret_why;
	return false;
}
static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static void decisions(const struct routes *r, const struct config *c, bool spread)
{
	static char numbers[NUMBERS][24];
	const struct route_view view = { NULL, calls_of, calls_of, full, down, 7 };
	uint64_t cost[BATCHES], candidates = 0;
	uint32_t different = spread ? PREFIXES : PREFIXES / SHARED;
	for (uint32_t b = 0; b < BATCHES; b++) {
		for (uint32_t i = 0; i < NUMBERS; i++)
			snprintf(numbers[i], sizeof(numbers[i]), "%u%07u",
				1000 + (uint32_t)(uuid_random() % different) * 7, (uint32_t)(uuid_random() % 10000000));
		candidates = 0;
		uint64_t start = clock_ns();
		for (uint32_t i = 0; i < NUMBERS; i++) {
			uint16_t out[33];
			bool matched;
			struct route_query q = { span_of(numbers[i]), SPAN("441234567"), 5 };
			candidates += routes_find(r, c, &q, &view, out, 33, &matched, NULL, NULL);
		}
		cost[b] = (clock_ns() - start) / NUMBERS;
	}
	qsort(cost, BATCHES, sizeof(cost[0]), by_value);
	printf("decision, %u different prefixes: median %llu ns, worst batch %llu ns, %.1f candidates\n", different,
		(unsigned long long)cost[BATCHES / 2], (unsigned long long)cost[BATCHES - 1],
		(double)candidates / NUMBERS);
}

static void ingresses(const struct routes *r, const struct config *c)
{
	uint64_t cost[BATCHES];
	uint32_t found = 0;
	for (uint32_t b = 0; b < BATCHES; b++) {
		uint64_t start = clock_ns();
		for (uint32_t i = 0; i < NUMBERS; i++) {
			uint32_t k = i * 2654435761u % GATEWAYS;
			struct addr a = {
				.ip = { 10, (uint8_t)(k / 250), (uint8_t)(k % 250), 1 }, .port = 5060, .family = 4
			};
			found += routes_ingress(r, c, &a, SPAN("880171")) == k;
		}
		cost[b] = (clock_ns() - start) / NUMBERS;
	}
	qsort(cost, BATCHES, sizeof(cost[0]), by_value);
	printf("ingress: median %llu ns, %s\n", (unsigned long long)cost[BATCHES / 2],
		found == BATCHES * NUMBERS ? "all found" : "NOT all found");
}

int main(void)
{
	for (int spread = 0; spread < 2; spread++) {
		struct config *c = world(spread);
		struct routes *r;
		size_t size;
		uint64_t start = clock_us();
		int error = routes_build(c, 1, &r, &size);
		if (error) {
			fprintf(stderr, "routes_build: %s\n", strerror(-error));
			return 1;
		}
		printf("build: %llu ms, %zu MB\n", (unsigned long long)(clock_us() - start) / 1000, size >> 20);
		decisions(r, c, spread);
		ingresses(r, c);
		free(r);
		free(c);
	}
	return 0;
}
