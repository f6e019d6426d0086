#include "drivers/halt.h"

#include "drivers/fail.h"

#include <stdlib.h>
#include <string.h>

const char *halt_word(enum halt halt)
{
    static const char *const words[] = {NULL, "repeats", "until-ci", "max-time", "signal"};
    return words[halt];
}

int rates_add(struct rates *r, double rate)
{
    if (r->n == r->room) {
        const size_t room = r->room ? 2 * r->room : 64;
        double *values = realloc(r->values, 2 * room * sizeof *values);
        if (!values)
            return fail("out of memory for %zu repetitions", room);
        r->values = values;
        r->room = room;
    }
    r->values[r->n++] = rate;
    return 0;
}

void rates_free(struct rates *r)
{
    free(r->values);
    *r = (struct rates){0};
}

struct interval rates_interval(const struct rates *r)
{
    double *sorted = r->values + r->room;
    memcpy(sorted, r->values, r->n * sizeof *sorted);
    return interval_median(sorted, r->n);
}

enum halt halt_decide(const struct params *p, const struct rates *r, int64_t after_ns)
{
    if (p->until_ci > 0 && interval_look(r->n)) {
        const struct interval i = rates_interval(r);
        if ((i.high - i.low) / 2 <= p->until_ci * i.median)
            return HALT_UNTIL_CI;
    }
    if (p->until_ci == 0 && r->n >= p->repeats)
        return HALT_REPEATS;
    return p->max_time_ns && after_ns >= (int64_t)p->max_time_ns ? HALT_MAX_TIME : HALT_NO;
}
