#include "drivers/clock.h"

#include "drivers/line.h"

#include <stdlib.h>

#ifdef __x86_64__
#include <cpuid.h>

static bool counter_is_invariant(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d >> 8 & 1);
}
#else
static bool counter_is_invariant(void)
{
    return TICK_HAS_COUNTER; /* aarch64: the generic timer runs at a fixed rate */
}
#endif

void clock_kernel_source(char *name, size_t size)
{
    line_read("/sys/devices/system/clocksource/clocksource0/current_clocksource", name, size);
}

const char *clock_source(const struct clock *c)
{
    return c->counter ? TICK_COUNTER_NAME : "CLOCK_MONOTONIC_RAW";
}

/* The kernel's watchdog has the last word on whether cores agree. */
static bool usable(char *why, size_t size)
{
    char source[32];
    why[0] = '\0';
    clock_kernel_source(source, sizeof source);
    if (!TICK_HAS_COUNTER)
        snprintf(why, size, "this CPU has no counter known here");
    else if (!counter_is_invariant())
        snprintf(why, size, "the counter's rate is not constant");
    else if (strcmp(source, "tsc") != 0 && strcmp(source, "arch_sys_counter") != 0)
        snprintf(why, size, "the kernel keeps time by %s, not by the counter", source);
    return why[0] == '\0';
}

/* The system clock is itself made of a counter read, at a fixed place inside its
 * call: between the two tightest counter reads that bias is the same each time,
 * and a difference of pairs loses it. */
struct clock_pair clock_now_pair(const struct clock *c)
{
    uint64_t tightest = UINT64_MAX;
    struct clock_pair best = {0};
    for (int i = 0; i < 200; i++) {
        const uint64_t before = clock_ticks(c);
        const int64_t ns = (int64_t)tick_system();
        const uint64_t after = clock_ticks(c);
        if (after - before < tightest) {
            tightest = after - before;
            best = (struct clock_pair){.tick = before + tightest / 2, .ns = ns};
        }
    }
    best.bracket_ns = (int64_t)((double)tightest * c->ns_per_tick);
    if (!c->counter)
        best.tick = (uint64_t)best.ns; /* the same clock: exact */
    return best;
}

static int ascending(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* values: [n], sorted. */
static uint64_t most_frequent(const uint64_t *values, size_t n)
{
    size_t longest = 0, run = 0;
    uint64_t found = values[0];
    for (size_t i = 0; i < n; i++) {
        run = i && values[i] == values[i - 1] ? run + 1 : 1;
        if (run > longest) {
            longest = run;
            found = values[i];
        }
    }
    return found;
}

/* Step: the most frequent difference of neighbouring reads. The smallest one can
 * be a correction of the counter by a single tick. */
static void measure_reads(struct clock *c)
{
    enum { READS = 20000 };
    static uint64_t apart[READS];
    uint64_t before = clock_ticks(c);
    for (int i = 0; i < READS; i++) {
        const uint64_t now = clock_ticks(c);
        apart[i] = now - before;
        before = now;
    }
    qsort(apart, READS, sizeof *apart, ascending);
    c->step = most_frequent(apart, READS);
    c->read = apart[READS / 2];
}

void clock_open(struct clock *c, enum clock_choice choice)
{
    memset(c, 0, sizeof *c);
    c->counter = usable(c->why, sizeof c->why);
    if (c->counter && choice == CLOCK_SYSTEM) {
        c->counter = false;
        snprintf(c->why, sizeof c->why, "--clock monotonic");
    }
    c->ns_per_tick = 1;
    measure_reads(c);
    c->from = clock_now_pair(c);
}

void clock_calibrate(struct clock *c, int64_t base_ns)
{
    while ((int64_t)tick_system() - c->from.ns < base_ns)
        ;
    c->to = clock_now_pair(c);
    c->ns_per_tick = 1 + c->drift;
    if (c->counter)
        c->ns_per_tick *= (double)(c->to.ns - c->from.ns) / (double)(c->to.tick - c->from.tick);
    c->read_ns = (double)c->read * c->ns_per_tick;
}

void clock_bend(struct clock *c, int64_t skew_ns, double drift)
{
    c->ns_per_tick *= (1 + drift) / (1 + c->drift);
    c->skew_ns = skew_ns;
    c->drift = drift;
}

int64_t clock_now(const void *clock)
{
    return clock_ns(clock, clock_ticks(clock));
}
