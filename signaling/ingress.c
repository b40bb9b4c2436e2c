#include "signaling/ingress.h"
#include "signaling/auth.h"
#include "signaling/capacity.h"
#include "signaling/upstream.h"

/* --- who it is --- */

static const struct cfg_registration *registration(const struct config *c, uint32_t i)
{
	return CFG_LIST(c, &c->registrations, struct cfg_registration) + i;
}

static uint32_t mapping_of(const struct sig *g, const struct event *ev)
{
	/* the tech prefix tells customers at one address apart; where it stands depends on the gateway, so both are tried */
	uint32_t mapping = routes_ingress(g->routes, g->c, &ev->source, uri_user(&ev->m->ruri));
	return mapping != CONFIG_NONE ? mapping : routes_ingress(g->routes, g->c, &ev->source, uri_user(&ev->m->to.u));
}

static enum ingress_verdict by_credentials(struct sig *g, const struct event *ev, uint32_t *ret_account)
{
	struct auth a;
	if (auth_check(g, ev, &a) != AUTH_OK)
		return INGRESS_ANSWERED;
	*ret_account = a.account;
	return INGRESS_KNOWN;
}

enum ingress_verdict ingress_identify(struct sig *g, const struct event *ev, uint32_t *ret_ingress, uint32_t *ret_account)
{
	*ret_ingress = mapping_of(g, ev);
	*ret_account = CONFIG_NONE;
	bool mapped = *ret_ingress != CONFIG_NONE;
	if (mapped && cfg_mapping(g->c, *ret_ingress)->authentication != AUTH_DIGEST)
		return INGRESS_KNOWN;
	/* before a network that asks everybody in it: an upstream has no account with us */
	uint32_t up = upstream_at(g, ev);
	if (up != CONFIG_NONE) {
		*ret_ingress = ingress_of(INGRESS_REGISTRATION, up);
		return INGRESS_KNOWN;
	}
	if (mapped)
		return by_credentials(g, ev, ret_account);
	if (!g->c->accounts.n && g->c->param[P_SS_REPLY_UNAUTHORIZED])
		return INGRESS_STRANGER;
	enum ingress_verdict v = by_credentials(g, ev, ret_account);
	*ret_ingress = ingress_of(INGRESS_ACCOUNT, *ret_account);
	return v;
}

/* --- what it has --- */

const struct cfg_mapping_gateway *ingress_settings(const struct config *c, uint32_t ingress, struct cfg_mapping_gateway *buffer)
{
	uint32_t i = ingress_index(ingress);
	if (ingress < c->mapping_gateways.n)
		return cfg_mapping(c, ingress);
	*buffer = c->plain_mapping;
	if (ingress_kind(ingress) == INGRESS_ACCOUNT && i < c->accounts.n) {
		*buffer = config_account_settings(c, i);
	} else if (ingress_kind(ingress) == INGRESS_REGISTRATION && i < c->registrations.n) {
		buffer->id = registration(c, i)->id;
		buffer->callee_from = registration(c, i)->callee_from;
	}
	return buffer;
}

struct span ingress_id(const struct config *c, uint32_t ingress)
{
	struct cfg_mapping_gateway buffer;
	return ingress_kind(ingress) == INGRESS_NOBODY ? (struct span){ 0 } : cfg_span(c, ingress_settings(c, ingress, &buffer)->id);
}

uint32_t ingress_find(const struct config *c, enum ingress_kind kind, struct span id)
{
	if (kind == INGRESS_ACCOUNT)
		return ingress_of(kind, config_account(c, id));
	for (uint32_t i = 0; kind == INGRESS_REGISTRATION && i < c->registrations.n; i++)
		if (span_eq(cfg_span(c, registration(c, i)->id), id))
			return ingress_of(kind, i);
	if (kind == INGRESS_REGISTRATION)
		return ingress_of(kind, INGRESS_INDEX);
	for (uint32_t i = 0; i < c->mapping_gateways.n; i++)
		if (span_eq(cfg_span(c, cfg_mapping(c, i)->id), id))
			return i;
	return CONFIG_NONE;
}

uint32_t ingress_media(const struct config *c, uint32_t ingress)
{
	if (ingress < c->mapping_gateways.n)
		return cfg_mapping(c, ingress)->media;
	if (ingress_kind(ingress) == INGRESS_ACCOUNT && ingress_index(ingress) < c->accounts.n)
		return cfg_account(c, ingress_index(ingress))->media;
	return c->media.proxy;
}

/* --- its lines --- */

static bool take_mapping(struct sig *g, uint32_t ingress, uint64_t now)
{
	if (ingress >= g->c->mapping_gateways.n)
		return true;
	const struct cfg_mapping_gateway *mg = cfg_mapping(g->c, ingress);
	if (!capacity_take_line(g, cell_mapping(g->c, ingress), mg->line_limit))
		return false;
	if (capacity_take_rate(g, cell_mapping(g->c, ingress), mg->rate_limit, now))
		return true;
	capacity_give_line(g, cell_mapping(g->c, ingress));
	return false;
}

bool ingress_take(struct sig *g, uint32_t ingress, uint32_t account, uint64_t now)
{
	if (account < g->c->accounts.n && !capacity_take_account(g, account, cfg_account(g->c, account)->line_limit))
		return false;
	if (take_mapping(g, ingress, now))
		return true;
	capacity_give_account(g, account);
	return false;
}

void ingress_give(struct sig *g, uint32_t ingress, uint32_t account)
{
	if (ingress < g->c->mapping_gateways.n)
		capacity_give_line(g, cell_mapping(g->c, ingress));
	capacity_give_account(g, account);
}

void ingress_count(struct sig *g, uint32_t ingress, uint32_t account)
{
	if (ingress < g->c->mapping_gateways.n)
		capacity_take_line(g, cell_mapping(g->c, ingress), CONFIG_NONE);
	if (account < g->c->accounts.n)
		capacity_take_account(g, account, CONFIG_NONE);
}
