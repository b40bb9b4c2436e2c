#include "ctl/trace.h"
#include "base/uuid.h"
#include "ctl/events.h"
#include "ctl/view.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void tell(struct control *k, uint32_t worker, uint32_t type, const struct message_trace_filter *f)
{
	env_push(k->env, seat_of(ROLE_SIGNALING, worker), type, f, sizeof(*f), NULL, 0);
}

static uint64_t incarnation(const struct control *k, uint32_t worker)
{
	const struct region_head *h = k->env->region[seat_of(ROLE_SIGNALING, worker)].head;
	return h ? CMM_LOAD_SHARED(h->incarnation) : 0;
}

static void tell_all(struct control *k, uint32_t type, const struct message_trace_filter *f)
{
	for (uint32_t w = 0; w < WORKERS_MAX; w++)
		if (incarnation(k, w))
			tell(k, w, type, f);
}

void trace_start(struct control *k)
{
	for (uint32_t i = 0; i < TRACE_MAX; i++)
		tell_all(k, MESSAGE_TRACE_OFF, &(struct message_trace_filter){ .number = i });
}

/* the incarnation counts from the start of a process: its ring is worked off from then on */
void trace_look(struct control *k)
{
	for (uint32_t w = 0; w < WORKERS_MAX; w++) {
		uint64_t now = incarnation(k, w);
		if (k->trace_incarnation[w] == now)
			continue;
		k->trace_incarnation[w] = now;
		for (uint32_t i = 0; i < TRACE_MAX; i++)
			if (k->trace[i].client)
				tell(k, w, MESSAGE_TRACE_ON, &k->trace[i].filter);
	}
}

void trace_closed(struct control *k, const struct client *c)
{
	for (uint32_t i = 0; i < TRACE_MAX; i++) {
		if (!c->tracing || k->trace[i].client != c->serial)
			continue;
		k->trace[i].client = 0;
		k->tracing--;
		tell_all(k, MESSAGE_TRACE_OFF, &k->trace[i].filter);
	}
}

/* --- what comes back --------------------------------------------------------------------------------------------- */

static void add_address(struct json *o, const char *key, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];
	js_add_text(o, key, (struct span){ text, addr_format(a, true, text, sizeof(text)) });
}

static bool plain(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)p[i] >= 0x7f || ((unsigned char)p[i] < 0x20 && p[i] != '\r' && p[i] != '\n' && p[i] != '\t'))
			return false;
	return true;
}

/* the bytes of a message that JSON cannot carry as they are */
static void add_hex(struct json *o, const char *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	char *hex = plain(p, n) ? NULL : malloc(2 * n + 1);
	if (!hex)
		return;
	for (size_t i = 0; i < n; i++) {
		hex[2 * i] = digits[(unsigned char)p[i] >> 4];
		hex[2 * i + 1] = digits[p[i] & 15];
	}
	js_add_text(o, "hex", (struct span){ hex, 2 * n });
	free(hex);
}

static struct json *event_of(uint32_t seat, const struct message_trace *m, const char *p, size_t n)
{
	static const char *const kinds[] = { [TRACE_IN] = "in", [TRACE_OUT] = "out", [TRACE_DECISION] = "decision" };
	static const uint8_t none[16];
	struct json *o = js_object();
	js_add_text(o, "event", SPAN("trace"));
	events_add_time(o, "time", m->wall_us / 1000);
	js_add_int(o, "time_us", (int64_t)m->wall_us);
	js_add_int(o, "worker", seat_index(seat));
	js_add_text(o, "kind", span_of(kinds[m->kind]));
	if (memcmp(m->call, none, sizeof(none)) != 0) {
		char id[UUID_TEXT + 1];
		struct uuid u;
		memcpy(&u, m->call, sizeof(u));
		uuid_format(&u, id);
		js_add_text(o, "call", span_of(id));
	}
	if (m->kind != TRACE_DECISION) {
		add_address(o, "from", &m->from);
		add_address(o, "to", &m->to);
		add_hex(o, p, n);
	}
	js_add_text(o, m->kind == TRACE_DECISION ? "text" : "message", (struct span){ p, n });
	return o;
}

/* a client that does not keep up misses some and hears how many; it is not dropped */
static void send_to(struct control *k, struct trace_subscription *s, struct json *event)
{
	if (s->lost)
		js_add_int(event, "lost", (int64_t)s->lost);
	if (control_send(k, s->client, event))
		s->lost = 0;
	else
		s->lost++;
}

void trace_message(struct control *k, uint32_t seat, const struct ring_message *m)
{
	const struct message_trace *t = (const struct message_trace *)(const void *)(m + 1);
	if (m->size < sizeof(*t) || t->kind > TRACE_DECISION)
		return;
	for (uint32_t i = 0; i < TRACE_MAX; i++) {
		if (!k->trace[i].client)
			continue;
		k->trace[i].lost += t->lost;
		if (!(t->mask & 1u << i))
			continue;
		struct json *event = event_of(seat, t, (const char *)(t + 1), m->size - sizeof(*t));
		send_to(k, &k->trace[i], event);
		js_free(event);
	}
}

/* --- the command ------------------------------------------------------------------------------------------------- */

static int read_filter(struct command *c, struct message_trace_filter *f)
{
	const char *call = request_arg(c->request, "call"), *gateway = request_arg(c->request, "gateway"),
		   *address = request_arg(c->request, "address");
	const struct config *config = control_config(c->control);
	struct uuid id;
	if (!!call + !!gateway + !!address > 1)
		return command_error(c, -EINVAL, "one of call, gateway and address is allowed");
	if (call && uuid_parse(call, &id))
		return command_error(c, -EINVAL, "call: the UUID of a call as `calls` shows it is expected");
	if (gateway && view_mapping(config, span_of(gateway)) == CONFIG_NONE && view_routing(config, span_of(gateway)) == CONFIG_NONE)
		return command_error(c, -EINVAL, "gateway: there is no %s", gateway);
	if (address && addr_parse(span_of(address), &f->address))
		return command_error(c, -EINVAL, "address: an IP address is expected");
	f->kind = call ? TRACE_CALL : gateway ? TRACE_GATEWAY_ID : address ? TRACE_ADDRESS : TRACE_ALL;
	if (call)
		memcpy(f->call, id.b, sizeof(f->call));
	if (gateway)
		snprintf(f->gateway, sizeof(f->gateway), "%s", gateway);
	return 0;
}

int command_trace(struct command *c)
{
	struct control *k = c->control;
	struct message_trace_filter f = { 0 };
	int r = read_filter(c, &f);
	if (r)
		return r;
	if (c->client->tracing)
		return command_error(c, -EBUSY, "this connection traces already");
	while (f.number < TRACE_MAX && k->trace[f.number].client)
		f.number++;
	if (f.number == TRACE_MAX)
		return command_error(c, -EBUSY, "%u traces are running already", TRACE_MAX);
	k->trace[f.number] = (struct trace_subscription){ .client = c->client->serial, .filter = f };
	k->tracing++;
	c->client->tracing = true;
	for (uint32_t w = 0; w < WORKERS_MAX; w++)
		k->trace_incarnation[w] = incarnation(k, w);
	tell_all(k, MESSAGE_TRACE_ON, &f);
	return 0;
}
