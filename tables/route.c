/* Deciding where a call may go. The longest match of the number is found by probing the hash table at every length there
 * is, all slots fetched ahead; the shorter matches follow from it by `parent`. The gateways of each match are kept in
 * order as they are judged; what costs a look at other processes' memory (load, history) is asked only when needed. */
#include "tables/route_image.h"
#include <errno.h>
#include <math.h>

#define PICKS_MAX    64u /* candidates a decision can return */
#define GATEWAYS_MAX 65536u

struct pick {
	uint16_t gateway;
	bool protect, has_load, has_history;
	double load, history, spread;
};
struct decision {
	const struct routes *r;
	const struct config *c;
	const struct route_query *q;
	const struct route_view *view;
	const struct route_gateway *gateways;
	const uint64_t *filter; /* rows of the ingress; NULL: all allowed */
	uint32_t cap;
	struct pick level[PICKS_MAX]; /* best ones of the prefix being looked at */
	uint32_t n_level;
	uint16_t later[PICKS_MAX]; /* protected gateways: after all others */
	uint8_t later_prefix[PICKS_MAX];
	uint32_t n_later;
	uint16_t *out;
	uint32_t n_out;
	struct route_step *steps;
	uint32_t n_steps, cap_steps;
	uint64_t seen[GATEWAYS_MAX / 64]; /* a gateway counts at its longest prefix only */
};

const char *route_verdict_text(enum route_verdict v)
{
	static const char *const text[] = {
		[ROUTE_TAKEN] = "taken",
		[ROUTE_DISABLED] = "disabled",
		[ROUTE_LOCKED] = "locked",
		[ROUTE_NO_ADDRESS] = "no address",
		[ROUTE_DOWN] = "down",
		[ROUTE_LINE_LIMIT] = "line limit reached",
		[ROUTE_GROUP_LIMIT] = "group limit or reserved lines reached",
		[ROUTE_RATE_LIMIT] = "rate limit reached",
		[ROUTE_CALLER_PREFIX] = "caller not allowed",
		[ROUTE_NOT_ALLOWED] = "not on the ingress's allow list",
		[ROUTE_DENIED] = "on the ingress's deny list",
		[ROUTE_TERMINAL] = "a longer prefix is terminal",
		[ROUTE_LIMIT] = "beyond the number of candidates",
	};
	return (size_t)v < sizeof(text) / sizeof(text[0]) ? text[v] : "unknown";
}

bool prefix_allowed(const struct config *c, const struct cfg_prefix_lists *l, struct span number)
{
	const struct cfg_text *deny = CFG_LIST(c, &l->deny, struct cfg_text),
			      *allow = CFG_LIST(c, &l->allow, struct cfg_text);
	for (uint32_t i = 0; i < l->deny.n; i++)
		if (span_starts(number, cfg_span(c, deny[i])))
			return false;
	for (uint32_t i = 0; i < l->allow.n; i++)
		if (span_starts(number, cfg_span(c, allow[i])))
			return true;
	return l->allow.n == 0;
}

/* --- prefixes -------------------------------------------------------------------------------------------------- */

uint32_t route_prefix_at(const struct routes *r, struct span text, uint64_t hash)
{
	const struct route_slot *slots = ROUTE_PART(r, slots, struct route_slot);
	uint32_t i = (uint32_t)hash & r->slot_mask;
	for (uint32_t tries = 0; slots[i].entry && tries <= r->slot_mask; i = (i + 1) & r->slot_mask, tries++) {
		uint32_t e = slots[i].entry - 1;
		if (slots[i].check != (uint32_t)(hash >> 32) || e >= r->prefixes.n)
			continue;
		const struct route_prefix *p = ROUTE_PART(r, prefixes, struct route_prefix) + e;
		if (p->text_n != text.n || p->text_at > r->text.n || p->text_n > r->text.n - p->text_at)
			continue;
		if (text.n == 0 || memcmp(ROUTE_PART(r, text, char) + p->text_at, text.p, text.n) == 0)
			return e;
	}
	return ROUTE_NONE;
}

static uint32_t longest_prefix(const struct routes *r, struct span number)
{
	const struct route_slot *slots = ROUTE_PART(r, slots, struct route_slot);
	uint64_t hash[ROUTE_PREFIX_MAX + 1], h = ROUTE_HASH_START;
	uint32_t n = number.n < r->max_prefix ? (uint32_t)number.n : r->max_prefix;
	for (uint32_t i = 0;; h = route_hash_add(h, number.p[i++])) {
		if (r->lengths[i / 64] >> i % 64 & 1) {
			hash[i] = route_hash_end(h);
			__builtin_prefetch(slots + ((uint32_t)hash[i] & r->slot_mask));
		}
		if (i == n)
			break;
	}
	for (uint32_t i = n + 1; i-- > 0;) {
		if (!(r->lengths[i / 64] >> i % 64 & 1))
			continue;
		uint32_t e = route_prefix_at(r, (struct span){ number.p, i }, hash[i]);
		if (e != ROUTE_NONE)
			return e;
	}
	return ROUTE_NONE;
}

