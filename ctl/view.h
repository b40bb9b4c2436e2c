/* Reading the regions of the other processes: copies that are whole, from memory that may be damaged. */
#ifndef TANDEM_CTL_VIEW_H
#define TANDEM_CTL_VIEW_H
#include "shm/block.h"
#include "shm/call.h"
#include "shm/capacity.h"
#include "shm/env.h"

#define VIEW_TEXT 66560u /* the largest block */

struct view_call { /* large: not for the stack */
	uint32_t worker, slot, generation;
	struct uuid id;
	uint64_t start_ms, start_wall_ms;
	struct call_state state;
	char text[VIEW_TEXT];
	uint32_t text_n;
};
/* 0; -ENOENT: no call there; -EBUSY: it changes too fast */
int view_call(const struct env *e, uint32_t worker, uint32_t slot, struct view_call *ret_call);
/* any phase; 0, -ENOENT, -EBUSY */
int view_find(const struct env *e, const struct uuid *id, struct view_call *ret_call);
/* within the copied text whatever the record says */
struct span view_text(const struct view_call *v, enum call_text_id id);
/* Goes through all calls: start with *worker = *slot = 0; false at the end. Busy ones are left out. */
bool view_next(const struct env *e, uint32_t *worker, uint32_t *slot, struct view_call *ret_call);
const char *view_phase(const struct view_call *v);
/* milliseconds since it was answered (until its end, when it has ended); 0: not answered */
uint64_t view_talk_ms(const struct view_call *v, uint64_t now);

struct view_sum { /* one limited thing over all workers */
	uint64_t calls, cps, last_hour, attempts, answers, pdd_ms, progressed, duration_ms, ended;
};
struct view_sum view_sum(const struct env *e, uint32_t cell);
/* of one worker */
struct view_sum view_cell(const struct env *e, uint32_t worker, uint32_t cell);

/* it goes by a registration that is not there at present, and what that one does: "registration up1: failed" */
bool view_down(const struct env *e, const struct config *c, const struct cfg_routing_gateway *g, char *ret_reason, size_t cap);

/* the mapping or routing gateway of that id, CONFIG_NONE: none */
uint32_t view_mapping(const struct config *c, struct span id);
uint32_t view_routing(const struct config *c, struct span id);
#endif
