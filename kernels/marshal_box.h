/* marshal_box.h: a number as an object, kept the way CPython keeps its own: a count
 * of references, a pointer to its type, the value. The memory is the caller's.
 *
 * The model is CPython 3.11's (Objects/floatobject.c, Objects/obmalloc.c): 24 bytes
 * in a block of 32; blocks come from pools of 16 KiB; up to 100 plain boxes that
 * died wait on a list of spares in front of the pools. A scalar box, as NumPy's own
 * type, knows no such list, and looks at both operands before it adds. */
#ifndef BINDOT_MARSHAL_BOX_H
#define BINDOT_MARSHAL_BOX_H

#include <stddef.h>
#include <stdint.h>

enum { BOX_BLOCK = 32, BOX_POOL = 16384, BOX_SPARES = 100 };

struct box {
    int64_t references;
    const struct box_type *type;
    double value;
};

struct heap {
    struct heap_pool *open; /* pools with a free block; the first one gives */
    char *fresh, *end;      /* whole pools that nobody had yet */
    struct box *spare;
    size_t spares;
};

/* What can be done with a box whose kind only its type knows. */
struct box_type {
    struct box *(*make)(struct heap *, double); /* one reference: the caller's */
    struct box *(*add)(struct heap *, const struct box *, const struct box *); /* likewise */
    void (*free)(struct heap *, struct box *); /* its last reference is gone */
};
extern const struct box_type box_plain, box_scalar;

/* Bytes for so many boxes that live at once. */
size_t heap_bytes(size_t boxes);
/* memory: heap_bytes, at any address. */
void heap_open(struct heap *, void *memory, size_t bytes);

static inline struct box *box_hold(struct box *b)
{
    b->references++;
    return b;
}

static inline void box_drop(struct heap *h, struct box *b)
{
    if (--b->references == 0)
        b->type->free(h, b);
}

#endif
