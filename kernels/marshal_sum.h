/* marshal_sum.h: sums of doubles that lie in memory, `stride` doubles apart. */
#ifndef BINDOT_MARSHAL_SUM_H
#define BINDOT_MARSHAL_SUM_H

#include <stddef.h>

/* One after the other, from the left: each addition waits for the one before. */
double sum_naive(const double *x, size_t n);

/* Pairwise, as NumPy sums: halves are summed apart and added, down to blocks of at
 * most 128 that are summed in eight lanes. |value - exact| <= g sum|x|,
 * g = k u / (1 - k u), k = sum_pairwise_roundings(n), u = 2^-53 (Higham, Accuracy
 * and Stability of Numerical Algorithms, section 4.2: k roundings on any path). */
double sum_pairwise(const double *x, size_t n, size_t stride);
int sum_pairwise_roundings(size_t n);

#endif
