#include "drivers/usage.h"

#include <sys/resource.h>
#include <time.h>

struct usage usage_now(bool of_process)
{
    struct rusage r;
    struct timespec cpu;
    getrusage(of_process ? RUSAGE_SELF : RUSAGE_THREAD, &r);
    clock_gettime(of_process ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_THREAD_CPUTIME_ID, &cpu);
    return (struct usage){.cpu_time_ns = (int64_t)cpu.tv_sec * 1000000000 + cpu.tv_nsec,
                          .minor_faults = r.ru_minflt,
                          .voluntary = r.ru_nvcsw,
                          .involuntary = r.ru_nivcsw};
}

struct usage usage_since(struct usage before, struct usage now)
{
    return (struct usage){.cpu_time_ns = now.cpu_time_ns - before.cpu_time_ns,
                          .minor_faults = now.minor_faults - before.minor_faults,
                          .voluntary = now.voluntary - before.voluntary,
                          .involuntary = now.involuntary - before.involuntary};
}
