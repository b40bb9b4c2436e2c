#include "sample.h"
#include "shm/block.h"
#include "shm/call.h"
#include "shm/capacity.h"
#include "shm/journal.h"
#include "shm/layout.h"
#include "shm/media.h"
#include "shm/ring.h"
#include "shm/roster.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

Test(region, roles_have_names)
{
	enum role r;
	for (enum role i = 0; i < ROLE_COUNT; i++) {
		cr_assert_eq(role_parse(span_of(role_name(i)), &r), 0);
		cr_assert_eq(r, i);
	}
	cr_assert_eq(role_parse(SPAN("sign"), &r), -EINVAL);
	cr_assert_str_eq(role_name(ROLE_COUNT), "unknown");
}

Test(region, areas_do_not_overlap_and_end_within)
{
	struct config c = sample_config();
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++) {
		struct region_head h;
		if (seat_index(seat) > 1)
			continue;
		cr_assert_eq(region_plan(&c, seat_role(seat), seat_index(seat), &h), 0);
		uint64_t end = sizeof h;
		for (int left = AREA_COUNT; left > 0; left--) { /* in the order in which they lie */
			enum area a = AREA_COUNT;
			for (enum area i = 0; i < AREA_COUNT; i++)
				if (h.area[i].at && (a == AREA_COUNT || h.area[i].at < h.area[a].at))
					a = i;
			if (a == AREA_COUNT)
				break;
			cr_assert_eq(h.area[a].at % 64, 0);
			cr_assert_geq(h.area[a].at, end);
			end = h.area[a].at + (uint64_t)h.area[a].n * h.area[a].size + layout_front(a);
			h.area[a].at = 0;
		}
		cr_assert_leq(end, h.size);
		cr_assert_eq(h.size % 4096, 0);
	}
}

Test(region, sizes_follow_the_configuration)
{
	struct config c = sample_config();
	struct region_head h;
	cr_assert_eq(region_plan(&c, ROLE_SIGNALING, 1, &h), 0);
	cr_assert_eq(h.area[AREA_CALLS].n, 63 + 64, "a worker's share of 100 calls and a quarter, and the spare");
	cr_assert_eq(h.area[AREA_CALLS].size, sizeof(struct call));
	cr_assert_eq(h.area[AREA_DONE].n, 8192);
	cr_assert_eq(h.area[AREA_CAPACITY].n, 8 + 256);
	cr_assert_eq(h.area[AREA_JOURNAL].n, 127 + 4096);
	cr_assert_eq(h.area[AREA_FLOWS].at, 0);
	cr_assert_eq(region_plan(&c, ROLE_MEDIA, 0, &h), 0);
	cr_assert_eq(h.area[AREA_FLOWS].n, 100);
	cr_assert_eq(h.area[AREA_CALLS].at, 0);
	cr_assert_eq(region_plan(&c, ROLE_CDR, 0, &h), 0);
	cr_assert_eq(h.area[AREA_ACKS].n, 2);
	cr_assert_eq(region_plan(&c, ROLE_SUPERVISOR, 0, &h), 0);
	cr_assert_eq(h.area[AREA_ROSTER].size, sizeof(struct roster));
	cr_assert_eq(h.area[AREA_RINGS].at, 0);
}

/* every pair has a place of its own in its owner's legs, for uneven numbers of ports and workers too */
Test(region, each_pair_has_one_leg)
{
	for (uint32_t n = 1; n <= 3; n++)
		for (uint32_t m = 1; m <= 3; m++)
			for (uint32_t pairs = 1; pairs <= 20; pairs++) {
				struct config c = sample_config();
				struct region_head h;
				bool taken[3][64] = { 0 };
				c.system.signaling = n;
				c.system.media = m;
				c.media.port_high = c.media.port_low + 2 * pairs - 1;
				cr_assert_eq(region_plan(&c, ROLE_SIGNALING, 0, &h), 0);
				for (uint32_t p = 0; p < pairs; p++) {
					uint32_t owner = pair_owner(&c, p), slot = pair_slot(&c, p);
					cr_assert_lt(slot, h.area[AREA_MEDIA_LEGS].n);
					cr_assert_not(taken[owner][slot]);
					taken[owner][slot] = true;
					cr_assert_eq(slot_pair(&c, owner, slot), p);
				}
			}
}

Test(region, refuses_seats_that_do_not_exist)
{
	struct config c = sample_config();
	struct region_head h;
	cr_assert_eq(region_plan(&c, ROLE_SIGNALING, 2, &h), -EINVAL);
	cr_assert_eq(region_plan(&c, ROLE_CONTROL, 1, &h), -EINVAL);
	cr_assert_eq(region_plan(&c, ROLE_COUNT, 0, &h), -EINVAL);
	c.system.media = WORKERS_MAX + 1;
	cr_assert_eq(region_plan(&c, ROLE_MEDIA, 0, &h), -EINVAL);
	c = sample_config();
	c.system.calls = UINT32_MAX;
	cr_assert_eq(region_plan(&c, ROLE_SIGNALING, 0, &h), -EOVERFLOW);
}

