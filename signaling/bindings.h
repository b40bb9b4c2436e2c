/* The owner's side of the location table (shm/location.h) besides REGISTER: what time, a reload and other workers bring. */
#ifndef TANDEM_SIGNALING_BINDINGS_H
#define TANDEM_SIGNALING_BINDINGS_H
#include "signaling/core.h"

struct bindings_timer;

/* takes over what lies in the region; 0 or -ENOMEM */
int bindings_open(struct sig *g);
/* after a start and after a reload: contacts of accounts that are gone or disabled are dropped, those of accounts that are
 * another worker's by now are given to it */
void bindings_configure(struct sig *g);
/* MESSAGE_BINDING: takes the contact over unless one of the account's is the same and as new, or the account is not to have it */
void bindings_take(struct sig *g, const void *message, size_t n);
/* The account's contacts from now on: as location_put(), and tells the subscribers what changed and watches over the expiry */
int bindings_put(struct sig *g, struct span account, const struct location_set *set, uint64_t now);
/* the account's contacts that have not expired; none: ret_set->n 0 */
void bindings_get(struct sig *g, struct span account, uint64_t now, struct location_set *ret_set);
/* no more than system.limits.endpoints in all workers together, with `more` added */
bool bindings_room(const struct sig *g, uint32_t more);
#endif
