/* strided.h: blocks of doubles at equal distance, as a column of a row-major matrix,
 * and what the message library itself does about them. Not collective. */
#ifndef BINDOT_STRIDED_H
#define BINDOT_STRIDED_H

#include <stddef.h>

struct strided; /* such a shape, made known to the library once */

struct strided_ways {
    /* blocks of `block` doubles, the first ones `row` doubles apart; at most INT_MAX
     * bytes in all. NULL: out of memory. */
    struct strided *(*make)(size_t blocks, size_t block, size_t row);
    void (*drop)(struct strided *); /* takes NULL */

    /* As one message of a derived datatype, straight from and to where it lies. */
    void (*send)(int to, const double *first, const struct strided *);
    void (*receive)(int from, double *first, const struct strided *);
    /* The library packs it into one piece first. */
    void (*send_packed)(int to, const double *first, const struct strided *);
    void (*receive_packed)(int from, double *first, const struct strided *);
};

#endif
