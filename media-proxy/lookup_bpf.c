#include "media-proxy/lookup_bpf.h"
#include "tandem-config.h"

#if HAVE_BPF
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual" /* generated */
#include "port_lookup.skel.h"
#pragma GCC diagnostic pop
#include <fcntl.h>
#include <unistd.h>

static struct port_lookup_bpf *loaded; /* kept for its descriptors */

static void configure(struct port_lookup_bpf *b, const struct lookup_bpf *spec)
{
	b->rodata->low = spec->low;
	b->rodata->high = spec->high;
	b->rodata->workers = spec->workers;
	b->rodata->n_addresses = spec->n_addresses;
	for (uint32_t a = 0; a < spec->n_addresses; a++) {
		b->rodata->family[a] = spec->addresses[a].family == 4 ? AF_INET : AF_INET6;
		memcpy((void *)(uintptr_t)b->rodata->ip[a], spec->addresses[a].ip, sizeof(spec->addresses[a].ip));
	}
}

static int fill_map(struct port_lookup_bpf *b, const struct lookup_bpf *spec)
{
	for (uint32_t a = 0; a < spec->n_addresses; a++)
		for (uint32_t w = 0; w < spec->workers; w++) {
			uint32_t key = a * WORKERS_MAX + w;
			uint64_t fd = (uint64_t)spec->sockets[a][w];
			int r = bpf_map__update_elem(b->maps.sockets, &key, sizeof(key), &fd, sizeof(fd), BPF_ANY);
			if (r)
				return r;
		}
	return 0;
}

static int attach(struct port_lookup_bpf *b)
{
	int ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (ns < 0)
		return -errno;
	b->links.port_lookup = bpf_program__attach_netns(b->progs.port_lookup, ns);
	int r = b->links.port_lookup ? 0 : -errno;
	close(ns);
	return r;
}

static int silent(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level, (void)format, (void)args;
	return 0; /* what went wrong is in the return value; the caller logs */
}

int lookup_bpf_attach(const struct lookup_bpf *spec)
{
	libbpf_set_print(silent);
	struct port_lookup_bpf *b = port_lookup_bpf__open();
	if (!b)
		return -errno;
	configure(b, spec);
	int r = port_lookup_bpf__load(b);
	if (r == 0)
		r = fill_map(b, spec);
	if (r == 0)
		r = attach(b);
	if (r) {
		port_lookup_bpf__destroy(b);
		return r;
	}
	loaded = b;
	return 0;
}

int lookup_bpf_link(void)
{
	return loaded ? bpf_link__fd(loaded->links.port_lookup) : -1;
}

void lookup_bpf_detach(void)
{
	port_lookup_bpf__destroy(loaded);
	loaded = NULL;
}
#else
int lookup_bpf_attach(const struct lookup_bpf *spec)
{
	(void)spec;
	return -ENOTSUP;
}

int lookup_bpf_link(void)
{
	return -1;
}

void lookup_bpf_detach(void) {}
#endif
