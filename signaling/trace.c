#include "signaling/trace.h"
#include "shm/names.h"
#include "signaling/transport.h"
#include <stdarg.h>
#include <stdio.h>

#define NOTES     4096u
#define SLOT_NONE UINT32_MAX

static struct { /* the event */
	const void *p; /* the datagram that came; NULL: shown, or there is none */
	size_t n;
	struct addr source;
	uint16_t listen;
	uint64_t wall_us;
	uint32_t slot;
	char notes[NOTES]; /* lines with a zero behind each */
	uint32_t notes_n;
} event = { .slot = SLOT_NONE };

static struct message_trace_filter filter[TRACE_MAX];
static uint64_t lost;

void trace_subscribe(struct sig *g, const struct message_trace_filter *f)
{
	if (f->number >= TRACE_MAX)
		return;
	filter[f->number] = *f;
	filter[f->number].gateway[TRACE_GATEWAY - 1] = 0;
	g->tracing |= 1u << f->number;
}

void trace_unsubscribe(struct sig *g, uint32_t number)
{
	if (number < TRACE_MAX)
		g->tracing &= ~(1u << number);
}

/* --- whose is it ------------------------------------------------------------------------------------------------ */

static bool is_peer(const struct addr *net, const struct addr *peer)
{
	return net->bits ? addr_in_net(peer, net) : addr_same_ip(net, peer);
}

static bool any_peer(const struct config *c, const struct cfg_list *list, const struct addr *peer)
{
	const struct addr *a = CFG_LIST(c, list, struct addr);
	for (uint32_t i = 0; i < list->n; i++)
		if (is_peer(&a[i], peer))
			return true;
	return false;
}

/* what belongs to no call is a gateway's when it comes from there or goes there */
static bool peer_of_gateway(const struct sig *g, struct span id, const struct addr *peer)
{
	const struct config *c = g->c;
	struct addr named[NAMES_OF_GATEWAY];
	for (uint32_t i = 0; i < c->mapping_gateways.n; i++)
		if (span_eq(cfg_span(c, cfg_mapping(c, i)->id), id) && any_peer(c, &cfg_mapping(c, i)->addresses, peer))
			return true;
	for (uint32_t i = 0; i < c->routing_gateways.n; i++)
		if (span_eq(cfg_span(c, cfg_routing(c, i)->id), id) && any_peer(c, &cfg_routing(c, i)->addresses, peer))
			return true;
	for (uint32_t i = 0; i < c->routing_gateways.n; i++) {
		const struct cfg_routing_gateway *gw = cfg_routing(c, i);
		uint32_t n = gw->hosts.n && span_eq(cfg_span(c, gw->id), id) ? names_gateway(g->env, c, gw, named, NAMES_OF_GATEWAY) : 0;
		for (uint32_t k = 0; k < n; k++)
			if (addr_same_ip(&named[k], peer))
				return true;
	}
	return false;
}

static bool call_of_gateway(const struct sig *g, struct span id)
{
	const struct call *call = &g->calls[event.slot];
	const struct call_state *s = slot_now(&call->slot, call->copies, sizeof *s);
	const void *block = s->text ? block_at(g->blocks.plan, s->text) : NULL;
	return span_eq(call_text_span(s, block, TEXT_INGRESS), id) || span_eq(call_text_span(s, block, TEXT_EGRESS), id);
}

static bool matches(const struct sig *g, const struct message_trace_filter *f, const struct addr *peer)
{
	bool call = event.slot != SLOT_NONE;
	switch (f->kind) {
	case TRACE_CALL:
		return call && memcmp(f->call, g->calls[event.slot].id.b, sizeof f->call) == 0;
	case TRACE_GATEWAY_ID:
		return (call && call_of_gateway(g, span_of(f->gateway))) || (peer && peer_of_gateway(g, span_of(f->gateway), peer));
	case TRACE_ADDRESS:
		return peer && addr_same_ip(&f->address, peer);
	default:
		return true;
	}
}

static uint32_t wanted(const struct sig *g, const struct addr *peer)
{
	uint32_t mask = 0;
	for (uint32_t i = 0; i < TRACE_MAX; i++)
		if (g->tracing & 1u << i && matches(g, &filter[i], peer))
			mask |= 1u << i;
	return mask;
}

/* --- pushing ---------------------------------------------------------------------------------------------------- */

static struct addr own(struct sig *g, uint16_t listen, const struct addr *peer)
{
	char text[ADDR_TEXT_MAX + 256];
	struct out o = out_init(text, sizeof text);
	struct addr a;
	const struct sig_listen *l = &g->listen[listen < g->n_listen ? listen : 0];
	if (!l->any)
		return l->addr;
	transport_host(g, listen, peer, &o);
	return addr_parse(out_done(&o), &a) == 0 ? a : l->addr;
}

static void push(struct sig *g, struct message_trace *m, const void *p, size_t n)
{
	if (event.slot != SLOT_NONE)
		memcpy(m->call, g->calls[event.slot].id.b, sizeof m->call);
	m->lost = lost;
	/* without the bell: control looks by itself, often while somebody traces */
	if (ring_push(&g->env->out[seat_of(ROLE_CONTROL, 0)], MESSAGE_TRACE, m, sizeof *m, p, n) < 0)
		lost++;
	else
		lost = 0;
}

static uint64_t wall_us(void)
{
	return clock_read_ns(CLOCK_REALTIME) / 1000;
}

/* a decision belongs to those who see the datagram that led to it */
static void flush(struct sig *g)
{
	uint32_t mask = wanted(g, event.p ? &event.source : NULL);
	if (event.p && mask) {
		struct message_trace m = { .mask = mask, .kind = TRACE_IN, .wall_us = event.wall_us, .from = event.source,
			.to = own(g, event.listen, &event.source) };
		push(g, &m, event.p, event.n);
	}
	for (uint32_t at = 0; at < event.notes_n;) {
		struct message_trace m = { .mask = mask, .kind = TRACE_DECISION, .wall_us = wall_us() };
		size_t n = strlen(event.notes + at);
		if (mask)
			push(g, &m, event.notes + at, n);
		at += (uint32_t)n + 1;
	}
	event.p = NULL;
	event.notes_n = 0;
}

void trace_in(struct sig *g, const void *p, size_t n, const struct addr *source, uint16_t listen)
{
	trace_end(g);
	event.p = p;
	event.n = n;
	event.source = *source;
	event.listen = listen;
	event.wall_us = wall_us();
}

void trace_forget(struct sig *g)
{
	(void)g;
	event.p = NULL;
	event.notes_n = 0;
}

void trace_call(struct sig *g, uint32_t slot)
{
	if (event.slot != SLOT_NONE && event.slot != slot)
		flush(g);
	event.slot = slot;
}

void trace_out(struct sig *g, const void *p, size_t n, uint16_t listen, const struct addr *to)
{
	flush(g);
	struct message_trace m = { .mask = wanted(g, to), .kind = TRACE_OUT, .wall_us = wall_us(), .from = own(g, listen, to), .to = *to };
	if (m.mask)
		push(g, &m, p, n);
}

void trace_note(struct sig *g, const char *format, ...)
{
	va_list args;
	uint32_t room = NOTES - event.notes_n;
	(void)g;
	va_start(args, format);
	int n = vsnprintf(event.notes + event.notes_n, room, format, args);
	va_end(args);
	if (n >= 0 && (uint32_t)n < room)
		event.notes_n += (uint32_t)n + 1;
}

void trace_end(struct sig *g)
{
	flush(g);
	event.slot = SLOT_NONE;
}
