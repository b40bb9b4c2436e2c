/* Loads port_lookup.bpf.c and attaches it to the network namespace. The only user of libbpf in this folder. */
#ifndef TANDEM_MEDIA_PROXY_LOOKUP_BPF_H
#define TANDEM_MEDIA_PROXY_LOOKUP_BPF_H
#include "shm/env.h"

struct lookup_bpf {
	uint32_t low, high; /* ports */
	uint32_t workers, n_addresses;
	const struct addr *addresses;
	int (*sockets)[WORKERS_MAX]; /* [address][worker] */
};

/* 0; -ENOTSUP: built without; -errno. The link stays attached as long as any process has its descriptor, which all
 * children inherit. */
int lookup_bpf_attach(const struct lookup_bpf *spec);
int lookup_bpf_link(void); /* the link's descriptor, -1: none; stays this file's */
void lookup_bpf_detach(void); /* in this process: the others' descriptors still hold it */
#endif
