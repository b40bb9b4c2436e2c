#include "shm/layout.h"
#include "shm/auth.h"
#include "shm/block.h"
#include "shm/call.h"
#include "shm/capacity.h"
#include "shm/counters.h"
#include "shm/journal.h"
#include "shm/env.h"
#include "shm/location.h"
#include "shm/media.h"
#include "shm/messages.h"
#include "shm/names.h"
#include "shm/sources.h"
#include "shm/receive.h"
#include "shm/registration.h"
#include "shm/ring.h"
#include "shm/roster.h"
#include "shm/upkeep.h"
#include <errno.h>

#define CAPACITY_SPARE 256u /* gateways a reload may add before cells run out */
#define ACCOUNTS_SPARE 1024u
#define JOURNAL_SPARE  4096u
#define KIB	       1024ull

_Static_assert((int)COUNTER_COUNT <= REGION_COUNTERS, "counters must fit the region's head");

/* FNV-1a */
static uint64_t add_value(uint64_t h, uint64_t value)
{
	for (unsigned shift = 0; shift < 64; shift += 8)
		h = (h ^ (value >> shift & 0xff)) * 0x100000001b3ull;
	return h;
}

uint64_t layout_hash(void)
{
	static const uint64_t sizes[] = { REGION_LAYOUT, sizeof(struct region_head), sizeof(struct slot),
		sizeof(struct call), sizeof(struct call_state), sizeof(struct call_txn), sizeof(struct call_leg),
		sizeof(struct name), sizeof(struct name_state), sizeof(struct sources),
		sizeof(struct done), sizeof(struct block_plan), sizeof(struct media_leg), sizeof(struct media_want),
		sizeof(struct media_flow), sizeof(struct capacity_cell), sizeof(struct account_cell), sizeof(struct journal),
		sizeof(struct journal_entry), sizeof(struct journal_ack), sizeof(struct receive_batch),
		sizeof(struct ring), sizeof(struct ring_message), sizeof(struct roster), sizeof(struct suspect), sizeof(struct addr),
		sizeof(struct registration), sizeof(struct registration_state),
		sizeof(struct location_binding), sizeof(struct location_record), sizeof(struct location_head),
		sizeof(struct location_front), sizeof(struct upkeep),
		sizeof(struct auth_record), sizeof(struct nonce_set),
		AREA_COUNT, SEATS_MAX, COUNTER_COUNT, TEXT_COUNT, BLOCK_CLASSES, RECEIVE_BATCH, END_REASON_COUNT };
	static const uint64_t messages[] = { sizeof(struct message_datagram), sizeof(struct message_tone), sizeof(struct message_binding),
		sizeof(struct message_unban), sizeof(struct message_auth), sizeof(struct message_unsuspend), sizeof(struct message_call),
		sizeof(struct message_trace_filter), sizeof(struct message_trace), sizeof(struct message_event), NOTICE_TEXT };
	struct block_plan plan;
	uint64_t h = 0xcbf29ce484222325ull;
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		h = add_value(h, sizes[i]);
	for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++)
		h = add_value(h, messages[i]);
	/* what layout_intact() will ask */
	for (enum role from = 0; from < ROLE_COUNT; from++)
		for (enum role to = 0; to < ROLE_COUNT; to++)
			h = add_value(h, layout_ring(seat_of(from, 0), seat_of(to, to >= ROLE_SIGNALING)));
	return add_value(h, block_plan_for(1000, &plan));
}

