/* share.h: how much of the work is whose. */
#ifndef BINDOT_SHARE_H
#define BINDOT_SHARE_H

#include "drivers/params.h"

/* Elements over all workers: --size in all, or for each. */
static inline uint64_t share_total(const struct params *p, int workers)
{
    return p->weak ? p->size * (uint64_t)workers : p->size;
}

/* First of `total` pieces that are this worker's; they end where the next one's begin.
 * Dealt out in order; shares differ by one at most. */
static inline uint64_t share_first(uint64_t total, int worker, int workers)
{
    return (uint64_t)((unsigned __int128)total * (unsigned)worker / (unsigned)workers);
}

#endif
