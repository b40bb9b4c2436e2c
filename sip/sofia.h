/* Private to the message reader: the two grammars that Sofia-SIP reads for us, URI and Via. sofia.c is the only file
 * that includes its headers. Nothing is allocated beyond the stack; the cost is bounded by MSG_VALUE_BYTES. */
#ifndef TANDEM_SIP_SOFIA_H
#define TANDEM_SIP_SOFIA_H
#include "sip/msg.h"

/* `text`: without angle brackets or white space around. Spans of *ret_uri point into `text`. 0 or -EBADMSG */
int sofia_uri(struct span text, struct msg_uri *ret_uri);
/* one Via value, without line breaks. Spans of *ret_via point into `value` or, where the text had white space inside,
 * into `scratch` of at least value.n + 1 bytes. 0 or -EBADMSG */
int sofia_via(struct span value, char *scratch, struct msg_via *ret_via);
#endif
