#include "drivers/clock.h"

#include <stdio.h>
#include <string.h>

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

/* The kernel's watchdog has the last word on whether cores agree. */
static void kernel_source(char *name, size_t size)
{
    name[0] = '\0';
    FILE *f = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "r");
    if (!f)
        return;
    if (fgets(name, (int)size, f))
        name[strcspn(name, "\n")] = '\0';
    fclose(f);
}

static bool usable(char *why, size_t size)
{
    char source[32];
    why[0] = '\0';
    kernel_source(source, sizeof source);
    if (!TICK_HAS_COUNTER)
        snprintf(why, size, "this CPU has no counter known here");
    else if (!counter_is_invariant())
        snprintf(why, size, "the counter's rate is not constant");
    else if (strcmp(source, "tsc") != 0 && strcmp(source, "arch_sys_counter") != 0)
        snprintf(why, size, "the kernel keeps time by %s, not by the counter", source);
    return why[0] == '\0';
}

struct clock_pair clock_now_pair(const struct clock *c)
{
    struct clock_pair best = {.bracket_ns = INT64_MAX};
    for (int i = 0; i < 200; i++) {
        const int64_t before = (int64_t)tick_system();
        const uint64_t tick = clock_ticks(c);
        const int64_t after = (int64_t)tick_system();
        if (after - before < best.bracket_ns)
            best = (struct clock_pair){tick, before + (after - before) / 2, after - before};
    }
    if (!c->counter)
        best.ns = (int64_t)best.tick; /* the same clock: exact */
    return best;
}

static void measure_reads(struct clock *c)
{
    enum { READS = 20000 };
    uint64_t step = UINT64_MAX, before = clock_ticks(c);
    const int64_t start = (int64_t)tick_system();
    for (int i = 0; i < READS; i++) {
        const uint64_t now = clock_ticks(c);
        if (now > before && now - before < step)
            step = now - before;
        before = now;
    }
    c->read_ns = (double)((int64_t)tick_system() - start) / READS;
    c->step = step;
}

void clock_open(struct clock *c)
{
    memset(c, 0, sizeof *c);
    c->counter = usable(c->why, sizeof c->why);
    c->ns_per_tick = 1;
    measure_reads(c);
    c->from = clock_now_pair(c);
}

void clock_calibrate(struct clock *c, int64_t base_ns)
{
    while ((int64_t)tick_system() - c->from.ns < base_ns)
        ;
    c->to = clock_now_pair(c);
    if (c->counter)
        c->ns_per_tick = (double)(c->to.ns - c->from.ns) / (double)(c->to.tick - c->from.tick);
}
