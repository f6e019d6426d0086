#include "drivers/experiments/proof.h"

#include "drivers/fail.h"
#include "kernels/fill.h"

#include <stdlib.h>
#include <string.h>

int proof_open(struct proof *p, struct gemm_block own, size_t height, size_t n, int workers)
{
    const size_t some = own.rows ? own.rows : 1, here = (size_t)workers;
    *p = (struct proof){.height = height,
                        .n = n,
                        .first = own.row,
                        .rows = own.rows,
                        .w = calloc(4 * n, sizeof *p->w),
                        .cw = calloc(4 * some, sizeof *p->cw),
                        .residual = calloc(here, sizeof *p->residual),
                        .checksums = calloc(here, sizeof *p->checksums)};
    if (!p->w || !p->cw || !p->residual || !p->checksums)
        return fail("out of memory");
    p->z = p->w + n;
    p->bw = p->z + n;
    p->bs = p->bw + n;
    p->abw = p->cw + some;
    p->size = p->abw + some;
    p->spare = p->size + some;
    gemm_weights(p->w, p->z, n);
    p->tables[0] = (struct rows){{"/results/residual", "repetition worker", TABLE_F64, "1",
                                  "Freivalds' check: largest residual as a share of its bound"},
                                 p->residual,
                                 here * sizeof *p->residual};
    p->tables[1] = (struct rows){{"/results/checksum", "repetition", TABLE_U64, "",
                                  "of all bits of C; equal numbers: the same bits"},
                                 &p->checksum,
                                 sizeof p->checksum};
    return 0;
}

void proof_close(struct proof *p)
{
    free(p->w);
    free(p->cw);
    free(p->residual);
    free(p->checksums);
}

double proof_bytes(double n, double rows)
{
    return 4 * sizeof(double) * (n + rows);
}

void proof_b(struct proof *p, const double *b, size_t ld, struct gemm_block at)
{
    at = gemm_inside(at, p->n, p->n);
    gemm_project(b, ld, at.rows, at.columns, p->w + at.column, p->z + at.column, p->bw + at.row,
                 p->bs + at.row);
}

void proof_begin(struct proof *p, size_t row, size_t rows)
{
    const size_t at = row - p->first;
    memset(p->cw + at, 0, rows * sizeof *p->cw);
    memset(p->abw + at, 0, rows * sizeof *p->abw);
    memset(p->size + at, 0, rows * sizeof *p->size);
}

void proof_a(struct proof *p, const double *a, size_t ld, struct gemm_block at)
{
    at = gemm_inside(at, p->height, p->n);
    gemm_project(a, ld, at.rows, at.columns, p->bw + at.column, p->bs + at.column,
                 p->abw + at.row - p->first, p->size + at.row - p->first);
}

void proof_c(struct proof *p, const struct worker *me, const double *c, size_t ld,
             struct gemm_block at)
{
    at = gemm_inside(at, p->height, p->n);
    gemm_project(c, ld, at.rows, at.columns, p->w + at.column, p->z + at.column,
                 p->cw + at.row - p->first, p->spare + at.row - p->first);
    p->checksums[me->row] = gemm_checksum(c, ld, at, p->n);
}

void proof_join(struct proof *p, const struct worker *me, bool across)
{
    const struct ranks *ranks = team_ranks(me->team);
    team_meet_rows(me);
    if (me->row == 0) {
        if (across)
            ranks->add(SCOPE_ROW, p->cw, 3 * p->rows); /* cw, abw, size: one after another */
        uint64_t sum = 0;
        for (int row = 0; row < team_rows(me->team); row++)
            sum += p->checksums[row];
        p->checksum = ranks->sum(sum);
    }
    team_meet_rows(me);
}

int proof_spoil(const struct worker *me, double *c, size_t ld, struct gemm_block own,
                uint64_t repetition)
{
    if (!own.rows || !own.columns)
        return fail("--inject wrong: worker %d has no element of the product", me->index);
    const size_t pick = fill_bits((uint64_t)me->index, repetition) % (own.rows * own.columns);
    c[pick / own.columns * ld + pick % own.columns] *= 1 + 0x1p-10;
    return 0;
}

int proof_judge(struct proof *p, const struct worker *me, size_t row, size_t rows)
{
    const size_t at = row - p->first;
    const struct gemm_block own = gemm_inside((struct gemm_block){row, 0, rows, 0}, p->height, 0);
    const double r = gemm_residual(p->cw + at, p->abw + at, p->size + at, own.rows, p->n);
    p->residual[me->row] = r;
    return r <= 1
               ? 0
               : fail("matmul: the product is wrong in rows %zu to %zu (worker %d): the residual "
                      "is %.3g of its bound",
                      row, row + own.rows - 1, me->index, r);
}
