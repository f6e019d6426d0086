/* inject.h: known faults on purpose, so that every detector can be proven.
 *
 *   steal=2%@worker3    somebody takes that share of the CPU of worker 3
 *   slow=5%@node0       every worker of node 0 needs that much longer for its work
 *   bind=same-core      all workers of a process on one CPU
 *   kill=after3s@rank1  rank 1 dies by SIGKILL
 *   skew=80us@node1     the clock of node 1 is ahead (-80us: behind)
 *   drift=50ppm@node1   ... and gains 50 us each second (-50ppm: loses)
 *   nodes=2             the processes of each machine count as 2 nodes, so that a
 *                       single machine can show what several do
 *   wrong=element@worker2  one element of its result is wrong, each time
 *
 * Numbers are those of the trace: from 0. Several: separated by commas; steal, skew
 * and drift may come more than once, the others once. */
#ifndef BINDOT_INJECT_H
#define BINDOT_INJECT_H

#include <stdbool.h>
#include <stdint.h>

enum { INJECT_THIEVES = 16, INJECT_CLOCKS = 16 };

struct inject {
    const char *text; /* as typed, or NULL */
    int nthieves;
    struct {
        double share;
        uint64_t worker;
    } thieves[INJECT_THIEVES];
    double slow;
    uint64_t node;
    bool same_core;
    uint64_t kill_ns; /* 0: never */
    uint64_t rank;
    bool wrong;
    uint64_t spoilt; /* worker */
    int nclocks;
    struct { /* those of one node add up */
        uint64_t node;
        int64_t skew_ns;
        double drift;
    } clocks[INJECT_CLOCKS];
    uint64_t nodes; /* of each machine; 0: as it is */
};

int inject_parse(const char *text, struct inject *out); /* -1: fail.h */

/* Starts to take that share of a CPU, until the process ends. */
int inject_thief(int cpu, double share);
/* SIGKILL to this process in so many ns. */
int inject_death(uint64_t ns);

#endif
