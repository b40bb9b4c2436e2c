/* How large everything is: for region_plan(), region_make() and region_map() only. */
#ifndef TANDEM_SHM_LAYOUT_H
#define TANDEM_SHM_LAYOUT_H
#include "shm/region.h"

#define LAYOUT_UNIT 64u /* bytes a "record" of AREA_BLOCKS and AREA_RINGS has, so that their counts fit 32 bits */

/* of sizeof() of all shared records: two programs with the same hash may use each other's regions */
uint64_t layout_hash(void);
/* bytes in front of the area's records */
uint64_t layout_front(enum area a);
/* data bytes of the ring between two seats, 0: there is none */
uint64_t layout_ring(uint32_t from_seat, uint32_t to_seat);
/* fills in the heads of rings, journal and blocks of a new region, all of whose bytes are zero */
void layout_init(struct region_head *head);
/* whether they still say so; `head`'s areas and rings lie within the region */
bool layout_intact(const struct region_head *head);
#endif
