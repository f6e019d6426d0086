#include "kernels/marshal.h"

#include "kernels/fill.h"
#include "kernels/marshal_iterate.h"
#include "kernels/marshal_sum.h"

#include <math.h>
#include <string.h>

enum { STREAM_SHUFFLE = 20, FEW = 2 * BOX_SPARES }; /* boxes that live for a turn or two */

/* No caller may look inside: it would see that nothing changes between two sums. */
#if defined __has_attribute && __has_attribute(noipa)
#define APART __attribute__((noipa))
#else
#define APART __attribute__((noinline))
#endif

/* ------------------------------------------------------------------- how it is laid out */

static size_t no_bytes(size_t n)
{
    (void)n;
    return 0;
}

static size_t record_bytes(size_t n)
{
    return n * MARSHAL_RECORD * sizeof(double);
}

static size_t few_bytes(size_t n)
{
    (void)n;
    return heap_bytes(FEW);
}

static size_t list_bytes(size_t n)
{
    return n * (sizeof(struct box *) + sizeof(double)) + heap_bytes(n + FEW);
}

static void lay_array(struct marshal *m, void *memory)
{
    (void)m, (void)memory;
}

static void lay_records(struct marshal *m, void *memory)
{
    m->records = memory;
    memset(memory, 0, record_bytes(m->n));
    for (size_t i = 0; i < m->n; i++)
        m->records[i * MARSHAL_RECORD] = m->x[i];
}

static void lay_heap(struct marshal *m, void *memory)
{
    memset(memory, 0, few_bytes(m->n));
    heap_open(&m->heap, memory, few_bytes(m->n));
}

/* Room for a list; it is empty yet. */
static void lay_room(struct marshal *m, void *memory)
{
    const size_t n = m->n, bytes = list_bytes(n);
    memset(memory, 0, bytes);
    m->list = memory;
    m->scratch = (double *)(m->list + n);
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): a list is of pointers */
    heap_open(&m->heap, m->scratch + n, bytes - n * (sizeof *m->list + sizeof *m->scratch));
}

/* Made one after the other, boxes lie in the order of the list. */
static void lay_list(struct marshal *m, void *memory)
{
    lay_room(m, memory);
    for (size_t i = 0; i < m->n; i++)
        m->list[i] = box_plain.make(&m->heap, m->x[i]);
}

/* The same list of the same numbers, but made in another order: neighbours in it are
 * no neighbours in memory, as in a list that has lived. Fisher and Yates. */
static void lay_shuffled(struct marshal *m, void *memory)
{
    lay_room(m, memory);
    /* cppcheck-suppress invalidPointerCast ; room that no double was written to yet */
    uint64_t *const order = (uint64_t *)m->scratch;
    for (size_t i = 0; i < m->n; i++) {
        const size_t j = fill_bits(STREAM_SHUFFLE, i) % (i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    for (size_t i = 0; i < m->n; i++)
        m->list[order[i]] = box_plain.make(&m->heap, m->x[order[i]]);
    memset(order, 0, m->n * sizeof *order);
}

/* --------------------------------------------------------------------- how it is summed */

typedef struct box *next_box(struct iterator *);

static struct iterator over(struct marshal *m, next_box *next)
{
    return (struct iterator){next, &m->heap, m->x, m->list, 0, m->n};
}

static double summed(struct marshal *m, next_box *next)
{
    struct iterator it = over(m, next);
    return iterate_sum(&it);
}

static double looped(struct marshal *m, next_box *next)
{
    struct iterator it = over(m, next);
    return iterate_loop(&it, &m->breaker);
}

APART static double array_naive(struct marshal *m)
{
    return sum_naive(m->x, m->n);
}

APART static double array_npsum(struct marshal *m)
{
    return sum_pairwise(m->x, m->n, 1);
}

APART static double aos_npsum(struct marshal *m)
{
    return sum_pairwise(m->records, m->n, MARSHAL_RECORD);
}

APART static double array_sum(struct marshal *m)
{
    return summed(m, iterate_array);
}

APART static double array_loop(struct marshal *m)
{
    return looped(m, iterate_array);
}

/* Once over the list to learn what is in it, once to take it out, then the sum. */
APART static double list_npsum(struct marshal *m)
{
    size_t plain = 0;
    for (size_t i = 0; i < m->n; i++)
        plain += m->list[i]->type == &box_plain;
    if (plain < m->n)
        return NAN;
    for (size_t i = 0; i < m->n; i++)
        m->scratch[i] = m->list[i]->type == &box_plain ? m->list[i]->value : NAN;
    return sum_pairwise(m->scratch, m->n, 1);
}

APART static double list_sum(struct marshal *m)
{
    return summed(m, iterate_list);
}

APART static double list_loop(struct marshal *m)
{
    return looped(m, iterate_list);
}

APART static double memoryview_loop(struct marshal *m)
{
    return looped(m, iterate_view);
}

/* The whole array to a list first, and the list away again. */
APART static double convert_once_loop(struct marshal *m)
{
    for (size_t i = 0; i < m->n; i++)
        m->list[i] = box_plain.make(&m->heap, m->x[i]);
    const double sum = list_loop(m);
    for (size_t i = 0; i < m->n; i++)
        box_drop(&m->heap, m->list[i]);
    return sum;
}

const struct marshal_method marshal_methods[] = {
    {"array-npsum", true, no_bytes, lay_array, array_npsum},
    {"array-sum", false, few_bytes, lay_heap, array_sum},
    {"array-loop", false, few_bytes, lay_heap, array_loop},
    {"list-npsum", true, list_bytes, lay_list, list_npsum},
    {"list-sum", false, list_bytes, lay_list, list_sum},
    {"list-loop", false, list_bytes, lay_list, list_loop},
    {"array-naive", false, no_bytes, lay_array, array_naive},
    {"memoryview-loop", false, few_bytes, lay_heap, memoryview_loop},
    {"shuffled-list-npsum", true, list_bytes, lay_shuffled, list_npsum},
    {"shuffled-list-sum", false, list_bytes, lay_shuffled, list_sum},
    {"shuffled-list-loop", false, list_bytes, lay_shuffled, list_loop},
    {"convert-once-loop", false, list_bytes, lay_room, convert_once_loop},
    {"soa-npsum", true, no_bytes, lay_array, array_npsum},
    {"aos-npsum", true, record_bytes, lay_records, aos_npsum},
    {0},
};

const struct marshal_method *marshal_find(const char *name)
{
    for (const struct marshal_method *m = marshal_methods; m->name; m++)
        if (strcmp(m->name, name) == 0)
            return m;
    return NULL;
}
