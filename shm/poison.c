#include "shm/poison.h"
#include "base/clock.h"
#include "base/log.h"
#include "shm/counters.h"
#include "shm/messages.h"
#include "shm/seat.h"
#include <sys/mman.h>
#include <unistd.h>

static const struct region_head *own(const struct env *e)
{
	return e->region[e->seat].head;
}

static const struct suspect *find(const struct env *e, enum suspect_kind kind, uint64_t id)
{
	const struct suspect *s = own(e)->suspect;
	for (uint32_t i = 0; i < SUSPECTS; i++)
		if (s[i].kind == kind && s[i].id == id)
			return &s[i];
	return NULL;
}

static const struct suspect *oldest(const struct env *e)
{
	const struct suspect *s = own(e)->suspect, *found = s;
	for (uint32_t i = 1; i < SUSPECTS; i++)
		if (s[i].last < found->last)
			found = &s[i];
	return found;
}

static void count_poisoned(struct env *e)
{
	e->poisoned = 0;
	for (uint32_t i = 0; i < SUSPECTS; i++)
		e->poisoned += own(e)->suspect[i].kind == SUSPECT_BYTES && own(e)->suspect[i].deaths >= POISON_DEATHS;
}

uint32_t poison_blame(struct env *e, enum suspect_kind kind, uint64_t id)
{
	const struct suspect *s = find(e, kind, id);
	if (!s) {
		s = oldest(e);
		commit_u32(&s->kind, SUSPECT_NONE);
		commit_u32(&s->deaths, 0);
		commit_u64(&s->id, id);
		commit_release_u32(&s->kind, kind);
	}
	commit_u64(&s->last, own(e)->incarnation);
	commit_u32(&s->deaths, s->deaths + 1);
	count_poisoned(e);
	return s->deaths;
}

uint32_t poison_deaths(const struct env *e, enum suspect_kind kind, uint64_t id)
{
	const struct suspect *s = find(e, kind, id);
	return s ? s->deaths : 0;
}

uint64_t poison_hash(const struct env *e, const void *p, size_t n)
{
	return hash_sip(&e->roster->token_key, p, n);
}

/* --- captures ---------------------------------------------------------------------------------------------------- */

void poison_begin(struct poison_capture *c)
{
	*c = (struct poison_capture){ .fd = memfd_create("poison", MFD_CLOEXEC) };
	int copy = c->fd < 0 ? -1 : dup(c->fd);
	c->f = copy < 0 ? NULL : fdopen(copy, "w");
	if (!c->f && copy >= 0)
		close(copy);
	if (c->f)
		pcap_begin(c->f);
}

void poison_add(struct poison_capture *c, const struct addr *from, const struct addr *to, const void *p, size_t n)
{
	static const struct addr nobody = { .family = 4 };
	bool fit = from->family == to->family && (from->family == 4 || from->family == 6);
	if (!c->f || !p || c->n + n + 128 > POISON_BYTES)
		return;
	c->n += n + 128;
	pcap_packet(c->f, clock_wall_ms() * 1000, fit ? from : &nobody, fit ? to : &nobody, (struct span){ p, n });
}

void poison_tell(struct env *e, struct poison_capture *c, const char *what)
{
	static struct notice n = { .type = NOTICE_POISON };
	if (c->f)
		fclose(c->f);
	snprintf(n.text, sizeof n.text, "%s", what);
	count_one(own(e), COUNT_POISONED);
	log_error("left out after %u deaths: %s", POISON_DEATHS, what);
	if (env_notify(e, &n, c->fd) < 0)
		log_error("the supervisor does not take it");
	if (c->fd >= 0)
		close(c->fd);
}

/* --- a process starts -------------------------------------------------------------------------------------------- */

/* of a datagram its bytes alone: a peer may send it again and to another worker */
static struct span bytes_of(const struct ring_message *m)
{
	struct span s = { (const char *)(m + 1), m->size };
	if (m->type == MESSAGE_DATAGRAM && s.n >= sizeof(struct message_datagram)) {
		s.p += sizeof(struct message_datagram);
		s.n -= sizeof(struct message_datagram);
	}
	return s;
}

static void leave_out(struct env *e, uint32_t seat, const struct ring_message *m)
{
	static const struct addr nobody;
	struct poison_capture c;
	char what[160];
	const struct addr *from = m->type == MESSAGE_DATAGRAM && m->size >= sizeof(struct message_datagram) ? (const struct addr *)(m + 1) : &nobody;
	struct addr to = { .family = from->family };
	struct span bytes = bytes_of(m);
	poison_begin(&c);
	poison_add(&c, from, &to, bytes.p, bytes.n);
	snprintf(what, sizeof what, "message of type %u, %u bytes, from %s/%u", m->type, m->size, role_name(seat_role(seat)), seat_index(seat));
	ring_pop(&e->in[seat]);
	poison_tell(e, &c, what);
}

void poison_start(struct env *e)
{
	uint32_t seat = working_seat(own(e)->working_on);
	e->died_at = e->roster->seat[e->seat].own_fault ? own(e)->working_on : 0;
	count_poisoned(e);
	if (working_what(e->died_at) == WORKING_RING && seat < SEATS_MAX && e->in[seat].ring) {
		const struct ring_message *m = ring_peek(&e->in[seat]);
		struct span bytes = m ? bytes_of(m) : (struct span){ 0 };
		if (m && poison_blame(e, SUSPECT_BYTES, poison_hash(e, bytes.p, bytes.n)) >= POISON_DEATHS)
			leave_out(e, seat, m);
	}
	commit_u64(&own(e)->working_on, 0);
}
