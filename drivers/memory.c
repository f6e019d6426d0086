#include "drivers/memory.h"

#include "drivers/fail.h"
#include "drivers/node.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 1 << 12, LARGE = 1 << 21 };

/* What is mapped for so many: large pages want a place and a length of their own measure. */
static size_t room(size_t bytes)
{
    return bytes < LARGE ? bytes + !bytes : (bytes + LARGE - 1) / LARGE * LARGE;
}

void *memory_get(size_t bytes)
{
    const size_t wanted = room(bytes), spare = bytes < LARGE ? 0 : LARGE - PAGE;
    char *p =
        mmap(NULL, wanted + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        fail("cannot get %zu bytes of memory: %s", bytes, strerror(errno));
        return NULL;
    }
    if (!spare)
        return p;
    const size_t before = -(uintptr_t)p % LARGE;
    if (before)
        munmap(p, before);
    p += before;
    if (before < spare)
        munmap(p + wanted, spare - before);
    madvise(p, wanted, MADV_HUGEPAGE); /* a wish: refusal costs speed only */
    return p;
}

void memory_free(void *p, size_t bytes)
{
    if (p)
        munmap(p, room(bytes));
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
