/* Property: every way from left to right gives the same bits, the pairwise ones stay
 * inside their bound, no box is lost, lists lie in memory as their names say, and a
 * column is packed and unpacked whole. */
#include "kernels/fill.h"
#include "kernels/marshal.h"
#include "kernels/marshal_column.h"
#include "kernels/marshal_sum.h"
#include "tests/unit.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STREAM = 7 };

/* Numbers of very different sizes: their sum depends on the order. */
static void fill(double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = ldexp(fill_uniform(STREAM, i), (int)(i % 40));
}

static long double exact(const double *x, size_t n)
{
    long double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum;
}

static double from_left(const double *x, size_t n)
{
    volatile double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum = sum + x[i];
    return sum;
}

static struct marshal lay(const struct marshal_method *m, double *x, size_t n, void **memory)
{
    struct marshal data = {.n = n, .x = x};
    *memory = malloc(m->bytes(n) ? m->bytes(n) : 1);
    assert_non_null(*memory);
    m->lay(&data, *memory);
    return data;
}

static double bound(const double *x, size_t n)
{
    const double k = sum_pairwise_roundings(n) * 0x1p-53;
    return k / (1 - k) * (double)exact(x, n);
}

/* Sums again and again: a box that is not given back would empty the heap, which has
 * room for no more than one sum needs. */
static void all_methods_agree(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 7, 8, 127, 128, 129, 1000, 100003};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const size_t n = sizes[s];
        double *x = malloc((n + 1) * sizeof *x);
        fill(x, n);
        for (const struct marshal_method *m = marshal_methods; m->name; m++) {
            void *memory;
            struct marshal data = lay(m, x, n, &memory);
            for (int again = n < 10 ? 2000 : 3; again > 0; again--) {
                const double sum = m->sum(&data);
                if (m->pairwise)
                    assert_true(fabsl((long double)sum - exact(x, n)) <= bound(x, n));
                else
                    assert_true(sum == from_left(x, n));
            }
            free(memory);
        }
        free(x);
    }
}

/* One element that is not read, or read twice, is seen by every method. */
static void every_element_counts(void **state)
{
    (void)state;
    enum { N = 1000 };
    double x[N];
    for (const struct marshal_method *m = marshal_methods; m->name; m++)
        for (size_t at = 0; at < N; at += 37) {
            void *memory;
            memset(x, 0, sizeof x);
            x[at] = 1;
            struct marshal data = lay(m, x, N, &memory);
            assert_true(m->sum(&data) == 1);
            free(memory);
        }
}

/* Neighbours in the list that are neighbours in memory, as a share. */
static double in_order(const char *name, size_t n)
{
    double *x = calloc(n, sizeof *x);
    void *memory;
    struct marshal data = lay(marshal_find(name), x, n, &memory);
    size_t near = 0;
    for (size_t i = 1; i < n; i++)
        near += (char *)data.list[i] - (char *)data.list[i - 1] == BOX_BLOCK;
    free(memory);
    free(x);
    return (double)near / (double)(n - 1);
}

static void lists_lie_as_they_say(void **state)
{
    (void)state;
    assert_true(in_order("list-loop", 100000) > 0.99);
    assert_true(in_order("shuffled-list-loop", 100000) < 0.001);
}

static void a_list_of_others_is_no_list_of_numbers(void **state)
{
    (void)state;
    double x[3] = {1, 2, 3};
    void *memory;
    struct marshal data = lay(marshal_find("list-npsum"), x, 3, &memory);
    box_drop(&data.heap, data.list[1]);
    data.list[1] = box_scalar.make(&data.heap, 2);
    assert_true(isnan(marshal_find("list-npsum")->sum(&data)));
    assert_true(marshal_find("list-sum")->sum(&data) == 6); /* which only asks for an addition */
    free(memory);
}

static void boxes_come_back(void **state)
{
    (void)state;
    enum { MANY = 2 * BOX_SPARES };
    struct box *all[MANY];
    void *memory = malloc(heap_bytes(MANY));
    struct heap heap;
    heap_open(&heap, memory, heap_bytes(MANY));
    for (int round = 0; round < 1000; round++) {
        const struct box_type *type = round % 2 ? &box_plain : &box_scalar;
        for (int i = 0; i < MANY; i++)
            all[i] = type->make(&heap, i);
        for (int i = 0; i < MANY; i++)
            assert_true(all[i]->value == i && all[i]->references == 1);
        for (int i = 0; i < MANY; i++)
            box_drop(&heap, all[i]);
        assert_int_equal(heap.spares, round ? BOX_SPARES : 0);
    }
    free(memory);
}

static void a_hold_keeps_a_box(void **state)
{
    (void)state;
    void *memory = malloc(heap_bytes(2));
    struct heap heap;
    heap_open(&heap, memory, heap_bytes(2));
    struct box *one = box_plain.make(&heap, 1), *same = box_hold(one);
    box_drop(&heap, one);
    struct box *two = box_plain.make(&heap, 2);
    assert_true(same != two && same->value == 1);
    box_drop(&heap, same);
    assert_ptr_equal(box_plain.make(&heap, 3), same); /* the spare one, at once */
    free(memory);
}

static void a_column_comes_through_in_one_piece(void **state)
{
    (void)state;
    enum { MOST = 7 * 9 };
    for (size_t block = 1; block <= 9; block++) {
        const struct column c = {7, block, 9};
        double from[MOST], to[MOST], packed[MOST];
        column_fill(from, c, 3);
        column_wipe(to, c);
        assert_int_equal(column_wrong(from, c, 3), 0);
        assert_int_equal(column_wrong(from, c, 4), 7 * block);
        assert_int_equal(column_wrong(to, c, 3), 7 * block); /* the gaps are right */
        column_pack(from, c, packed);
        column_unpack(packed, c, to);
        assert_int_equal(column_wrong(to, c, 3), 0);
        to[MOST - 1] = -to[MOST - 1]; /* the last double: of a gap, where there is one */
        assert_int_equal(column_wrong(to, c, 3), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_methods_agree),
        cmocka_unit_test(every_element_counts),
        cmocka_unit_test(lists_lie_as_they_say),
        cmocka_unit_test(a_list_of_others_is_no_list_of_numbers),
        cmocka_unit_test(boxes_come_back),
        cmocka_unit_test(a_hold_keeps_a_box),
        cmocka_unit_test(a_column_comes_through_in_one_piece),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
