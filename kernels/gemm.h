/* gemm.h: parts of C = A B through the library, and the proof that they are right.
 * Row-major doubles; B is n x n, A and C have n columns; `ld` is the distance between
 * rows. Elements of A and B depend on their place alone: who owns a part makes it. */
#ifndef BINDOT_GEMM_H
#define BINDOT_GEMM_H

#include <stddef.h>
#include <stdint.h>

enum { GEMM_STREAM_A = 1, GEMM_STREAM_B, GEMM_STREAM_W };

/* Cuts of rows and columns at multiples of GEMM_CUT keep the library's register
 * tiles whole; a sum over k of at most GEMM_SLICE is one that it does not cut. */
enum { GEMM_CUT = 8, GEMM_SLICE = 256 };

/* A part of a matrix. It may reach over the edge: there it holds zeros. */
struct gemm_block {
    size_t row, column, rows, columns;
};

/* What of it is inside a matrix of that shape. */
struct gemm_block gemm_inside(struct gemm_block, size_t rows, size_t n);

/* Elements uniform in [0, 1); the matrix is rows x n. */
void gemm_fill(double *m, size_t ld, uint64_t stream, struct gemm_block, size_t rows, size_t n);

/* C[rows, n] = A[rows, n] B[n, n] by one cblas_dgemm. */
void gemm_rows(const double *restrict a, const double *restrict b, double *restrict c, size_t rows,
               size_t n);

/* C[rows, columns] += A[rows, k] B[k, columns], or = where it is the first panel:
 * one cblas_dgemm for each GEMM_SLICE of k.
 *
 * What each element gets is defined by itself: over a slice, one chain of fused
 * multiply-adds from zero in the order of k; then one addition to C. So its bits
 * depend on the slices and on nothing else, if the library keeps to that. It does
 * where rows and columns are multiples of GEMM_CUT and it runs one thread (seen:
 * OpenBLAS 0.3.21, its Haswell, Zen, SkylakeX and Cooperlake code; not its code for
 * CPUs without fused multiply-add). gemm_chain says whether it did. */
struct gemm_panel {
    const double *a, *b; /* [rows, k], [k, columns] */
    size_t lda, ldb, k;
};
void gemm_panel(const struct gemm_panel *, double *restrict c, size_t ldc, size_t rows,
                size_t columns, int first);

/* C[i, j] by that definition, k cut at multiples of `panel`, from A's and B's rule. */
double gemm_chain(size_t i, size_t j, size_t n, size_t panel);

/* A number that depends on the bits of each element of C and its place, not on the
 * order in which parts are added up (wrapping). The block is inside. */
uint64_t gemm_checksum(const double *c, size_t ld, struct gemm_block, size_t n);

/* Freivalds' check (1979), for any distribution: with random weights w,
 *     C w = A (B w)    in each row,
 * up to rounding. Each side is a sum of parts, added up in any order:
 *
 *   gemm_weights: w and |w|, both [n]: random signs, sizes uniform in [1/2, 1).
 *   gemm_project: y += M x and s += |M| z for a part M[rows, columns].
 *
 * bw = B w, bs = |B| |w|; cw = C w; abw = A bw, size = |A| bs; then
 *   gemm_residual: the largest |cw - abw|_i / (5 n u size_i), u = 2^-53.
 * Above 1, or not a number, means a wrong product.
 *
 * The bound is rigorous: it assumes nothing of the errors, of the order of any sum,
 * or of fused operations. Four sums of n products each stand between cw and abw
 * (C's elements, C w, B w and A (B w)); each errs by at most g = n u / (1 - n u)
 * times size (Higham, Accuracy and Stability of Numerical Algorithms, sections 3.1
 * and 3.5), and size itself is computed to within 2 g of itself. 4 g and all
 * products of errors are below 5 n u while n u < 0.01. Rounding that behaves well
 * stays 10^4 and more below it.
 *
 * What escapes: an error e in one element of row i is always found if |e| is above
 * 4 times its bound, 20 n u size_i: for elements like these, 3e-8 of the element at
 * n = 4000. Errors of several elements of a row are found unless their weighted
 * sum happens to fall below that: weights are real numbers, not signs, so two equal
 * and opposite errors (two columns exchanged) do not cancel either. */
void gemm_weights(double *w, double *z, size_t n);
void gemm_project(const double *m, size_t ld, size_t rows, size_t columns, const double *x,
                  const double *z, double *restrict y, double *restrict s);
double gemm_residual(const double *cw, const double *abw, const double *size, size_t rows,
                     size_t n);

#endif
