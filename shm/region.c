#include "shm/region.h"
#include "shm/layout.h"
#include "shm/ring.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const names[ROLE_COUNT] = { "supervisor", "control", "cdr", "routing", "registrar", "signaling",
	"media" };

#define SIZE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

const char *role_name(enum role r)
{
	return r < ROLE_COUNT ? names[r] : "unknown";
}

int role_parse(struct span text, enum role *ret_role)
{
	for (enum role r = 0; r < ROLE_COUNT; r++)
		if (span_eq(text, span_of(names[r]))) {
			*ret_role = r;
			return 0;
		}
	return -EINVAL;
}

static int make_file(const struct region_head *plan, int *ret_fd)
{
	char name[64];
	snprintf(name, sizeof name, "tandem-%s-%u", role_name(plan->role), plan->index);
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	int r = 0;
	if (ftruncate(fd, (off_t)plan->size) < 0 || fallocate(fd, 0, 0, (off_t)plan->size) < 0 ||
		fcntl(fd, F_ADD_SEALS, SIZE_SEALS | F_SEAL_SEAL) < 0)
		r = errno == ENOSPC ? -ENOMEM : -errno;
	if (r)
		close(fd);
	else
		*ret_fd = fd;
	return r;
}

int region_make(const struct region_head *plan, struct region *ret_region)
{
	int fd = -1, r = make_file(plan, &fd);
	if (r)
		return r;
	struct region_head *head = mmap(NULL, plan->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (head == MAP_FAILED) {
		r = -errno;
		close(fd);
		return r;
	}
	/* fallocate() reserves the pages but leaves clearing them to the first touch; better now than in the middle of a call.
	 * Kernels before 5.14 do not know this: then it is the first touch. */
	madvise(head, plan->size, MADV_POPULATE_WRITE);
	*head = *plan;
	layout_init(head);
	*ret_region = (struct region){ .head = head, .size = plan->size, .fd = fd, .writable = true };
	return 0;
}

/* every area and ring lies within the region, so that no reader needs to look again */
static bool fits(const struct region_head *h, uint64_t size)
{
	if (h->magic != REGION_MAGIC || h->layout != REGION_LAYOUT || h->layout_hash != layout_hash() ||
		h->size != size || h->role >= ROLE_COUNT || h->seat != seat_of(h->role, h->index) ||
		h->seat >= SEATS_MAX)
		return false;
	for (enum area a = 0; a < AREA_COUNT; a++) {
		uint64_t at = h->area[a].at, n = layout_front(a) + (uint64_t)h->area[a].n * h->area[a].size;
		if (at && (at % LAYOUT_UNIT || at < sizeof *h || at > size || n > size - at))
			return false;
	}
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++) {
		uint64_t at = h->ring_at[seat], n = sizeof(struct ring) + layout_ring(h->seat, seat);
		if (at && (at % LAYOUT_UNIT || at > size || n > size - at))
			return false;
	}
	return layout_intact(h);
}

int region_map(int fd, bool writable, struct region *ret_region)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || fstat(fd, &st) < 0)
		return -errno;
	/* a file that can shrink would kill its readers */
	if ((seals & SIZE_SEALS) != SIZE_SEALS || (uint64_t)st.st_size < sizeof(struct region_head))
		return -EPROTO;
	size_t size = (size_t)st.st_size;
	void *p = mmap(NULL, size, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	if (!fits(p, size)) {
		munmap(p, size);
		return -EPROTO;
	}
	*ret_region = (struct region){ .head = p, .size = size, .fd = fd, .writable = writable };
	return 0;
}

void region_unmap(struct region *r)
{
	if (r->head)
		munmap((void *)(uintptr_t)r->head, r->size);
	r->head = NULL;
	r->writable = false;
}
