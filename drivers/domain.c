#include "drivers/domain.h"

#include "drivers/line.h"

/* The namespace's own file: "monotonic  SECONDS  NANOSECONDS" and another line. */
static int64_t namespace_shift(void)
{
    char line[80], clock[16];
    long long seconds, ns;
    line_read("/proc/self/timens_offsets", line, sizeof line);
    return sscanf(line, "%15s %lld %lld", clock, &seconds, &ns) == 3 &&
                   strcmp(clock, "monotonic") == 0
               ? seconds * 1000000000 + ns
               : 0;
}

void domain_look(struct domain *d, const struct clock *clock)
{
    memset(d, 0, sizeof *d);
    char line[80];
    line_read("/proc/sys/kernel/random/boot_id", line, sizeof line);
    snprintf(d->boot, sizeof d->boot, "%s", line);
    snprintf(d->source, sizeof d->source, "%s", clock_source(clock));
    clock_kernel_source(line, sizeof line);
    snprintf(d->kernel, sizeof d->kernel, "%s", line);
    d->shift_ns = namespace_shift();
}
