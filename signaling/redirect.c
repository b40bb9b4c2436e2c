#include "signaling/redirect.h"
#include "signaling/call.h"
#include "signaling/transport.h"

void redirect_next_attempt(struct work *w)
{
	work_put(w, TEXT_REDIRECTS, (struct span){ 0 });
	w->s.redirects = 0;
}

/* "0.75" -> 750; without: 1000 (section 20.10) */
static uint32_t quality(struct span params)
{
	struct span q;
	uint32_t v, scale = 100;
	if (!params.n || !msg_param(params, SPAN("q"), &q) || !q.n)
		return 1000;
	v = q.p[0] == '1' ? 1000 : 0;
	for (size_t i = 2; i < q.n && scale && q.p[i] >= '0' && q.p[i] <= '9'; i++, scale /= 10)
		v += scale * (uint32_t)(q.p[i] - '0');
	return v < 1000 ? v : 1000;
}

static bool is_ours(const struct sig *g, const struct addr *a)
{
	for (uint32_t i = 0; i < g->n_listen; i++)
		if (g->listen[i].addr.port == a->port && (addr_same_ip(&g->listen[i].addr, a) || addr_is_any(&g->listen[i].addr)))
			return true;
	return false;
}

static bool reachable(const struct sig *g, const struct msg_uri *u, struct addr *ret_addr)
{
	bool udp = u->transport == MSG_TRANSPORT_NONE || u->transport == MSG_TRANSPORT_UDP;
	return u->scheme == MSG_SCHEME_SIP && udp && uri_addr(u, ret_addr) == 0 && !is_ours(g, ret_addr);
}

void redirect_learn(struct work *w, const struct msg *m)
{
	const struct config *c = w->g->c;
	struct out o = compose_begin(w->g);
	bool taken[MSG_CONTACTS] = { false };
	if (w->s.gateway >= c->routing_gateways.n || !cfg_routing(c, w->s.gateway)->follow_redirect)
		return;
	for (uint32_t n = 0; n < m->n_contacts; n++) {
		uint32_t best = m->n_contacts;
		struct addr a;
		for (uint32_t i = 0; i < m->n_contacts; i++)
			if (!taken[i] && (best == m->n_contacts || quality(m->contacts[i].params) > quality(m->contacts[best].params)))
				best = i;
		taken[best] = true;
		if (m->contacts[best].star || !reachable(w->g, &m->contacts[best].u, &a))
			continue;
		out_span(&o, uri_without_headers(&m->contacts[best].u));
		out_char(&o, ' ');
	}
	out_span(&o, work_text(w, TEXT_REDIRECTS));
	if (!o.full)
		work_put(w, TEXT_REDIRECTS, out_done(&o));
}

bool redirect_follow(struct work *w, uint16_t code)
{
	static struct msg_uri u;
	struct span list = work_text(w, TEXT_REDIRECTS);
	const char *blank = list.n ? memchr(list.p, ' ', list.n) : NULL;
	struct addr to;
	if (!blank)
		return false;
	struct span uri = { list.p, (size_t)(blank - list.p) };
	if (code >= 600 || w->s.rang || w->s.sdp_seen || w->s.redirects >= REDIRECTS_MAX || uri_parse(uri, &u) < 0 || uri_addr(&u, &to) < 0) {
		redirect_next_attempt(w);
		return false;
	}
	w->s.redirects++;
	work_put(w, TEXT_REDIRECTS, (struct span){ blank + 1, list.n - uri.n - 1 });
	return attempt_elsewhere(w, uri, &to);
}
