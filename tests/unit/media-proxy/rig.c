#include "tests/unit/media-proxy/rig.h"
#include "base/clock.h"
#include "media-proxy/sockets.h"
#include "media-proxy/worker.h"
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 10000

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

struct addr rig_addr(const char *text)
{
	struct addr a;
	must(addr_parse(span_of(text), &a) == 0, text);
	return a;
}

static void make_config(struct rig *r, const struct rig_plan *plan)
{
	struct {
		struct config c;
		struct addr address[MEDIA_ADDRESSES_MAX];
	} image = { 0 };
	struct config *c = &image.c;
	c->magic = CONFIG_MAGIC;
	c->size = sizeof(image);
	c->system.signaling = plan->signaling;
	c->system.media = plan->media;
	c->system.calls = 16;
	c->media.port_low = plan->low;
	c->media.port_high = plan->high;
	c->media.addresses.at = (uint32_t)((char *)image.address - (char *)&image);
	for (uint32_t i = 0; i < MEDIA_ADDRESSES_MAX && plan->addresses[i]; i++)
		image.address[c->media.addresses.n++] = rig_addr(plan->addresses[i]);
	int fd = -1;
	must(image_make("rig", &image, sizeof(image), &fd) == 0 && image_map(fd, &r->env.config) == 0,
		"configuration image");
	r->config = r->env.config.p;
}

static void make_seat(struct rig *r, enum role role, uint32_t index)
{
	struct region_head *plan = calloc(1, sizeof(*plan));
	uint32_t seat = seat_of(role, index);
	must(plan && region_plan(r->config, role, index, plan) == 0, "region plan");
	must(region_make(plan, &r->env.region[seat]) == 0, "region");
	r->env.doorbell[seat] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	free(plan);
}

void rig_open(struct rig *r, const struct rig_plan *plan)
{
	memset(r, 0, sizeof(*r));
	memset(r->env.doorbell, -1, sizeof(r->env.doorbell));
	r->env.supervisor = r->env.status_socket = r->env.http_socket = -1;
	make_config(r, plan);
	make_seat(r, ROLE_SUPERVISOR, 0);
	for (uint32_t i = 0; i < plan->signaling; i++)
		make_seat(r, ROLE_SIGNALING, i);
	for (uint32_t i = 0; i < plan->media; i++)
		make_seat(r, ROLE_MEDIA, i);
	r->kind = relay_sockets_open(r->config, &r->env);
	errno = -r->kind;
	must(r->kind >= 0, "sockets");
}

void rig_start(struct rig *r, uint32_t index)
{
	uint32_t seat = seat_of(ROLE_MEDIA, index);
	const struct region_head *head = r->env.region[seat].head;
	uint64_t before = head->incarnation, until = clock_ms() + START_MS;
	pid_t parent = getpid();
	r->pid[index] = fork();
	must(r->pid[index] >= 0, "fork");
	if (r->pid[index] == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(EXIT_FAILURE);
		r->env.role = ROLE_MEDIA;
		r->env.index = index;
		r->env.seat = seat;
		_exit(media_main(&r->env));
	}
	while (CMM_LOAD_SHARED(head->ready) != before + 1) {
		must(clock_ms() < until && waitpid(r->pid[index], NULL, WNOHANG) == 0, "media worker");
		usleep(1000);
	}
}

void rig_kill(struct rig *r, uint32_t index)
{
	if (r->pid[index] <= 0)
		return;
	kill(r->pid[index], SIGKILL);
	waitpid(r->pid[index], NULL, 0);
	r->pid[index] = 0;
}

void rig_close(struct rig *r)
{
	for (uint32_t i = 0; i < WORKERS_MAX; i++)
		rig_kill(r, i);
	relay_sockets_close(r->config, &r->env);
	for (uint32_t i = 0; i < SEATS_MAX; i++) {
		if (!r->env.region[i].head)
			continue;
		region_unmap(&r->env.region[i]);
		close(r->env.region[i].fd);
		close(r->env.doorbell[i]);
	}
	image_unmap(&r->env.config);
}

bool rig_namespace(uint32_t mtu)
{
	struct ifreq q = { .ifr_name = "lo" };
	if (unshare(CLONE_NEWNET) < 0)
		return false;
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	must(s >= 0 && ioctl(s, SIOCGIFFLAGS, &q) == 0, "lo");
	q.ifr_flags |= IFF_UP;
	must(ioctl(s, SIOCSIFFLAGS, &q) == 0, "lo up");
	q.ifr_mtu = (int)mtu;
	must(ioctl(s, SIOCSIFMTU, &q) == 0, "lo mtu");
	close(s);
	return true;
}

const struct media_leg *rig_leg(const struct rig *r, uint32_t pair)
{
	const struct region *g = &r->env.region[seat_of(ROLE_SIGNALING, pair_owner(r->config, pair))];
	return (const struct media_leg *)region_area(g, AREA_MEDIA_LEGS) + pair_slot(r->config, pair);
}

void rig_allot(const struct rig *r, uint32_t pair, const struct media_want *want)
{
	const struct media_leg *leg = rig_leg(r, pair);
	slot_claim(&leg->slot);
	slot_commit(&leg->slot, leg->want, sizeof(*want), want);
	slot_live(&leg->slot);
}

void rig_change(const struct rig *r, uint32_t pair, const struct media_want *want)
{
	const struct media_leg *leg = rig_leg(r, pair);
	slot_commit(&leg->slot, leg->want, sizeof(*want), want);
}

void rig_free(const struct rig *r, uint32_t pair)
{
	slot_free(&rig_leg(r, pair)->slot);
}

struct media_flow rig_flow(const struct rig *r, uint32_t pair)
{
	const struct region *g = &r->env.region[seat_of(ROLE_MEDIA, pair_media(r->config, pair))];
	const struct media_flow *all = region_area(g, AREA_FLOWS);
	struct media_flow f;
	return media_flow_read(&all[pair], rig_leg(r, pair)->slot.generation, &f) == 0 ? f : (struct media_flow){ 0 };
}
