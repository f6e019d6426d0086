/* ranks.h: the processes of a run. A way of running is a constant table; all calls
 * are collective and come from one thread, unless they say otherwise. */
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

/* Of two neighbours: *right becomes both, in this order. Associative: who is joined with
 * whom first makes no difference. */
typedef void ranks_join(const void *left, void *right);

/* What can befall a run from outside. Called in threads that make no MPI call. */
struct ranks_fate {
    void *of;
    /* A process is gone, and all others end when this returns. who: "rank 3 on node2"
     * on the one process that tells the user, NULL elsewhere. */
    void (*lost)(void *of, const char *who);
    /* On rank 0: somebody called hurry, with this number. */
    void (*stop)(void *of, int why);
};

struct ranks {
    const char *name; /* "single", "mpi" */

    /* Before open: should this process speak for all (usage errors, --help)?
     * Read from what the launcher left in the environment. */
    bool (*speaks)(void);
    /* Before open, not collective. -1: the launcher left them strangers (fail.h). */
    int (*check)(void);
    int (*open)(const struct ranks_fate *); /* -1: fail.h */
    void (*close)(void);
    /* End all processes now, from any one of them, after an error that it has told. */
    __attribute__((noreturn)) void (*end)(int status);
    /* From any thread, not collective: stop(of, why) is called on rank 0. */
    void (*hurry)(int why);
    /* The same, and does not return: every process ends at once with that status. */
    __attribute__((noreturn)) void (*leave)(int status);
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
    uint64_t (*before)(uint64_t mine); /* the sum over all lower ranks */
    void (*share)(enum scope, int from, void *bytes, size_t n);
    /* all: [size of scope, n] bytes, to everybody */
    void (*gather)(enum scope, const void *mine, void *all, size_t n);
    /* mine, n <= INT_MAX bytes of any alignment up to 16, becomes the join of all, in the order
     * of ranks, on everybody. */
    void (*reduce)(void *mine, size_t n, ranks_join *);
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
