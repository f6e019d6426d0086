#include "kernels/marshal_box.h"

#include <math.h>

/* A block is a box, or free and knows the next free one. */
union block {
    struct box box;
    union block *next;
    char bytes[BOX_BLOCK];
};

/* Stands at the start of its BOX_POOL bytes, aligned to them: a box finds it by its
 * own address. */
struct heap_pool {
    struct heap_pool *next; /* open ones */
    union block *free;      /* NULL: full, and not in the list of open ones */
    size_t fresh;           /* offset of the first block that nobody had yet */
};

enum { FIRST = BOX_BLOCK, BLOCKS = (BOX_POOL - FIRST) / BOX_BLOCK };
_Static_assert(sizeof(union block) == BOX_BLOCK, "24 bytes in 32");
_Static_assert(sizeof(struct heap_pool) <= FIRST, "the header has a block of its own");

size_t heap_bytes(size_t boxes)
{
    return ((boxes + BLOCKS - 1) / BLOCKS + 1) * BOX_POOL;
}

void heap_open(struct heap *h, void *memory, size_t bytes)
{
    char *start = memory;
    start += -(uintptr_t)memory % BOX_POOL;
    *h = (struct heap){.fresh = start, .end = (char *)memory + bytes};
}

static void pool_extend(struct heap *h, struct heap_pool *p)
{
    if (p->fresh + BOX_BLOCK > BOX_POOL) {
        p->free = NULL;
        h->open = p->next; /* only the first one gives, so only it becomes full */
        return;
    }
    p->free = (union block *)((char *)p + p->fresh);
    p->free->next = NULL;
    p->fresh += BOX_BLOCK;
}

static struct heap_pool *pool_new(struct heap *h)
{
    if (h->end - h->fresh < BOX_POOL)
        return NULL;
    struct heap_pool *p = (struct heap_pool *)h->fresh;
    h->fresh += BOX_POOL;
    *p = (struct heap_pool){.fresh = FIRST};
    h->open = p;
    pool_extend(h, p);
    return p;
}

/* NULL: the heap was opened too small. */
static struct box *block_take(struct heap *h)
{
    struct heap_pool *p = h->open;
    if (!p && !(p = pool_new(h)))
        return NULL;
    union block *b = p->free;
    p->free = b->next;
    if (!p->free)
        pool_extend(h, p);
    return &b->box;
}

static void block_return(struct heap *h, struct box *box)
{
    union block *b = (union block *)box;
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): a box finds its pool by its address */
    struct heap_pool *p = (struct heap_pool *)((uintptr_t)b & ~(uintptr_t)(BOX_POOL - 1));
    if (!p->free) {
        p->next = h->open;
        h->open = p;
    }
    b->next = p->free;
    p->free = b;
}

static struct box *plain_make(struct heap *h, double value)
{
    struct box *b = h->spare;
    if (b) {
        h->spare = (struct box *)((union block *)b)->next;
        h->spares--;
    } else
        b = block_take(h);
    *b = (struct box){1, &box_plain, value};
    return b;
}

static void plain_free(struct heap *h, struct box *b)
{
    if (h->spares == BOX_SPARES) {
        block_return(h, b);
        return;
    }
    ((union block *)b)->next = (union block *)h->spare;
    h->spare = b;
    h->spares++;
}

static struct box *plain_add(struct heap *h, const struct box *left, const struct box *right)
{
    if (right->type != &box_plain)
        return right->type->add(h, left, right);
    return plain_make(h, left->value + right->value);
}

static struct box *scalar_make(struct heap *h, double value)
{
    struct box *b = block_take(h);
    *b = (struct box){1, &box_scalar, value};
    return b;
}

/* The value of an operand of any type; not a number where the type is unknown. */
static double scalar_of(const struct box *b)
{
    if (b->type == &box_scalar || b->type == &box_plain)
        return b->value;
    return NAN;
}

static struct box *scalar_add(struct heap *h, const struct box *left, const struct box *right)
{
    const double l = scalar_of(left), r = scalar_of(right);
    return scalar_make(h, l + r);
}

const struct box_type box_plain = {plain_make, plain_add, plain_free};
const struct box_type box_scalar = {scalar_make, scalar_add, block_return};
