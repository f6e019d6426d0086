/* state: how far apart two CPUs are at this moment: nanoseconds for a cache line to go
 * from the first to the second of this process's CPUs, median over some milliseconds.
 * A virtual machine's CPUs may be moved onto one cache or onto two, and back, without a
 * word; everything that synchronises or shares bandwidth then runs at another speed. */
#include "drivers/interval.h"
#include "kernels/tick.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCHES = 64, TRIPS = 128, FLIGHTS = 2 * TRIPS * BATCHES };

static _Alignas(128) atomic_int line; /* flights so far: even ones leave from the first CPU */
static double ns[BATCHES];            /* one way */

static int pin(int nth) /* to the nth allowed CPU; -1: there are fewer */
{
    cpu_set_t set;
    sched_getaffinity(0, sizeof set, &set);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set) && nth-- == 0) {
            CPU_ZERO(&set);
            CPU_SET(cpu, &set);
            return sched_setaffinity(0, sizeof set, &set);
        }
    return -1;
}

static void fly(int odd, int flights)
{
    for (int i = 0; i < flights; i++) {
        int now;
        while ((now = atomic_load_explicit(&line, memory_order_acquire)) % 2 != odd)
            ;
        atomic_store_explicit(&line, now + 1, memory_order_release);
    }
}

static void *answer(void *nothing)
{
    if (pin(1) == 0)
        fly(1, FLIGHTS / 2);
    return nothing;
}

int main(void)
{
    cpu_set_t set;
    pthread_t other;
    sched_getaffinity(0, sizeof set, &set);
    if (CPU_COUNT(&set) < 2) {
        puts("nan"); /* one CPU is near to itself */
        return 0;
    }
    if (pthread_create(&other, NULL, answer, NULL) != 0 || pin(0) < 0)
        return 1;
    for (int b = 0; b < BATCHES; b++) {
        const uint64_t start = tick_system();
        fly(0, TRIPS);
        ns[b] = (double)(tick_system() - start) / (2 * TRIPS);
    }
    pthread_join(other, NULL);
    printf("%.1f\n", interval_median(ns, BATCHES).median);
    return 0;
}
