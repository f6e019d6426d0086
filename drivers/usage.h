/* usage.h: what the system did with a worker: CPU time, faults, switches. */
#ifndef BINDOT_USAGE_H
#define BINDOT_USAGE_H

#include <stdbool.h>
#include <stdint.h>

struct usage {
    int64_t cpu_time_ns, minor_faults, voluntary, involuntary;
};

/* Of the calling thread, or of its whole process where a worker is a process:
 * a library's threads then count as its own. */
struct usage usage_now(bool of_process);
struct usage usage_since(struct usage before, struct usage now);

#endif
