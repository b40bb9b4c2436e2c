/* The location table with 100,000 endpoints in one worker: what a look-up costs, and how many registrations a second its owner can
 * write. Look-ups go in random order over all accounts, so that their cache lines are cold. */
#include "base/clock.h"
#include "shm/location.h"
#include <stdio.h>
#include <stdlib.h>

#define ENDPOINTS 100000u
#define LOOKUPS	  2000000u
#define REFRESHES 400000u

static struct region region;
static struct location l;
static uint32_t seed = 1;

static uint32_t random_account(void)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)seed * ENDPOINTS >> 32);
}

static void put(uint32_t i, uint64_t now)
{
	static struct location_set set = { .n = 1 };
	char account[16], uri[80];
	uint32_t record;
	set.at[0].b = (struct location_binding){ .expires_ms = now + 300000, .registered_ms = now, .q = 1000, .cseq = 1, .behind_nat = 1 };
	set.at[0].text[LOCATION_URI] = (struct span){ uri,
		(size_t)snprintf(uri, sizeof uri, "sip:4420%07u@192.168.17.42:49152;transport=udp;ob", i) };
	set.at[0].text[LOCATION_INSTANCE] = SPAN("<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>");
	set.at[0].text[LOCATION_USER_AGENT] = SPAN("Some Phone 4.2.17.0 001122334455");
	if (location_put(&l, (struct span){ account, (size_t)snprintf(account, sizeof account, "4420%07u", i) }, &set, &record) < 0)
		abort();
}

static double ns_each(uint64_t from, uint64_t n)
{
	return (double)(clock_read_ns(CLOCK_PROCESS_CPUTIME_ID) - from) / (double)n;
}

int main(void)
{
	static struct config c = { .magic = CONFIG_MAGIC, .size = sizeof c, .generation = 1 };
	static struct location_contact at[LOCATION_CONTACTS];
	static char names[ENDPOINTS][16];
	struct region_head head;
	uint64_t found = 0, now = clock_ms(), t;
	c.system.signaling = c.system.media = 1;
	c.system.calls = 1;
	c.system.endpoints = ENDPOINTS;
	c.media.port_low = 30000;
	c.media.port_high = 30001;
	if (region_plan(&c, ROLE_SIGNALING, 0, &head) < 0 || region_make(&head, &region) < 0 || location_open(&l, &region) < 0)
		return 1;
	t = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (uint32_t i = 0; i < ENDPOINTS; i++)
		put(i, now);
	printf("registrations       %8.0f ns each, %.0f a second\n", ns_each(t, ENDPOINTS), 1e9 / ns_each(t, ENDPOINTS));
	t = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (uint32_t i = 0; i < REFRESHES; i++)
		put(random_account(), now);
	printf("refreshes           %8.0f ns each, %.0f a second\n", ns_each(t, REFRESHES), 1e9 / ns_each(t, REFRESHES));
	for (uint32_t i = 0; i < ENDPOINTS; i++)
		snprintf(names[i], sizeof names[i], "4420%07u", i);
	t = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (uint32_t i = 0; i < LOOKUPS; i++)
		found += location_lookup_in(&region, (struct span){ names[random_account()], 11 }, now, at, 1);
	printf("look-ups            %8.0f ns each\n", ns_each(t, LOOKUPS));
	t = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (uint32_t i = 0; i < LOOKUPS; i++) {
		seed = seed * 1664525u + 1013904223u;
		found += location_lookup_in(&region, (struct span){ names[0] + seed % 4, 7 }, now, at, 1);
	}
	printf("of unknown accounts %8.0f ns each\n", ns_each(t, LOOKUPS));
	t = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
	location_done(&l);
	if (location_open(&l, &region) < 0)
		return 1;
	printf("taking it over      %8.1f ms\n", ns_each(t, 1) / 1e6);
	printf("memory              %8.1f MB\n",
		((double)l.n_records * (double)(sizeof(struct location_record) + location_units(1) * LOCATION_UNIT) +
			(l.mask + 1.0) * (double)sizeof(struct location_head)) / 1e6);
	return found != LOOKUPS;
}