uint32_t account_cells(const struct config *c)
{
	uint64_t n = (uint64_t)c->accounts.n + ACCOUNTS_SPARE;
	if (n < c->system.endpoints)
		n = c->system.endpoints;
	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

uint64_t layout_front(enum area a)
{
	return a == AREA_JOURNAL ? sizeof(struct journal) : a == AREA_BINDINGS ? sizeof(struct location_front) : 0;
}

uint64_t layout_ring(uint32_t from_seat, uint32_t to_seat)
{
	enum role from = seat_role(from_seat), to = seat_role(to_seat);
	if (from_seat == to_seat || from == ROLE_SUPERVISOR || to == ROLE_SUPERVISOR)
		return 0;
	if (from == ROLE_CONTROL)
		return 64 * KIB;
	if (to == ROLE_CONTROL)
		return 256 * KIB;
	if (from == ROLE_SIGNALING && to == ROLE_MEDIA)
		return 16 * KIB;
	if ((from == ROLE_SIGNALING && to == ROLE_REGISTRAR) || (from == ROLE_REGISTRAR && to == ROLE_SIGNALING))
		return 256 * KIB;
	return from == ROLE_SIGNALING && to == ROLE_SIGNALING ? 1024 * KIB : 0;
}

static uint64_t aligned(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

static bool seat_exists(const struct config *c, uint32_t seat)
{
	enum role r = seat_role(seat);
	uint32_t n = r == ROLE_SIGNALING ? c->system.signaling : r == ROLE_MEDIA ? c->system.media : 1;
	return seat_index(seat) < n;
}

/* A foreign Call-ID's hash decides whose call it is, so workers get unequal shares. */
static uint64_t calls_per_worker(const struct config *c)
{
	uint64_t n = c->system.signaling;
	return ((uint64_t)c->system.calls * 5 + 4 * n - 1) / (4 * n) + 64;
}

static uint64_t legs_per_worker(const struct config *c)
{
	uint64_t of_media = (media_pairs(c) + c->system.media - 1) / c->system.media;
	return (of_media + c->system.signaling - 1) / c->system.signaling * c->system.media;
}

static uint64_t clamp(uint64_t n, uint64_t low, uint64_t high)
{
	return n < low ? low : n > high ? high : n;
}

/* appends an area; a region that has grown beyond what the header can say is marked by size 0 */
static void add(struct region_head *h, enum area a, uint64_t n, uint64_t size)
{
	if (!n || !h->size)
		return;
	if (n > UINT32_MAX) {
		h->size = 0;
		return;
	}
	h->area[a].at = h->size;
	h->area[a].n = (uint32_t)n;
	h->area[a].size = (uint32_t)size;
	h->size = aligned(h->size + layout_front(a) + n * size, LAYOUT_UNIT);
}

static void add_signaling(const struct config *c, struct region_head *h)
{
	struct block_plan plan;
	uint64_t calls = calls_per_worker(c);
	if (calls > INT32_MAX / 2) {
		h->size = 0;
		return;
	}
	add(h, AREA_CALLS, calls, sizeof(struct call));
	add(h, AREA_BLOCKS, aligned(block_plan_for((uint32_t)calls, &plan), LAYOUT_UNIT) / LAYOUT_UNIT, LAYOUT_UNIT);
	/* an entry lies for 32 s and a call leaves up to three: enough for calls/25 new ones a second; beyond, the oldest goes early,
	 * and what it remembered is answered anew when it is repeated */
	add(h, AREA_DONE, clamp(4 * calls, 8192, 131072), sizeof(struct done));
	add(h, AREA_SOURCES, 1, sizeof(struct sources));
	add(h, AREA_MEDIA_LEGS, legs_per_worker(c), sizeof(struct media_leg));
	add(h, AREA_CAPACITY, (uint64_t)cell_count(c) + CAPACITY_SPARE, sizeof(struct capacity_cell));
	add(h, AREA_ACCOUNTS, account_cells(c), sizeof(struct account_cell));
	add(h, AREA_JOURNAL, calls + JOURNAL_SPARE, sizeof(struct journal_entry));
	add(h, AREA_RECEIVE, 1, sizeof(struct receive_batch));
	add(h, AREA_AUTH, auth_records(c), sizeof(struct auth_record));
	add(h, AREA_NONCES, nonce_sets(c), sizeof(struct nonce_set));
	add(h, AREA_BINDINGS, location_share(c), sizeof(struct location_record));
	add(h, AREA_BINDING_HEADS, location_heads(location_share(c)), sizeof(struct location_head));
	add(h, AREA_BINDING_TEXTS, location_units(location_share(c)), LOCATION_UNIT);
}

static void add_rings(const struct config *c, struct region_head *h)
{
	uint64_t start = h->size, at = start;
	for (uint32_t seat = 0; seat < SEATS_MAX && start; seat++) {
		uint64_t n = seat_exists(c, seat) ? layout_ring(h->seat, seat) : 0;
		if (!n)
			continue;
		h->ring_at[seat] = at;
		at += sizeof(struct ring) + n;
	}
	add(h, AREA_RINGS, (at - start) / LAYOUT_UNIT, LAYOUT_UNIT);
}

int region_plan(const struct config *c, enum role role, uint32_t index, struct region_head *ret_head)
{
	if (role >= ROLE_COUNT || !c->system.signaling || !c->system.media || c->system.signaling > WORKERS_MAX ||
		c->system.media > WORKERS_MAX || c->media.port_low > c->media.port_high)
		return -EINVAL;
	uint32_t seat = seat_of(role, index);
	if (seat >= SEATS_MAX || seat_role(seat) != role || seat_index(seat) != index || !seat_exists(c, seat))
		return -EINVAL;
	struct region_head h = { .magic = REGION_MAGIC,
		.layout = REGION_LAYOUT,
		.role = role,
		.index = index,
		.seat = seat,
		.size = aligned(sizeof h, LAYOUT_UNIT),
		.layout_hash = layout_hash() };
	if (role == ROLE_SUPERVISOR)
		add(&h, AREA_ROSTER, 1, sizeof(struct roster));
	if (role == ROLE_ROUTING)
		add(&h, AREA_NAMES, names_room(c), sizeof(struct name));
	if (role == ROLE_CDR)
		add(&h, AREA_ACKS, c->system.signaling, sizeof(struct journal_ack));
	if (role == ROLE_REGISTRAR)
		add(&h, AREA_REGISTRATIONS, c->system.registrations, sizeof(struct registration));
	if (role == ROLE_SIGNALING)
		add_signaling(c, &h);
	if (role == ROLE_REGISTRAR)
		add(&h, AREA_UPKEEP, 1, sizeof(struct upkeep));
	if (role == ROLE_MEDIA)
		add(&h, AREA_FLOWS, media_pairs(c), sizeof(struct media_flow));
	add_rings(c, &h);
	if (!h.size)
		return -EOVERFLOW;
	h.size = aligned(h.size, 4096);
	*ret_head = h;
	return 0;
}

void layout_init(struct region_head *head)
{
	char *base = (char *)head;
	if (head->area[AREA_JOURNAL].at)
		((struct journal *)(base + head->area[AREA_JOURNAL].at))->capacity = head->area[AREA_JOURNAL].n;
	if (head->area[AREA_BLOCKS].at)
		block_plan_for(head->area[AREA_CALLS].n, (struct block_plan *)(base + head->area[AREA_BLOCKS].at));
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++)
		if (head->ring_at[seat])
			((struct ring *)(base + head->ring_at[seat]))->capacity = layout_ring(head->seat, seat);
}

bool layout_intact(const struct region_head *head)
{
	const char *base = (const char *)head;
	const struct journal *j = (const struct journal *)(base + head->area[AREA_JOURNAL].at);
	if (head->area[AREA_JOURNAL].at && j->capacity != head->area[AREA_JOURNAL].n)
		return false;
	if (head->area[AREA_BLOCKS].at) {
		struct block_plan plan;
		uint64_t size = block_plan_for(head->area[AREA_CALLS].n, &plan);
		if (size > (uint64_t)head->area[AREA_BLOCKS].n * head->area[AREA_BLOCKS].size ||
			memcmp(&plan, base + head->area[AREA_BLOCKS].at, sizeof plan) != 0)
			return false;
	}
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++) {
		const struct ring *r = (const struct ring *)(base + head->ring_at[seat]);
		if (head->ring_at[seat] && r->capacity != layout_ring(head->seat, seat))
			return false;
	}
	return true;
}
