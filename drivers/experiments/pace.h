/* pace.h: binning whose units wait, or whose workers meet: what a kernel, which
 * knows no system and no others, cannot do. */
#ifndef BINDOT_PACE_H
#define BINDOT_PACE_H

#include "drivers/clock.h"
#include "drivers/experiments/gil.h"
#include "drivers/team/team.h"
#include "kernels/bins.h"

#include <stdbool.h>
#include <stdint.h>

struct pace {
    const struct worker *me;
    const struct clock *clock;
    uint64_t wait_ns;    /* each unit blocks this long; 0: it is a clock read */
    uint64_t sync_every; /* bins between meetings of all workers; 0: none */
    struct gil *lock;    /* each unit is done holding it, no wait is; NULL: none */
    uint32_t twice;      /* share of units that take twice as long, in 2^-32 */
};

static inline uint32_t pace_share(double share) /* 0 <= share < 1 */
{
    return (uint32_t)(share * 0x1p32);
}

/* Is it the turn of a unit that takes twice as long? owed: 0 before the first unit. */
static inline bool pace_twice(uint32_t *owed, uint32_t twice)
{
    *owed += twice;
    return *owed < twice;
}

/* bins_count for such units. Every worker takes part in every meeting, however
 * late it is: the number of meetings depends on the bins alone. */
void pace_count(const struct pace *, struct bins *);

#endif
