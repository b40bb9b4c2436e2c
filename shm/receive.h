/* The receive batch of a signalling worker: the kernel stores datagrams and their lengths right here (recvmmsg), the worker
 * counts them off. What was read but not counted off when a worker dies is worked off by its successor. */
#ifndef TANDEM_SHM_RECEIVE_H
#define TANDEM_SHM_RECEIVE_H
#include "shm/region.h"
#include <sys/socket.h>
#include <sys/uio.h>

#define RECEIVE_BATCH 32u
#define RECEIVE_SIZE  65536u

struct receive_batch {
	uint32_t listen;   /* W: owner; which listening address the batch came from */
	uint32_t done;     /* W: owner; datagrams worked off and committed */
	struct mmsghdr header[RECEIVE_BATCH]; /* W: kernel: msg_len, zeroed before each read; the pointers inside are the
	                                         reader's own and written anew by each incarnation */
	struct iovec piece[RECEIVE_BATCH];    /* W: owner; as above */
	struct sockaddr_storage source[RECEIVE_BATCH]; /* W: kernel; the family is zeroed before each read: an empty datagram has one */
	char data[RECEIVE_BATCH][RECEIVE_SIZE];        /* W: kernel */
};
#endif
