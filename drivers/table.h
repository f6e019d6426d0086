/* table.h: what a table of numbers is called and means. A plain value that
 * travels from who fills a table to who writes it; neither knows the other. */
#ifndef BINDOT_TABLE_H
#define BINDOT_TABLE_H

#include <stddef.h>

enum table_type { TABLE_U8, TABLE_I32, TABLE_U32, TABLE_I64, TABLE_U64, TABLE_F64, TABLE_TEXT };

struct table {
    const char *name; /* path: "/counts", "/workers/cpu" */
    const char *axes; /* axis names, slowest first: "repetition worker bin" */
    enum table_type type;
    const char *unit;    /* "ns", "s", "1"; "" where a unit makes no sense */
    const char *meaning; /* one line for a person */
};

/* Rows of a table that one process holds, and what its axes say of them:
 *   "repetition"            one number a repetition; the lead's counts
 *   "repetition worker ..." this process's workers, in order
 *   "repetition node"       one number of a node: from its first process, others none
 *   "worker ..."            the same, once in a run
 *   "knot node"             one number of each node, all from the lead, at the next knot
 *   anything else           events, any number from each process
 * TABLE_TEXT: strings one after another, each ended by a zero byte. */
struct rows {
    struct table table;
    const void *data;
    size_t nbytes;
};

#endif
