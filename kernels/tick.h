/* tick.h: one read of a counter, as cheap as the machine allows.
 * A tick has no unit here; drivers/clock.h knows what it is worth. */
#ifndef BINDOT_TICK_H
#define BINDOT_TICK_H

#include <sched.h>
#include <stdint.h>
#include <time.h>

#if defined __x86_64__
#include <x86intrin.h>
#define TICK_HAS_COUNTER  1
#define TICK_COUNTER_NAME "tsc"
static inline uint64_t tick_counter(void)
{
    return __rdtsc();
}
#elif defined __aarch64__
#define TICK_HAS_COUNTER  1
#define TICK_COUNTER_NAME "cntvct_el0"
static inline uint64_t tick_counter(void)
{
    uint64_t value;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(value));
    return value;
}
#else
#define TICK_HAS_COUNTER  0
#define TICK_COUNTER_NAME "none"
static inline uint64_t tick_counter(void)
{
    return 0;
}
#endif

/* CPU that the caller is on. */
static inline int tick_cpu(void)
{
#if defined __x86_64__
    unsigned aux; /* Linux keeps NUMA node << 12 | CPU there */
    __rdtscp(&aux);
    return (int)(aux & 0xfff);
#else
    return sched_getcpu();
#endif
}

/* Nanoseconds of CLOCK_MONOTONIC_RAW: no step, no rate steered by NTP. */
static inline uint64_t tick_system(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif
