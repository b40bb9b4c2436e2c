/* Which legs hear a tone, and the packets for them. Nothing of it needs to survive: that a leg hears a tone, since when, and
 * in which law is in its want; SSRC, sequence and time stamp follow from the leg's life and the clock, so that a successor
 * carries on the same stream. */
#ifndef TANDEM_MEDIA_PROXY_PLAYER_H
#define TANDEM_MEDIA_PROXY_PLAYER_H
#include "media-proxy/packet.h"
#include "media-proxy/tone.h"

#define PLAYER_PACKET (12u + TONE_FRAME)
#define PLAYER_MS     20u

struct playing {
	uint32_t pair;
	uint64_t since, next; /* want.tone_ms; number of the next frame */
};
struct player {
	struct pair_table *table;
	struct tone tone;
	struct playing *list;
	uint32_t n;
	bool *listed;         /* by pair / workers */
};

/* borrows `t`; 0 or -ENOMEM */
int player_init(struct player *p, struct pair_table *t, const struct config *c);
void player_done(struct player *p);
/* other samples after a reload; without memory the old ones stay */
void player_configure(struct player *p, const struct config *c);
/* the pair's leg may want a tone now */
void player_look(struct player *p, uint32_t pair);
void player_look_all(struct player *p); /* at start: what a predecessor was playing */
/* Number `i` of the list: the next packet that is due at `now_ms` with *ret_departure. 0: nothing more is due, or it plays no
 * longer and number `i` is another now (*ret_gone); -EAGAIN: due but cannot be sent. */
int player_next(struct player *p, uint32_t i, uint64_t now_ms, uint8_t *ret_packet, struct departure *ret_departure, bool *ret_gone);
#endif
