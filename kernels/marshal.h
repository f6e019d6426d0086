/* marshal.h: n doubles handed to whoever sums them: {array, list} x {library's sum,
 * sum over an iterator, interpreted loop}, and what tells their costs apart. All
 * methods sum the same numbers in the same order; all but the pairwise ones give the
 * same bits. Memory is the caller's: nothing here allocates. */
#ifndef BINDOT_MARSHAL_H
#define BINDOT_MARSHAL_H

#include "kernels/marshal_box.h"

#include <stdbool.h>

enum { MARSHAL_RECORD = 8 }; /* doubles in a struct of an array of structs: 64 bytes */

struct marshal { /* one worker's */
    size_t n;
    double *x;         /* [n], the caller's to fill */
    double *records;   /* [n, MARSHAL_RECORD]; the field that is summed comes first */
    double *scratch;   /* [n] */
    struct box **list; /* [n] */
    struct heap heap;
    volatile int breaker; /* never set: the loop looks at it all the same */
};

struct marshal_method {
    const char *name;                            /* "list-loop": trace and command line */
    bool pairwise;                               /* the order of its additions */
    size_t (*bytes)(size_t n);                   /* beside x */
    void (*lay)(struct marshal *, void *memory); /* x to what is summed; not measured */
    double (*sum)(struct marshal *);
};

extern const struct marshal_method marshal_methods[];        /* ends with a NULL name */
const struct marshal_method *marshal_find(const char *name); /* or NULL */

#endif
