#include "drivers/blas.h"

#include <cblas.h>

void blas_set_threads(int n)
{
    openblas_set_num_threads(n);
}

int blas_threads(void)
{
    return openblas_get_num_threads();
}

const char *blas_core(void)
{
    return openblas_get_corename();
}

const char *blas_config(void)
{
    return openblas_get_config();
}

const char *blas_pool(void)
{
    static const char *const names[] = {"single", "pthread", "openmp"};
    const int kind = openblas_get_parallel();
    return kind >= 0 && kind < 3 ? names[kind] : "unknown";
}