/* --- order ----------------------------------------------------------------------------------------------------- */

/* -ln(u) / weight with u uniform in (0, 1]: ordering by it draws without replacement in proportion to the weights
 * (Efraimidis and Spirakis 2006) */
static double spread_of(uint64_t random, uint32_t gateway, uint32_t weight)
{
	uint64_t x = random + (gateway + 1) * 0x9e3779b97f4a7c15ull; /* splitmix64 */
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	x ^= x >> 31;
	return -log((double)((x >> 11) + 1) * 0x1p-53) / weight;
}

/* A gateway of twice the weight is as loaded with twice the calls; without weights it is calls / line limit. */
static double load_of(const struct decision *d, struct pick *p)
{
	const struct route_gateway *g = d->gateways + p->gateway;
	if (!p->has_load) {
		p->has_load = true;
		p->load = 0;
		if (g->line_limit != CONFIG_NONE && g->line_limit)
			p->load = (double)d->view->calls(d->view->context, p->gateway) / g->line_limit / g->weight;
	}
	return p->load;
}

static double history_of(const struct decision *d, struct pick *p)
{
	if (!p->has_history) {
		p->has_history = true;
		p->history = (double)d->view->last_hour(d->view->context, p->gateway) / d->gateways[p->gateway].weight;
	}
	return p->history;
}

