#include "signaling/contact.h"
#include <errno.h>

#define SECONDS_MAX 0xffffffffu
#define PARAMS_MAX  32 /* of a URI; one with more is only the same as its exact copy */

/* delta-seconds; what is no number counts as an hour (section 10.2.1.1) */
static int64_t seconds(struct span s)
{
	uint64_t v = 0;
	if (!s.n)
		return 3600;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return 3600;
		v = v * 10 + (uint64_t)(s.p[i] - '0');
		if (v > SECONDS_MAX)
			v = SECONDS_MAX;
	}
	return (int64_t)v;
}

/* "0.75" -> 750 (section 20.10); what is no such number: 1000 */
static uint16_t quality(struct span q)
{
	uint32_t v, scale = 100;
	if (!q.n || (q.p[0] != '0' && q.p[0] != '1') || (q.n > 1 && q.p[1] != '.'))
		return 1000;
	v = q.p[0] == '1' ? 1000 : 0;
	for (size_t i = 2; i < q.n && scale && q.p[i] >= '0' && q.p[i] <= '9'; i++, scale /= 10)
		v += scale * (uint32_t)(q.p[i] - '0');
	return (uint16_t)(v < 1000 ? v : 1000);
}

int contact_read(const struct msg_address *a, struct contact *ret_contact)
{
	struct contact c = { .from = a, .uri = a->uri, .q = 1000, .asked_ms = -1 };
	struct span v;
	if (a->star || (a->u.scheme != MSG_SCHEME_SIP && a->u.scheme != MSG_SCHEME_SIPS))
		return -EBADMSG;
	if (msg_param(a->params, SPAN("expires"), &v))
		c.asked_ms = seconds(v) * 1000;
	if (msg_param(a->params, SPAN("q"), &v))
		c.q = quality(v);
	if (msg_param(a->params, SPAN("+sip.instance"), &v))
		c.instance = v;
	if (c.instance.n && msg_param(a->params, SPAN("reg-id"), &v)) {
		int64_t n = seconds(v);
		c.reg_id = n > 0 && n <= INT32_MAX ? (uint32_t)n : 0;
	}
	if (c.uri.n > LOCATION_URI_MAX || c.instance.n > LOCATION_INSTANCE_MAX)
		return -EMSGSIZE;
	*ret_contact = c;
	return 0;
}

/* --- which URIs are the same --- */

/* one parameter of a list, "name" or "name=value" */
static bool next_param(struct span *list, struct span *ret_name, struct span *ret_value)
{
	while (list->n && list->p[0] == ';')
		*list = (struct span){ list->p + 1, list->n - 1 };
	if (!list->n)
		return false;
	const char *end = memchr(list->p, ';', list->n);
	struct span one = { list->p, end ? (size_t)(end - list->p) : list->n };
	*list = (struct span){ list->p + one.n, list->n - one.n };
	const char *equals = memchr(one.p, '=', one.n);
	*ret_name = (struct span){ one.p, equals ? (size_t)(equals - one.p) : one.n };
	*ret_value = equals ? (struct span){ equals + 1, one.n - ret_name->n - 1 } : (struct span){ "", 0 };
	return true;
}

/* those that may not be missing on one side */
static bool must_be_in_both(struct span name)
{
	static const struct span names[] = { { "transport", 9 }, { "user", 4 }, { "ttl", 3 }, { "method", 6 }, { "maddr", 5 } };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (span_ieq(name, names[i]))
			return true;
	return false;
}

static bool params_agree(struct span a, struct span b)
{
	struct span name, value, other;
	for (int i = 0; next_param(&a, &name, &value); i++)
		if (i == PARAMS_MAX || (!msg_param(b, name, &other) ? must_be_in_both(name) : !span_ieq(value, other)))
			return false;
	return true;
}

bool contact_uri_same(const struct msg_uri *a, const struct msg_uri *b)
{
	if (span_eq(a->text, b->text))
		return true;
	return a->scheme == b->scheme && a->has_user == b->has_user && span_eq(a->user_raw, b->user_raw) && span_ieq(a->host, b->host) &&
	       a->port == b->port && span_eq(a->headers, b->headers) && params_agree(a->params, b->params) && params_agree(b->params, a->params);
}

static bool same_uri(struct span known, const struct contact *c)
{
	struct msg_uri u;
	if (span_eq(known, c->uri))
		return true;
	return uri_parse(known, &u) == 0 && contact_uri_same(&u, &c->from->u);
}

uint32_t contact_find(const struct location_set *set, const struct contact *c)
{
	for (uint32_t i = 0; c->instance.n && i < set->n; i++)
		if (set->at[i].b.reg_id == c->reg_id && span_ieq(set->at[i].text[LOCATION_INSTANCE], c->instance))
			return i;
	for (uint32_t i = 0; i < set->n; i++) {
		/* flows of RFC 5626 are told apart by their numbers: they may well have the same URI */
		if (c->reg_id && set->at[i].b.reg_id)
			continue;
		if (same_uri(set->at[i].text[LOCATION_URI], c))
			return i;
	}
	return set->n;
}

/* --- Path and NAT --- */

bool contact_path(const struct msg *m, struct out *o)
{
	size_t before = o->n;
	for (uint32_t i = 0; i < m->n_others; i++) {
		if (!span_ieq(m->others[i].name, SPAN("Path")))
			continue;
		if (o->n > before)
			out_lit(o, ", ");
		out_span(o, m->others[i].value);
	}
	return o->n > before;
}

static bool literal_differs(struct span host, const struct addr *source)
{
	struct addr a;
	return addr_parse(host, &a) == 0 && !addr_same_ip(&a, source);
}

bool contact_behind_nat(const struct msg *m, const struct contact *c, bool has_path, const struct addr *source)
{
	return literal_differs(m->via.host, source) || (!has_path && literal_differs(c->from->u.host, source));
}

struct addr contact_target(const struct contact *c, struct span path, bool behind_nat, const struct addr *source)
{
	struct msg_address first;
	struct span value;
	struct addr to;
	bool literal;
	if (path.n)
		literal = msg_next_value(&path, &value) && address_parse(value, &first) == 0 && uri_addr(&first.u, &to) == 0;
	else
		literal = !behind_nat && uri_addr(&c->from->u, &to) == 0;
	if (!literal || to.family != source->family || behind_nat)
		to = *source;
	to.bits = 0;
	return to;
}
