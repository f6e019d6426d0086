/* gate.h: does what a worker saw falsify a comparison? Pure functions on
 * observations; they are the same for every kernel and layout. */
#ifndef BINDOT_GATE_H
#define BINDOT_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GATE_WORDS = 64 }; /* of 64 CPUs: systems up to 4096 */

struct gate_seat {             /* a worker, as it found itself after pinning */
    uint64_t cpus[GATE_WORDS]; /* it may use these */
    int32_t core;              /* of its CPU, if it has just one; else -1 */
    int32_t width;  /* threads that it stands for: 1, or its BLAS threads;
                     * 0: it runs only while others do not */
};

struct gate_seen {   /* a worker in one repetition */
    int64_t late_ns; /* start after the agreed instant */
    int64_t tolerance_ns;
    bool workless;   /* its share was nothing */
    int64_t migrations, minor_faults, involuntary;
    int64_t throttled; /* of the node's control group */
};

/* Bits of a finding; gate_findings has one row for each, in this order. */
enum {
    GATE_SHARED_CPU = 1 << 0,
    GATE_SHARED_CORE = 1 << 1,
    GATE_CROWDED = 1 << 2,
    GATE_BLAS_POOL = 1 << 3,
    GATE_CLOCK = 1 << 4,
    GATE_LATE = 1 << 5,
    GATE_MIGRATED = 1 << 6,
    GATE_FAULTS = 1 << 7,
    GATE_PREEMPTED = 1 << 8,
    GATE_QUOTA = 1 << 9,
    GATE_THROTTLED = 1 << 10,
    GATE_SPLIT = 1 << 11,
    GATE_TORN = 1 << 12,
    GATE_BLAS_BESIDE = 1 << 13,
    GATE_WORKLESS = 1 << 14,
};
enum { GATE_NFINDINGS = 15 };

struct gate_finding {
    const char *text; /* for a person: what was seen */
    bool always;      /* true of the whole run, not of a repetition */
    double limit;     /* share of a worker's repetitions from which it makes a run
                       * INVALID; above 1: only a warning */
};
extern const struct gate_finding gate_findings[GATE_NFINDINGS];

/* All workers of one node; bits of `mine` (static findings only). quota: CPUs that
 * the control group pays for; 0: no limit. */
uint32_t gate_seating(const struct gate_seat *seats, size_t nseats, size_t mine, double quota);
uint32_t gate_repetition(const struct gate_seen *);

/* More units than any core can do: the compiler took the work away. threads: that
 * may work at once. */
bool gate_idle(double units, double seconds, double threads);

/* counts: [GATE_NFINDINGS] worker-repetitions in which each was seen; worst: the
 * largest number in one worker. Writes reasons (they make the run INVALID) and
 * warnings, "; " between; returns whether the run is valid. */
bool gate_verdict(const uint64_t counts[], const uint64_t worst[], uint64_t repetitions,
                  uint64_t workers, char *reasons, char *warnings, size_t size);

#endif
