/* The location table as two threads over one mapping: one registers, refreshes and removes without a pause, the other looks up.
 * What it finds is always one whole state, and an account that never goes is never missing. Also for the thread sanitizer. */
#include "world.h"
#include "shm/location.h"
#include <pthread.h>

#define ACCOUNTS 40u /* the first never goes */
#define CHANGES	 60000u

static struct region region;
static uint32_t stop;

static void *write_all(void *unused)
{
	static char text[3][512];
	static struct location_set set;
	struct location l;
	(void)unused;
	CHECK(location_open(&l, &region) == 0, "open");
	for (uint32_t version = 1; version <= CHANGES; version++) {
		char name[8];
		uint32_t account = version % 3 ? (version / 3 * 17) % ACCOUNTS : 0, record;
		snprintf(name, sizeof name, "a%u", account);
		set.n = account && version % 7 == 0 ? 0 : 1 + version % 3;
		for (uint32_t i = 0; i < set.n; i++) {
			memset(&set.at[i], 0, sizeof set.at[i]);
			set.at[i].b.expires_ms = UINT64_MAX;
			set.at[i].b.cseq = version;
			uint32_t n = 10 + version % 400;
			memset(text[i], 'a' + (int)(version % 26), n);
			set.at[i].text[LOCATION_URI] = (struct span){ text[i], n };
		}
		CHECK(location_put(&l, span_of(name), &set, &record) == 0, "put");
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	location_done(&l);
	return NULL;
}

static void look(uint32_t account, uint64_t *seen)
{
	static struct location_contact at[LOCATION_CONTACTS];
	char name[8];
	snprintf(name, sizeof name, "a%u", account);
	uint32_t n = location_lookup_in(&region, span_of(name), 0, at, LOCATION_CONTACTS);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t version = at[i].cseq;
		CHECK(version == at[0].cseq && n == 1 + version % 3, "contacts of several states");
		CHECK(at[i].uri.n == 10 + version % 400, "length %zu of version %u", at[i].uri.n, version);
		for (size_t k = 0; k < at[i].uri.n; k++)
			CHECK(at[i].uri.p[k] == 'a' + (int)(version % 26), "torn text");
		CHECK(span_eq(at[i].account, span_of(name)), "another account");
	}
	*seen += n > 0;
}

int main(void)
{
	static struct config c = { .magic = CONFIG_MAGIC, .size = sizeof c, .generation = 1 };
	struct region_head head;
	pthread_t writer;
	uint64_t looks = 0, seen = 0, others = 0;
	c.system.signaling = c.system.media = 1;
	c.system.calls = 1;
	c.system.endpoints = 64;
	c.media.port_low = 30000;
	c.media.port_high = 30001;
	CHECK(region_plan(&c, ROLE_SIGNALING, 0, &head) == 0 && region_make(&head, &region) == 0, "region");
	CHECK(!pthread_create(&writer, NULL, write_all, NULL), "thread");
	uint32_t account = 0;
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		uint64_t before = seen;
		look(0, &seen);
		if (before) /* once it has come; a reader that is overtaken again and again gives up, which is rare */
			looks++;
		look(account = (account + 1) % ACCOUNTS, &others);
		location_count(&region);
	}
	pthread_join(writer, NULL);
	printf("%llu looks, %llu found\n", (unsigned long long)looks, (unsigned long long)seen);
	CHECK(!looks || seen * 1000 >= looks * 990, "missing %llu of %llu times", (unsigned long long)(looks - seen), (unsigned long long)looks);
	return 0;
}
