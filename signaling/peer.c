#include "signaling/peer.h"

/* --- answers --- */

uint32_t peer_reply_mode(const struct work *w, enum call_leg_side leg)
{
	const struct config *c = w->g->c;
	if (leg == LEG_CALLER)
		return w->call->ingress < c->mapping_gateways.n ? cfg_mapping(c, w->call->ingress)->reply_address
								: REPLY_AUTO;
	return w->s.gateway < c->routing_gateways.n ? cfg_routing(c, w->s.gateway)->reply_address : REPLY_AUTO;
}

uint32_t peer_reply_mode_of(const struct sig *g, const struct event *ev)
{
	if (!g->routes)
		return REPLY_STRANGER;
	uint32_t mapping = routes_ingress(g->routes, g->c, &ev->source, uri_user(&ev->m->ruri));
	if (mapping != CONFIG_NONE)
		return cfg_mapping(g->c, mapping)->reply_address;
	uint32_t routing = routes_gateway_at(g->routes, g->c, &ev->source);
	return routing != CONFIG_NONE ? cfg_routing(g->c, routing)->reply_address : REPLY_STRANGER;
}

static void reply_auto(const struct event *ev, struct addr *ret_to)
{
	const struct msg_via *v = &ev->m->via;
	struct addr a;
	if (!v->has_rport)
		ret_to->port = v->port ? v->port : 5060;
	if (ev->reply != REPLY_STRANGER && v->maddr.n && addr_parse(v->maddr, &a) == 0) {
		a.port = v->port ? v->port : 5060;
		*ret_to = a;
	}
}

void reply_address(const struct event *ev, struct addr *ret_to)
{
	const struct msg_via *v = &ev->m->via;
	struct addr a;
	*ret_to = ev->source;
	ret_to->bits = 0;
	switch (ev->reply) {
	case REPLY_SOCKET:
		return;
	case REPLY_VIA:
		if (addr_parse(v->host, &a) == 0 && a.family == ret_to->family)
			*ret_to = a;
		/* fall through */
	case REPLY_VIA_PORT:
		ret_to->port = v->port ? v->port : 5060;
		return;
	default:
		reply_auto(ev, ret_to);
		return;
	}
}

/* --- requests inside a dialog --- */

static uint32_t request_mode(const struct work *w, enum call_leg_side leg)
{
	const struct config *c = w->g->c;
	if (leg == LEG_CALLER)
		return w->call->ingress < c->mapping_gateways.n ? cfg_mapping(c, w->call->ingress)->request_address
								: REQUEST_AUTO;
	return w->s.gateway < c->routing_gateways.n ? cfg_routing(c, w->s.gateway)->request_address : REQUEST_AUTO;
}

void peer_aim(struct work *w, enum call_leg_side leg, const struct event *ev)
{
	uint32_t mode = request_mode(w, leg);
	struct call_leg *l = &w->s.leg[leg];
	const struct msg_address *contact = ev->m->n_contacts && !ev->m->contacts[0].star ? &ev->m->contacts[0] : NULL;
	struct addr to;
	if (mode == REQUEST_AUTO)
		return;
	if (mode == REQUEST_CONTACT) {
		if (contact && uri_addr(&contact->u, &to) == 0 && to.family == ev->source.family)
			l->target = to;
	} else {
		uint16_t port = contact ? contact->u.port ? contact->u.port : 5060 : l->target.port;
		l->target = ev->source;
		if (mode == REQUEST_CONTACT_PORT)
			l->target.port = port;
	}
	l->target.bits = 0;
}

void peer_heard(struct work *w, enum call_leg_side leg, const struct event *ev)
{
	struct call_leg *l = &w->s.leg[leg];
	uint32_t mode = request_mode(w, leg);
	l->source = ev->source;
	if (mode != REQUEST_SOCKET && mode != REQUEST_CONTACT_PORT)
		return;
	uint16_t port = l->target.port;
	l->target = ev->source;
	if (mode == REQUEST_CONTACT_PORT)
		l->target.port = port;
	l->target.bits = 0;
}
