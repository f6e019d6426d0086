/* proof.h: a product proved right by all who have a part of it: Freivalds' check
 * (gemm.h) and a checksum of all of C's bits. C is height x n; a process holds rows
 * first .. first + rows - 1 of it, whole or some columns of them. Blocks may reach
 * over the edge. */
#ifndef BINDOT_PROOF_H
#define BINDOT_PROOF_H

#include "drivers/table.h"
#include "drivers/team/team.h"
#include "kernels/gemm.h"

#include <stdbool.h>

enum { PROOF_TABLES = 2 };

struct proof {
    size_t height, n, first, rows;
    double *w, *z, *bw, *bs;         /* [n] weights; B w */
    double *cw, *abw, *size, *spare; /* [rows] */
    double *residual;                /* [workers here] of the last repetition */
    uint64_t *checksums;             /* [workers here] */
    uint64_t checksum;               /* of the whole C */
    struct rows tables[PROOF_TABLES];
};

/* own: the rows of this process. workers: of this process. -1: fail.h. */
int proof_open(struct proof *, struct gemm_block own, size_t height, size_t n, int workers);
void proof_close(struct proof *);
double proof_bytes(double n, double rows);

/* Once, each part of B by one caller at a time: adds to bw and bs. */
void proof_b(struct proof *, const double *b, size_t ld, struct gemm_block);

/* In each repetition, by each worker, for rows of its own: */
void proof_begin(struct proof *, size_t row, size_t rows); /* sums are zero */
void proof_a(struct proof *, const double *a, size_t ld, struct gemm_block);
void proof_c(struct proof *, const struct worker *, const double *c, size_t ld, struct gemm_block);
/* Collective. across: the columns are spread over the processes of SCOPE_ROW. */
void proof_join(struct proof *, const struct worker *, bool across);
/* One element of a part of C, inside, by a thousandth. -1 and fail.h: it has none. */
int proof_spoil(const struct worker *, double *c, size_t ld, struct gemm_block,
                uint64_t repetition);
/* -1 and fail.h: the product is wrong. */
int proof_judge(struct proof *, const struct worker *, size_t row, size_t rows);

#endif