Test(region, million_calls_fit_the_header)
{
	struct config c = sample_config();
	struct region_head h;
	c.system.signaling = 1;
	c.system.calls = 1000000;
	cr_assert_eq(region_plan(&c, ROLE_SIGNALING, 0, &h), 0);
	cr_assert_gt(h.size, 1ull << 32);
	cr_assert_geq((uint64_t)h.area[AREA_BLOCKS].n * h.area[AREA_BLOCKS].size, 2000000ull * (512 + 2048));
}

Test(region, made_once_mapped_by_others)
{
	struct region owner, reader;
	cr_assert_eq(sample_region(ROLE_SIGNALING, 0, &owner), 0);
	cr_assert_eq(region_map(owner.fd, false, &reader), 0);
	cr_assert_not(reader.writable);
	cr_assert_eq(reader.head->seat, seat_of(ROLE_SIGNALING, 0));
	stat_set(&owner.head->heartbeat_ms, 42);
	cr_assert_eq(reader.head->heartbeat_ms, 42);
	const struct journal *j = region_area(&reader, AREA_JOURNAL);
	cr_assert_eq(j->capacity, region_count(&reader, AREA_JOURNAL));
	const struct block_plan *b = region_area(&reader, AREA_BLOCKS);
	cr_assert_eq(b->count[BLOCK_CLASSES - 1], 32);
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++) {
		bool to = seat == seat_of(ROLE_CONTROL, 0) || seat == seat_of(ROLE_REGISTRAR, 0) || seat == seat_of(ROLE_SIGNALING, 1) ||
			  (seat >= seat_of(ROLE_MEDIA, 0) && seat < seat_of(ROLE_MEDIA, 2));
		cr_assert_eq(!!reader.head->ring_at[seat], to, "seat %u", seat);
	}
	region_unmap(&reader);
	cr_assert_null(reader.head);
	cr_assert_null(region_area(&reader, AREA_CALLS));
	sample_done(&owner);
}

Test(region, its_size_is_sealed)
{
	struct region r;
	cr_assert_eq(sample_region(ROLE_CDR, 0, &r), 0);
	cr_assert_lt(ftruncate(r.fd, 4096), 0);
	cr_assert_lt(ftruncate(r.fd, (off_t)r.size * 2), 0);
	cr_assert_lt(fcntl(r.fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	sample_done(&r);
}

Test(region, readers_cannot_write)
{
	struct region owner, reader;
	cr_assert_eq(sample_region(ROLE_CDR, 0, &owner), 0);
	cr_assert_eq(region_map(owner.fd, false, &reader), 0);
	pid_t pid = fork();
	if (!pid) {
		close(2); /* a sanitizer would tell at length what is meant here */
		stat_set(&reader.head->heartbeat_ms, 1);
		_exit(0);
	}
	int status;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
	cr_assert_eq(owner.head->heartbeat_ms, 0);
}

static int map_with(void (*damage)(struct region_head *h))
{
	struct region r, again;
	cr_assert_eq(sample_region(ROLE_SIGNALING, 0, &r), 0);
	damage(commit_fill(r.head));
	int e = region_map(r.fd, false, &again);
	if (!e)
		region_unmap(&again);
	sample_done(&r);
	return e;
}
static void damage_nothing(struct region_head *h)
{
	(void)h;
}
static void damage_magic(struct region_head *h)
{
	h->magic++;
}
static void damage_layout(struct region_head *h)
{
	h->layout++;
}
static void damage_hash(struct region_head *h)
{
	h->layout_hash++;
}
static void damage_size(struct region_head *h)
{
	h->size += 4096;
}
static void damage_seat(struct region_head *h)
{
	h->seat = SEATS_MAX;
}
static void damage_area(struct region_head *h)
{
	h->area[AREA_DONE].n = UINT32_MAX;
}
static void damage_area_at(struct region_head *h)
{
	h->area[AREA_DONE].at = UINT64_MAX - 63;
}
static void damage_ring(struct region_head *h)
{
	h->ring_at[1] = h->size + 64;
}
static void damage_ring_size(struct region_head *h)
{
	((struct ring *)((char *)h + h->ring_at[1]))->capacity *= 2;
}
static void damage_journal(struct region_head *h)
{
	((struct journal *)((char *)h + h->area[AREA_JOURNAL].at))->capacity = 0;
}
static void damage_blocks(struct region_head *h)
{
	((struct block_plan *)((char *)h + h->area[AREA_BLOCKS].at))->at[3] = UINT64_MAX;
}

Test(region, what_does_not_fit_is_refused)
{
	cr_assert_eq(map_with(damage_nothing), 0);
	void (*damages[])(struct region_head *) = { damage_magic, damage_layout, damage_hash, damage_size, damage_seat,
		damage_area, damage_area_at, damage_ring, damage_ring_size, damage_journal, damage_blocks };
	for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++)
		cr_assert_eq(map_with(damages[i]), -EPROTO, "damage %zu", i);
	struct region r;
	int fd = memfd_create("short", MFD_ALLOW_SEALING);
	cr_assert_eq(region_map(fd, false, &r), -EPROTO);
	close(fd);
	cr_assert_eq(region_map(-1, false, &r), -EBADF);
}
