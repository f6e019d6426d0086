/* marshal_iterate.h: a collection as who sums it sees it: one box after another,
 * through a function that only the collection knows. */
#ifndef BINDOT_MARSHAL_ITERATE_H
#define BINDOT_MARSHAL_ITERATE_H

#include "kernels/marshal_box.h"

struct iterator {
    struct box *(*next)(struct iterator *); /* one reference: the caller's; NULL: no more */
    struct heap *heap;
    const double *values;    /* array and view */
    struct box *const *list; /* list */
    size_t i, n;
};

struct box *iterate_array(struct iterator *); /* a fresh scalar for each element */
struct box *iterate_view(struct iterator *);  /* a fresh plain box for each element */
struct box *iterate_list(struct iterator *);  /* the boxes that are there */

/* The sum as a library's loop over an iterator: plain boxes by their value, from the
 * first other one on by the types' own addition. */
double iterate_sum(struct iterator *);

/* The same as an interpreter's loop, for number in collection: result += number, in
 * seven instructions a turn. breaker is looked at once a turn, as CPython does to see
 * whether somebody wants its lock; if it is set, the loop ends early. */
double iterate_loop(struct iterator *, const volatile int *breaker);

#endif