static int compare_u32(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int compare_double(double a, double b)
{
	return (a > b) - (a < b);
}

static int compare(const struct decision *d, struct pick *a, struct pick *b)
{
	const struct route_gateway *x = d->gateways + a->gateway, *y = d->gateways + b->gateway;
	int order = (int)a->protect - (int)b->protect;
	for (uint32_t i = 0; order == 0 && i < d->r->n_sort && i < ROUTE_SORT_MAX; i++) {
		switch (d->r->sort[i]) {
		case SORT_PRIORITY:
			order = compare_u32(x->priority, y->priority);
			break;
		case SORT_LOAD:
			order = compare_double(load_of(d, a), load_of(d, b));
			break;
		case SORT_HISTORY:
			order = compare_double(history_of(d, a), history_of(d, b));
			break;
		case SORT_ID:
			order = compare_double(a->spread, b->spread);
			if (order == 0)
				order = compare_u32(x->rank, y->rank);
			break;
		}
	}
	if (order == 0)
		order = compare_double(a->spread, b->spread);
	return order ? order : compare_u32(x->rank, y->rank);
}

/* --- judging --------------------------------------------------------------------------------------------------- */

static void say(struct decision *d, uint16_t gateway, uint8_t prefix_n, enum route_verdict v)
{
	if (d->steps && d->n_steps < d->cap_steps)
		d->steps[d->n_steps++] = (struct route_step){ gateway, prefix_n, (uint8_t)v };
}

/* what the configuration says about this gateway and this call */
static enum route_verdict judge_standing(const struct decision *d, uint16_t gateway)
{
	const struct route_gateway *g = d->gateways + gateway;
	if (g->verdict != ROUTE_TAKEN)
		return g->verdict <= ROUTE_LIMIT ? g->verdict : ROUTE_DISABLED;
	if (d->filter) {
		uint32_t words = route_filter_words(d->r->gateways.n);
		if (d->filter[gateway / 64] >> gateway % 64 & 1)
			return ROUTE_NOT_ALLOWED;
		if (d->filter[words + gateway / 64] >> gateway % 64 & 1)
			return ROUTE_DENIED;
	}
	if (g->by_caller && gateway < d->c->routing_gateways.n &&
		!prefix_allowed(d->c, &cfg_routing(d->c, gateway)->caller_prefixes, d->q->caller))
		return ROUTE_CALLER_PREFIX;
	return ROUTE_TAKEN;
}

/* what its present state says */
static enum route_verdict judge_present(const struct decision *d, uint16_t gateway)
{
	enum route_verdict why = ROUTE_LINE_LIMIT;
	if (d->view->down(d->view->context, gateway))
		return ROUTE_DOWN;
	return d->view->full(d->view->context, gateway, &why) ? why : ROUTE_TAKEN;
}

/* into the sorted level; who falls off the end is beyond the limit in any case */
static void insert(struct decision *d, struct pick *p, uint8_t prefix_n)
{
	uint32_t at = d->n_level;
	if (at == d->cap) {
		if (compare(d, p, &d->level[at - 1]) >= 0) {
			say(d, p->gateway, prefix_n, ROUTE_LIMIT);
			return;
		}
		say(d, d->level[--at].gateway, prefix_n, ROUTE_LIMIT);
	} else {
		d->n_level++;
	}
	for (; at > 0 && compare(d, p, &d->level[at - 1]) < 0; at--)
		d->level[at] = d->level[at - 1];
	d->level[at] = *p;
}

static bool same_rank(const struct decision *d, uint16_t a, uint16_t b)
{
	for (uint32_t i = 0; i < d->r->n_sort && i < ROUTE_SORT_MAX; i++)
		if (d->r->sort[i] == SORT_PRIORITY)
			return d->gateways[a].priority == d->gateways[b].priority;
	return true;
}

/* Are gateways drawn by weight here? `list` starts with ones of the same priority; *ret_n is how many. When the sort chain
 * ends with the id, only weights that differ take that order away from it. */
static bool drawn(const struct decision *d, const uint16_t *list, uint32_t n, uint32_t *ret_n)
{
	bool differ = true;
	uint32_t i = 1;
	for (uint32_t k = 0; k < d->r->n_sort && k < ROUTE_SORT_MAX; k++)
		differ &= d->r->sort[k] != SORT_ID;
	for (; i < n && list[i] < d->r->gateways.n && same_rank(d, list[0], list[i]); i++)
		differ |= d->gateways[list[i]].weight != d->gateways[list[0]].weight;
	*ret_n = i;
	return differ && i > 1;
}

/* judges the gateways of one prefix; returns whether a terminal one was among them */
static bool judge_level(struct decision *d, const struct route_prefix *p)
{
	const uint16_t *list = ROUTE_PART(d->r, lists, uint16_t) + p->list_at;
	bool terminal = false, draw = false;
	uint32_t run = 0;
	d->n_level = 0;
	for (uint32_t i = 0; i < p->list_n; i++) {
		uint16_t gateway = list[i];
		if (gateway >= d->r->gateways.n)
			continue;
		const struct route_gateway *g = d->gateways + gateway;
		if (run == 0)
			draw = drawn(d, list + i, p->list_n - i, &run);
		run--;
		if (d->seen[gateway / 64] >> gateway % 64 & 1)
			continue;
		d->seen[gateway / 64] |= 1ull << gateway % 64;
		enum route_verdict v = judge_standing(d, gateway);
		if (v == ROUTE_TAKEN) {
			terminal |= g->terminal;
			v = judge_present(d, gateway);
		}
		if (v != ROUTE_TAKEN) {
			say(d, gateway, p->text_n, v);
			continue;
		}
		struct pick pick = { .gateway = gateway,
			.protect = g->protect,
			.spread = draw ? spread_of(d->view->random, gateway, g->weight) : 0 };
		insert(d, &pick, p->text_n);
	}
	return terminal;
}

static void take(struct decision *d, uint16_t gateway, uint8_t prefix_n)
{
	say(d, gateway, prefix_n, d->n_out < d->cap ? ROUTE_TAKEN : ROUTE_LIMIT);
	if (d->n_out < d->cap)
		d->out[d->n_out++] = gateway;
}

static void take_level(struct decision *d, uint8_t prefix_n)
{
	for (uint32_t i = 0; i < d->n_level; i++) {
		if (!d->level[i].protect) {
			take(d, d->level[i].gateway, prefix_n);
		} else if (d->n_later < d->cap) {
			d->later[d->n_later] = d->level[i].gateway;
			d->later_prefix[d->n_later++] = prefix_n;
		} else {
			say(d, d->level[i].gateway, prefix_n, ROUTE_LIMIT);
		}
	}
}

/* gateways that a terminal one keeps out; only for people */
static void say_terminal(struct decision *d, const struct route_prefix *p)
{
	const uint16_t *list = ROUTE_PART(d->r, lists, uint16_t) + p->list_at;
	for (uint32_t i = 0; i < p->list_n; i++) {
		if (list[i] >= d->r->gateways.n || (d->seen[list[i] / 64] >> list[i] % 64 & 1))
			continue;
		d->seen[list[i] / 64] |= 1ull << list[i] % 64;
		say(d, list[i], p->text_n, ROUTE_TERMINAL);
	}
}

static void decide(struct decision *d, uint32_t longest)
{
	const struct route_prefix *prefixes = ROUTE_PART(d->r, prefixes, struct route_prefix);
	bool terminal = false;
	uint32_t above = ROUTE_PREFIX_MAX + 1; /* lengths must fall: a damaged chain cannot run in a circle */
	for (uint32_t e = longest; e < d->r->prefixes.n && prefixes[e].text_n < above; e = prefixes[e].parent) {
		const struct route_prefix *p = prefixes + e;
		above = p->text_n;
		if (p->list_at > d->r->lists.n || p->list_n > d->r->lists.n - p->list_at)
			break;
		if (terminal) {
			say_terminal(d, p);
			continue;
		}
		terminal = judge_level(d, p);
		take_level(d, p->text_n);
		if (!d->steps && (terminal || d->n_out == d->cap))
			break;
	}
	for (uint32_t i = 0; i < d->n_later; i++)
		take(d, d->later[i], d->later_prefix[i]);
}

static const uint64_t *filter_of(const struct routes *r, uint32_t ingress)
{
	if (ingress >= r->mappings.n)
		return NULL;
	uint64_t row = ROUTE_PART(r, mappings, struct route_mapping)[ingress].filter;
	uint64_t words = 2ull * route_filter_words(r->gateways.n);
	if (row == ROUTE_NONE || (row + 1) * words > r->filters.n)
		return NULL;
	return ROUTE_PART(r, filters, uint64_t) + row * words;
}

uint32_t routes_find(const struct routes *r, const struct config *c, const struct route_query *q,
	const struct route_view *view, uint16_t *ret_gateways, uint32_t cap, bool *ret_matched,
	struct route_step *steps, uint32_t *n_steps)
{
	uint32_t longest = longest_prefix(r, q->callee);
	*ret_matched = longest != ROUTE_NONE;
	struct decision d;
	d.n_out = d.n_steps = 0;
	if (longest != ROUTE_NONE && cap) {
		d.r = r;
		d.c = c;
		d.q = q;
		d.view = view;
		d.gateways = ROUTE_PART(r, gateways, struct route_gateway);
		d.filter = filter_of(r, q->ingress);
		d.cap = cap < PICKS_MAX ? cap : PICKS_MAX;
		d.n_level = d.n_later = 0;
		d.out = ret_gateways;
		d.steps = steps;
		d.cap_steps = steps ? *n_steps : 0;
		memset(d.seen, 0, route_filter_words(r->gateways.n) * sizeof(d.seen[0]));
		decide(&d, longest);
	}
	if (steps)
		*n_steps = d.n_steps;
	return d.n_out;
}

/* --- the image ------------------------------------------------------------------------------------------------- */

static bool part_fits(const struct routes *r, const struct route_part *p, size_t each)
{
	return p->at % 64 == 0 && p->at >= sizeof(*r) && p->at <= r->size && p->n <= (r->size - p->at) / each;
}

static bool table_fits(const struct route_part *p, uint32_t mask)
{
	return mask != UINT32_MAX && (mask & (mask + 1)) == 0 && p->n == mask + 1;
}

int routes_verify(const struct routes *r, size_t size)
{
	if (size < sizeof(*r) || r->magic != ROUTES_MAGIC || r->size != size || r->max_prefix > ROUTE_PREFIX_MAX ||
		r->n_sort > ROUTE_SORT_MAX || r->gateways.n >= GATEWAYS_MAX)
		return -EINVAL;
	if (!part_fits(r, &r->gateways, sizeof(struct route_gateway)) ||
		!part_fits(r, &r->mappings, sizeof(struct route_mapping)) ||
		!part_fits(r, &r->prefixes, sizeof(struct route_prefix)) ||
		!part_fits(r, &r->slots, sizeof(struct route_slot)) || !part_fits(r, &r->lists, sizeof(uint16_t)) ||
		!part_fits(r, &r->text, 1) || !part_fits(r, &r->filters, sizeof(uint64_t)) ||
		!part_fits(r, &r->sources, sizeof(struct route_source)) ||
		!part_fits(r, &r->source_slots, sizeof(struct route_slot)) ||
		!part_fits(r, &r->masks, sizeof(struct route_mask)))
		return -EINVAL;
	return table_fits(&r->slots, r->slot_mask) && table_fits(&r->source_slots, r->source_mask) ? 0 : -EINVAL;
}

uint64_t routes_generation(const struct routes *r)
{
	return r->generation;
}

uint64_t routes_config_generation(const struct routes *r)
{
	return r->config_generation;
}
