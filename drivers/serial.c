#include "drivers/app.h"

int main(int argc, char **argv)
{
    return app_run("serial", &ranks_single, &threads_single, argc, argv);
}
