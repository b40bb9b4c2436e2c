/* Flood protection (behaviour section 11): a source address that sends more than protect.rate bad requests a second is ignored for
 * protect.ban, before anything of its datagrams is read. Gateways are exempt unless `protect.gateways: on`, and so is an address
 * from which somebody has authenticated: requests of a registered endpoint are its own. Ports do not count.
 *
 * Bans are in shared memory (shm/sources.h): each worker writes its own and honours all, also those of dead predecessors. What is
 * asked for each datagram is answered from a private index of them; nobody banned, it costs a branch. */
#ifndef TANDEM_SIGNALING_PROTECT_H
#define TANDEM_SIGNALING_PROTECT_H
#include "shm/sources.h"
#include "signaling/core.h"

int protect_open(struct sig *g); /* at the worker's start; 0 or -ENOMEM */
/* takes over what other workers have written since; a few loads when that is nothing. Once before each batch. */
void protect_follow(struct sig *g);
void protect_turn(struct sig *g);      /* each turn of the loop: what has run out is forgotten, once a second */
void protect_configure(struct sig *g); /* after a reload: gateways that are banned are so no more */

bool protect_ignores(struct sig *g, const struct addr *source);
/* is everything that comes from there to be dropped unread? */
static inline bool protect_ignored(struct sig *g, const struct addr *source)
{
	return g->n_banned && protect_ignores(g, source);
}
/* a datagram that is no message: CRLF (RFC 5626), zeroes, nothing at all */
static inline bool protect_is_ping(const char *p, size_t n)
{
	size_t i = 0;
	while (i < n && i < 8 && (p[i] == '\r' || p[i] == '\n' || p[i] == 0))
		i++;
	return i == n;
}

/* an INVITE that opens a dialog, by a glance */
bool protect_is_new_call(const char *p, size_t n);

/* One bad message from there: too many of them in this second ban it. BAN_CHALLENGED counts requests that merely had to be
 * challenged, of which PROTECT_CHALLENGES times as many are borne. */
#define PROTECT_CHALLENGES 20u
void protect_count(struct sig *g, const struct addr *source, enum ban_reason reason);
/* ignores the source from now on for protect.ban, unless it is exempt */
void protect_ban(struct sig *g, const struct addr *source, enum ban_reason reason);
/* somebody has authenticated from there: exempt until `until_ms` (clock_ms()), and a ban is lifted */
void protect_trust(struct sig *g, const struct addr *source, uint64_t until_ms);
/* `tandemctl unsuspend`: MESSAGE_UNBAN goes to all workers, each calls this; true when it was ignored */
bool protect_lift(struct sig *g, const struct addr *source);
#endif
