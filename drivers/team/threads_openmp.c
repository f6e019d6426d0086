#include "drivers/team/threads.h"

#include <omp.h>
#include <stdlib.h>

static bool binds(void)
{
    return omp_get_proc_bind() != omp_proc_bind_false;
}

static int wanted(void)
{
    return getenv("OMP_NUM_THREADS") || binds() ? omp_get_max_threads() : 0;
}

static int most(void)
{
    return omp_get_thread_limit();
}

static void run(int n, void (*body)(int row, void *of), void *of)
{
    omp_set_dynamic(0); /* n means n */
#pragma omp parallel num_threads(n)
    body(omp_get_thread_num(), of);
}

static void meet(void)
{
#pragma omp barrier
}

const struct threads threads_openmp = {
    .name = "openmp", .wanted = wanted, .binds = binds, .most = most, .run = run, .meet = meet};
