#include "drivers/memory.h"

#include "drivers/fail.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { LARGE = 1 << 21 };

void *memory_get(size_t bytes)
{
    void *p = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                   -1, 0);
    if (p == MAP_FAILED) {
        fail("cannot get %zu bytes of memory: %s", bytes, strerror(errno));
        return NULL;
    }
    if (bytes >= LARGE)
        madvise(p, bytes, MADV_HUGEPAGE); /* a wish: refusal costs speed only */
    return p;
}

void memory_free(void *p, size_t bytes)
{
    if (p)
        munmap(p, bytes ? bytes : 1);
}

static uint64_t first_number(const char *path)
{
    unsigned long long value = 0;
    FILE *f = fopen(path, "r");
    if (!f)
        return 0;
    if (fscanf(f, "%llu", &value) != 1) /* "max": no limit */
        value = 0;
    fclose(f);
    return value;
}

/* What a control group leaves; 0 if it sets no limit. */
static uint64_t group_rest(const char *limit, const char *used)
{
    const uint64_t most = first_number(limit), now = first_number(used);
    return most && most < (uint64_t)1 << 60 ? (most > now ? most - now : 1) : 0;
}

uint64_t memory_available(void)
{
    char line[256];
    unsigned long long kib = 0;
    FILE *f = fopen("/proc/meminfo", "r");
    if (f) {
        while (fgets(line, sizeof line, f))
            if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
                break;
        fclose(f);
    }
    uint64_t rest = kib * 1024;
    const uint64_t groups[] = {
        group_rest("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        group_rest("/sys/fs/cgroup/memory/memory.limit_in_bytes",
                   "/sys/fs/cgroup/memory/memory.usage_in_bytes")};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (groups[i] && groups[i] < rest)
            rest = groups[i];
    return rest;
}
