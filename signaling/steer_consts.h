/* What the kernel program and its user-space twin agree on. Plain C that the BPF compiler takes: no system headers. */
#ifndef TANDEM_SIGNALING_STEER_CONSTS_H
#define TANDEM_SIGNALING_STEER_CONSTS_H

#define STEER_SCAN        2048 /* bytes in which the Call-ID header must begin */
#define STEER_WINDOW      2176 /* bytes looked at: name, blanks and value of a header that begins at the end of the above */
#define STEER_BLANKS      16   /* most white space before and after the colon */
#define STEER_VALUE       64   /* bytes of the value that are hashed: STEER_HASH_BYTES */
#define STEER_WORKERS     64
#define STEER_MAP         1024 /* STEER_PARTITIONS */
#define STEER_OWN_ID      30   /* CALL_ID_TEXT: "td" instance(4) token(24) */
#define STEER_OWN_WORKER  6    /* where the token begins: its first eight bits are the worker */
#define STEER_UNKNOWN     0xffffffffu

#endif
