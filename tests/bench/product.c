/* product: a library's own matrix product, alone in its process.
 *
 * usage: product LIBRARY N PRODUCTS
 *
 * LIBRARY is a shared object with cblas_dgemm; its threads are what its environment
 * says. Prints the median time of a product in seconds, after one that does not count. */
#include "drivers/interval.h"
#include "kernels/tick.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, ENOUGH_NS = 20000000 };

typedef void dgemm(int, int, int, int, int, int, double, const double *, int, const double *, int,
                   double, double *, int);

static double *matrix(size_t elements)
{
    const size_t large = 1 << 21, bytes = (elements * sizeof(double) + large - 1) / large * large;
    double *m = aligned_alloc(large, bytes);
    if (!m)
        exit(1);
    madvise(m, bytes, MADV_HUGEPAGE); /* as the kit does, and NumPy */
    for (size_t i = 0; i < elements; i++)
        m[i] = drand48();
    return m;
}

int main(int argc, char **argv)
{
    void *library = argc == 4 ? dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL) : NULL;
    dgemm *multiply = library ? (dgemm *)dlsym(library, "cblas_dgemm") : NULL;
    if (!multiply) {
        fprintf(stderr, "usage: product LIBRARY N PRODUCTS; %s\n", argc == 4 ? dlerror() : "");
        return 2;
    }
    const int n = atoi(argv[2]), products = atoi(argv[3]);
    const size_t square = (size_t)n * (size_t)n;
    double *a = matrix(square), *b = matrix(square), *c = matrix(square);
    double *seconds = calloc((size_t)products, sizeof *seconds);
    uint64_t calls = 1; /* in a time that is worth its clock reads */
    for (int i = -1; i < products; i++) {
        const uint64_t start = tick_system();
        for (uint64_t call = 0; call < calls; call++)
            multiply(ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, n, n, n, 1, a, n, b, n, 0, c, n);
        const uint64_t took = tick_system() - start;
        if (i >= 0)
            seconds[i] = 1e-9 * (double)took / (double)calls;
        else
            calls = ENOUGH_NS / (took + 1) + 1;
    }
    printf("%.9f\n", interval_median(seconds, (size_t)products).median);
    return 0;
}
