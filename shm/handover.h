/* How a new supervisor comes by what the dead one had: every descriptor in struct env is held by every process, and any of them
 * hands all to whoever connects to RUN_DIR/adopt.sock (SOCK_SEQPACKET) and is root or env.owner. The visitor asks for one
 * packet after the other, so a process never waits for it:
 *
 *	struct handover_ask -> struct handover_head + head.n entries, with a descriptor for each (SCM_RIGHTS)
 *
 * A visitor may be sent away or left without an answer by a process that ends: it comes again and finds another.
 * What is new in struct env goes into the list in handover.c. */
#ifndef TANDEM_SHM_HANDOVER_H
#define TANDEM_SHM_HANDOVER_H
#include "shm/env.h"

#define HANDOVER_SOCKET "adopt.sock"
#define HANDOVER_MAGIC  0x3152564f4854ull /* "THOVR1" */
#define HANDOVER_BATCH  200u              /* descriptors in one packet; the kernel takes 253 */

enum handover_kind {
	HAND_REGION, HAND_BELL, HAND_POST, HAND_DESK, HAND_SIP, HAND_RELAY, HAND_PORT, HAND_RAW4, HAND_RAW6, HAND_STATUS, HAND_HTTP,
	HAND_LOCK, HAND_DOOR, HAND_LINK, HAND_CONFIG, HAND_ROUTES
};
struct handover_entry {
	uint32_t kind, a, b, pad;
	uint64_t value; /* of an image: its generation */
};
struct handover_ask {
	uint64_t magic;
	uint32_t from, pad; /* number of the first entry wanted */
};
struct handover_head {
	uint64_t magic, layout_hash, images;
	uint32_t total, n; /* entries there are, entries here */
	uint32_t n_listen, n_port_sockets, owner, pad;
	char version[32];  /* of the program */
};

/* in the supervisor, before it forks: 0 or -errno */
int handover_listen(const char *path, int *ret_fd);
/* in a process: serves visitors of env.door from its loop. 0 or -errno */
int handover_serve(struct env *e);
/* Takes everything over from whoever answers; waits at most `ms`. Nothing is mapped. 0: `e` is filled in; -EPROTO: another
 * memory layout, *ret_head says whose; -ETIMEDOUT, -ECONNREFUSED, -ENOENT, -errno: nobody answered, `e` is as handover_forget() leaves it */
int handover_take(const char *path, uint32_t ms, struct env *e, struct handover_head *ret_head);
/* closes them */
void handover_drop(struct env *e);
/* all of the above: none */
void handover_forget(struct env *e);
#endif
