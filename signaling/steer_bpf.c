#include "signaling/steer.h"
#include "signaling/steer_consts.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual" /* generated */
#pragma GCC diagnostic ignored "-Wshadow"
#include "steer.skel.h"
#pragma GCC diagnostic pop
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/socket.h>

#ifndef SO_ATTACH_REUSEPORT_EBPF
#define SO_ATTACH_REUSEPORT_EBPF 52
#endif

/* what went wrong is told by the error returned */
static int silent(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level, (void)format, (void)arguments;
	return 0;
}

static void configure(struct steer_bpf *s, uint32_t n_workers, const uint8_t *partition, const char *instance)
{
	s->rodata->workers = n_workers;
	for (size_t i = 0; i < sizeof(s->rodata->instance); i++)
		s->rodata->instance[i] = (unsigned char)(instance[i] | 0x20); /* digits stay as they are */
	for (size_t i = 0; i < STEER_PARTITIONS; i++)
		s->rodata->partition[i] = partition[i];
}

static int attach(const struct steer_bpf *s, const int *sockets, uint32_t n_workers)
{
	int program = bpf_program__fd(s->progs.steer);
	for (uint32_t i = 0; i < n_workers; i++) {
		uint64_t value = (uint64_t)sockets[i];
		int r = bpf_map__update_elem(s->maps.sockets, &i, sizeof(i), &value, sizeof(value), BPF_ANY);
		if (r < 0)
			return r;
	}
	if (setsockopt(sockets[0], SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &program, sizeof(program)) < 0)
		return -errno;
	return 0;
}

int steer_attach(const int *sockets, uint32_t n_workers, const uint8_t *partition, const char instance[8])
{
	if (n_workers == 0 || n_workers > STEER_WORKERS)
		return -EINVAL;
	libbpf_print_fn_t print = libbpf_set_print(silent);
	int r = -ENOMEM;
	struct steer_bpf *s = steer_bpf__open();
	if (s) {
		configure(s, n_workers, partition, instance);
		r = steer_bpf__load(s);
		if (r == 0)
			r = attach(s, sockets, n_workers);
		steer_bpf__destroy(s);
	}
	libbpf_set_print(print);
	return r;
}
