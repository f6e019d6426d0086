/* Property: whatever stream of stamps a clock gives, counts[(t - start) / width]
 * goes up by one for each, the sum of counts is the number of reads, and lost
 * time is the time inside gaps above the threshold. */
#include "kernels/bins.h"
#include "kernels/fill.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

enum { BINS = 64, STREAMS = 3000, CAPACITY = 32, READS = 4096 };

struct tape { /* a clock whose stamps are known beforehand */
    uint64_t stamps[READS];
    size_t next, length;
};

static uint64_t read_tape(void *of)
{
    struct tape *tape = of;
    assert_true(tape->next < tape->length);
    return tape->stamps[tape->next++];
}

struct bench {
    struct bins bins;
    uint32_t counts[BINS], lost[BINS];
    struct bins_detour detours[CAPACITY];
};

static void set_up(struct bench *b, uint64_t start, uint64_t width, uint64_t threshold)
{
    b->bins = (struct bins){.start = start,
                            .width = width,
                            .nbins = BINS,
                            .threshold = threshold,
                            .capacity = CAPACITY,
                            .counts = b->counts,
                            .lost = b->lost,
                            .detours = b->detours};
    bins_reset(&b->bins);
}

static uint64_t bin_of(const struct bins *b, uint64_t t)
{
    return (uint64_t)(((unsigned __int128)(t - b->start) << 32) / b->width);
}

/* Repeated stamps, stamps on edges, small steps, jumps over many bins; begins
 * before the start, ends after the last bin. */
static void record_tape(struct tape *tape, const struct bins *b, uint64_t seed)
{
    const uint64_t width = b->width >> 32;
    uint64_t t = b->start - fill_bits(seed, 0) % (2 * width + 2);
    tape->next = 0;
    for (tape->length = 0; tape->length < READS - 1; tape->length++) {
        tape->stamps[tape->length] = t;
        if (t >= b->start && bin_of(b, t) >= BINS) {
            tape->length++;
            return;
        }
        const uint64_t dice = fill_bits(seed, tape->length + 1);
        switch (dice % 8) {
        case 0:
            break;
        case 1: /* the next edge, or a tick on either side of it */
            if (t >= b->start)
                t = bins_edge(b, bin_of(b, t) + 1) - (dice >> 8) % 2;
            break;
        case 2:
            t += (dice >> 8) % (5 * width + 1);
            break;
        default:
            t += (dice >> 8) % (width / 4 + 1);
        }
    }
    tape->stamps[tape->length++] = b->start + (BINS + 1) * (width + 1);
}

static void check_stream(const struct bench *b, const struct tape *tape)
{
    uint32_t counts[BINS] = {0};
    uint64_t reads = 0, lost = 0, detours = 0, sum = 0, sum_lost = 0;
    const uint64_t end = bins_edge(&b->bins, BINS);
    for (size_t i = 0; i < tape->length; i++) {
        const uint64_t t = tape->stamps[i];
        if (t < b->bins.start)
            continue;
        if (bin_of(&b->bins, t) < BINS) {
            counts[bin_of(&b->bins, t)]++;
            reads++;
        }
        if (i && tape->stamps[i - 1] >= b->bins.start &&
            t - tape->stamps[i - 1] > b->bins.threshold) {
            lost += (t < end ? t : end) - tape->stamps[i - 1];
            detours++;
        }
    }
    for (int i = 0; i < BINS; i++) {
        sum += b->counts[i];
        sum_lost += b->lost[i];
    }
    assert_memory_equal(counts, b->counts, sizeof counts);
    assert_int_equal(b->bins.units, reads);
    assert_int_equal(sum, reads);
    assert_int_equal(sum_lost, lost);
    assert_int_equal(b->bins.ndetours + b->bins.dropped, detours);
}

static void counts_are_exact(void **state)
{
    (void)state;
    struct bench *b = malloc(sizeof *b);
    struct tape *tape = malloc(sizeof *tape);
    for (uint64_t seed = 0; seed < STREAMS; seed++) {
        const uint64_t width = BINS_TICK_ONE * (4 + fill_bits(seed, 1000) % 500) +
                               fill_bits(seed, 1001) % BINS_TICK_ONE;
        set_up(b, 100000 + fill_bits(seed, 1002) % 100000, width, fill_bits(seed, 1003) % 300);
        record_tape(tape, &b->bins, seed);
        bins_loop(&b->bins, read_tape, tape, BINS_PRIVATE);
        check_stream(b, tape);
    }
    free(b);
    free(tape);
}

static void an_interruption_leaves_zero_bins(void **state)
{
    (void)state;
    static struct bench b;
    static struct tape tape = {.stamps = {1000, 1005, 1010, 1062, 1063, 2000}, .length = 6};
    set_up(&b, 1000, 10 * BINS_TICK_ONE, 20);
    b.bins.nbins = 8;
    bins_loop(&b.bins, read_tape, &tape, BINS_PRIVATE);
    const uint32_t counts[8] = {2, 1, 0, 0, 0, 0, 2, 0};
    const uint32_t lost[8] = {0, 10, 10, 10, 10, 10, 9, 10};
    assert_memory_equal(counts, b.counts, sizeof counts);
    assert_memory_equal(lost, b.lost, sizeof lost); /* bin 6: 2 before 1062, 7 after 1063 */
    assert_int_equal(b.bins.ndetours, 2);
    assert_int_equal(b.detours[0].start, 1010);
    assert_int_equal(b.detours[0].length, 52);
    assert_int_equal(b.detours[1].length, 1080 - 1063); /* cut at the window's end */
    assert_int_equal(b.bins.first, 1000);
    assert_int_equal(b.bins.last, 1063);
}

static void a_full_list_drops_but_loses_no_time(void **state)
{
    (void)state;
    static struct bench b;
    static struct tape tape = {.stamps = {0, 30, 60, 90, 120, 640}, .length = 6};
    set_up(&b, 0, 10 * BINS_TICK_ONE, 20);
    b.bins.capacity = 2;
    bins_loop(&b.bins, read_tape, &tape, BINS_PRIVATE);
    uint64_t lost = 0;
    for (int i = 0; i < BINS; i++)
        lost += b.lost[i];
    assert_int_equal(b.bins.ndetours, 2);
    assert_int_equal(b.bins.dropped, 3);
    assert_int_equal(lost, 640);
}

static void a_start_after_the_window_counts_nothing(void **state)
{
    (void)state;
    static struct bench b;
    static struct tape tape = {.stamps = {10, 5000}, .length = 2};
    set_up(&b, 100, 10 * BINS_TICK_ONE, 20);
    bins_loop(&b.bins, read_tape, &tape, BINS_PRIVATE);
    assert_int_equal(b.bins.units, 0);
    assert_int_equal(b.bins.ndetours, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_exact),
        cmocka_unit_test(an_interruption_leaves_zero_bins),
        cmocka_unit_test(a_full_list_drops_but_loses_no_time),
        cmocka_unit_test(a_start_after_the_window_counts_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
