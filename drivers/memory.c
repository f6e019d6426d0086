#include "drivers/memory.h"

#include "drivers/fail.h"
#include "drivers/node.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { LARGE = 1 << 21 };

void *memory_get(size_t bytes)
{
    void *p =
        mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
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
    const uint64_t group = node_memory_rest();
    if (group && group < rest)
        rest = group;
    return rest;
}
