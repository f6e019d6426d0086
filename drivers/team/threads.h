/* threads.h: the workers of one process. A way of running is a constant table. */
#ifndef BINDOT_THREADS_H
#define BINDOT_THREADS_H

#include <stdbool.h>

struct threads {
    const char *name; /* "single", "openmp" */
    /* How many the user told the runtime to take (OMP_NUM_THREADS, or places to pin
     * them to); 0 if nobody said. */
    int (*wanted)(void);
    bool (*binds)(void); /* does the runtime pin them itself (OMP_PROC_BIND)? */
    int (*most)(void);   /* the largest team it can run */
    /* body(row, of) on n workers at once, row = 0 .. n - 1; returns when all have. */
    void (*run)(int n, void (*body)(int row, void *of), void *of);
    void (*meet)(void); /* inside run: a barrier of its n workers */
};

extern const struct threads threads_single, threads_openmp;

#endif
