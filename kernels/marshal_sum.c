#include "kernels/marshal_sum.h"

#include <string.h>

enum { LANES = 8, BLOCK = 128 };
typedef double pair __attribute__((vector_size(2 * sizeof(double)))); /* any 64-bit CPU has it */

double sum_naive(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum;
}

static inline __attribute__((always_inline)) pair load(const double *x, size_t stride)
{
    pair v = {x[0], x[stride]};
    if (stride == 1)
        memcpy(&v, x, sizeof v);
    return v;
}

/* n <= BLOCK. */
static inline __attribute__((always_inline)) double block(const double *x, size_t n, size_t stride)
{
    double sum = 0;
    size_t i = 0;
    if (n >= LANES) {
        pair s[LANES / 2];
#pragma GCC unroll 4
        for (size_t k = 0; k < LANES / 2; k++)
            s[k] = load(x + 2 * k * stride, stride);
        for (i = LANES; i + LANES <= n; i += LANES)
#pragma GCC unroll 4
            for (size_t k = 0; k < LANES / 2; k++)
                s[k] += load(x + (i + 2 * k) * stride, stride);
        sum = ((s[0][0] + s[0][1]) + (s[1][0] + s[1][1])) +
              ((s[2][0] + s[2][1]) + (s[3][0] + s[3][1]));
    }
    for (; i < n; i++)
        sum += x[i * stride];
    return sum;
}

static double dense(const double *x, size_t n)
{
    if (n <= BLOCK)
        return block(x, n, 1);
    const size_t left = n / 2 - n / 2 % LANES;
    return dense(x, left) + dense(x + left, n - left);
}

static double sparse(const double *x, size_t n, size_t stride)
{
    if (n <= BLOCK)
        return block(x, n, stride);
    const size_t left = n / 2 - n / 2 % LANES;
    return sparse(x, left, stride) + sparse(x + left * stride, n - left, stride);
}

double sum_pairwise(const double *x, size_t n, size_t stride)
{
    return stride == 1 ? dense(x, n) : sparse(x, n, stride);
}

/* A lane has at most BLOCK / LANES elements, the lanes are added in three steps,
 * LANES - 1 elements may be left over; a half is at most 2 (LANES - 1) above n / 2. */
int sum_pairwise_roundings(size_t n)
{
    int k = BLOCK / LANES + 3 + LANES - 1;
    for (; n > BLOCK; n = n / 2 + LANES)
        k++;
    return k;
}
