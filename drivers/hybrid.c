#include "drivers/app.h"

int main(int argc, char **argv)
{
    return app_run("hybrid", &ranks_mpi, &threads_openmp, argc, argv);
}
