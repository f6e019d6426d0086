/* Property: a build whose fma rounds twice is known by its bits. */
#include "kernels/dot.h"
#include "tests/unit.h"

#include <math.h>

double fma(double x, double y, double z) /* instead of the C library's */
{
    volatile double product = x * y;
    return product + z;
}

static void bits_that_are_not_kept_are_seen(void **state)
{
    (void)state;
#ifdef __FP_FAST_FMA
    skip(); /* the compiler needs no library for it */
#endif
    assert_int_equal(dot_choose("generic"), 0);
    assert_false(dot_keeps_bits());
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bits_that_are_not_kept_are_seen)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
