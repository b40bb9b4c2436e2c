#include "shm/media.h"
#include "shm/copy.h"

#define MAX_TRIES 8

int media_flow_read(const struct media_flow *f, uint32_t generation, struct media_flow *ret_flow)
{
	for (int i = 0; i < MAX_TRIES; i++) {
		uint32_t version = __atomic_load_n(&f->version, __ATOMIC_ACQUIRE);
		if (version & 1)
			continue;
		copy_racing(ret_flow, f, sizeof *f);
		if (__atomic_load_n(&f->version, __ATOMIC_ACQUIRE) != version)
			continue;
		return ret_flow->generation == generation ? 0 : -ENOENT;
	}
	return -EBUSY;
}

uint64_t media_flow_lost(const struct media_flow *f)
{
	uint64_t highest = (uint64_t)f->cycles + f->max_seq;
	uint64_t expected = f->received && highest >= f->base_seq ? highest - f->base_seq + 1 : 0;
	return f->lost_before + (expected > f->received ? expected - f->received : 0);
}

uint32_t media_flow_jitter_us(const struct media_flow *f)
{
	uint64_t rate = f->clock_rate ? f->clock_rate : 8000;
	uint64_t us = (uint64_t)f->jitter_q4 * 1000000u / 16 / rate;
	return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}
