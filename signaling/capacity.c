#include "signaling/capacity.h"

static const struct capacity_cell *cell_of(const struct sig *g, uint32_t worker, uint32_t cell)
{
	const struct region *r = &g->env->region[seat_of(ROLE_SIGNALING, worker)];
	const struct capacity_cell *cells = region_area(r, AREA_CAPACITY);
	return cells && cell < region_count(r, AREA_CAPACITY) ? &cells[cell] : NULL;
}

uint32_t capacity_calls(const struct sig *g, uint32_t cell)
{
	uint32_t sum = 0;
	for (uint32_t i = 0; i < g->c->system.signaling; i++) {
		const struct capacity_cell *c = cell_of(g, i, cell);
		sum += c ? __atomic_load_n(&c->calls, __ATOMIC_SEQ_CST) : 0;
	}
	return sum;
}

static uint32_t in_second(const struct sig *g, uint32_t cell, uint32_t second)
{
	uint32_t sum = 0;
	for (uint32_t i = 0; i < g->c->system.signaling; i++) {
		const struct capacity_cell *c = cell_of(g, i, cell);
		if (c && CMM_LOAD_SHARED(c->second) == second)
			sum += __atomic_load_n(&c->in_second, __ATOMIC_SEQ_CST);
	}
	return sum;
}

bool capacity_take_line(struct sig *g, uint32_t cell, uint32_t limit)
{
	if (cell >= g->n_cells)
		return limit == CONFIG_NONE;
	const struct capacity_cell *c = &g->cells[cell];
	commit_seq_u32(&c->calls, c->calls + 1);
	if (limit == CONFIG_NONE || capacity_calls(g, cell) <= limit)
		return true;
	commit_seq_u32(&c->calls, c->calls - 1);
	return false;
}

bool capacity_take_rate(struct sig *g, uint32_t cell, uint32_t limit, uint64_t now_ms)
{
	if (cell >= g->n_cells)
		return limit == CONFIG_NONE;
	const struct capacity_cell *c = &g->cells[cell];
	uint32_t second = (uint32_t)(now_ms / 1000);
	if (c->second != second) {
		commit_u32(&c->in_second, 0);
		commit_u32(&c->second, second);
	}
	commit_seq_u32(&c->in_second, c->in_second + 1);
	if (limit == CONFIG_NONE || in_second(g, cell, second) <= limit)
		return true;
	commit_seq_u32(&c->in_second, c->in_second - 1);
	return false;
}

void capacity_give_line(struct sig *g, uint32_t cell)
{
	if (cell < g->n_cells && g->cells[cell].calls)
		commit_seq_u32(&g->cells[cell].calls, g->cells[cell].calls - 1);
}

uint32_t capacity_last_hour(const struct sig *g, uint32_t cell)
{
	uint32_t sum = 0;
	for (uint32_t i = 0; i < g->c->system.signaling; i++) {
		const struct capacity_cell *c = cell_of(g, i, cell);
		sum += c ? CMM_LOAD_SHARED(c->last_hour) : 0;
	}
	return sum;
}

void capacity_routed(struct sig *g, uint32_t cell)
{
	if (cell < g->n_cells)
		commit_u32(&g->cells[cell].last_hour, g->cells[cell].last_hour + 1);
}

uint64_t capacity_turn(struct sig *g, uint32_t cell)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < g->c->system.signaling; i++) {
		const struct capacity_cell *c = cell_of(g, i, cell);
		sum += c ? CMM_LOAD_SHARED(c->attempts) : 0;
	}
	if (cell < g->n_cells)
		stat_add(&g->cells[cell].attempts, 1);
	return sum;
}

/* --- accounts --- */

static const struct account_cell *account_cell(const struct sig *g, uint32_t worker, uint32_t account)
{
	const struct region *r = &g->env->region[seat_of(ROLE_SIGNALING, worker)];
	const struct account_cell *cells = region_area(r, AREA_ACCOUNTS);
	return cells && account < region_count(r, AREA_ACCOUNTS) ? &cells[account] : NULL;
}

uint32_t capacity_account_calls(const struct sig *g, uint32_t account)
{
	uint32_t sum = 0;
	for (uint32_t i = 0; i < g->c->system.signaling; i++) {
		const struct account_cell *c = account_cell(g, i, account);
		sum += c ? __atomic_load_n(&c->calls, __ATOMIC_SEQ_CST) : 0;
	}
	return sum;
}

bool capacity_take_account(struct sig *g, uint32_t account, uint32_t limit)
{
	const struct account_cell *c = account_cell(g, g->env->index, account);
	if (!c)
		return limit == CONFIG_NONE;
	commit_seq_u32(&c->calls, c->calls + 1);
	if (limit == CONFIG_NONE || capacity_account_calls(g, account) <= limit)
		return true;
	commit_seq_u32(&c->calls, c->calls - 1);
	return false;
}

void capacity_give_account(struct sig *g, uint32_t account)
{
	const struct account_cell *c = account_cell(g, g->env->index, account);
	if (c && c->calls)
		commit_seq_u32(&c->calls, c->calls - 1);
}

/* A sixtieth each minute: what an hour's window would forget on average, without keeping the window. */
void capacity_decay(struct sig *g)
{
	for (uint32_t i = 0; i < g->n_cells; i++)
		if (g->cells[i].last_hour)
			commit_u32(&g->cells[i].last_hour, g->cells[i].last_hour - (g->cells[i].last_hour + 59) / 60);
}

void capacity_clear(struct sig *g)
{
	for (uint32_t i = 0; i < g->n_cells; i++)
		commit_seq_u32(&g->cells[i].calls, 0);
	const struct account_cell *c = account_cell(g, g->env->index, 0);
	for (uint32_t i = 0; i < region_count(&g->env->region[g->env->seat], AREA_ACCOUNTS); i++)
		if (c[i].calls)
			commit_seq_u32(&c[i].calls, 0);
}
