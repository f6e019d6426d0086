/* gil.h: one lock for all workers of a process, handed over as CPython hands over
 * its own (notes in its source, Python/ceval_gil): who waits longer than the switch
 * interval asks for the lock; the holder looks for that request between two units
 * of work, drops the lock and goes on only after somebody else has had it. */
#ifndef BINDOT_GIL_H
#define BINDOT_GIL_H

#include <stdatomic.h>
#include <stdint.h>

struct gil {
    atomic_bool asked; /* the holder should drop it */
    struct gil_rest *rest;
};

int gil_open(struct gil *, uint64_t interval_ns); /* -1: fail.h */
void gil_close(struct gil *);

void gil_take(struct gil *, int worker);
void gil_drop(struct gil *, int worker);

/* Between two units: gives way if somebody asked. */
static inline void gil_poll(struct gil *g, int worker)
{
    if (__builtin_expect(atomic_load_explicit(&g->asked, memory_order_relaxed), 0)) {
        gil_drop(g, worker);
        gil_take(g, worker);
    }
}

#endif
