#include "supervisor/reload.h"
#include "shm/capacity.h"
#include <stdarg.h>
#include <stdio.h>

struct refusals {
	char *why;
	size_t n, cap;
	uint32_t count;
};

static void refuse(struct refusals *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void refuse(struct refusals *r, const char *format, ...)
{
	va_list args;
	r->count++;
	va_start(args, format);
	int n = vsnprintf(r->why + r->n, r->cap - r->n, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= r->cap - r->n)
		r->why[r->n] = 0; /* whole lines only */
	else
		r->n += (size_t)n;
}

static void number(struct refusals *r, const char *key, uint64_t old, uint64_t new)
{
	if (old != new)
		refuse(r, "%s: %llu instead of %llu needs a restart\n", key, (unsigned long long)new,
			(unsigned long long)old);
}

static void text(struct refusals *r, const char *key, const char *old, const char *new)
{
	if (strcmp(old, new) != 0)
		refuse(r, "%s: \"%s\" instead of \"%s\" needs a restart\n", key, new, old);
}

static bool same_listen(const struct config *a, const struct config *b)
{
	const struct cfg_listen *x = CFG_LIST(a, &a->sip.listen, struct cfg_listen),
				*y = CFG_LIST(b, &b->sip.listen, struct cfg_listen);
	if (a->sip.listen.n != b->sip.listen.n)
		return false;
	for (uint32_t i = 0; i < a->sip.listen.n; i++)
		if (x[i].transport != y[i].transport || !addr_eq(&x[i].addr, &y[i].addr))
			return false;
	return true;
}

static bool same_addresses(const struct config *a, const struct config *b)
{
	const struct addr *x = CFG_LIST(a, &a->media.addresses, struct addr),
			  *y = CFG_LIST(b, &b->media.addresses, struct addr);
	if (a->media.addresses.n != b->media.addresses.n)
		return false;
	for (uint32_t i = 0; i < a->media.addresses.n; i++)
		if (!addr_same_ip(&x[i], &y[i]))
			return false;
	return true;
}

uint32_t reload_refusals(const struct config *old, const struct config *new, uint32_t cells, char *why, size_t cap)
{
	struct refusals r = { .why = why, .cap = cap };
	why[0] = 0;
	text(&r, "system.run_dir", cfg_str(old, old->system.run_dir), cfg_str(new, new->system.run_dir));
	text(&r, "system.state_dir", cfg_str(old, old->system.state_dir), cfg_str(new, new->system.state_dir));
	text(&r, "system.user", cfg_str(old, old->system.user), cfg_str(new, new->system.user));
	number(&r, "system.workers.signaling", old->system.signaling, new->system.signaling);
	number(&r, "system.workers.media", old->system.media, new->system.media);
	number(&r, "system.limits.calls", old->system.calls, new->system.calls);
	number(&r, "system.limits.endpoints", old->system.endpoints, new->system.endpoints);
	number(&r, "system.limits.registrations", old->system.registrations, new->system.registrations);
	if (old->system.pin != new->system.pin)
		refuse(&r, "system.pin: a change needs a restart\n");
	if (!same_listen(old, new))
		refuse(&r, "sip.listen: a change needs a restart\n");
	if (!same_addresses(old, new))
		refuse(&r, "media.address: a change needs a restart\n");
	if (old->media.port_low != new->media.port_low || old->media.port_high != new->media.port_high)
		refuse(&r, "media.ports: %u-%u instead of %u-%u needs a restart\n", new->media.port_low,
			new->media.port_high, old->media.port_low, old->media.port_high);
	if (old->media.offload != new->media.offload)
		refuse(&r, "media.offload: a change needs a restart\n");
	if (cell_count(new) > cells)
		refuse(&r, "gateways and groups: %u in all, there is place for %u; more need a restart\n",
			cell_count(new) - 1, cells - 1);
	if (new->accounts.n > account_cells(old))
		refuse(&r, "accounts: %u in all, there is place for %u; more need a restart\n", new->accounts.n, account_cells(old));
	return r.count;
}
