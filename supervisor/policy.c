#include "supervisor/policy.h"
#include <signal.h>

struct policy_restart policy_restart(const struct policy_death *d)
{
	struct policy_restart r = { .quick_deaths = d->quick_deaths };
	if (d->wanted)
		return r;
	if (d->ready && d->service_ms >= POLICY_QUICK_MS) {
		r.quick_deaths = 0;
		return r;
	}
	r.quick_deaths++;
	if (r.quick_deaths < POLICY_QUICK_LIMIT)
		return r;
	uint64_t delay = (uint64_t)POLICY_DELAY_MS * (r.quick_deaths - POLICY_QUICK_LIMIT + 1);
	r.delay_ms = delay < POLICY_DELAY_MAX ? (uint32_t)delay : POLICY_DELAY_MAX;
	r.alarm = true;
	return r;
}

bool policy_own_fault(int signal)
{
	return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE || signal == SIGABRT;
}

uint32_t policy_silence_ms(enum role r)
{
	switch (r) {
	case ROLE_ROUTING: /* builds tables of a million prefixes in one turn; no call waits for it */
		return 10000;
	case ROLE_CDR: /* a busy disk may keep an fsync for long; the journal keeps the records meanwhile */
		return 30000;
	default:
		return 2000;
	}
}

static uint64_t latest(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

bool policy_hung(const struct policy_pulse *p)
{
	uint64_t since = latest(latest(p->heartbeat, p->started), p->trusted);
	/* until it is in service it may be adopting its predecessor's calls or mapping large images */
	uint64_t allowed = p->ready ? policy_silence_ms(p->role) : 5 * (uint64_t)policy_silence_ms(p->role);
	return p->now > since && p->now - since > allowed;
}
