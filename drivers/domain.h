/* domain.h: which clock does this process read? That processes share memory does not
 * make their clocks one: two read the same clock only under one boot of one kernel,
 * from the same source, and if no time namespace shifts one of them. */
#ifndef BINDOT_DOMAIN_H
#define BINDOT_DOMAIN_H

#include "drivers/clock.h"

#include <stdint.h>

struct domain {       /* compared byte by byte: all of it is set */
    char boot[40];    /* the kernel's boot_id; "" where it does not tell */
    char source[32];  /* ticks are read from here */
    char kernel[32];  /* clock source of the kernel */
    int64_t shift_ns; /* of the monotonic clocks, by a time namespace */
};

void domain_look(struct domain *, const struct clock *);

#endif
