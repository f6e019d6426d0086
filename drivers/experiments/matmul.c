/* matmul.c: C = A B, double: compute-bound work in a library that may already be
 * parallel. Each worker owns rows of A and C; every process holds all of B. */
#include "drivers/experiments/experiment.h"
#include "drivers/fail.h"
#include "drivers/memory.h"
#include "kernels/gemm.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { CUT = 8 }; /* rows are dealt in eights: the library's own register tiles stay whole */

struct matmul {
    size_t n, total;           /* columns; rows of A and C over all workers */
    int worker, rows, workers; /* index of row 0, workers here, in all */
    size_t own, square;        /* bytes of this process's rows; of B */
    double *a, *b, *c;
    double *bw, *bs;  /* [n] gemm_project */
    double *residual; /* [rows] of the last repetition, share of the bound */
    struct rows tables[1];
};

static bool pooled(const struct params *p)
{
    return strcmp(p->method, "library") == 0;
}

static const char *unit_name(const struct params *p)
{
    (void)p;
    return "multiply-add";
}

static int check(const struct params *p)
{
    return p->size <= INT_MAX ? 0 : fail("--size: a matrix has at most %d rows", INT_MAX);
}

static size_t total(const struct params *p, int workers)
{
    return p->weak ? p->size * (size_t)workers : p->size;
}

static size_t cut(size_t total, int worker, int workers)
{
    const size_t eights = (total + CUT - 1) / CUT;
    const size_t row = eights * (size_t)worker / (size_t)workers * CUT;
    return row < total ? row : total;
}

static double bytes(const struct params *p, int workers, int rows)
{
    const double n = (double)p->size;
    return sizeof(double) *
           (n * n + 2 * n * ((double)total(p, workers) * rows / workers + CUT) + 2 * n);
}

static size_t first_row(const struct matmul *m, int row)
{
    return cut(m->total, m->worker + row, m->workers);
}

static void matmul_close(void **state)
{
    struct matmul *m = *state;
    memory_free(m->a, m->own);
    memory_free(m->c, m->own);
    memory_free(m->b, m->square);
    free(m->bw);
    free(m->bs);
    free(m->residual);
    free(m);
    *state = NULL;
}

static int matmul_open(void **state, const struct params *p, const struct team *team,
                       const struct clock *clock)
{
    (void)clock;
    struct matmul *m = calloc(1, sizeof *m);
    if (!m)
        return fail("out of memory");
    *state = m;
    m->n = p->size;
    m->worker = team_first(team);
    m->rows = team_rows(team);
    m->workers = team_size(team);
    m->total = total(p, m->workers);
    m->own = (first_row(m, m->rows) - first_row(m, 0)) * m->n * sizeof(double);
    m->square = m->n * m->n * sizeof(double);
    m->a = memory_get(m->own);
    m->b = memory_get(m->square);
    m->c = memory_get(m->own);
    m->bw = calloc(m->n, sizeof *m->bw);
    m->bs = calloc(m->n, sizeof *m->bs);
    m->residual = calloc((size_t)m->rows, sizeof *m->residual);
    if (!m->a || !m->b || !m->c || !m->bw || !m->bs || !m->residual) {
        matmul_close(state);
        return fail("out of memory");
    }
    m->tables[0] = (struct rows){{"/results/residual", "repetition worker", TABLE_F64, "1",
                                  "Freivalds' check: largest residual as a share of its bound"},
                                 m->residual,
                                 (size_t)m->rows * sizeof *m->residual};
    return 0;
}

struct span { /* a worker's rows inside its process's arrays */
    size_t at, rows;
};

static struct span span(const struct matmul *m, int row)
{
    const size_t first = first_row(m, row);
    return (struct span){(first - first_row(m, 0)) * m->n, first_row(m, row + 1) - first};
}

static void fill(const struct worker *me, void *state)
{
    struct matmul *m = state;
    const struct span own = span(m, me->row);
    gemm_fill(m->a + own.at, GEMM_STREAM_A, first_row(m, me->row), own.rows, m->n);
    memset(m->c + own.at, 0, own.rows * m->n * sizeof *m->c);
    const size_t from = cut(m->n, me->row, m->rows), to = cut(m->n, me->row + 1, m->rows);
    gemm_fill(m->b + from * m->n, GEMM_STREAM_B, from, to - from, m->n);
    team_meet_rows(me);
    if (me->row == 0)
        gemm_project(m->b, m->bw, m->bs, m->n);
    team_meet_rows(me);
}

static void compute(const struct worker *me, void *state, uint64_t start)
{
    (void)start;
    struct matmul *m = state;
    const struct span own = span(m, me->row);
    gemm_rows(m->a + own.at, m->b, m->c + own.at, own.rows, m->n);
}

static int after(const struct worker *me, void *state, uint64_t repetition)
{
    (void)repetition;
    struct matmul *m = state;
    const struct span own = span(m, me->row);
    const double r = gemm_residual(m->a + own.at, m->c + own.at, m->bw, m->bs, own.rows, m->n);
    m->residual[me->row] = r;
    return r <= 1 ? 0
                  : fail("matmul: worker %d's product is wrong: residual %.3g of its bound",
                         me->index, r);
}

static uint64_t units(const void *state, int row)
{
    const struct matmul *m = state;
    return (uint64_t)span(m, row).rows * m->n * m->n;
}

static size_t tables(void *state, const struct rows **out)
{
    struct matmul *m = state;
    *out = m->tables;
    return 1;
}

const struct experiment experiment_matmul = {
    .name = "matmul",
    .about = "C = A B through the library: compute-bound work, always verified",
    .unit = unit_name,
    .methods = "library partition",
    .size = 4000,
    .pooled = pooled,
    .check = check,
    .bytes = bytes,
    .open = matmul_open,
    .close = matmul_close,
    .fill = fill,
    .compute = compute,
    .after = after,
    .units = units,
    .tables = tables,
};
