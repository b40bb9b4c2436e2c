/* Codec lists of gateways (routing_gateways.codecs): of each audio line of a body only the listed codecs stay, in the list's order, and
 * telephone-event with them; what describes the others goes. Other lines stay as they are. */
#ifndef TANDEM_SIGNALING_CODEC_H
#define TANDEM_SIGNALING_CODEC_H
#include "signaling/sdp.h"

#define CODECS_MAX 32u

/* 0; -ENOTSUP: there is audio and none of it is in the list; -EBADMSG, -E2BIG as sdp_read(); -EMSGSIZE. An audio line without a listed
 * codec beside one that has some is refused (port 0). */
int codec_filter(struct span sdp, const struct span *names, size_t n, struct out *o);
#endif
