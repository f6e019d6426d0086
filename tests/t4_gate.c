/* Property: the gate finds workers that share a CPU or a core, and too many of
 * them, from their masks alone; and is silent about a good seating. */
#include "drivers/gate.h"
#include "tests/unit.h"

#include <string.h>

static struct gate_seat seat(uint64_t cpus, int core, int width)
{
    return (struct gate_seat){.cpus = {cpus}, .core = core, .width = width};
}

static void good_seatings_are_silent(void **state)
{
    (void)state;
    const struct gate_seat pinned[] = {seat(1, 0, 1), seat(2, 1, 1)};
    const struct gate_seat loose[] = {seat(3, -1, 1), seat(3, -1, 1)};
    const struct gate_seat pool[] = {seat(3, -1, 2)};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(gate_seating(pinned, 2, i, 0), 0);
        assert_int_equal(gate_seating(loose, 2, i, 0), 0);
    }
    assert_int_equal(gate_seating(pool, 1, 0, 0), 0);
}

static void two_threads_on_one_core_of_mpirun(void **state)
{
    (void)state;
    const struct gate_seat seats[] = {seat(1, 0, 1), seat(1, 0, 1)};
    assert_true(gate_seating(seats, 2, 0, 0) & GATE_SHARED_CPU);
    assert_true(gate_seating(seats, 2, 1, 0) & GATE_SHARED_CPU);
}

static void only_the_pair_that_shares_is_named(void **state)
{
    (void)state;
    const struct gate_seat seats[] = {seat(1, 0, 1), seat(2, 1, 1), seat(2, 1, 1), seat(4, 2, 1),
                                      seat(8, 3, 1)};
    assert_int_equal(gate_seating(seats, 5, 0, 0), GATE_CROWDED); /* five workers, four CPUs */
    assert_true(gate_seating(seats, 5, 1, 0) & GATE_SHARED_CPU);
    assert_false(gate_seating(seats, 5, 3, 0) & GATE_SHARED_CPU);
}

static void hardware_threads_of_one_core(void **state)
{
    (void)state;
    const struct gate_seat seats[] = {seat(1, 0, 1), seat(4, 0, 1), seat(2, 1, 1)};
    assert_int_equal(gate_seating(seats, 3, 0, 0), GATE_SHARED_CORE);
    assert_int_equal(gate_seating(seats, 3, 1, 0), GATE_SHARED_CORE);
    assert_int_equal(gate_seating(seats, 3, 2, 0), 0);
}

static void library_threads_count(void **state)
{
    (void)state;
    const struct gate_seat seats[] = {seat(3, -1, 2), seat(3, -1, 2)};
    assert_true(gate_seating(seats, 2, 0, 0) & GATE_CROWDED);
}

static void who_takes_turns_needs_no_cpu_of_his_own(void **state)
{
    (void)state;
    const struct gate_seat pinned[] = {seat(1, 0, 1), seat(2, 1, 0), seat(1, 0, 0)};
    const struct gate_seat threads[] = {seat(1, 0, 1), seat(4, 0, 0)}; /* of one core */
    const struct gate_seat others[] = {seat(1, 0, 1), seat(1, 0, 0), seat(1, 0, 1)};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(gate_seating(pinned, 3, i, 1), 0);
    assert_int_equal(gate_seating(threads, 2, 0, 0), 0);
    assert_true(gate_seating(others, 3, 0, 0) & GATE_SHARED_CPU); /* of another process */
}

static void a_quota_below_the_workers(void **state)
{
    (void)state;
    const struct gate_seat seats[] = {seat(1, 0, 1), seat(2, 1, 1)};
    assert_int_equal(gate_seating(seats, 2, 0, 1.5), GATE_QUOTA);
    assert_int_equal(gate_seating(seats, 2, 0, 2), 0);
}

static void repetitions(void **state)
{
    (void)state;
    assert_int_equal(gate_repetition(&(struct gate_seen){.late_ns = 10, .tolerance_ns = 10}), 0);
    assert_int_equal(gate_repetition(&(struct gate_seen){.late_ns = 11, .tolerance_ns = 10}),
                     GATE_LATE);
    assert_int_equal(
        gate_repetition(&(struct gate_seen){.migrations = 1, .minor_faults = 1, .involuntary = 1}),
        GATE_MIGRATED | GATE_FAULTS | GATE_PREEMPTED);
    assert_int_equal(gate_repetition(&(struct gate_seen){.workless = true}), GATE_WORKLESS);
}

static void work_that_was_not_done(void **state)
{
    (void)state;
    assert_true(gate_idle(1e6, 30e-9, 1));    /* a sum that was compiled to nothing */
    assert_false(gate_idle(1e6, 12e-6, 1));   /* 512-bit loads from the nearest cache */
    assert_false(gate_idle(64e9, 0.016, 64)); /* 64 cores of a library, all busy */
}

static int bit_number(int bit)
{
    return __builtin_ctz((unsigned)bit);
}

static void verdicts(void **state)
{
    (void)state;
    char reasons[512], warnings[512];
    uint64_t counts[GATE_NFINDINGS] = {0}, worst[GATE_NFINDINGS] = {0};
    assert_true(gate_verdict(counts, worst, 10, 2, reasons, warnings, sizeof reasons));
    assert_string_equal(reasons, "");
    counts[bit_number(GATE_PREEMPTED)] = 20;
    worst[bit_number(GATE_PREEMPTED)] = 10;
    counts[bit_number(GATE_LATE)] = 5;
    worst[bit_number(GATE_LATE)] = 5; /* half of them: not yet the rule */
    assert_true(gate_verdict(counts, worst, 10, 2, reasons, warnings, sizeof reasons));
    assert_non_null(strstr(warnings, "taken off its CPU"));
    counts[bit_number(GATE_WORKLESS)] = 10; /* told, but no reason to throw the run away */
    worst[bit_number(GATE_WORKLESS)] = 10;
    assert_true(gate_verdict(counts, worst, 10, 2, reasons, warnings, sizeof reasons));
    assert_non_null(strstr(warnings, "had no work"));
    worst[bit_number(GATE_LATE)] = 6;
    assert_false(gate_verdict(counts, worst, 10, 2, reasons, warnings, sizeof reasons));
    assert_non_null(strstr(reasons, "agreed instant"));
    counts[bit_number(GATE_SHARED_CPU)] = 20;
    worst[bit_number(GATE_SHARED_CPU)] = 10;
    assert_false(gate_verdict(counts, worst, 10, 2, reasons, warnings, sizeof reasons));
    assert_non_null(strstr(reasons, "on one CPU (2 of 2 workers)"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_seatings_are_silent),
        cmocka_unit_test(two_threads_on_one_core_of_mpirun),
        cmocka_unit_test(only_the_pair_that_shares_is_named),
        cmocka_unit_test(hardware_threads_of_one_core),
        cmocka_unit_test(library_threads_count),
        cmocka_unit_test(who_takes_turns_needs_no_cpu_of_his_own),
        cmocka_unit_test(a_quota_below_the_workers),
        cmocka_unit_test(repetitions),
        cmocka_unit_test(work_that_was_not_done),
        cmocka_unit_test(verdicts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
