/* matmul.c: C = A B, double: compute-bound work in a library that may already be
 * parallel. Each worker owns rows of A and C; every process holds all of B. */
#include "drivers/experiments/experiment.h"
#include "drivers/experiments/grid.h"
#include "drivers/experiments/proof.h"
#include "drivers/experiments/share.h"
#include "drivers/fail.h"
#include "drivers/memory.h"
#include "kernels/gemm.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct matmul {
    size_t n, total;           /* columns; rows of A and C over all workers */
    int worker, rows, workers; /* index of row 0, workers here, in all */
    size_t own, square;        /* bytes of this process's rows; of B */
    double *a, *b, *c;
    struct proof proof;
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

static double bytes(const struct params *p, int workers, int rows)
{
    const double n = (double)p->size;
    const double own = (double)share_total(p, workers) * rows / workers + GEMM_CUT;
    return sizeof(double) * (n * n + 2 * n * own) + proof_bytes(n, own);
}

/* Rows of so many workers of this process. */
static struct gemm_block block(const struct matmul *m, int row, int workers)
{
    const int first = m->worker + row;
    const size_t from = grid_cut(m->total, GEMM_CUT, first, m->workers);
    const size_t to = grid_cut(m->total, GEMM_CUT, first + workers, m->workers);
    return (struct gemm_block){from, 0, to - from, m->n};
}

/* Where they begin in this process's arrays. */
static size_t offset(const struct matmul *m, struct gemm_block own)
{
    return (own.row - m->proof.first) * m->n;
}

static void matmul_close(void **state)
{
    struct matmul *m = *state;
    memory_free(m->a, m->own);
    memory_free(m->c, m->own);
    memory_free(m->b, m->square);
    proof_close(&m->proof);
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
    m->total = share_total(p, m->workers);
    const struct gemm_block own = block(m, 0, m->rows);
    m->own = own.rows * m->n * sizeof(double);
    m->square = m->n * m->n * sizeof(double);
    m->a = memory_get(m->own);
    m->b = memory_get(m->square);
    m->c = memory_get(m->own);
    if (proof_open(&m->proof, own, m->total, m->n, m->rows) < 0 || !m->a || !m->b || !m->c) {
        matmul_close(state);
        return fail("out of memory");
    }
    return 0;
}

static void fill(const struct worker *me, void *state)
{
    struct matmul *m = state;
    const struct gemm_block own = block(m, me->row, 1);
    gemm_fill(m->a + offset(m, own), m->n, GEMM_STREAM_A, own, m->total, m->n);
    memset(m->c + offset(m, own), 0, own.rows * m->n * sizeof *m->c);
    const size_t from = grid_cut(m->n, 1, me->row, m->rows);
    const struct gemm_block part = {from, 0, grid_cut(m->n, 1, me->row + 1, m->rows) - from, m->n};
    gemm_fill(m->b + from * m->n, m->n, GEMM_STREAM_B, part, m->n, m->n);
    proof_b(&m->proof, m->b + from * m->n, m->n, part);
    team_meet_rows(me);
}

static void compute(const struct worker *me, void *state, uint64_t start)
{
    (void)start;
    struct matmul *m = state;
    const struct gemm_block own = block(m, me->row, 1);
    const size_t at = offset(m, own);
    gemm_rows(m->a + at, m->b, m->c + at, own.rows, m->n);
}

static int spoil(const struct worker *me, void *state, uint64_t repetition)
{
    struct matmul *m = state;
    const struct gemm_block own = block(m, me->row, 1);
    return proof_spoil(me, m->c + offset(m, own), m->n, own, repetition);
}

static int after(const struct worker *me, void *state, uint64_t repetition)
{
    (void)repetition;
    struct matmul *m = state;
    const struct gemm_block own = block(m, me->row, 1);
    proof_begin(&m->proof, own.row, own.rows);
    proof_a(&m->proof, m->a + offset(m, own), m->n, own);
    proof_c(&m->proof, me, m->c + offset(m, own), m->n, own);
    proof_join(&m->proof, me, false);
    return proof_judge(&m->proof, me, own.row, own.rows);
}

static uint64_t units(const void *state, int row)
{
    const struct matmul *m = state;
    return (uint64_t)block(m, row, 1).rows * m->n * m->n;
}

static size_t tables(void *state, const struct rows **out)
{
    struct matmul *m = state;
    *out = m->proof.tables;
    return PROOF_TABLES;
}

const struct experiment experiment_matmul = {
    .name = "matmul",
    .about = "C = A B through the library: compute-bound work, always verified",
    .unit = unit_name,
    .methods = "library partition",
    .size = 4000,
    .roofed = true,
    .pooled = pooled,
    .gemm = true,
    .check = check,
    .bytes = bytes,
    .open = matmul_open,
    .close = matmul_close,
    .fill = fill,
    .compute = compute,
    .spoil = spoil,
    .after = after,
    .units = units,
    .tables = tables,
};
