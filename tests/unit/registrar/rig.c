#include "rig.h"
#include "base/log.h"
#include "config/config.h"
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_socket(struct addr *ret_addr)
{
	struct sockaddr_storage sa;
	struct addr a;
	CHECK(!addr_parse(SPAN("127.0.0.1"), &a), "address");
	socklen_t n = addr_to_sockaddr(&a, &sa);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	CHECK(fd >= 0 && !bind(fd, (struct sockaddr *)&sa, n) && !getsockname(fd, (struct sockaddr *)&sa, &n), "socket");
	addr_from_sockaddr((struct sockaddr *)&sa, ret_addr);
	return fd;
}

static void make_config(struct rig *r, const char *registrations, const char *parameters)
{
	static char text[1 << 15], entries[1 << 14];
	char upstream[ADDR_TEXT_MAX];
	struct config_errors *errors = config_errors_new();
	struct config *c;
	size_t size, n = 0;
	int fd;
	addr_format(&r->upstream, false, upstream, sizeof upstream);
	for (const char *p = registrations; *p; p++)
		if (p[0] == '%' && p[1] == 's')
			n += (size_t)snprintf(entries + n, sizeof entries - n, "%s", upstream), p++;
		else
			entries[n++] = *p;
	entries[n] = 0;
	int all = snprintf(text, sizeof text,
		"system: {name: test, run_dir: /tmp, workers: {signaling: 1, media: 1}, limits: {calls: 1, registrations: 8}}\n"
		"sip: {listen: [\"udp:127.0.0.1:%u\"]}\nmedia: {address: 127.0.0.1, ports: 30000-30003}\n"
		"registration: {rate: 10, unregister_timeout: 5}\nparameters: {%s}\nregistrations: %s\n",
		r->sip.port, parameters, entries);
	CHECK(all > 0 && (size_t)all < sizeof text, "configuration too long");
	CHECK(config_compile_text("test.yaml", text, strlen(text), errors, &c, &size) == 0, "%s\n%s",
		config_errors_count(errors) ? config_errors_text(errors, 0) : "?", text);
	config_errors_free(errors);
	c->generation = r->image.generation + 1;
	CHECK(!image_make("config", c, size, &fd), "image");
	struct image old = r->image;
	CHECK(!image_map(fd, &r->image), "image");
	r->image.generation = c->generation;
	r->env.config = r->image;
	image_unmap(&old);
	free(c);
}

static void make_regions(struct rig *r)
{
	static const enum role roles[] = { ROLE_SUPERVISOR, ROLE_CONTROL, ROLE_REGISTRAR };
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++)
		r->env.doorbell[seat] = -1;
	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
		struct region_head plan;
		uint32_t seat = seat_of(roles[i], 0);
		CHECK(!region_plan(r->env.config.p, roles[i], 0, &plan) && !region_make(&plan, &r->env.region[seat]), "region of %s", role_name(roles[i]));
		r->env.doorbell[seat] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	}
	struct roster *roster = (struct roster *)(uintptr_t)region_area(&r->env.region[0], AREA_ROSTER);
	roster->state = SYSTEM_RUNNING;
	roster->token_key = (struct hash_key){ 1, 2 };
	memcpy(roster->instance, "test", 4);
}

static void open_registrar(struct rig *r)
{
	CHECK(!registrar_open(&r->g, &r->env) && !job_adopt(&r->g, r->now), "registrar");
	schedule_settle(&r->g, r->now);
}

void rig_make(struct rig *r, const char *registrations, const char *parameters)
{
	memset(r, 0, sizeof *r);
	r->now = 1000000;
	r->env.sip[0][0] = open_socket(&r->sip);
	r->env.n_listen = 1;
	r->socket = open_socket(&r->upstream);
	make_config(r, registrations, parameters);
	make_regions(r);
	r->env.role = ROLE_REGISTRAR;
	r->env.seat = seat_of(ROLE_REGISTRAR, 0);
	r->env.supervisor = -1;
	log_init("test", LOG_TEXT, LOG_ERROR, 2);
	CHECK(!env_start(&r->env), "start");
	open_registrar(r);
}

void rig_config(struct rig *r, const char *registrations, const char *parameters)
{
	make_config(r, registrations, parameters);
	r->g.c = r->env.config.p;
	schedule_settle(&r->g, r->now);
}

void rig_succeed(struct rig *r)
{
	for (uint32_t i = 0; i < r->g.n; i++)
		wheel_del(&r->env.loop.wheel, &r->g.timer[i].t);
	registrar_close(&r->g);
	memset(&r->g, 0, sizeof r->g);
	open_registrar(r);
}

void rig_drain(struct rig *r)
{
	struct region own = { 0 };
	CHECK(!region_map(r->env.region[0].fd, true, &own), "roster");
	((struct roster *)(uintptr_t)region_area(&own, AREA_ROSTER))->state = SYSTEM_DRAINING;
	region_unmap(&own);
}

