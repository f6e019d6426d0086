#include "kernels/marshal_iterate.h"

struct box *iterate_array(struct iterator *it)
{
    return it->i < it->n ? box_scalar.make(it->heap, it->values[it->i++]) : NULL;
}

struct box *iterate_view(struct iterator *it)
{
    return it->i < it->n ? box_plain.make(it->heap, it->values[it->i++]) : NULL;
}

struct box *iterate_list(struct iterator *it)
{
    return it->i < it->n ? box_hold(it->list[it->i++]) : NULL;
}

/* value and the rest, item first, added as objects. */
static double sum_objects(struct iterator *it, double value, struct box *item)
{
    struct heap *h = it->heap;
    struct box *sum = box_plain.make(h, value);
    for (; item; item = it->next(it)) {
        struct box *more = sum->type->add(h, sum, item);
        box_drop(h, sum);
        box_drop(h, item);
        sum = more;
    }
    value = sum->value;
    box_drop(h, sum);
    return value;
}

double iterate_sum(struct iterator *it)
{
    double sum = 0;
    for (struct box *item; (item = it->next(it));) {
        if (item->type != &box_plain)
            return sum_objects(it, sum, item);
        sum += item->value;
        box_drop(it->heap, item);
    }
    return sum;
}

enum { RESULT, NUMBER, LOCALS };
enum { FOR_ITER, STORE, LOAD, ADD, JUMP, RETURN };
enum { START = 0, END = 7 };

static const struct instruction {
    unsigned char what, of;
} program[] = {
    [START] = {FOR_ITER, END}, {STORE, NUMBER}, {LOAD, RESULT},          {LOAD, NUMBER}, {ADD, 0},
    {STORE, RESULT},           {JUMP, START},   [END] = {RETURN, RESULT}};

/* Each instruction ends in a jump of its own, as CPython's are compiled. */
double iterate_loop(struct iterator *it, const volatile int *breaker)
{
    static const void *const code[] = {&&for_iter, &&store, &&load, &&add, &&jump, &&finish};
    struct heap *const h = it->heap;
    struct box *local[LOCALS] = {box_plain.make(h, 0), box_plain.make(h, 0)};
    /* NOLINTBEGIN(clang-analyzer-core.uninitialized.Assign): the analyzer knows the program not,
     * in which every pop follows its push */
    struct box *stack[4], **top = stack;
    const struct instruction *at = program;
#define NEXT goto *code[at->what] /* NOLINT(bugprone-macro-parentheses): no expression */
    NEXT;
for_iter : {
    struct box *item = it->next(it);
    if (item) {
        *top++ = item;
        at++;
    } else
        at = program + at->of;
    NEXT;
}
store : {
    struct box *old = local[at->of];
    local[at->of] = *--top;
    box_drop(h, old);
    at++;
    NEXT;
}
load:
    *top++ = box_hold(local[at->of]);
    at++;
    NEXT;
add : {
    struct box *right = *--top, *left = *--top;
    *top++ = left->type->add(h, left, right);
    box_drop(h, left);
    box_drop(h, right);
    at++;
    NEXT;
}
jump:
    at = program + (*breaker ? END : at->of);
    NEXT;
    /* NOLINTEND(clang-analyzer-core.uninitialized.Assign) */
finish : {
    const double value = local[at->of]->value;
    for (int i = 0; i < LOCALS; i++)
        box_drop(h, local[i]);
    return value;
}
#undef NEXT
}
