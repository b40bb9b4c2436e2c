/* REFER across a call (RFC 3515), where the routing gateway has `refer: pass`: the one who is asked sends its INVITE to us, so the
 * host of Refer-To becomes ours. A Replaces in it (RFC 3891) names a dialog of the asking side's: it becomes the same call's
 * other dialog, if that is one whose Call-ID we made; any other would show a peer's ids to a stranger and is refused. */
#ifndef TANDEM_SIGNALING_REFER_H
#define TANDEM_SIGNALING_REFER_H
#include "signaling/compose.h"

/* may REFER cross this call? */
bool refer_passes(const struct work *w);
/* header lines for leg `to`: Refer-To and what passes of any request. 0; -EBADMSG: Refer-To is missing or cannot be read (400);
 * -ENOENT: its Replaces cannot be mapped (603) */
int refer_lines(const struct work *w, enum call_leg_side to, const struct msg *m, struct out *o);
#endif
