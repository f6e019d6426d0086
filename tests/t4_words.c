/* Property: sizes, times, shares and drifts are taken exactly or refused, and a fault
 * is the one asked for; an interval of a median has the exact binomial ranks. */
#include "drivers/experiments/pace.h"
#include "drivers/fail.h"
#include "drivers/inject.h"
#include "drivers/interval.h"
#include "drivers/parse.h"
#include "tests/unit.h"

#include <math.h>
#include <string.h>

static void sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {{"0", 0},
                {"4000", 4000},
                {"1e6", 1000000},
                {"1.5e3", 1500},
                {"64Ki", 65536},
                {"2M", 2000000},
                {"1Gi", 1073741824},
                {"9007199254740992", 9007199254740992u}};
    static const char *const bad[] = {"",    "-1",    "+1",   "1.5",   "1e-3",
                                      "nan", "inf",   "0x10", "4 ",    " 4",
                                      "4kk", "1e400", "1e17", "12abc", "9007199254740994",
                                      "Ki",  "1e",    "1,000"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t value = 77;
        assert_int_equal(parse_size("--n", good[i].text, &value), 0);
        assert_int_equal(value, good[i].value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t value;
        fail_clear();
        assert_int_equal(parse_size("--n", bad[i], &value), -1);
        assert_non_null(strstr(fail_text(), "--n"));
    }
}

static void times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ns;
    } good[] = {{"50us", 50000}, {"2ms", 2000000}, {"1s", 1000000000},
                {"1.5us", 1500}, {"100ns", 100},   {"2min", 120000000000}};
    static const char *const bad[] = {"50", "50 us", "us", "-1ms", "0s", "0.1ns", "1h", "nans"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t ns;
        assert_int_equal(parse_time("--w", good[i].text, &ns), 0);
        assert_int_equal(ns, good[i].ns);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t ns;
        assert_int_equal(parse_time("--w", bad[i], &ns), -1);
    }
}

static void shares(void **state)
{
    (void)state;
    double share;
    assert_int_equal(parse_share("--ci", "1%", &share), 0);
    assert_true(share == 0.01);
    assert_int_equal(parse_share("--ci", "1", &share), -1);
    assert_int_equal(parse_share("--ci", "0%", &share), -1);
    assert_int_equal(parse_share("--ci", "100%", &share), -1);
}

static void drifts(void **state)
{
    (void)state;
    static const char *const bad[] = {"50", "0ppm", "-1ppm", "1001ppm", "5%", "ppm", "1 ppm"};
    double drift;
    assert_int_equal(parse_drift("--d", "50ppm", &drift), 0);
    assert_true(fabs(drift - 50e-6) < 1e-18);
    assert_int_equal(parse_drift("--d", "20ppb", &drift), 0);
    assert_true(fabs(drift - 20e-9) < 1e-21);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(parse_drift("--d", bad[i], &drift), -1);
}

/* Faults on clocks; of a wrong one the whole line is refused. */
static void clock_faults(void **state)
{
    (void)state;
    struct inject fault;
    assert_int_equal(inject_parse("nodes=2,skew=-80us@node1,drift=50ppm@node0", &fault), 0);
    assert_int_equal(fault.nodes, 2);
    assert_int_equal(fault.nclocks, 2);
    assert_true(fault.clocks[0].node == 1 && fault.clocks[0].skew_ns == -80000 &&
                fault.clocks[0].drift == 0);
    assert_true(fault.clocks[1].node == 0 && fault.clocks[1].skew_ns == 0 &&
                fault.clocks[1].drift > 49e-6);
    static const char *const bad[] = {"skew=80@node1",   "skew=80us",      "skew=80us@rank1",
                                      "skew=--1s@node0", "drift=5%@node0", "drift=1s@node0",
                                      "nodes=x",         "skew=1us@node",  "drift=@node0"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(inject_parse(bad[i], &fault), -1);
}

/* Of a slow node's units of binning the share asked for takes twice as long: no rounding. */
static void slow_share(void **state)
{
    (void)state;
    static const char *const asked[] = {"slow=0.01%@node0", "slow=15%@node0", "slow=40%@node0",
                                        "slow=90%@node0", "slow=99.99%@node0"};
    enum { UNITS = 1000000 };
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        struct inject fault;
        assert_int_equal(inject_parse(asked[i], &fault), 0);
        uint32_t owed = 0, none = 0;
        double twice = 0;
        for (int unit = 0; unit < UNITS; unit++) {
            twice += pace_twice(&owed, pace_share(fault.slow));
            assert_false(pace_twice(&none, pace_share(0)));
        }
        assert_true(fabs(twice - fault.slow * UNITS) <= 1);
    }
}

/* A second one would replace the first in silence. */
static void only_once(void **state)
{
    (void)state;
    static const char *const bad[] = {"slow=5%@node0,slow=5%@node1",
                                      "kill=after1s@rank0,kill=after2s@rank1", "nodes=2,nodes=2",
                                      "wrong=element@worker0,wrong=element@worker1"};
    struct inject fault;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(inject_parse(bad[i], &fault), -1);
}

/* Ranks from the binomial table (method facts, 2.2), counted from one. */
static void ranks(void **state)
{
    (void)state;
    static const struct {
        size_t n, low, high;
    } table[] = {{6, 1, 6},    {10, 2, 9},   {15, 4, 12},  {20, 6, 15},
                 {30, 10, 21}, {50, 18, 33}, {100, 40, 61}};
    double values[100];
    for (size_t t = 0; t < sizeof table / sizeof *table; t++) {
        const size_t n = table[t].n;
        for (size_t i = 0; i < n; i++)
            values[i] = (double)(n - i);
        const struct interval i = interval_median(values, n);
        assert_true(i.low == (double)table[t].low && i.high == (double)table[t].high);
        assert_true(i.median == ((double)n + 1) / 2);
    }
    const struct interval few = interval_median(values, 5);
    assert_true(isnan(few.low) && isnan(few.high));
}

static void looks(void **state)
{
    (void)state;
    static const int when[] = {10, 15, 22, 33, 49};
    size_t next = 0;
    for (int n = 1; n <= 50; n++)
        if (interval_look((size_t)n))
            assert_int_equal(n, when[next++]);
    assert_int_equal(next, sizeof when / sizeof *when);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),     cmocka_unit_test(times),        cmocka_unit_test(shares),
        cmocka_unit_test(drifts),    cmocka_unit_test(clock_faults), cmocka_unit_test(slow_share),
        cmocka_unit_test(only_once), cmocka_unit_test(ranks),        cmocka_unit_test(looks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
