/* pdgemm: ScaLAPACK's distributed matrix product.
 *
 * usage: mpirun -n RANKS pdgemm N BLOCK PRODUCTS
 *
 * The most square grid, matrices dealt in blocks, one BLAS thread in each rank. Prints the
 * median time of a product in seconds, from a barrier to the last rank's end, after one that
 * does not count. Linked with pilaenv.c it takes its logical block from PILAENV_BLOCK. */
#include "drivers/interval.h"

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

void openblas_set_num_threads(int);
void Cblacs_get(int, int, int *);
void Cblacs_gridinit(int *, const char *, int, int);
void Cblacs_gridinfo(int, int *, int *, int *, int *);
int numroc_(const int *, const int *, const int *, const int *, const int *);
void descinit_(int *, const int *, const int *, const int *, const int *, const int *, const int *,
               const int *, const int *, int *);
void pdgemm_(const char *, const char *, const int *, const int *, const int *, const double *,
             const double *, const int *, const int *, const int *, const double *, const int *,
             const int *, const int *, const double *, double *, const int *, const int *,
             const int *);

enum { DESCRIPTION = 9 };
static const int zero = 0, one = 1;

static double *matrix(int n, int block, int context, int description[DESCRIPTION])
{
    int rows, columns, row, column, status;
    Cblacs_gridinfo(context, &rows, &columns, &row, &column);
    const int high = numroc_(&n, &block, &row, &zero, &rows);
    const int wide = numroc_(&n, &block, &column, &zero, &columns);
    const int ld = high > 1 ? high : 1;
    descinit_(description, &n, &n, &block, &block, &zero, &zero, &context, &ld, &status);
    const size_t elements = (size_t)ld * (size_t)(wide > 1 ? wide : 1);
    double *m = status == 0 ? malloc(elements * sizeof *m) : NULL;
    if (!m) {
        MPI_Abort(MPI_COMM_WORLD, 1);
        exit(1);
    }
    for (size_t i = 0; i < elements; i++)
        m[i] = drand48();
    return m;
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    int ranks, rank, context;
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (argc != 4) {
        MPI_Abort(MPI_COMM_WORLD, 2);
        exit(2);
    }
    const int n = atoi(argv[1]), block = atoi(argv[2]), products = atoi(argv[3]);
    int rows = 1;
    for (int r = 2; r * r <= ranks; r++)
        rows = ranks % r == 0 ? r : rows;
    openblas_set_num_threads(1);
    Cblacs_get(-1, 0, &context);
    Cblacs_gridinit(&context, "Row", rows, ranks / rows);
    int da[DESCRIPTION], db[DESCRIPTION], dc[DESCRIPTION];
    double *a = matrix(n, block, context, da), *b = matrix(n, block, context, db);
    double *c = matrix(n, block, context, dc), *seconds = calloc((size_t)products, sizeof *seconds);
    const double alpha = 1, beta = 0;
    for (int i = -1; i < products; i++) {
        MPI_Barrier(MPI_COMM_WORLD);
        const double start = MPI_Wtime();
        pdgemm_("N", "N", &n, &n, &n, &alpha, a, &one, &one, da, b, &one, &one, db, &beta, c, &one,
                &one, dc);
        MPI_Barrier(MPI_COMM_WORLD);
        if (i >= 0)
            seconds[i] = MPI_Wtime() - start;
    }
    if (rank == 0)
        printf("%.9f\n", interval_median(seconds, (size_t)products).median);
    free(a);
    free(b);
    free(c);
    free(seconds);
    MPI_Finalize();
    return 0;
}
