#include "drivers/app.h"

int main(int argc, char **argv)
{
    return app_run("mpi", &ranks_mpi, &threads_single, argc, argv);
}
