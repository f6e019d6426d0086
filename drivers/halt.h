/* halt.h: when a run has enough. The lead decides from its rates; who else must
 * know is measure.c's business. */
#ifndef BINDOT_HALT_H
#define BINDOT_HALT_H

#include "drivers/interval.h"
#include "drivers/params.h"

#include <stddef.h>
#include <stdint.h>

enum halt { HALT_NO, HALT_REPEATS, HALT_UNTIL_CI, HALT_MAX_TIME, HALT_SIGNAL };
const char *halt_word(enum halt); /* "until-ci"; NULL for HALT_NO */

struct rates {      /* of the repetitions so far */
    double *values; /* [room], then as much to sort in */
    size_t n, room;
};

int rates_add(struct rates *, double rate); /* -1: fail.h */
void rates_free(struct rates *);
struct interval rates_interval(const struct rates *);

/* after_ns: since the first repetition began. */
enum halt halt_decide(const struct params *, const struct rates *, int64_t after_ns);

#endif
