/*
 * Routes of a batch that have the same next hops.
 */
#ifndef ECMP_RTNL_BULK_NEXT_HOP_SETS_H
#define ECMP_RTNL_BULK_NEXT_HOP_SETS_H

#include "rtnl/bulk/batch.h"

/* Has a function of Lua choose which of these sets are next-hop objects, and the routes of the
 * window refer to them. */
void share_next_hops(struct batch *b);

#endif
