/* gemm.h: rows of C = A B through the library, and the proof that they are right.
 * Row-major doubles; n columns everywhere; a worker owns `rows` rows of A and C. */
#ifndef BINDOT_GEMM_H
#define BINDOT_GEMM_H

#include <stddef.h>
#include <stdint.h>

enum { GEMM_STREAM_A = 1, GEMM_STREAM_B, GEMM_STREAM_W };

/* Rows [first, first + rows) of matrix `stream`, elements uniform in [0, 1). */
void gemm_fill(double *m, uint64_t stream, size_t first, size_t rows, size_t n);

/* C[rows, n] = A[rows, n] B[n, n] by one cblas_dgemm. */
void gemm_rows(const double *restrict a, const double *restrict b, double *restrict c, size_t rows,
               size_t n);

/* What the check needs of B, once: bw = B w and bs = |B| |w|, both [n];
 * w is a fixed vector of +1 and -1 that B was not made from. */
void gemm_project(const double *restrict b, double *restrict bw, double *restrict bs, size_t n);

/* Freivalds' check (1979): the largest |C w - A (B w)|_i / bound_i over the rows;
 * above 1, or not a number, means a wrong product.
 *
 * The bound is on rounding alone. Each of the three sums of n terms (C's own
 * elements, C w, A (B w)) errs by at most lambda sqrt(n) u (|A| |B| |w|)_i, but
 * with a chance of 2 exp(-lambda^2 / 2) (Higham and Mary, SIAM J. Sci. Comput.
 * 41, 2019, theorem 2.4), and w takes each sign with equal chance. lambda = 8
 * makes that chance 3e-14 per row: bound = 3 * 8 sqrt(n) u (|A| |B| |w|)_i.
 * An error of one element that is above the bound is always found; errors that
 * cancel under w escape with a chance of at most 1/2. */
double gemm_residual(const double *restrict a, const double *restrict c, const double *restrict bw,
                     const double *restrict bs, size_t rows, size_t n);

#endif
