/* knot.h: how far one clock is from another, from messages that went both ways.
 * Pure functions on times; int64 ns throughout, for seconds in a double lose them.
 *
 * A message leaves at `sent`, is with the other from `arrived` to `left`, and is
 * `back`. Messages take time: sent - arrived <= offset <= back - left. The quickest
 * exchange bounds the offset best; its middle errs by half its time at most, and by
 * as much if one way takes all of it. (Cristian 1989; the interval: SKaMPI.) */
#ifndef BINDOT_KNOT_H
#define BINDOT_KNOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct exchange {
    int64_t sent, back;    /* by the own clock */
    int64_t arrived, left; /* by the other's */
};

struct knot {
    int64_t local_ns;     /* the own time at which it was tied */
    int64_t offset_ns;    /* own time less the other's, then */
    int64_t rtt_ns;       /* of the quickest exchange: |error| <= rtt_ns / 2 */
    int64_t lo_ns, hi_ns; /* where all exchanges say that the offset is */
};

/* n >= 1. */
struct knot knot_of(const struct exchange *, size_t n);
/* lo above hi: messages that came before they were sent. A clock is broken. */
bool knot_is_torn(const struct knot *);

struct rope { /* of knots: the offset now. The longest base tells the drift best */
    struct knot first, last;
};

/* The next knot. One whose messages were held up tells less than the rope does, and is
 * passed over, but not for long. */
void rope_follow(struct rope *, const struct knot *);
int64_t rope_offset(const struct rope *, int64_t local_ns);
/* own: against a clock whose own rope is `other`; as one against other's. */
struct knot rope_join(const struct knot *own, const struct rope *other);

#endif
