/* clocks: error of the kit's calibration over 50 ms, in ppm, against a base line
 * of some seconds that all of them lie in. */
#include "drivers/clock.h"

#include <stdio.h>

enum { TRIALS = 60, BASE_NS = 50000000 };

int main(void)
{
    struct clock all;
    double rates[TRIALS];
    clock_open(&all, CLOCK_BEST);
    for (int i = 0; i < TRIALS; i++) {
        struct clock one = all;
        one.from = clock_now_pair(&all);
        clock_calibrate(&one, BASE_NS);
        rates[i] = one.ns_per_tick;
    }
    clock_calibrate(&all, 0);
    for (int i = 0; i < TRIALS; i++)
        printf("%d %.6f\n", BASE_NS / 1000000, (rates[i] / all.ns_per_tick - 1) * 1e6);
    return all.counter ? 0 : 1;
}
