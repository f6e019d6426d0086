#include "drivers/gate.h"

#include <stdio.h>
#include <string.h>

const struct gate_finding gate_findings[GATE_NFINDINGS] = {
    {"two or more workers on one CPU", true, 0},
    {"two or more workers on one core (hardware threads of it)", true, 0},
    {"more workers and library threads than CPUs", true, 0},
    {"the BLAS library runs another number of threads than was set", true, 0},
    {"each clock read is a system call or a trap", true, 0},
    {"started after the agreed instant", false, 0.5},
    {"changed its CPU", false, 2},
    {"page faults in measured time", false, 2},
    {"taken off its CPU", false, 2},
    {"the control group pays for fewer CPUs than there are workers", true, 0},
    {"throttled by the control group", false, 0},
    {"counts as another node than others of its machine", true, 2},
    {"its clock contradicts the messages that it sent and got", false, 0},
    {"the BLAS library has a pool of threads beside OpenMP's (take its OpenMP flavour)", true, 2},
    {"had no work: the size is too small for so many workers", false, 2},
};

static int count(const uint64_t set[])
{
    int n = 0;
    for (int i = 0; i < GATE_WORDS; i++)
        n += __builtin_popcountll(set[i]);
    return n;
}

static bool inside(const uint64_t small[], const uint64_t large[])
{
    for (int i = 0; i < GATE_WORDS; i++)
        if (small[i] & ~large[i])
            return false;
    return true;
}

/* Hall's condition on the set of CPUs of one worker: those who can go nowhere
 * else must not be more than its CPUs. */
static bool crowded(const struct gate_seat *seats, size_t nseats, const uint64_t set[])
{
    int need = 0;
    for (size_t i = 0; i < nseats; i++)
        if (inside(seats[i].cpus, set))
            need += seats[i].width;
    return need > count(set);
}

static bool crowded_node(const struct gate_seat *seats, size_t nseats)
{
    uint64_t all[GATE_WORDS] = {0};
    for (size_t i = 0; i < nseats; i++)
        for (int w = 0; w < GATE_WORDS; w++)
            all[w] |= seats[i].cpus[w];
    return crowded(seats, nseats, all);
}

uint32_t gate_seating(const struct gate_seat *seats, size_t nseats, size_t mine, double quota)
{
    const struct gate_seat *me = &seats[mine];
    uint32_t found = 0;
    int threads = 0;
    for (size_t i = 0; i < nseats; i++)
        threads += seats[i].width;
    if (quota > 0 && quota < threads)
        found |= GATE_QUOTA;
    if (crowded_node(seats, nseats))
        found |= GATE_CROWDED;
    if (crowded(seats, nseats, me->cpus))
        found |= count(me->cpus) == 1 ? GATE_SHARED_CPU : GATE_CROWDED;
    for (size_t i = 0; i < nseats; i++)
        if (i != mine && me->width && seats[i].width && me->core >= 0 && seats[i].core == me->core &&
            !inside(seats[i].cpus, me->cpus))
            found |= GATE_SHARED_CORE;
    return found;
}

uint32_t gate_repetition(const struct gate_seen *seen)
{
    return (seen->late_ns > seen->tolerance_ns ? GATE_LATE : 0u) |
           (seen->workless ? GATE_WORKLESS : 0u) |
           (seen->migrations > 0 ? GATE_MIGRATED : 0u) |
           (seen->minor_faults > 0 ? GATE_FAULTS : 0u) |
           (seen->involuntary > 0 ? GATE_PREEMPTED : 0u) |
           (seen->throttled > 0 ? GATE_THROTTLED : 0u);
}

/* Ten times the fused multiply-adds of two 512-bit pipes at 3 GHz. */
static const double MOST_PER_SECOND = 5e11;

bool gate_idle(double units, double seconds, double threads)
{
    return units > seconds * threads * MOST_PER_SECOND;
}

static void append(char *text, size_t size, const struct gate_finding *f, uint64_t count_seen,
                   uint64_t repetitions, uint64_t workers)
{
    const size_t used = strlen(text);
    const char *between = used ? "; " : "";
    if (f->always)
        snprintf(text + used, size - used, "%s%s (%llu of %llu workers)", between, f->text,
                 (unsigned long long)(count_seen / repetitions), (unsigned long long)workers);
    else
        snprintf(text + used, size - used, "%s%s (in %llu of %llu worker-repetitions)", between,
                 f->text, (unsigned long long)count_seen,
                 (unsigned long long)repetitions * workers);
}

bool gate_verdict(const uint64_t counts[], const uint64_t worst[], uint64_t repetitions,
                  uint64_t workers, char *reasons, char *warnings, size_t size)
{
    reasons[0] = warnings[0] = '\0';
    if (!repetitions)
        return true;
    for (int i = 0; i < GATE_NFINDINGS; i++) {
        const struct gate_finding *f = &gate_findings[i];
        if (!counts[i])
            continue;
        const bool falsifies = (double)worst[i] > f->limit * (double)repetitions;
        append(falsifies ? reasons : warnings, size, f, counts[i], repetitions, workers);
    }
    return reasons[0] == '\0';
}
