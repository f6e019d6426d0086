/* ranks.h: the processes of a run. A way of running is a constant table; all calls
 * but end are collective, unless they say otherwise, and come from one thread. */
#ifndef BINDOT_RANKS_H
#define BINDOT_RANKS_H

#include "drivers/team/strided.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum scope {
    SCOPE_ALL,
    SCOPE_MACHINE, /* those that share memory and CPUs */
    SCOPE_NODE,    /* the same, less those that were split off */
    SCOPE_ROW,     /* of a grid of processes, see grid */
    SCOPE_COLUMN,
    NSCOPES
};
enum { RANKS_SHARES = 4 };

struct ranks {
    const char *name; /* "single", "mpi" */

    /* Before open: should this process speak for all (usage errors, --help)?
     * Read from what the launcher left in the environment. */
    bool (*speaks)(void);
    /* threaded: several threads will live beside the calling one. -1: fail.h. */
    int (*open)(bool threaded);
    void (*close)(void);
    /* End all processes now, from any one of them. Does not return. */
    void (*end)(int status);
    const char *(*version)(void);

    int (*rank)(enum scope);
    int (*size)(enum scope);
    int (*node)(void); /* 0 .. nodes - 1, in the order of their first rank */
    int (*nodes)(void);
    /* From now on processes of one machine with different keys are different nodes. */
    void (*split)(const void *key, size_t n);

    void (*meet)(void);
    int64_t (*max)(enum scope, int64_t mine);
    uint64_t (*sum)(uint64_t mine);
    void (*share)(enum scope, int from, void *bytes, size_t n);
    /* all: [size of scope, n] bytes, to everybody */
    void (*gather)(enum scope, const void *mine, void *all, size_t n);
    /* Each element becomes its sum over the scope. */
    void (*add)(enum scope, double *values, size_t n);

    /* Once: rank r stands in row r / columns, column r % columns; from then on there
     * are SCOPE_ROW and SCOPE_COLUMN, where it is number r % columns, r / columns. */
    void (*grid)(int columns);

    /* share, beside other work: at most RANKS_SHARES at a time, each under a number.
     * values stay as they are until share_end; n <= INT_MAX. */
    void (*share_begin)(int number, enum scope, int from, double *values, size_t n);
    void (*share_poke)(void);      /* not collective: lets them get on */
    void (*share_end)(int number); /* not collective: waits; none begun: returns */

    void (*send)(int to, const void *bytes, size_t n); /* not collective */
    void (*receive)(int from, void *bytes, size_t n);  /* not collective */
    const struct strided_ways *strided;                /* NULL: no messages here */
};

extern const struct ranks ranks_single, ranks_mpi;

#endif
