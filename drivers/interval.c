#include "drivers/interval.h"

#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* How many values on each side lie outside the interval; -1: no interval. */
static long outside(size_t n)
{
    double chance = pow(0.5, (double)n), below = 0; /* Binomial(n, 1/2) at k, below k */
    if (chance == 0) /* n > 1074: the normal approximation is exact enough */
        return (long)floor(0.5 * (double)n - 0.98 * sqrt((double)n));
    for (size_t k = 0;; k++) {
        below += chance;
        if (below > 0.025)
            return (long)k - 1;
        chance *= (double)(n - k) / (double)(k + 1);
    }
}

struct interval interval_median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, ascending);
    const long out = outside(n);
    struct interval i = {
        .median = 0.5 * (values[(n - 1) / 2] + values[n / 2]), .low = NAN, .high = NAN};
    if (out >= 0) {
        i.low = values[out];
        i.high = values[n - 1 - (size_t)out];
    }
    return i;
}

int interval_look(size_t n)
{
    size_t look = 10;
    while (look < n)
        look += look / 2;
    return look == n;
}
