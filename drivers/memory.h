/* memory.h: arrays for kernels: page-aligned, untouched (the worker that uses a
 * page touches it first); from 2 MiB on they begin at whole large pages and are made
 * of them where the system has them, so that their speed is not a matter of luck. */
#ifndef BINDOT_MEMORY_H
#define BINDOT_MEMORY_H

#include <stddef.h>
#include <stdint.h>

void *memory_get(size_t bytes); /* NULL and fail.h; free with memory_free */
void memory_free(void *, size_t bytes);

/* Bytes that this process may still take: MemAvailable, or the rest of the
 * control group's limit if that is less. 0: not known. */
uint64_t memory_available(void);

#endif
