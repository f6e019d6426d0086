/* Property: the peak loops do the work that they tell of, and no compiler takes it away. */
#include "kernels/peak.h"
#include "kernels/tick.h"
#include "tests/unit.h"

enum { N = 4096 };

static void reading_reads_everything(void **state)
{
    (void)state;
    static double x[N], y[N];
    assert_true(peak_read(x, y, N) == 0);
    double seen = 0;
    for (int i = 0; i < N; i++) { /* each element is in some lane: those behind the result */
        x[i] = 1;
        seen += peak_read(x, y, N);
        x[i] = 0;
        y[i] = 1;
        seen += peak_read(x, y, N);
        y[i] = 0;
    }
    assert_true(seen >= 2.0 * N / 8 && seen <= 2.0 * N);
}

/* Ten times the rounds take longer: at the least, far more than nothing. */
static void multiply_adds_take_time(void **state)
{
    (void)state;
    enum { FEW = 100000, MANY = 10 * FEW };
    assert_true(peak_fma(MANY) == 10 * peak_fma(FEW));
    const uint64_t start = tick_system();
    const double flops = peak_fma(MANY);
    const double seconds = 1e-9 * (double)(tick_system() - start);
    assert_true(flops / seconds < 1e12); /* a core of this decade: some 10^11 */
    assert_true(flops >= 24.0 * MANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_reads_everything),
        cmocka_unit_test(multiply_adds_take_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