void rig_done(struct rig *r)
{
	for (uint32_t i = 0; i < r->g.n; i++)
		wheel_del(&r->env.loop.wheel, &r->g.timer[i].t);
	registrar_close(&r->g);
	for (uint32_t seat = 0; seat < SEATS_MAX; seat++)
		if (r->env.doorbell[seat] >= 0) {
			close(r->env.doorbell[seat]);
			close(r->env.region[seat].fd);
		}
	env_done(&r->env); /* the image, too */
	close(r->env.sip[0][0]);
	close(r->socket);
}

static uint32_t soonest(const struct rig *r)
{
	uint32_t best = UINT32_MAX;
	for (uint32_t i = 0; i < r->g.n; i++)
		if (r->g.timer[i].t.next && (best == UINT32_MAX || r->g.timer[i].t.deadline < r->g.timer[best].t.deadline))
			best = i;
	return best;
}

uint64_t rig_next(const struct rig *r)
{
	uint32_t i = soonest(r);
	if (i == UINT32_MAX)
		return UINT64_MAX;
	return r->g.timer[i].t.deadline > r->now ? r->g.timer[i].t.deadline - r->now : 0;
}

void rig_advance(struct rig *r, uint64_t ms)
{
	uint64_t until = r->now + ms;
	for (uint32_t i; (i = soonest(r)) != UINT32_MAX && r->g.timer[i].t.deadline <= until;) {
		if (r->g.timer[i].t.deadline > r->now)
			r->now = r->g.timer[i].t.deadline;
		wheel_del(&r->env.loop.wheel, &r->g.timer[i].t);
		registration_due(&r->g, i, r->now);
		if (r->g.wanting)
			schedule_settle(&r->g, r->now);
	}
	r->now = until;
}

const struct registration_state *rig_state(const struct rig *r, const char *id)
{
	uint32_t slot = registration_find(&r->env, span_of(id), 0);
	const struct registration *reg = registration_at(&r->env, slot);
	return reg ? slot_now(&reg->slot, reg->copies, sizeof(struct registration_state)) : NULL;
}

/* --- the upstream --- */

bool rig_receive(struct rig *r, struct got *ret_got)
{
	ssize_t n = recv(r->socket, ret_got->text, sizeof ret_got->text - 1, MSG_DONTWAIT);
	if (n < 0)
		return false;
	ret_got->n = (size_t)n;
	ret_got->text[n] = 0;
	return true;
}

void rig_expect(struct rig *r, struct got *ret_got)
{
	CHECK(rig_receive(r, ret_got), "nothing came");
}

void rig_quiet(struct rig *r)
{
	struct got m;
	CHECK(!rig_receive(r, &m), "%s", m.text);
}

const char *got_header(const struct got *m, const char *name, char *buffer, size_t cap)
{
	char start[64];
	snprintf(start, sizeof start, "\r\n%s: ", name);
	const char *at = strcasestr(m->text, start);
	buffer[0] = 0;
	if (!at)
		return buffer;
	at += strlen(start);
	size_t n = strcspn(at, "\r");
	CHECK(n < cap, "%s too long", name);
	memcpy(buffer, at, n);
	buffer[n] = 0;
	return buffer;
}

bool got_is(const struct got *m, const char *name, const char *value)
{
	char text[RIG_MESSAGE];
	return strcmp(got_header(m, name, text, sizeof text), value) == 0;
}

unsigned got_cseq(const struct got *m)
{
	char text[64];
	return (unsigned)atoi(got_header(m, "CSeq", text, sizeof text));
}

void rig_answer(struct rig *r, const struct got *m, unsigned code, const char *lines)
{
	static const char *const names[] = { "Via", "From", "Call-ID", "CSeq" };
	static char text[3 * RIG_MESSAGE];
	char value[RIG_MESSAGE];
	size_t n = (size_t)snprintf(text, sizeof text, "SIP/2.0 %u Answer\r\n", code);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s: %s\r\n", names[i], got_header(m, names[i], value, sizeof value));
	n += (size_t)snprintf(text + n, sizeof text - n, "To: %s;tag=up\r\n%sContent-Length: 0\r\n\r\n", got_header(m, "To", value, sizeof value), lines);
	registrar_datagram(&r->g, text, n, r->now);
	if (r->g.wanting)
		schedule_settle(&r->g, r->now);
}

void rig_grant(struct rig *r, const struct got *m, unsigned expires)
{
	char contact[RIG_MESSAGE], line[RIG_MESSAGE + 64];
	got_header(m, "Contact", contact, sizeof contact);
	contact[strcspn(contact, ";")] = 0;
	snprintf(line, sizeof line, "Contact: %s;expires=%u\r\n", contact, expires);
	rig_answer(r, m, 200, line);
}
