#include "drivers/app.h"

int main(int argc, char **argv)
{
    return app_run("openmp", &ranks_single, &threads_openmp, argc, argv);
}
