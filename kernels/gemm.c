#include "kernels/gemm.h"

#include "kernels/fill.h"

#include <cblas.h>
#include <math.h>

void gemm_fill(double *m, uint64_t stream, size_t first, size_t rows, size_t n)
{
    for (size_t i = 0; i < rows * n; i++)
        m[i] = fill_uniform(stream, first * n + i);
}

void gemm_rows(const double *restrict a, const double *restrict b, double *restrict c, size_t rows,
               size_t n)
{
    const int m = (int)rows, k = (int)n;
    if (m)
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, k, k, 1.0, a, k, b, k, 0.0, c, k);
}

void gemm_project(const double *restrict b, double *restrict bw, double *restrict bs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double sum = 0, size = 0;
        for (size_t j = 0; j < n; j++) {
            sum += b[i * n + j] * fill_sign(GEMM_STREAM_W, j);
            size += fabs(b[i * n + j]);
        }
        bw[i] = sum;
        bs[i] = size;
    }
}

double gemm_residual(const double *restrict a, const double *restrict c, const double *restrict bw,
                     const double *restrict bs, size_t rows, size_t n)
{
    const double unit = 3 * 8 * sqrt((double)n) * 0x1p-53;
    double worst = 0;
    for (size_t i = 0; i < rows; i++) {
        double cw = 0, abw = 0, size = 0;
        for (size_t j = 0; j < n; j++) {
            cw += c[i * n + j] * fill_sign(GEMM_STREAM_W, j);
            abw += a[i * n + j] * bw[j];
            size += fabs(a[i * n + j]) * bs[j];
        }
        const double ratio = fabs(cw - abw) / (unit * size);
        if (isnan(ratio))
            return ratio; /* a comparison would lose it */
        worst = ratio > worst ? ratio : worst;
    }
    return worst;
}
