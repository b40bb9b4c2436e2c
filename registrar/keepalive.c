#include "registrar/keepalive.h"
#include "base/clock.h"
#include "base/log.h"
#include "shm/counters.h"
#include "shm/location.h"
#include "shm/upkeep.h"
#include <errno.h>

#define SEND_BATCH 64u

static struct keepalive {
	struct env *e;
	const struct upkeep *u;
	struct wheel_timer t;
	/* of one sendmmsg() */
	int fd;
	uint32_t n;
	struct mmsghdr h[SEND_BATCH];
	struct iovec v;
	struct sockaddr_storage to[SEND_BATCH];
} k;

static struct location_contact contacts[LOCATION_CONTACTS]; /* large */

static const struct config *config(void)
{
	return k.e->config.p;
}

static uint64_t param(enum cfg_param p)
{
	return (uint64_t)config()->param[p];
}

/* --- sending --- */

static void flush(void)
{
	uint32_t at = 0;
	while (at < k.n) {
		int sent = sendmmsg(k.fd, k.h + at, k.n - at, MSG_DONTWAIT);
		if (sent > 0) {
			count_add(k.e->region[k.e->seat].head, COUNT_KEEP_ALIVES, (uint64_t)sent);
			at += (uint32_t)sent;
		} else if (errno != EINTR) { /* there is another with the next pass */
			count_one(k.e->region[k.e->seat].head, COUNT_SEND_FAILED);
			at++;
		}
	}
	k.n = 0;
}

static void send_one(uint32_t worker, const struct location_contact *at)
{
	int fd = at->listen < k.e->n_listen ? k.e->sip[at->listen][worker] : -1;
	if (fd < 0)
		return;
	if (k.n == SEND_BATCH || (k.n && fd != k.fd))
		flush();
	k.fd = fd;
	k.h[k.n] = (struct mmsghdr){ .msg_hdr = { .msg_name = &k.to[k.n], .msg_namelen = addr_to_sockaddr(&at->source, &k.to[k.n]),
					     .msg_iov = &k.v, .msg_iovlen = 1 } };
	k.n++;
}

/* --- going through all of them --- */

struct place { /* a worker's slot, as in struct upkeep */
	uint32_t worker, slot;
};

/* Calls `act` for up to `most` contacts behind NAT from *place on, which moves on behind the last; how many there were. */
static uint32_t walk(struct place *place, uint32_t most, uint64_t now, void (*act)(uint32_t worker, const struct location_contact *at))
{
	uint32_t n = 0;
	for (; place->worker < WORKERS_MAX && n < most; place->worker++, place->slot = 0) {
		const struct region *r = &k.e->region[seat_of(ROLE_SIGNALING, place->worker)];
		uint32_t slots = location_count(r) ? location_slots(r) : 0;
		while (place->slot < slots) {
			uint32_t record = place->slot / LOCATION_CONTACTS, first = place->slot % LOCATION_CONTACTS;
			int found = location_read_record(r, record, now, contacts, LOCATION_CONTACTS);
			place->slot = (record + 1) * LOCATION_CONTACTS;
			for (uint32_t i = first; (int)i < found; i++) {
				if (!contacts[i].behind_nat)
					continue;
				if (n == most) {
					place->slot = record * LOCATION_CONTACTS + i;
					return n;
				}
				if (act)
					act(place->worker, &contacts[i]);
				n++;
			}
		}
	}
	return n;
}

static bool is_over(void)
{
	return k.u->worker >= WORKERS_MAX;
}

static void set_place(struct place at)
{
	commit_u32(&k.u->slot, at.slot);
	commit_u32(&k.u->worker, at.worker);
}

/* --- passes --- */

static void end_pass(uint64_t now)
{
	struct place rest = { k.u->worker, k.u->slot };
	uint32_t missed = is_over() ? 0 : walk(&rest, UINT32_MAX, now, NULL);
	commit_u32(&k.u->missed, missed);
	if (!missed)
		return;
	count_add(k.e->region[k.e->seat].head, COUNT_KEEP_ALIVES_MISSED, missed);
	log_warning("NAT keep-alive: the pass did not get to %u endpoints in its %llu s", missed,
		(unsigned long long)(param(P_SS_SIP_NAT_KEEP_ALIVE_PERIOD) / 1000));
}

static void begin_pass(uint64_t now)
{
	uint64_t period = param(P_SS_SIP_NAT_KEEP_ALIVE_PERIOD), last = k.u->pass_ms;
	if (last)
		end_pass(now);
	set_place((struct place){ 0, 0 });
	/* no drift, but nothing is made up for either */
	commit_u64(&k.u->pass_ms, last && now - last < 2 * period ? last + period : now);
}

static void send_batch(uint64_t now)
{
	struct place at = { k.u->worker, k.u->slot };
	struct cfg_text message = config()->sip.nat_keep_alive;
	k.v = (struct iovec){ (void *)(uintptr_t)cfg_str(config(), message), message.n };
	walk(&at, (uint32_t)param(P_SS_SIP_NAT_KEEP_ALIVE_SEND_ONE_TIME), now, send_one);
	flush();
	set_place(at);
	commit_u64(&k.u->batch_ms, now);
}

static void due(struct wheel_timer *t, uint64_t now)
{
	uint64_t period = param(P_SS_SIP_NAT_KEEP_ALIVE_PERIOD), pause = param(P_SS_SIP_NAT_KEEP_ALIVE_SEND_INTERVAL);
	if (config()->sip.nat_keep_alive.n) {
		if (!k.u->pass_ms || now - k.u->pass_ms >= period)
			begin_pass(now);
		if (!is_over() && now - k.u->batch_ms >= pause)
			send_batch(now);
	}
	uint64_t at = k.u->pass_ms + period;
	if (!is_over() && k.u->batch_ms + pause < at)
		at = k.u->batch_ms + pause;
	if (!config()->sip.nat_keep_alive.n || at <= now || at > now + 1000)
		at = now + 1000; /* the configuration may change */
	wheel_add(&k.e->loop.wheel, t, at, due);
}

void keepalive_open(struct env *e)
{
	k.e = e;
	k.u = region_area(&e->region[e->seat], AREA_UPKEEP);
	k.n = 0;
	if (k.u)
		due(&k.t, clock_ms());
}

void keepalive_close(void)
{
	if (k.e && k.u)
		wheel_del(&k.e->loop.wheel, &k.t);
}
